/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L2's paging structures and pages at L2-physical addresses of more than 32 bits.
 *
 * Entries of PAE paging and of 4-level paging hold addresses of MAXPHYADDR bits, and all of them
 * count when the second level translates the address (SDM Vol. 3, "PAE Paging", "EPT Translation
 * Mechanism"; APM Vol. 2, "Nested Paging"). What N_CR3 holds besides an address is no part of it.
 *
 * Caught here: guest-physical addresses cut to 32 bits on the way from one walk to the other, in
 * one mode or at one level (QT08, KN18, XS35); PWT and PCD of N_CR3 added to the address.
 *
 * Where each structure was before, below 4 GBytes, zeroes are. Not checked: bits from MAXPHYADDR
 * on (npt_reserved_bits, ept_misconfig).
 */
#include "test.h"

SUBJECT(l2_high_addresses, "structures and pages of L2 above 4 GBytes of its physical memory");

#define MANUAL "SDM Vol. 3, \"EPT Translation Mechanism\"; APM Vol. 2, \"Nested Paging\""
#define NEEDS  "second_level"
#define TAG    61

/* What the entry at `level` leads to: a structure, or at the last level the page. */
static gpa_t child_of(const struct l2_page *page, enum level level)
{
	uint64_t child = level == page->level ? page->gpa.value : page->table[level - 1].value;

	return GPA(child & ~(uint64_t)(PAGE_4K - 1));
}

static void change_entry(struct l2 *l2, const struct l2_page *page, enum level level, uint64_t bit)
{
	unsigned index = (unsigned)(page->linear.value >> 30);
	uint64_t *pdptes = identity(l2->root_frame);

	if (l2->mode == L2_PAE && level == PDPT) {
		pdptes[index] ^= bit;
		l2->pdpte[index] = pdptes[index];
	} else {
		*(volatile uint64_t *)page->entry[level] ^= bit;
	}
}

static void try_bit(struct l2 *l2, const struct l2_page *page, enum level level, uint64_t bit)
{
	gpa_t low = child_of(page, level), frame = l2_frame_of(l2, low), zeroes = frame_alloc();
	gpa_t high = GPA(low.value ^ bit);

	second_map(&l2->second, high, frame, PT, SECOND_ALL);
	second_map(&l2->second, low, zeroes, PT, SECOND_ALL);
	change_entry(l2, page, level, bit);
	second_invalidate(&l2->second, SECOND_FLUSH_ALL);
	expect_l2_read(l2, read_access(page->linear, 4), (uint32_t)frame_word(TAG));
	expect_l2_read(l2, as_user(fetch_access(page->linear)), TAG);
	expect_l2_completes(l2, as_user(write_access(page->linear, 4, (uint32_t)frame_word(TAG))));
	for (unsigned i = 0; i < PAGE_4K / 8; i++)
		expect(!((volatile uint64_t *)identity(zeroes))[i],
		       "level %u, bit 0x%llx: memory without this bit was written at 0x%x",
		       (unsigned)level, (unsigned long long)bit, 8 * i);
	change_entry(l2, page, level, bit);
	second_map(&l2->second, low, frame, PT, SECOND_ALL);
}

static void try_mode(enum l2_mode mode)
{
	struct l2 *l2 = l2_start(mode);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, TAG);
	unsigned bits = maxphyaddr() < 48 ? maxphyaddr() : 48;

	for (int level = PT; level <= (mode == L2_PAE ? PDPT : PML4); level++)
		for (unsigned bit = 32; bit < bits; bit++)
			try_bit(l2, &page, (enum level)level, 1ull << bit);
}

TEST(entries_of_pae_paging_hold_whole_addresses,
     "PDPTEs, PDEs and PTEs of a PAE guest lead above 4 GBytes of its physical memory", MANUAL,
     NEEDS)
{
	try_mode(L2_PAE);
}

TEST(entries_of_4_level_paging_hold_whole_addresses,
     "Each level of 4-level paging leads above 4 GBytes of L2's physical memory", MANUAL, NEEDS)
{
	try_mode(L2_4LEVEL);
}

TEST(hints_of_n_cr3_are_no_address,
     "PWT and PCD of N_CR3 do not change where the nested tables are",
     "APM Vol. 2, \"Enabling Nested Paging\"", "svm svm_allowed svm_nested_paging")
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, TAG);
	volatile uint64_t *n_cr3 = &svm_guest(l2)->vmcb->control.n_cr3;

	for (unsigned n = 0; n < 4; n++) {
		*n_cr3 = (*n_cr3 & ENTRY_ADDRESS) | (n & 1 ? CR3_PWT : 0) | (n & 2 ? CR3_PCD : 0);
		second_invalidate(&l2->second, SECOND_FLUSH_ALL);
		expect_l2_read(l2, read_access(page.linear, 8), frame_word(TAG));
		expect_l2_completes(l2, as_user(write_access(page.linear, 8, frame_word(TAG))));
	}
}
