/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A directory and a frame shared by ways with different rights, used in every order; rights that
 * CR0.WP, SMEP and SMAP give or take.
 *
 * The rights of an access are those of the entries on its own way and of the control registers as
 * they are, whatever was used before (SDM Vol. 3, "Determination of Access Rights").
 *
 * Caught here, in shadow pagers: shadow pages kept without the rights of the entries above, or with
 * those that were there first (KS01, CVE-2021-38198 in its own shape: the entries of the shared
 * directory differ); D of a second large page for one frame (KS06); a page made a supervisor one
 * for CR0.WP = 0 that SMEP or SMAP no longer sees (KS17).
 *
 * Not checked: two ways alone and differing leaf entries (table_aliases); all pairs of settings
 * (mode_toggles).
 */
#include "test.h"

SUBJECT(shared_directories,
	"directories and frames shared by ways of different rights, in every order");

#define MANUAL_RIGHTS "SDM Vol. 3, \"Determination of Access Rights\""
#define MANUAL_FLAGS  "SDM Vol. 3, \"Accessed and Dirty Flags\""
#define ALL	      (P | RW | US)

enum { OLD = 61, NEW = 62, INDEX = 200, WAYS = 4 };

/* A linear address with the same index at every level below the root. */
static linear_t indexed_linear(void)
{
	uint64_t linear = unused_linear().value;

	for (int at = PT; at <= PDPT; at++)
		linear |= (uint64_t)INDEX << paging_4level.level[at].shift;
	return LINEAR(linear);
}

/* Two entries at `upper` for one table whose two entries lead on to tables of their own. `changed`:
 * which rights of the two lower and the two upper entries are the other way round. Way 2 * u + l
 * goes through upper entry u and lower entry l. */
static void make_ways(linear_t *ways, enum level upper, const uint64_t *changed)
{
	struct page page = map_page_at_linear(indexed_linear(), PT, filled_frame(OLD), ALL);
	struct page other = map_page_at_linear(indexed_linear(), PT, filled_frame(NEW), ALL);
	uint64_t *lower = page.entry[upper - 1];
	uint64_t *second = upper == PML4 ? other.entry[PML4] : page.entry[upper] + 1;
	uint64_t table = *page.entry[upper];

	lower[0] ^= changed[0];
	lower[1] = *other.entry[upper - 1] ^ changed[1];
	*page.entry[upper] = table ^ changed[2];
	*second = table ^ changed[3];
	ways[0] = page.linear;
	ways[2] = upper == PML4 ? other.linear
				: linear_plus(page.linear, level_bytes(current_format(), upper));
	for (unsigned i = 0; i < WAYS; i += 2)
		ways[i + 1] = linear_plus(ways[i], level_bytes(current_format(), upper - 1));
	invalidate(ways[0], MOV_CR3);
}

/* The nth of the 24 orders of four ways. */
static void nth_order(unsigned n, unsigned *order)
{
	unsigned left[WAYS] = {0, 1, 2, 3};

	for (unsigned i = 0; i < WAYS; i++) {
		unsigned pick = n % (WAYS - i);

		n /= WAYS - i;
		order[i] = left[pick];
		left[pick] = left[WAYS - 1 - i];
	}
}

/* What needs the right; where XD is not the subject no fetch, which emulators translate anew. */
static struct access needing(uint64_t bit, linear_t linear)
{
	if (bit == XD)
		return fetch_access(linear);
	return bit == RW ? write_access(linear, 1, 0xb8) : read_access(linear, 8);
}

/* A read by the first lower entry, what needs the right by the second; then that by all. */
static void use_in_order(const linear_t *ways, uint64_t bit, unsigned n)
{
	unsigned order[WAYS];

	nth_order(n, order);
	for (unsigned i = 0; i < WAYS; i++) {
		linear_t at = ways[order[i]];

		expect_as_modelled(as_user(order[i] & 1 ? needing(bit, at) : read_access(at, 8)));
	}
	for (unsigned i = 0; i < WAYS; i++) {
		expect_as_modelled(as_user(needing(bit, ways[order[i]])));
		expect_as_modelled(needing(bit, ways[order[i]]));
	}
}

static void try_ways(uint64_t bit)
{
	unsigned step = effort_shares() > 4 ? 5 : 1;

	watch_attempts();
	for (int upper = PDPT; upper <= PML4; upper++) {
		for (unsigned denied = 0; denied < 16; denied++) {
			progress("bit 0x%llx, combination %u", (unsigned long long)bit, denied);
			for (unsigned n = 0; n < 24; n += step) {
				linear_t ways[WAYS];
				uint64_t changed[WAYS];

				for (unsigned i = 0; i < WAYS; i++)
					changed[i] = denied >> i & 1 ? bit : 0;
				make_ways(ways, (enum level)upper, changed);
				use_in_order(ways, bit, n);
				release_pages();
			}
		}
	}
}

