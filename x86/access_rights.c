/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every combination of rights, at every level, against every way to access.
 *
 * The manual (SDM Vol. 3, "Determination of Access Rights"; APM Vol. 2, "Page-Protection Checks")
 * combines R/W, U/S and XD over *all* entries that translate: a write needs R/W everywhere, user
 * mode needs U/S everywhere, one XD forbids the fetch. CR0.WP, CR4.SMEP, CR4.SMAP with EFLAGS.AC,
 * and EFER.NXE decide what the combination means.
 *
 * Caught here: rights taken from the leaf alone, or from two levels; a level whose bit is forgotten
 * for one page size; WP, SMEP or SMAP that looks at one entry instead of the combination (KS16,
 * NV01); XD not folded into large pages; fetches treated as data where I/D is not reported (XS06);
 * the error code's bits (XS19, VW01, V801, KS38); accessed and dirty flags set by accesses that
 * were denied (XS17, XS19, R16). Shadow pagers get these wrong in the rights of their own tables,
 * emulators in what they cache.
 *
 * All 8 combinations of the three bits at each level, times the control bits, times nine accesses.
 * By default at most three of four entries differ from ones that allow everything, or two from
 * those of a supervisor-mode page; -g exhaustive leaves nothing out, and
 * where events of paging are dear (check/effort.h) there is a slice with all pairs of values. A
 * check is the outcome, error code, CR2, RIP, all accessed and dirty flags, every other bit of the
 * entries, the data.
 *
 * Not checked: entries that are not present or have reserved bits set, flags that are set before
 * (walk_4level does, where at most two entries deny something); P in the error code of reserved-bit
 * faults (reserved_bits does); protection keys.
 */
#include "test.h"

SUBJECT(access_rights, "R/W, U/S and XD at every level against every kind of access");

#define MANUAL "SDM Vol. 3, \"Determination of Access Rights\""

TEST(rights_of_all_levels_combine_for_4_kbyte_pages,
     "R/W, U/S and XD of PML4E, PDPTE, PDE and PTE together decide on each access", MANUAL, "")
{
	try_walks(PT, RIGHTS_ALONE);
}

TEST(rights_of_all_levels_combine_for_2_mbyte_pages,
     "R/W, U/S and XD of PML4E, PDPTE and PDE together decide on each access", MANUAL, "")
{
	try_walks(PD, RIGHTS_ALONE);
}

TEST(rights_of_all_levels_combine_for_1_gbyte_pages,
     "R/W, U/S and XD of PML4E and PDPTE together decide on each access", MANUAL, "pages_1g")
{
	try_walks(PDPT, RIGHTS_ALONE);
}
