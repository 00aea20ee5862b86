/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What L2's translations allow between one VM entry and the next exit.
 *
 * The first access to a page caches a translation in both dimensions, with the rights of L2's
 * entries and of EPT or nested page tables, and with what is known of their dirty flags. An access
 * that follows at once needs all of the rights that it would need alone, and a write all of the
 * dirty flags (SDM Vol. 3, "Caching Translation Information"; APM Vol. 2, "TLB Management").
 *
 * Caught here: rights of the second level that a cached translation has lost, or that are kept for
 * the kind of access alone that came first; D forgotten by a write that follows a read, in either
 * dimension (BX06, V803); CR0.WP that L2 changes and that counts after the next entry only (KS18).
 * Whoever caches combined translations: shadow nested paging, emulators, software TLBs.
 *
 * Tests with one access in an entry do not see that where entries and exits flush. Not checked:
 * L2's own flushes (own_flushes_of_l2), accesses across pages.
 */
#include "test.h"

SUBJECT(within_one_entry, "several accesses by L2 within one VM entry");

#define MANUAL "SDM Vol. 3, \"Caching Translation Information\"; APM Vol. 2, \"TLB Management\""
#define NEEDS  "second_level nx"
#define FLAGS  (P | RW | US | A | D)
#define TAG    41
#define WAYS   3

static struct access way(unsigned number, linear_t linear, bool user)
{
	struct access access = nth_access(number, linear);

	access.value[0] = frame_word(TAG); /* a fetch that follows finds its code */
	access.user = user;
	access.ac = false;
	return access;
}

static bool end_alike(const struct l2_outcome *one, const struct l2_outcome *other)
{
	if (one->exited || other->exited)
		return one->exited && other->exited && one->exit.kind == other->exit.kind &&
		       one->exit.gpa == other->exit.gpa &&
		       one->exit.qualification == other->exit.qualification;
	return one->outcome.vector == other->outcome.vector &&
	       one->outcome.error_code == other->outcome.error_code;
}

/* Alone and behind another access. */
static void compare(const struct l2_outcome *alone, const struct l2_outcome *after,
		    const struct access *first, const struct access *second)
{
	char memory[512];
	struct text text = TEXT(memory);

	text_access(&text, first);
	text_add(&text, ", then ");
	text_access(&text, second);
	text_add(&text, ": ");
	text_l2_outcome(&text, after);
	text_add(&text, "; alone: ");
	text_l2_outcome(&text, alone);
	expect(end_alike(alone, after), "%s", memory);
}

static bool completes(const struct l2_outcome *outcome)
{
	return !outcome->exited && outcome->outcome.vector == NO_VECTOR;
}

static void try_pairs(struct l2 *l2, linear_t linear, bool user)
{
	struct access access[WAYS];
	struct l2_outcome alone[WAYS];
	struct l2_run run;

	for (unsigned i = 0; i < WAYS; i++) {
		access[i] = way(i, linear, user);
		second_invalidate(&l2->second, SECOND_FLUSH);
		alone[i] = l2_attempt(l2, access[i]);
	}
	for (unsigned pair = 0; pair < WAYS * WAYS; pair++) {
		const struct access both[] = {access[pair / WAYS], access[pair % WAYS]};

		if (!completes(&alone[pair / WAYS]))
			continue;
		second_invalidate(&l2->second, SECOND_FLUSH);
		l2_run_steps(l2, both, 2, &run);
		expect(run.done >= 1, "the first of two accesses fails");
		compare(&alone[pair % WAYS], &run.end, &both[0], &both[1]);
	}
}

