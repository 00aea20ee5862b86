/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 4-level paging: everything that can stand in the entries of a walk, at all levels at once.
 *
 * A walk goes down as long as entries are present and have no reserved bit set; the first that is
 * not so decides on the fault, and nothing behind it counts. The rights of all entries combine.
 * Entries that were used get A, and the last one D by a write; an entry that is not present or has
 * a reserved bit set gets neither, no faulting access sets D, and nothing else ever changes (SDM
 * Vol. 3, "4-Level Paging and 5-Level Paging", "Determination of Access Rights", "Page-Fault
 * Exceptions", "Accessed and Dirty Flags"; APM Vol. 2, "Long-Mode Page Translation").
 *
 * The axes: CR0.WP, CR4.SMEP, CR4.SMAP, EFER.NXE; of each entry the eight combinations of R/W, U/S
 * and XD, P = 0 with all other bits set, a reserved bit; which A and D flags are set before; reads,
 * writes, fetches and read-modify-writes of a word or a byte in user mode, in supervisor mode, and
 * there with EFLAGS.AC.
 *
 * Caught here, besides what access_rights catches in the rights alone: walks that go on behind an
 * entry that is not present or reserved, or look at the wrong one first (XS18, KS09); flags set by
 * walks that fault (XS17, XS19), set where they were set already at the price of others, or lost;
 * D seen as a matter of the entry's R/W; read-modify-writes judged as reads. All pages share their
 * structures, each by entries of its own with rights of their own: a shadow pager that keeps one
 * shadow of a structure for all ways to it, whatever rights they give, is wrong at once.
 *
 * By default at most two entries differ from ones that allow everything; -g exhaustive tries all
 * combinations. Not checked: P in the error code of reserved-bit faults, every single reserved bit
 * (reserved_bits does); protection keys.
 */
#include "test.h"

SUBJECT(walk_4level, "4-level paging: what can stand in all entries, against every access");

#define MANUAL "SDM Vol. 3, \"4-Level Paging and 5-Level Paging\""

TEST(entries_of_all_levels_decide_for_4_kbyte_pages,
     "PML4E, PDPTE, PDE and PTE together decide on each access and its flags", MANUAL, "")
{
	try_walks(PT, ALL_WALK_AXES);
}

TEST(entries_of_all_levels_decide_for_2_mbyte_pages,
     "PML4E, PDPTE and PDE together decide on each access and its flags", MANUAL, "")
{
	try_walks(PD, ALL_WALK_AXES);
}

TEST(entries_of_all_levels_decide_for_1_gbyte_pages,
     "PML4E and PDPTE together decide on each access and its flags", MANUAL, "pages_1g")
{
	try_walks(PDPT, ALL_WALK_AXES);
}
