/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What must be dropped of cached translations under 32-bit paging, and what needs no invalidation.
 *
 * INVLPG drops all of the page that holds its operand, 4 MBytes too, global or not, and every
 * cached PDE; MOV to CR3 what is not global; a change of CR4.PGE everything (SDM Vol. 3,
 * "Operations that Invalidate TLBs and Paging-Structure Caches", "Optional Invalidation").
 *
 * Caught here: 4-MByte pages that are kept as two of 2 MBytes, or as 1024 of 4 KBytes, of which one
 * INVLPG drops a part (QT22, KS13); global translations kept (BX03, ER09); a shadow of a page table
 * that INVLPG does not bring up to date, or that MOV to CR3 does not (BL01, KS34); roots mixed up;
 * a page that stays as it was when its PDE turns from large page to page table (KS28, KS29).
 *
 * Not checked: what accesses do between an edit and its invalidation.
 */
#include "test.h"

SUBJECT(invalidation_32bit,
	"what must be dropped under 32-bit paging: by INVLPG, MOV to CR3, CR4 and CR0");
BUILT_FOR_32BIT;

#define MANUAL	 "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define OPTIONAL "SDM Vol. 3, \"Optional Invalidation\""

TEST(invlpg_drops_a_4_kbyte_page,
     "After INVLPG anywhere in a 4-KByte page every access uses the new frame", MANUAL, "")
{
	try_moved_page(PT, 0, INVLPG);
}

TEST(invlpg_drops_all_of_a_4_mbyte_page,
     "After INVLPG anywhere in a 4-MByte page every access in it uses the new memory", MANUAL,
     "pse")
{
	try_moved_page(PD, 0, INVLPG);
}

TEST(invlpg_drops_global_pages, "INVLPG drops global translations, of small and large pages",
     MANUAL, "pge pse")
{
	set_cr4(CR4_PGE);
	try_moved_page(PT, G, INVLPG);
	try_moved_page(PD, G, INVLPG);
}

TEST(mov_to_cr3_drops_pages, "MOV to CR3 drops translations that are not global", MANUAL, "pse")
{
	try_moved_page(PT, 0, MOV_CR3);
	try_moved_page(PD, 0, MOV_CR3);
}

TEST(g_is_ignored_without_pge, "With CR4.PGE = 0 MOV to CR3 drops translations with G = 1 too",
     MANUAL, "pge pse")
{
	clear_cr4(CR4_PGE);
	try_moved_page(PT, G, MOV_CR3);
	try_moved_page(PD, G, MOV_CR3);
}

TEST(a_change_of_pge_drops_everything,
     "A change of CR4.PGE drops all translations, global ones too", MANUAL, "pge pse")
{
	set_cr4(CR4_PGE);
	try_moved_page(PT, G, CR4_PGE_TWICE);
	try_moved_page(PD, G, CR4_PGE_TWICE);
	try_moved_page(PT, 0, CR4_PGE_TWICE);
}

TEST(each_change_of_pge_drops_everything,
     "Setting CR4.PGE drops all translations, and so does clearing it", MANUAL, "pge pse")
{
	try_each_change_of_pge();
}

TEST(turning_paging_off_drops_everything,
     "CR0.PG cleared and set again drops all translations, of user mode and global ones too",
     MANUAL, "pse")
{
	try_paging_off();
}

TEST(taken_rights_are_gone_after_invlpg,
     "Rights and flags taken from a PTE or PDE are missing after INVLPG of the page", MANUAL, "pse")
{
	try_taken_rights(PT, INVLPG);
	try_taken_rights(PD, INVLPG);
}

TEST(taken_rights_are_gone_after_mov_to_cr3,
     "Rights and flags taken from a PTE or PDE are missing after MOV to CR3", MANUAL, "pse")
{
	try_taken_rights(PT, MOV_CR3);
	try_taken_rights(PD, MOV_CR3);
}

TEST(invlpg_of_any_address_drops_pdes,
     "After INVLPG of any address a replaced PDE is used for addresses not used before", MANUAL, "")
{
	try_new_table();
}

TEST(widened_entries_need_no_invalidation,
     "P that becomes 1 counts at once, and rights after one fault at most", OPTIONAL, "")
{
	try_widened_entries();
}

TEST(page_sizes_change_through_not_present,
     "A PDE takes turns as large page and page table, not present and invalidated in between",
     MANUAL, "pse")
{
	try_size_changes();
}

TEST(each_root_has_its_own_translations,
     "MOV to CR3 uses the new root alone, with what was edited while another was in use", MANUAL,
     "")
{
	try_roots();
}