static void try_rights(enum l2_mode mode, enum level level, enum level second)
{
	static const unsigned allowed[] = {SECOND_READ, SECOND_READ | SECOND_WRITE,
					   SECOND_READ | SECOND_EXECUTE, SECOND_ALL};
	struct l2 *l2 = l2_start(mode, .second_of_pages = second);
	struct l2_page page = l2_map(l2, level, FLAGS, TAG);
	enum level second_level = second_page_level(&l2->second, page.gpa);
	uint64_t base = (page.gpa.value & ~(page.bytes - 1)) | P | A | D | (level > PT ? PS : 0);

	for (unsigned number = 0; number < 8 * COUNT_OF(allowed) * 2; number++) {
		l2_write_entry(l2, &page, level,
			       base | (number & 1 ? RW : 0) | (number & 2 ? US : 0) |
				       (number & 4 ? XD : 0));
		second_allow(&l2->second, page.gpa, second_level, allowed[number / 8 % 4],
			     SECOND_FLUSH);
		try_pairs(l2, page.linear, number >= 32);
	}
}

TEST(each_access_after_another_needs_its_own_rights,
     "in one VM entry an access ends as it does alone, whatever access was made before it", MANUAL,
     NEEDS)
{
	try_rights(L2_4LEVEL, PT, PT);
	try_rights(L2_4LEVEL, PD, PT);
	try_rights(L2_4LEVEL, PD, PD);
}

TEST(each_access_after_another_needs_its_own_rights_with_5_levels,
     "the same for L2 with 5-level paging", MANUAL, NEEDS " la57")
{
	try_rights(L2_5LEVEL, PT, PT);
}

static bool second_is_dirty(const struct l2 *l2, const struct l2_page *page)
{
	enum level level = second_page_level(&l2->second, page->gpa);

	return *second_entry(&l2->second, page->gpa, level) & l2->second.kind->dirty;
}

/* Reads and fetches first, then a write. */
static void try_dirty(enum level level, enum level second, bool user)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .second_of_pages = second, .accessed_dirty = true);
	struct l2_page page = l2_map(l2, level, P | RW | US, TAG);
	struct access steps[] = {way(0, page.linear, user), way(2, page.linear, user),
				 way(1, page.linear, user)};
	struct l2_run run;

	for (unsigned count = 2; count <= 3; count++) {
		second_set_flags(&l2->second, false, false);
		l2_set_flags(l2, &page, 0);
		second_invalidate(&l2->second, SECOND_FLUSH);
		l2_run_steps(l2, steps, count, &run);
		expect(run.done == count, "%u of %u accesses complete", run.done, count);
		expect(!(*(volatile uint64_t *)page.entry[level] & D) == (count == 2),
		       "L2's entry is 0x%llx after %u accesses",
		       (unsigned long long)*(volatile uint64_t *)page.entry[level], count);
		expect(second_is_dirty(l2, &page) == (count == 3),
		       "the second level's dirty flag is %u after %u accesses",
		       second_is_dirty(l2, &page), count);
	}
}

TEST(a_write_after_reads_sets_the_dirty_flags,
     "a write by a translation that a read and a fetch have cached sets D in both dimensions",
     "SDM Vol. 3, \"Accessed and Dirty Flags\"; \"Accessed and Dirty Flags for EPT\"",
     NEEDS " second_level_flags")
{
	for (unsigned user = 0; user < 2; user++) {
		try_dirty(PT, PT, user);
		try_dirty(PD, PT, user);
		try_dirty(PD, PD, user);
	}
}

static bool is_allowed(unsigned allowed, unsigned number)
{
	static const unsigned needed[WAYS] = {SECOND_READ, SECOND_WRITE, SECOND_EXECUTE};

	return allowed & needed[number];
}

