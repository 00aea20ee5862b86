/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Live paging structures of PAE paging, written by every instruction of 32-bit code that can store:
 * an entry of 8 bytes in pieces of 4 and fewer, or at once.
 *
 * Any store changes page tables and page directories, and after the required invalidation (or none,
 * where P becomes 1) the processor uses what memory holds (SDM Vol. 3, "Invalidation of TLBs and
 * Paging-Structure Caches"; R26 to R28). PDPTEs are another matter (pdpte_registers).
 *
 * Caught here: an entry that is written in two halves, of which a hypervisor takes the first for
 * the whole (XS25) or misses the second, with XD; page directories that serve another GByte; a page
 * table shadowed once for PDEs with different rights (KS01), or linked without being brought up to
 * date (KS03); large pages with another PDE's rights (KS10, KS11) or dirty flag (KS06); stores
 * emulated wrongly (KS25, XS25); a directory that maps itself (R27).
 *
 * A check is the whole table's content, then outcome, flags and data of accesses. Not checked: what
 * accesses do before the invalidation; stores from user mode (table_writes does).
 */
#include "test.h"

SUBJECT(table_writes_pae, "PAE tables in use, written by every kind of store through every alias");
BUILT_FOR_32BIT;

#define MANUAL "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""
#define RIGHTS "SDM Vol. 3, \"Determination of Access Rights\""

static void try_stores(enum legacy_store_group group)
{
	run_under_pae();
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	try_legacy_stores(group);
}

TEST(moves_of_every_size_are_followed, "Entries written by MOV of 4, 2 and 1 bytes, XOR and SUB",
     MANUAL, "pae")
{
	try_stores(LEGACY_MOVES);
}

TEST(moves_across_words_are_followed,
     "Entries written by MOVs that straddle the border to a neighbour", MANUAL, "pae")
{
	try_stores(LEGACY_CROSSING);
}

TEST(locked_operations_are_followed,
     "Entries written by XCHG, CMPXCHG, CMPXCHG8B and locked AND, OR, BTC and XADD", MANUAL, "pae")
{
	try_stores(LEGACY_LOCKED);
}

TEST(string_stores_are_followed,
     "Entries written by MOVS and STOS, repeated, forwards and backwards", MANUAL, "pae")
{
	try_stores(LEGACY_STRINGS);
}

TEST(vector_stores_are_followed, "Entries written from XMM registers and by MOVNTI", MANUAL,
     "pae sse2")
{
	try_stores(LEGACY_VECTORS);
}

TEST(stack_stores_are_followed, "Entries written by PUSH, PUSHF and POP to memory", MANUAL, "pae")
{
	try_stores(LEGACY_STACK);
}

TEST(x87_stores_are_followed, "Entries written by FISTP", MANUAL, "pae")
{
	try_stores(LEGACY_X87);
}

TEST(shared_page_table_has_the_rights_of_each_pde,
     "A page table under four PDEs: each translation is its PTE's, each right its PDE's too",
     RIGHTS, "pae")
{
	run_under_pae();
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	try_shared_page_table();
}

TEST(shared_large_page_has_the_rights_and_flags_of_each_pde,
     "A large page by four PDEs: each has its own rights and dirty flag, in every part of it",
     RIGHTS, "pae")
{
	run_under_pae();
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	try_shared_large_page();
}

TEST(changed_table_under_a_new_pde_is_followed,
     "A PDE that becomes present leads to the page table as it is then, without invalidation",
     MANUAL, "pae")
{
	run_under_pae();
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	try_table_under_new_pde();
}
