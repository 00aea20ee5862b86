/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The headline: 24 references, proven one by one.
 *
 * Translating a linear address under EPT walks two sets of tables at once: each of the guest's n
 * paging structures is at a guest-physical address that m EPT entries translate before the guest's
 * entry can be read, and so is the page itself (SDM Vol. 3, "EPT Translation Mechanism"). Under
 * SVM's nested paging it is the same (APM Vol. 2, "Nested Table Walk"), with NPT for EPT:
 *
 *     n * (m + 1) + m   references:  24 for n = m = 4, 35 for 5 and 5, 8 for 1-GByte pages in both
 *
 *     L2's PML4E  <- EPT PML4E, PDPTE, PDE, PTE        4 + 1
 *     L2's PDPTE  <- EPT PML4E, PDPTE, PDE, PTE        4 + 1
 *     L2's PDE    <- EPT PML4E, PDPTE, PDE, PTE        4 + 1
 *     L2's PTE    <- EPT PML4E, PDPTE, PDE, PTE        4 + 1
 *     the page    <- EPT PML4E, PDPTE, PDE, PTE        4
 *
 * Each reference is proven by taking it away: an EPT entry without rights must give a violation
 * that names exactly that structure (or the page), an entry of L2's that is not present a #PF. In
 * its case the structure in question has an EPT entry of its own even at the top, so nothing else
 * can be what stopped. The access is a fetch, since it needs no other access before it.
 *
 * Caught here: a walk that leaves out the second level for one structure or takes the guest's
 * address as it is (QT11, QT12), levels that are skipped or shared between page sizes, a wrong
 * address in the exit (XS35). Any hypervisor that offers nested EPT.
 *
 * Where MAXPHYADDR is 39 or less, or 48 or less with 5 levels of EPT, there is one entry at the
 * top, which cannot be taken away from one structure alone: those references are counted as not
 * proven, and a note says so.
 */
#include "test.h"

SUBJECT(two_dimensional_walk,
	"each of the 24 references of a walk under EPT or NPT, proven by removing it");

#define MANUAL "SDM Vol. 3, \"EPT Translation Mechanism\"; APM Vol. 2, \"Nested Table Walk\""
#define NEEDS  "second_level"

/* One shape of the walk: L2's mode and page size, and EPT's for everything. */
struct shape {
	enum l2_mode mode;
	enum level page, second;
	bool five_levels; /* of EPT */
};

static unsigned guest_levels(const struct shape *shape)
{
	return (shape->mode == L2_5LEVEL ? PML5 : PML4) - shape->page + 1;
}

static unsigned second_levels(const struct shape *shape)
{
	return (shape->five_levels ? PML5 : PML4) - shape->second + 1;
}

static unsigned formula(const struct shape *shape)
{
	unsigned n = guest_levels(shape), m = second_levels(shape);

	return n * (m + 1) + m;
}

/* The highest level of EPT at which one structure can have an entry of its own. */
static unsigned highest_own(const struct shape *shape)
{
	if (shape->five_levels && maxphyaddr() > 48)
		return PML5;
	return maxphyaddr() > 39 ? PML4 : PDPT;
}

/* Nested tables of SVM have as many levels as the host's own paging. */
static struct l2 *start(const struct shape *shape, unsigned alone, struct l2_page *page)
{
	struct l2 *l2;

	if (shape->five_levels && has(FEATURE_svm) && linear_levels() == 4)
		enter_5level_paging();
	l2 = l2_start(shape->mode, .second_of_tables = shape->second,
		      .second_of_pages = shape->second, .alone = alone,
		      .five_levels = shape->five_levels);

	*page = l2_map(l2, shape->page, P | RW | US, 61);
	l2_set_flags(l2, page, A | D);
	return l2;
}

/* All EPT entries that translate one structure of L2's, or the page. */
static unsigned prove_second_level(const struct shape *shape, unsigned structure)
{
	struct l2_page page;
	struct l2 *l2 = start(shape, structure, &page);
	gpa_t gpa = structure == ALONE_PAGE ? page.gpa : GPA(page.entry_gpa[structure]);
	struct access fetch = fetch_access(page.linear);
	unsigned proven = 0;

	for (unsigned level = shape->second; level <= highest_own(shape); level++) {
		struct l2_outcome outcome;

		second_allow(&l2->second, gpa, level, 0, SECOND_FLUSH);
		outcome = expect_l2_violation(l2, fetch, gpa);
		/* SVM does not report the linear address. */
		expect(outcome.exit.final == (structure == ALONE_PAGE) &&
			       (l2->second.model.nested_paging ||
				outcome.exit.linear == page.linear.value),
		       "final access %u, linear 0x%llx", outcome.exit.final,
		       (unsigned long long)outcome.exit.linear);
		proven += outcome.exited && outcome.exit.gpa == gpa.value;
		second_allow(&l2->second, gpa, level, SECOND_ALL, SECOND_FLUSH);
	}
	expect_l2_read(l2, fetch, 61);
	return proven;
}