/* Each access is the first one to its piece, and follows one that may have made it ready. */
TEST(pieces_of_a_large_page_have_its_rights,
     "an access to a part of a large page of the second level needs its rights after any other",
     "SDM Vol. 3, \"EPT Violations\"; APM Vol. 2, \"Nested Paging\"", NEEDS)
{
	static const unsigned allowed[] = {SECOND_READ, SECOND_READ | SECOND_WRITE,
					   SECOND_READ | SECOND_EXECUTE, SECOND_ALL};
	struct l2 *l2 = l2_start(L2_4LEVEL, .second_of_pages = PD);
	struct l2_page page = l2_map(l2, PD, FLAGS, TAG);
	linear_t linear = LINEAR(page.linear.value & ~(PAGE_2M - 1));
	gpa_t gpa = GPA(page.gpa.value & ~(PAGE_2M - 1));
	gpa_t large = frames_alloc(PAGE_2M);
	uint64_t offset = 0;

	frame_fill(large, PAGE_2M, TAG);
	second_map(&l2->second, gpa, large, PD, SECOND_ALL);
	for (unsigned n = 0; n < COUNT_OF(allowed); n++) {
		second_allow(&l2->second, gpa, second_page_level(&l2->second, gpa), allowed[n],
			     SECOND_FLUSH);
		for (unsigned i = 0; i < 2 * WAYS * WAYS; i++, offset += PAGE_4K) {
			unsigned number = i & 1 ? i / 2 % WAYS : i / 2 / WAYS;
			struct access access = way(number, linear_plus(linear, offset), n & 1);

			if (is_allowed(allowed[n], number))
				expect_l2_completes(l2, access);
			else
				expect_l2_violation(l2, access, gpa_plus(gpa, offset));
		}
	}
}

/* In VMX non-root operation CR0.NE has to be 1. */
static struct access load_cr0(linear_t linear, uint64_t cr0)
{
	return instruction_access(INSTRUCTION_mov_to_cr0, linear, cr0 | 1ull << 5);
}

/* Both directions, on one page that has no R/W. */
TEST(cr0_wp_counts_at_the_next_write,
     "L2's change of CR0.WP counts for the next write by a translation that is cached",
     "SDM Vol. 3, \"Determination of Access Rights\"", NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | US | A | D, TAG);
	struct access steps[] = {
		read_access(page.linear, 8),
		load_cr0(page.linear, l2->cr0 & ~CR0_WP),
		write_access(page.linear, 8, frame_word(TAG)),
		load_cr0(page.linear, l2->cr0),
		write_access(page.linear, 8, frame_word(TAG)),
	};
	struct l2_run run;

	second_invalidate(&l2->second, SECOND_FLUSH);
	l2_run_steps(l2, steps, COUNT_OF(steps), &run);
	expect(run.done == 4, "%u steps complete instead of 4", run.done);
	expect(!run.end.exited && run.end.outcome.vector == VECTOR_PF &&
		       run.end.outcome.error_code == (PF_P | PF_W),
	       "exit kind %u, error code 0x%llx", run.end.exit.kind,
	       (unsigned long long)run.end.outcome.error_code);
}

TEST(cr4_smep_counts_at_the_next_fetch,
     "L2's change of CR4.SMEP counts for the next fetch by a translation that is cached",
     "SDM Vol. 3, \"Determination of Access Rights\"", NEEDS " smep")
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, FLAGS, TAG);
	uint64_t cr4 = l2->cr4 | (has(FEATURE_svm) ? 0 : CR4_VMXE);
	struct access steps[] = {
		fetch_access(page.linear),
		instruction_access(INSTRUCTION_mov_to_cr4, page.linear, cr4 | CR4_SMEP),
		read_access(page.linear, 8),
		instruction_access(INSTRUCTION_mov_to_cr4, page.linear, cr4),
		fetch_access(page.linear),
		instruction_access(INSTRUCTION_mov_to_cr4, page.linear, cr4 | CR4_SMEP),
		fetch_access(page.linear),
	};
	struct l2_run run;

	second_invalidate(&l2->second, SECOND_FLUSH);
	l2_run_steps(l2, steps, COUNT_OF(steps), &run);
	expect(run.done == 6, "%u steps complete instead of 6", run.done);
	expect(!run.end.exited && run.end.outcome.vector == VECTOR_PF &&
		       run.end.outcome.error_code == (PF_P | PF_ID),
	       "exit kind %u, error code 0x%llx", run.end.exit.kind,
	       (unsigned long long)run.end.outcome.error_code);
}
