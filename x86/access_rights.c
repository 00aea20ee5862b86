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
 * All 8 combinations of the three bits at each level, times the control bits, times nine accesses:
 * nothing is sampled. A check is the outcome, error code, CR2, RIP, all accessed and dirty flags,
 * every other bit of the entries, the data.
 *
 * Not checked: P in the error code of reserved-bit faults (reserved_bits does); protection keys.
 */
#include "test.h"

SUBJECT(access_rights, "R/W, U/S and XD at every level against every kind of access");

#define MANUAL "SDM Vol. 3, \"Determination of Access Rights\""

/* The control bits as one number, so that they change as rarely as possible. */
enum { WITH_WP = 1, WITH_SMEP = 2, WITH_SMAP = 4, WITH_NXE = 8, CONTROLS = 16 };

static bool set_controls(unsigned controls)
{
	if ((controls & WITH_SMEP) && !has(FEATURE_smep))
		return false;
	if ((controls & WITH_SMAP) && !has(FEATURE_smap))
		return false;
	if ((controls & WITH_NXE) && !has(FEATURE_nx))
		return false;
	(controls & WITH_WP) ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
	(controls & WITH_SMEP) ? set_cr4(CR4_SMEP) : clear_cr4(CR4_SMEP);
	(controls & WITH_SMAP) ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
	(controls & WITH_NXE) ? set_efer(EFER_NXE) : clear_efer(EFER_NXE);
	return true;
}

static uint64_t rights_of(unsigned combination)
{
	return (combination & 1 ? RW : 0) | (combination & 2 ? US : 0) | (combination & 4 ? XD : 0);
}

/* Each access has a page of its own with the same rights, so that one flush serves all of them. */
struct subjects {
	struct page page[ACCESS_WAYS];
	struct access access[ACCESS_WAYS];
	uint64_t base[ACCESS_WAYS][MOST_LEVELS + 1]; /* the entries without rights and flags */
};

static void map_subjects(struct subjects *subjects, enum level level, gpa_t frame, uint64_t offset)
{
	for (unsigned n = 0; n < ACCESS_WAYS; n++) {
		struct page *page = &subjects->page[n];

		*page = map_page_at(level, frame, P | RW | US);
		subjects->access[n] = nth_access(n, linear_plus(page->linear, offset));
		for (int at = PML4; at >= (int)level; at--)
			subjects->base[n][at] = *page->entry[at] & ~(RW | US);
	}
}

/* Writes every page's entries with these rights, 3 bits a level from the page's upwards, and all
 * flags clear. */
static void set_rights(const struct subjects *subjects, unsigned combination)
{
	enum level level = subjects->page[0].level;

	for (int at = level; at <= PML4; at++, combination >>= 3) {
		uint64_t rights = rights_of(combination & 7);

		for (unsigned n = 0; n < ACCESS_WAYS; n++)
			*(volatile uint64_t *)subjects->page[n].entry[at] =
				subjects->base[n][at] | rights;
	}
}

static void try_all_rights(const struct subjects *subjects)
{
	unsigned levels = PML4 - subjects->page[0].level + 1;

	for (unsigned combination = 0; combination < 1u << (3 * levels); combination++) {
		set_rights(subjects, combination);
		if (combination % 256 == 0)
			progress("%u of %u combinations", combination, 1u << (3 * levels));
		invalidate(subjects->page[0].linear, MOV_CR3);
		for (unsigned n = 0; n < ACCESS_WAYS; n++)
			expect_as_modelled(subjects->access[n]);
	}
}

static void try_all_controls(enum level level, gpa_t frame, uint64_t offset)
{
	static struct subjects subjects;

	map_subjects(&subjects, level, frame, offset);
	for (unsigned controls = 0; controls < CONTROLS; controls++) {
		if (!set_controls(controls))
			continue;
		frame_fill(gpa_plus(frame, offset & ~(PAGE_4K - 1)), PAGE_4K, 11);
		try_all_rights(&subjects);
	}
}

TEST(rights_of_all_levels_combine_for_4_kbyte_pages,
     "R/W, U/S and XD of PML4E, PDPTE, PDE and PTE together decide on each access", MANUAL, "")
{
	try_all_controls(PT, frame_alloc(), 0x7f8);
}

TEST(rights_of_all_levels_combine_for_2_mbyte_pages,
     "R/W, U/S and XD of PML4E, PDPTE and PDE together decide on each access", MANUAL, "")
{
	try_all_controls(PD, frames_alloc(PAGE_2M), 0x1230f0);
}

TEST(rights_of_all_levels_combine_for_1_gbyte_pages,
     "R/W, U/S and XD of PML4E and PDPTE together decide on each access", MANUAL, "pages_1g")
{
	gpa_t frame = frame_alloc(); /* the page from 0 on holds all frames of a small machine */

	try_all_controls(PDPT, GPA(frame.value & ~(PAGE_1G - 1)),
			 (frame.value & (PAGE_1G - 1)) + 0x238);
}