TEST(shared_directory_is_writable_by_each_way_alone,
     "R/W of two upper entries and two entries of their table, all orders of the four ways",
     MANUAL_RIGHTS, "")
{
	try_ways(RW);
}

TEST(shared_directory_is_the_users_by_each_way_alone,
     "U/S of two upper entries and two entries of their table, all orders of the four ways",
     MANUAL_RIGHTS, "")
{
	try_ways(US);
}

TEST(shared_directory_is_executable_by_each_way_alone,
     "XD of two upper entries and two entries of their table, all orders of the four ways",
     MANUAL_RIGHTS, "nx")
{
	set_efer(EFER_NXE);
	try_ways(XD);
}

/* Three bits of `rights` for each of the four entries. */
static void try_mixed(enum level upper, unsigned rights)
{
	linear_t ways[WAYS];
	uint64_t changed[WAYS];

	for (unsigned i = 0; i < WAYS; i++) {
		unsigned own = rights >> 3 * i;

		changed[i] = (own & 1 ? RW : 0) | (own & 2 ? US : 0) | (own & 4 ? XD : 0);
	}
	make_ways(ways, upper, changed);
	use_in_order(ways, RW, rights % 24);
	use_in_order(ways, US, rights % 24);
	use_in_order(ways, XD, rights % 24);
	release_pages();
}

TEST(shared_directory_has_all_rights_of_each_way,
     "R/W, U/S and XD together, of two upper entries and two entries of their table", MANUAL_RIGHTS,
     "nx")
{
	unsigned step = effort_shares() > 4 ? 35 : 5;

	set_efer(EFER_NXE);
	watch_attempts();
	for (int upper = PDPT; upper <= PML4; upper++) {
		for (unsigned rights = (unsigned)upper; rights < 4096; rights += step) {
			progress("rights 0x%x", rights);
			try_mixed((enum level)upper, rights);
		}
	}
}

/* Two read-only 2-MByte pages over one frame, other pieces of 4 KBytes read before. */
static void try_shared_frame(gpa_t frame, uint64_t flags, unsigned n)
{
	struct page first = map_page_at(PD, frame, flags), second = map_page_at(PD, frame, flags);
	const uint64_t piece = 7 * PAGE_4K;
	linear_t one = linear_plus(n & 1 ? second.linear : first.linear, piece);
	linear_t other = linear_plus(n & 1 ? first.linear : second.linear, piece);

	if (n & 2)
		expect_as_modelled(read_access(linear_plus(one, PAGE_4K), 8));
	expect_as_modelled(read_access(linear_plus(other, n & 4 ? 0 : PAGE_4K), 8));
	clear_cr0(CR0_WP);
	expect_as_modelled(write_access(one, 8, frame_word(OLD)));
	expect_as_modelled(write_access(other, 8, frame_word(OLD)));
	set_cr0(CR0_WP);
	expect_as_modelled(write_access(one, 8, 0));
	expect_as_modelled(write_access(other, 8, 0));
}

TEST(read_only_2_mbyte_pages_of_one_frame_each_get_d,
     "With WP = 0 a write through each of two read-only 2-MByte pages of one frame sets its D",
     MANUAL_FLAGS, "")
{
	gpa_t frame = frames_alloc(PAGE_2M);

	frame_fill(frame, 16 * PAGE_4K, OLD);
	for (unsigned n = 0; n < 8; n++) {
		try_shared_frame(frame, P, n);
		try_shared_frame(frame, P | US, n);
	}
}

/* A supervisor write to a read-only user page with WP = 0, then the prevention is switched on. */
static void try_prevention(uint64_t cr4, bool fetches)
{
	for (int level = PT; level <= PD; level++) {
		struct subject subject = map_subject((enum level)level, P | US, OLD);
		linear_t at = subject.target;

		for (unsigned i = 0; i < 4; i++) {
			clear_cr0(CR0_WP);
			expect_as_modelled(write_access(at, 8, frame_word(OLD)));
			if (i & 1)
				expect_as_modelled(fetches ? fetch_access(at) : read_access(at, 8));
			if (i & 2)
				set_cr0(CR0_WP);
			set_cr4(cr4);
			expect_as_modelled(fetches ? fetch_access(at) : read_access(at, 8));
			expect_as_modelled(as_user(read_access(at, 8)));
			clear_cr4(cr4);
			set_cr0(CR0_WP);
		}
	}
}

TEST(smep_guards_pages_written_while_wp_was_clear,
     "SMEP set after a write with WP = 0 to a read-only user page denies fetches there",
     MANUAL_RIGHTS, "smep")
{
	try_prevention(CR4_SMEP, true);
}

TEST(smap_guards_pages_written_while_wp_was_clear,
     "SMAP set after a write with WP = 0 to a read-only user page denies reads there",
     MANUAL_RIGHTS, "smap")
{
	try_prevention(CR4_SMAP, false);
}
