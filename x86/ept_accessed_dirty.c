/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Accessed and dirty flags for EPT, bit for bit.
 *
 * With EPTP bit 6 = 1 the processor sets A (bit 8) in every EPT entry that it uses, and D (bit 9)
 * in the one that maps the page of a write. Accesses to the guest's own paging structures then
 * count as writes: for D, and for rights, so that a page table without W is a violation on every
 * walk, as a read and a write (SDM Vol. 3, "Accessed and Dirty Flags for EPT"; "Exit Qualification
 * for EPT Violations"). With bit 6 = 0 the processor never writes to EPT, and bits 8 and 9 are
 * ignored. Page-modification logging notes the page of each D that changes from 0 to 1
 * ("Page-Modification Logging").
 *
 * Caught here: guest walks that count as reads (KN03), flags kept although EPTP says no (BX06) or
 * ordinary paging's A and D (bits 5 and 6) written into EPT (XS35), D set by reads or by writes
 * that were denied, flags missing in one size of page, a log that names the wrong page. Those are
 * mistakes of hypervisors that emulate EPT for a guest hypervisor, and of emulators.
 *
 * Not checked: A in entries that no access of the case uses, which speculation may set (P22).
 */
#include "test.h"

SUBJECT(ept_accessed_dirty, "accessed and dirty flags for EPT, on and off, and what they log");

#define MANUAL "SDM Vol. 3, \"Accessed and Dirty Flags for EPT\""
#define VMX    "vmx vmx_allowed ept ept_4level invept"
#define NEEDS  VMX " ept_accessed_dirty"

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

/* Each access with EPT's flags all clear, all set, and A alone; with L2's own set and clear. */
static void try_flags(struct l2 *l2, const struct l2_page *page)
{
	const struct accesses accesses = all_accesses(page->linear);

	for (unsigned i = 0; i < COUNT_OF(accesses.list); i++) {
		for (unsigned state = 0; state < 6; state++) {
			struct second_image before;

			second_set_flags(&l2->second, state % 3 > 0, state % 3 > 1);
			l2_set_flags(l2, page, state / 3 ? A | D : 0);
			second_take_image(&before, &l2->second);
			expect_l2_as_modelled(l2, accesses.list[i]);
			expect_second_image(&before, &l2->second, EPT_A | EPT_D);
		}
	}
}

static void try_flags_in(enum level second)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .accessed_dirty = true, .second_of_pages = second,
				 .second_of_tables = second);
	struct l2_page page = l2_map(l2, PT, P | RW | US, 41);

	try_flags(l2, &page);
}

TEST(flags_follow_each_access_in_4_kbyte_pages,
     "each access sets A in every EPT entry it uses and D exactly where it writes", MANUAL, NEEDS)
{
	try_flags_in(PT);
}

TEST(flags_follow_each_access_in_2_mbyte_pages, "the same where EPT maps 2-MByte pages", MANUAL,
     NEEDS " ept_2m")
{
	try_flags_in(PD);
}

TEST(flags_follow_each_access_in_1_gbyte_pages, "the same where EPT maps 1-GByte pages", MANUAL,
     NEEDS " ept_1g")
{
	try_flags_in(PDPT);
}

TEST(a_denied_write_never_sets_the_dirty_flag,
     "an access that EPT denies leaves D of the page as it was", MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .accessed_dirty = true);
	struct l2_page page = l2_map(l2, PT, P | RW | US, 42);
	const struct accesses accesses = all_accesses(page.linear);

	for (unsigned rights = 0; rights < SECOND_ALL; rights++) {
		for (unsigned i = 0; i < COUNT_OF(accesses.list); i++) {
			second_allow(&l2->second, page.gpa, PT, rights, SECOND_NO_FLUSH);
			second_set_flags(&l2->second, false, false);
			expect_l2_as_modelled(l2, accesses.list[i]);
		}
	}
}

static void expect_accessed(struct l2 *l2, gpa_t gpa)
{
	for (unsigned level = PT; level <= PML4; level++) {
		uint64_t entry = *second_entry(&l2->second, gpa, level);

		expect(entry & EPT_A, "level %u: the entry is 0x%llx", level,
		       (unsigned long long)entry);
		expect(level > PT || entry & EPT_D, "the last entry is 0x%llx",
		       (unsigned long long)entry);
	}
}

