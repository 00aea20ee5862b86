/* SPDX-License-Identifier: BSD-2-Clause
 *
 * WP, SMEP, SMAP, PKRU and IA32_PKRS changed on another processor than the first.
 *
 * Each processor decides by its own registers, and a change of them counts at its next access,
 * whatever it has cached (SDM Vol. 3, "Determination of Access Rights", "Protection Keys"; R25).
 *
 * Caught here: rights kept in cached translations that the processor which booted brings up to date
 * and others do not, since a flush is asked of the wrong one, or of none but the first (BX01,
 * KS39). Images with one processor change these registers there.
 *
 * MOV to CR3 and INVLPG drop there what was cached under each setting, too.
 *
 * Processor 0 has the opposite setting meanwhile where that is possible. Not checked: EFER.NXE,
 * which needs an invalidation (different_modes).
 */
#include "test.h"

SUBJECT(remote_settings, "WP, SMEP, SMAP and keys changed on another processor count at once");

#define MANUAL "SDM Vol. 3, \"Determination of Access Rights\""
#define KEYS   "SDM Vol. 3, \"Protection Keys\""
#define KEY    5
#define TAG    53
#define ROUNDS 12

/* Makes the access forbidden, or allowed, on the processor that runs it. */
typedef void forbid_function(bool forbidden);

static void forbid_by_wp(bool forbidden)
{
	write_cr0(forbidden ? read_cr0() | CR0_WP : read_cr0() & ~CR0_WP);
}

static void forbid_by_smep(bool forbidden)
{
	write_cr4(forbidden ? read_cr4() | CR4_SMEP : read_cr4() & ~CR4_SMEP);
}

static void forbid_by_smap(bool forbidden)
{
	write_cr4(forbidden ? read_cr4() | CR4_SMAP : read_cr4() & ~CR4_SMAP);
}

static void forbid_data(bool forbidden)
{
	wrpkru(forbidden ? key_rights(KEY, KEY_ACCESS_DISABLE) : 0);
}

static void forbid_writes(bool forbidden)
{
	wrpkru(forbidden ? key_rights(KEY, KEY_WRITE_DISABLE) : 0);
}

static void forbid_by_pkrs(bool forbidden)
{
	write_msr(MSR_PKRS, forbidden ? key_rights(KEY, KEY_ACCESS_DISABLE) : 0);
}

struct change {
	forbid_function *function;
	bool forbidden;
};

static void make_change(unsigned self, void *argument)
{
	const struct change *change = argument;

	(void)self;
	change->function(change->forbidden);
}

static void change_on(unsigned processor, forbid_function *function, bool forbidden)
{
	struct change change = {function, forbidden};

	run_on(processor, make_change, &change);
}

/* With what the processor cached while the access was allowed, and of a read. */
static void try_changes(forbid_function *function, uint64_t flags, struct access access,
			uint64_t code)
{
	struct page page = map_page_at(PT, filled_frame(TAG), flags);
	struct outcome outcome;

	access.linear = page.linear;
	change_on(1, function, false);
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct access read = read_access(page.linear, 8);

		read.user = access.user;
		outcome = attempt_on(1, access);
		expect(outcome.vector == NO_VECTOR, "round %u, allowed: %s, error code 0x%llx", n,
		       vector_name(outcome.vector), (unsigned long long)outcome.error_code);
		change_on(1, function, true);
		if (n & 1)
			attempt_on(1, read);
		outcome = attempt_on(1, access);
		expect(outcome.vector == VECTOR_PF && outcome.error_code == code,
		       "round %u, forbidden: %s, error code 0x%llx instead of 0x%llx", n,
		       vector_name(outcome.vector), (unsigned long long)outcome.error_code,
		       (unsigned long long)code);
		change_on(1, function, false);
	}
}

TEST(wp_of_another_processor_counts_at_once,
     "CR0.WP set on another processor forbids its next write to a read-only page", MANUAL,
     "two_processors")
{
	clear_cr0(CR0_WP);
	start_processors(2);
	try_changes(forbid_by_wp, P, write_access(LINEAR(0), 8, frame_word(TAG)), PF_P | PF_W);
	try_changes(forbid_by_wp, P | US | D, write_access(LINEAR(0), 8, frame_word(TAG)),
		    PF_P | PF_W);
}

TEST(smep_of_another_processor_counts_at_once,
     "CR4.SMEP set on another processor forbids its next fetch from a user page", MANUAL,
     "two_processors smep")
{
	start_processors(2);
	try_changes(forbid_by_smep, P | RW | US, fetch_access(LINEAR(0)), PF_P | PF_ID);
}

TEST(smap_of_another_processor_counts_at_once,
     "CR4.SMAP set on another processor forbids its next access to a user page", MANUAL,
     "two_processors smap")
{
	start_processors(2);
	try_changes(forbid_by_smap, P | RW | US, read_access(LINEAR(0), 8), PF_P);
	try_changes(forbid_by_smap, P | RW | US, write_access(LINEAR(0), 8, frame_word(TAG)),
		    PF_P | PF_W);
}

TEST(pkru_of_another_processor_counts_at_once,
     "WRPKRU on another processor forbids its next user access to a page with the key", KEYS,
     "two_processors pku")
{
	set_cr4(CR4_PKE);
	start_processors(2);
	try_changes(forbid_data, P | RW | US | entry_key(KEY), as_user(read_access(LINEAR(0), 8)),
		    PF_P | PF_U | PF_PK);
	try_changes(forbid_writes, P | RW | US | entry_key(KEY),
		    as_user(write_access(LINEAR(0), 8, frame_word(TAG))),
		    PF_P | PF_U | PF_W | PF_PK);
}

TEST(pkrs_of_another_processor_counts_at_once,
     "WRMSR of IA32_PKRS on another processor forbids its next access to a page with the key", KEYS,
     "two_processors pks")
{
	set_cr4(CR4_PKS);
	start_processors(2);
	try_changes(forbid_by_pkrs, P | RW | entry_key(KEY), read_access(LINEAR(0), 8),
		    PF_P | PF_PK);
}

struct flush {
	linear_t linear;
	bool all; /* by MOV to CR3, not INVLPG */
};

static void flush_here(unsigned self, void *argument)
{
	const struct flush *flush = argument;

	(void)self;
	forget_translation(flush->all ? SHOOTDOWN_MOV_CR3 : SHOOTDOWN_INVLPG, flush->linear);
}

/* Reads by supervisor mode, with AC or not, alone. */
TEST(flushes_of_another_processor_count_under_smap,
     "What another processor has cached under CR4.SMAP = 1 is dropped by its MOV to CR3 or INVLPG",
     "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\"",
     "two_processors smap")
{
	gpa_t frame[2] = {filled_frame(TAG), filled_frame(TAG + 1)};
	struct page page = map_page_at(PT, frame[0], P | RW);

	start_processors(2);
	change_on(1, forbid_by_smap, true);
	for (unsigned n = 0; n < 4 * ROUNDS; n++) {
		struct flush flush = {page.linear, n & 2};
		struct access read = read_access(page.linear, 8);
		uint64_t word;

		read.ac = n & 4;
		write_entry(&page, PT, frame[n & 1].value | P | RW, INVLPG);
		run_on(1, flush_here, &flush);
		word = attempt_on(1, read).value[0];
		expect(word == frame_word(TAG + (n & 1)), "round %u: 0x%llx is read", n,
		       (unsigned long long)word);
	}
}