/* L2's own entries. */
static unsigned prove_guest_entries(const struct shape *shape)
{
	struct l2_page page;
	struct l2 *l2 = start(shape, 0, &page);
	uint64_t error_code = l2->efer & EFER_NXE ? PF_ID : 0;
	unsigned proven = 0;

	for (unsigned level = shape->page; level < shape->page + guest_levels(shape); level++) {
		uint64_t entry = *(volatile uint64_t *)page.entry[level];
		struct l2_outcome outcome;

		l2_write_entry(l2, &page, level, entry & ~P);
		second_invalidate(&l2->second, SECOND_FLUSH);
		outcome = expect_l2_page_fault(l2, fetch_access(page.linear), error_code);
		proven += !outcome.exited && outcome.outcome.vector == VECTOR_PF;
		l2_write_entry(l2, &page, level, entry);
	}
	return proven;
}

static unsigned prove(const struct shape *shape)
{
	unsigned top = shape->mode == L2_5LEVEL ? PML5 : PML4;
	unsigned proven = prove_guest_entries(shape);

	for (unsigned structure = shape->page; structure <= top; structure++)
		proven += prove_second_level(shape, structure);
	return proven + prove_second_level(shape, ALONE_PAGE);
}

/* What cannot be proven for want of address bits. */
static unsigned out_of_reach(const struct shape *shape)
{
	unsigned top = shape->five_levels ? PML5 : PML4;

	return (top - highest_own(shape)) * (guest_levels(shape) + 1);
}

static void prove_and_tell(const struct shape *shape)
{
	unsigned proven = prove(shape), wanted = formula(shape), hidden = out_of_reach(shape);

	expect(proven + hidden == wanted, "%u of %u references, %u out of reach", proven, wanted,
	       hidden);
	note("n = %u (%s pages in L2), m = %u (%s pages in %s): %u references proven, formula "
	     "n * (m + 1) + m = %u%s",
	     guest_levels(shape), page_size_name(shape->page), second_levels(shape),
	     page_size_name(shape->second), has(FEATURE_svm) ? "NPT" : "EPT", proven, wanted,
	     hidden ? ", the rest has no entry of its own within MAXPHYADDR" : "");
}

static bool second_level_offers(enum level size)
{
	if (has(FEATURE_svm))
		return size < PDPT || has(FEATURE_pages_1g);
	return size == PT || has_vmx(size == PD ? VMX_FEATURE_ept_2m : VMX_FEATURE_ept_1g);
}

/* Every page size that both dimensions offer. */
static void prove_all_sizes(enum l2_mode mode, bool five_levels)
{
	for (unsigned page = PT; page <= PDPT; page++) {
		for (unsigned second = PT; second <= PDPT; second++) {
			struct shape shape = {mode, page, second, five_levels};

			if (page == PDPT && !has(FEATURE_pages_1g))
				continue;
			if (!second_level_offers(second))
				continue;
			prove_and_tell(&shape);
		}
	}
}

TEST(all_24_references_are_made,
     "4-level paging under a second level of 4 levels makes 24 references, each of which can stop "
     "the access",
     MANUAL, NEEDS)
{
	struct shape shape = {L2_4LEVEL, PT, PT, false};

	prove_and_tell(&shape);
}

TEST(large_pages_shorten_the_walk_in_either_dimension,
     "2-MByte and 1-GByte pages make a walk shorter by the references that the formula says",
     MANUAL, NEEDS)
{
	prove_all_sizes(L2_4LEVEL, false);
}

TEST(l2_with_5_levels_adds_its_references,
     "5-level paging under a second level of 4 levels makes 29 references, fewer with large pages",
     MANUAL, NEEDS " la57")
{
	prove_all_sizes(L2_5LEVEL, false);
}

TEST(a_second_level_of_5_levels_adds_its_references,
     "4-level paging under a second level of 5 levels makes 29 references, fewer with large pages",
     MANUAL, "second_level_5levels")
{
	prove_all_sizes(L2_4LEVEL, true);
}

TEST(five_levels_in_both_dimensions_make_35_references,
     "5-level paging under a second level of 5 levels makes 35 references, fewer with large pages",
     MANUAL, "second_level_5levels la57")
{
	prove_all_sizes(L2_5LEVEL, true);
}

/* The other way to see a reference: what it leaves behind. */
TEST(each_reference_leaves_an_accessed_flag,
     "one access sets the accessed flag of every EPT entry and every entry of L2's that it uses",
     "SDM Vol. 3, \"Accessed and Dirty Flags for EPT\"", NEEDS " second_level_flags")
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .accessed_dirty = true);
	struct l2_page page = l2_map(l2, PT, P | RW | US, 62);
	unsigned marked = 0;

	second_set_flags(&l2->second, false, false);
	l2_set_flags(l2, &page, 0);
	second_invalidate(&l2->second, SECOND_FLUSH);
	expect_l2_read(l2, fetch_access(page.linear), 62);
	for (unsigned structure = 0; structure <= PML4; structure++) {
		gpa_t gpa = structure ? GPA(page.entry_gpa[structure]) : page.gpa;

		for (unsigned level = PT; level <= PML4; level++)
			marked += (*second_entry(&l2->second, gpa, level) &
				   l2->second.kind->accessed) != 0;
		marked += structure && (*(volatile uint64_t *)page.entry[structure] & A);
	}
	expect(marked == 24, "%u of 24 entries have their accessed flag set", marked);
}
