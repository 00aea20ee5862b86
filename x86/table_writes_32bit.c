/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Live paging structures of 32-bit paging, written by every instruction that can store, through
 * every way to reach them.
 *
 * Any store changes paging structures, and after the required invalidation (or none, where P
 * becomes 1) the processor uses what memory holds (SDM Vol. 3, "Invalidation of TLBs and
 * Paging-Structure Caches"; R26 to R28).
 *
 * Caught here: hypervisors whose own tables have 512 entries of 8 bytes and so shadow each page
 * table by two and each page directory by four: a store that reaches another half or quarter, or
 * one of two words of an 8-byte store (KS13); 4-MByte pages made of two 2-MByte ones, of which one
 * has another PDE's rights (KS10, KS11) or loses its dirty flag with CR0.WP = 0 (KS06); a page
 * table shadowed once for PDEs with different rights (KS01), or linked without being brought up to
 * date (KS03); stores emulated wrongly (KS25, XS25); a directory that maps itself (R27).
 *
 * A check is the whole table's content, then outcome, flags and data of accesses. Not checked: what
 * accesses do before the invalidation; stores from user mode (table_writes does).
 */
#include "test.h"

SUBJECT(table_writes_32bit,
	"32-bit tables in use, written by every kind of store through every alias");
BUILT_FOR_32BIT;

#define MANUAL "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""
#define RIGHTS "SDM Vol. 3, \"Determination of Access Rights\""

static void try_stores(enum legacy_store_group group)
{
	try_legacy_stores(group);
}

TEST(moves_of_every_size_are_followed, "Entries written by MOV of 4, 2 and 1 bytes, XOR and SUB",
     MANUAL, "")
{
	try_stores(LEGACY_MOVES);
}

TEST(moves_across_words_are_followed,
     "Entries written by MOVs that straddle the border to a neighbour", MANUAL, "")
{
	try_stores(LEGACY_CROSSING);
}

TEST(locked_operations_are_followed,
     "Entries written by XCHG, CMPXCHG, CMPXCHG8B and locked AND, OR, BTC and XADD", MANUAL, "")
{
	try_stores(LEGACY_LOCKED);
}

TEST(string_stores_are_followed,
     "Entries written by MOVS and STOS, repeated, forwards and backwards", MANUAL, "")
{
	try_stores(LEGACY_STRINGS);
}

TEST(vector_stores_are_followed, "Entries written from XMM registers and by MOVNTI", MANUAL, "sse2")
{
	try_stores(LEGACY_VECTORS);
}

TEST(stack_stores_are_followed, "Entries written by PUSH, PUSHF and POP to memory", MANUAL, "")
{
	try_stores(LEGACY_STACK);
}

TEST(x87_stores_are_followed, "Entries written by FISTP", MANUAL, "")
{
	try_stores(LEGACY_X87);
}

TEST(shared_page_table_has_the_rights_of_each_pde,
     "A page table under four PDEs: each translation is its PTE's, each right its PDE's too",
     RIGHTS, "")
{
	try_shared_page_table();
}

TEST(shared_large_page_has_the_rights_and_flags_of_each_pde,
     "A large page by four PDEs: each has its own rights and dirty flag, in every part of it",
     RIGHTS, "pse")
{
	try_shared_large_page();
}

TEST(changed_table_under_a_new_pde_is_followed,
     "A PDE that becomes present leads to the page table as it is then, without invalidation",
     MANUAL, "")
{
	try_table_under_new_pde();
}

#define TWO_AT 0x50000000u /* the first of two entries that are 8 bytes with the second */

static void store_both(volatile uint64_t *entries, uint64_t value)
{
	uint64_t old = *entries;

	__asm__ volatile("lock cmpxchg8b %0"
			 : "+m"(*entries), "+A"(old)
			 : "b"((uint32_t)value), "c"((uint32_t)(value >> 32))
			 : "cc");
}

static void try_both(enum level level)
{
	uint64_t bytes = level_bytes(current_format(), level);
	uint32_t flags = P | RW | US | A | D | (level == PD ? PS : 0);
	volatile uint32_t *entries;
	struct legacy_page page;
	uint32_t leaves[4];

	for (unsigned i = 0; i < COUNT_OF(leaves); i++) {
		gpa_t frame = frames_alloc(bytes);

		frame_fill(frame, PAGE_4K, 70 + i);
		leaves[i] = (uint32_t)frame.value | flags;
	}
	page = legacy_map_at(LINEAR(TWO_AT), level, GPA(leaves[0] & ~0xfffu), P | RW | US);
	entries = page.entry[level];
	entries[1] = leaves[1];
	for (unsigned round = 1; round < 9; round++) {
		unsigned first = round * 2 % 4;

		for (unsigned i = 0; i < 2; i++)
			attempt(read_access(linear_plus(page.linear, i * bytes), 4));
		store_both((volatile uint64_t *)entries,
			   leaves[first] | (uint64_t)leaves[first + 1] << 32);
		invalidate(page.linear, round & 2 ? MOV_CR3 : INVLPG);
		invalidate(linear_plus(page.linear, bytes), INVLPG);
		for (unsigned i = 0; i < 2; i++)
			expect_read(read_access(linear_plus(page.linear, i * bytes), 4),
				    (uint32_t)frame_word(70 + first + i));
	}
}

TEST(store_of_two_entries_is_followed_in_both,
     "CMPXCHG8B that changes two PTEs, or two PDEs, changes what both map", MANUAL, "cmpxchg8b")
{
	try_both(PT);
	try_both(PD);
}
