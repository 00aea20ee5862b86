/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Accessed and dirty flags of nested tables, bit for bit.
 *
 * Nested entries have the A and D flags of ordinary paging, and the processor sets them in the same
 * way: A in every nested entry that it uses, D in the one that maps the page of a write. A walk of
 * the guest's own paging structures counts as a write at the nested level, so that D is set for
 * them even where the guest only reads (APM Vol. 2, "Nested Table Walk"; "Page-Translation-Table
 * Entry Fields"). An access that is stopped never makes the page dirty.
 *
 * Caught here: guest walks that count as reads, flags set in the wrong dimension or by the guest's
 * own flags instead (L2's D set, the nested D not), D set by reads or by writes that were denied,
 * flags missing in one size of page, other bits of an entry that get lost when a flag is set.
 * Hypervisors that shadow nested tables have to set them in L1's entries by software, and hide L2's
 * first write to do so (KVM, Hyper-V nested).
 *
 * Not checked: flags in entries that no access of the case uses (P22).
 */
#include "test.h"

SUBJECT(npt_accessed_dirty, "accessed and dirty flags of nested tables, and nothing else changed");

#define MANUAL	 "APM Vol. 2, \"Nested Table Walk\"; \"Page-Translation-Table Entry Fields\""
#define NEEDS	 "svm svm_allowed svm_nested_paging nx"
#define SOFTWARE (IGNORED_9_11 | IGNORED_52_58)

struct accesses {
	struct access list[8];
};

static struct accesses all_accesses(linear_t linear)
{
	const struct access read = read_access(linear, 8);
	const struct access write = write_access(linear, 8, frame_word(41));
	const struct access fetch = fetch_access(linear);
	const struct access update = {INSTRUCTION_lock_or, .linear = linear};

	return (struct accesses){{read, write, fetch, update, as_user(read), as_user(write),
				  as_user(fetch), as_user(update)}};
}

/* Bits that belong to software, different in every entry. */
static void fill_software_bits(void *context, volatile uint64_t *entry, bool maps_page)
{
	uint64_t *state = context;

	(void)maps_page;
	*state = *state * 6364136223846793005 + 1442695040888963407;
	if (*entry & P)
		*entry |= *state & SOFTWARE;
}

/* Each access with the nested flags all clear, all set, and A alone; with L2's own set and clear.
 */
static void try_flags(enum level second, unsigned repetitions)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .second_of_pages = second, .second_of_tables = second);
	struct l2_page page = l2_map(l2, PT, P | RW | US, 41);
	const struct accesses accesses = all_accesses(page.linear);
	static struct second_image before;
	uint64_t state = run_seed();

	second_visit(&l2->second, fill_software_bits, &state);
	for (unsigned i = 0; i < COUNT_OF(accesses.list); i++) {
		for (unsigned flags = 0; flags < 6; flags++) {
			second_set_flags(&l2->second, flags % 3 > 0, flags % 3 > 1);
			l2_set_flags(l2, &page, flags / 3 ? A | D : 0);
			second_take_image(&before, &l2->second);
			for (unsigned again = 0; again < repetitions; again++)
				expect_l2_as_modelled(l2, accesses.list[i]);
			expect_second_image(&before, &l2->second, A | D);
		}
	}
}

TEST(flags_follow_each_access_in_4_kbyte_pages,
     "each access sets A in every nested entry it uses and D exactly where it writes", MANUAL,
     NEEDS)
{
	try_flags(PT, 1);
	try_flags(PT, 2);
}

TEST(flags_follow_each_access_in_2_mbyte_pages, "the same where nested tables map 2-MByte pages",
     MANUAL, NEEDS)
{
	try_flags(PD, 1);
}

TEST(flags_follow_each_access_in_1_gbyte_pages, "the same where nested tables map 1-GByte pages",
     MANUAL, NEEDS " pages_1g")
{
	try_flags(PDPT, 1);
}

TEST(a_denied_write_never_sets_the_dirty_flag,
     "an access that nested tables deny leaves D of the page as it was", MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US, 42);
	const struct accesses accesses = all_accesses(page.linear);

	for (unsigned rights = 0; rights < 8; rights++) {
		for (unsigned i = 0; i < COUNT_OF(accesses.list); i++) {
			second_edit(&l2->second, page.gpa, PT, SECOND_NO_FLUSH,
				    .clear = RW | US | XD,
				    .set = (rights & 1 ? RW : 0) | (rights & 2 ? US : 0) |
					   (rights & 4 ? XD : 0));
			second_set_flags(&l2->second, false, false);
			expect_l2_as_modelled(l2, accesses.list[i]);
		}
	}
}

TEST(the_dirty_flag_follows_a_write_through_a_cached_translation,
     "a write after a read makes the nested entry dirty although its translation is cached", MANUAL,
     NEEDS)
{
	for (unsigned size = PT; size <= (has(FEATURE_pages_1g) ? PDPT : PD); size++) {
		struct l2 *l2 = l2_start(L2_4LEVEL, .second_of_pages = size);
		struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 43);
		volatile uint64_t *entry = second_entry(&l2->second, page.gpa, size);

		second_set_flags(&l2->second, false, false);
		second_invalidate(&l2->second, SECOND_FLUSH_ALL);
		expect_l2_completes(l2, read_access(page.linear, 8));
		expect((*entry & (A | D)) == A, "after a read the entry is 0x%llx",
		       (unsigned long long)*entry);
		expect_l2_completes(l2, write_access(page.linear, 8, frame_word(43)));
		expect((*entry & (A | D)) == (A | D), "after a write the entry is 0x%llx",
		       (unsigned long long)*entry);
	}
}

TEST(flags_cleared_are_set_again_after_a_flush,
     "after A and D are cleared and TLB_CONTROL flushed the ASID, the next write sets both",
     "APM Vol. 2, \"TLB Flush\"", NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 44);
	struct access write = write_access(page.linear, 8, frame_word(44));
	volatile uint64_t *entry = second_entry(&l2->second, page.gpa, PT);

	for (unsigned round = 0; round < 4; round++) {
		expect_l2_completes(l2, write);
		expect((*entry & (A | D)) == (A | D), "the entry is 0x%llx",
		       (unsigned long long)*entry);
		second_set_flags(&l2->second, false, false);
		second_invalidate(&l2->second, SECOND_FLUSH);
	}
}