TEST(walks_set_the_accessed_flag_at_each_level,
     "the EPT entries that lead to one of L2's structures alone get A, and the last one D", MANUAL,
     NEEDS)
{
	for (unsigned structure = PT; structure <= PML4; structure++) {
		struct l2 *l2 = l2_start(L2_4LEVEL, .accessed_dirty = true, .alone = structure);
		struct l2_page page = l2_map(l2, PT, P | RW | US, 45);

		for (unsigned flags = 0; flags < 2; flags++) {
			l2_set_flags(l2, &page, flags ? A | D : 0);
			second_set_flags(&l2->second, false, false);
			expect_l2_as_modelled(l2, read_access(page.linear, 8));
			expect_accessed(l2, GPA(page.entry_gpa[structure]));
		}
	}
}

/* Bits 1:0 of the exit qualification of a fetch that may not write to one of L2's structures. */
static unsigned walk_without_write(enum level structure)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .accessed_dirty = true);
	struct l2_page page = l2_map(l2, PT, P | RW | US, 43);
	gpa_t gpa = GPA(page.entry_gpa[structure]);
	struct l2_outcome outcome;

	l2_set_flags(l2, &page, A | D);
	second_allow(&l2->second, gpa, PT, SECOND_READ | SECOND_EXECUTE, SECOND_FLUSH);
	outcome = expect_l2_violation(l2, fetch_access(page.linear), gpa);
	expect(!outcome.exit.final && outcome.exit.linear == page.linear.value,
	       "final %u, linear 0x%llx", outcome.exit.final,
	       (unsigned long long)outcome.exit.linear);
	return outcome.exit.access;
}

TEST(walks_of_l2_need_the_right_to_write,
     "with flags for EPT a walk through a structure of L2's without W is a violation", MANUAL,
     NEEDS)
{
	for (unsigned structure = PT; structure <= PML4; structure++)
		expect(walk_without_write(structure) & SECOND_WRITE, "not reported as a write");
}

TEST(walks_of_l2_are_reported_as_reads_and_writes,
     "with flags for EPT a violation by a walk of L2's structures has bits 0 and 1 both set",
     MANUAL, NEEDS)
{
	for (unsigned structure = PT; structure <= PML4; structure++) {
		unsigned access = walk_without_write(structure);

		expect(access == (SECOND_READ | SECOND_WRITE), "bits 2:0 are %u", access);
	}
}

/* Everything that an entry may hold without effect, A and D of both kinds among it. */
static void fill_ignored_bits(void *context, volatile uint64_t *entry, bool maps_page)
{
	const uint64_t *bits = context;

	if (*entry & EPT_RWX)
		*entry |= *bits & (EPT_A | EPT_D | 1ull << 11 | (maps_page ? EPT_IPAT : 0));
}

TEST(entries_never_change_with_flags_off,
     "with EPTP bit 6 = 0 no access, allowed or denied, changes a bit of EPT", MANUAL, VMX)
{
	static const uint64_t fillings[] = {0, EPT_A, EPT_D, ~0ull};

	for (unsigned size = PT; size <= PDPT; size++) {
		struct l2 *l2;
		struct l2_page page;

		if (size == PDPT && !has_vmx(VMX_FEATURE_ept_1g))
			continue;
		l2 = l2_start(L2_4LEVEL, .second_of_pages = size, .second_of_tables = size);
		page = l2_map(l2, PT, P | RW | US, 44);
		for (unsigned f = 0; f < COUNT_OF(fillings); f++) {
			const struct accesses accesses = all_accesses(page.linear);
			uint64_t bits = fillings[f];
			struct second_image before;

			second_visit(&l2->second, fill_ignored_bits, &bits);
			second_take_image(&before, &l2->second);
			for (unsigned i = 0; i < COUNT_OF(accesses.list); i++) {
				l2_set_flags(l2, &page, 0);
				expect_l2_as_modelled(l2, accesses.list[i]);
			}
			expect_second_image(&before, &l2->second, 0);
		}
	}
}
