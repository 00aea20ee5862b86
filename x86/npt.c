/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Nested page tables: every combination of R/W, U/S and XD, at every level and page size, against
 * every kind of access.
 *
 * Under SVM's nested paging each guest-physical address is translated by tables in the host's own
 * format. Every such translation is a user access, whatever the guest's privilege level and the
 * host's CR0.WP; one for the guest's own paging structures is a write as well (APM Vol. 2, "Nested
 * Paging": "Nested Table Walk"). What the tables do not allow ends in #VMEXIT(NPF): EXITINFO1 says
 * P, W, U (always 1), RSV and I/D like a page-fault error code, and in bits 32 and 33 whether the
 * access itself or the walk of the guest's structures was stopped, always exactly one; EXITINFO2 is
 * the guest-physical address ("Nested versus Guest Page Faults, Fault Ordering").
 *
 * Caught here: bit 32 for a walk or bits 32 and 33 swapped (KN15, BX09), error codes that are those
 * of the guest's access (KN16), walks of guest structures that need no right to write (R38),
 * supervisor accesses let through U/S = 0, rights taken from the leaf alone, CR0.WP = 0 of guest or
 * host taken for nested tables. Hypervisors that shadow nested tables (KVM, Hyper-V nested) compute
 * all of this; so do emulators.
 *
 * Nothing is sampled in the matrix of rights. Not checked: other fields of the VMCB; string I/O.
 */
#include "test.h"

SUBJECT(npt, "nested page tables: rights at every level against every access; all of EXITINFO1");

#define MANUAL \
	"APM Vol. 2, \"Nested Table Walk\"; \"Nested versus Guest Page Faults, Fault Ordering\""
#define NEEDS  "svm svm_allowed svm_nested_paging nx"
#define RIGHTS (RW | US | XD)

/* Physical addresses of 40 bits have two entries at the top: enough for a page to be alone there.
 */
static unsigned top_of_own(void)
{
	return maxphyaddr() > 39 ? PML4 : PDPT;
}

static uint64_t rights_of(unsigned number)
{
	return (number & 1 ? RW : 0) | (number & 2 ? US : 0) | (number & 4 ? XD : 0);
}

static void set_rights(struct l2 *l2, gpa_t gpa, enum level level, uint64_t rights)
{
	second_edit(&l2->second, gpa, level, SECOND_NO_FLUSH, .clear = RIGHTS, .set = rights);
}

static void try_accesses(struct l2 *l2, linear_t linear)
{
	const struct access read = read_access(linear, 8);
	const struct access write = write_access(linear, 8, frame_word(77));
	const struct access fetch = fetch_access(linear);
	const struct access all[] = {read,	    write,	    fetch,
				     as_user(read), as_user(write), as_user(fetch)};

	for (unsigned i = 0; i < COUNT_OF(all); i++)
		expect_l2_as_modelled(l2, all[i]);
}

/* All 8 combinations at each level from the leaf to the top that translate one address; and each of
 * these entries not present. */
static void try_all_rights(struct l2 *l2, gpa_t gpa, linear_t linear)
{
	unsigned leaf = second_page_level(&l2->second, gpa);
	unsigned levels = top_of_own() - leaf + 1;

	for (unsigned i = 0; i < levels; i++) {
		second_edit(&l2->second, gpa, leaf + i, SECOND_NO_FLUSH, .clear = P);
		try_accesses(l2, linear);
		second_edit(&l2->second, gpa, leaf + i, SECOND_NO_FLUSH, .set = P);
	}
	for (unsigned combination = 0; combination < 1u << (3 * levels); combination++) {
		for (unsigned i = 0; i < levels; i++)
			set_rights(l2, gpa, leaf + i, rights_of(combination >> (3 * i)));
		try_accesses(l2, linear);
	}
}

static void try_page_rights(enum level second)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .second_of_pages = second,
				 .alone = top_of_own() == PML4 ? ALONE_PAGE : 0);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 11);

	try_all_rights(l2, page.gpa, linear_plus(page.linear, 0x7f8));
}

TEST(rights_of_all_levels_combine_for_4_kbyte_pages,
     "R/W, U/S and XD of all nested entries together decide on each access to a 4-KByte page",
     MANUAL, NEEDS)
{
	try_page_rights(PT);
}

TEST(rights_of_all_levels_combine_for_2_mbyte_pages,
     "R/W, U/S and XD of all nested entries together decide on each access to a 2-MByte page",
     MANUAL, NEEDS)
{
	try_page_rights(PD);
}

TEST(rights_of_all_levels_combine_for_1_gbyte_pages,
     "R/W, U/S and XD of all nested entries together decide on each access to a 1-GByte page",
     MANUAL, NEEDS " pages_1g")
{
	try_page_rights(PDPT);
}

/* All rights, at one nested level after the other, for one of L2's structures. */
static void try_structure(enum level structure, enum level second, uint64_t flags)
{
	bool alone = structure == PML4 || top_of_own() == PML4;
	struct l2 *l2 =
		l2_start(L2_4LEVEL, .second_of_tables = second, .alone = alone ? structure : 0);
	struct l2_page page = l2_map(l2, PT, P | RW | US, 12);
	gpa_t gpa = GPA(page.entry_gpa[structure]);

	for (unsigned level = second; level <= top_of_own(); level++) {
		for (unsigned number = 0; number < 16; number++) {
			set_rights(l2, gpa, level, rights_of(number));
			if (number >= 8)
				second_edit(&l2->second, gpa, level, SECOND_NO_FLUSH, .clear = P);
			l2_set_flags(l2, &page, flags);
			try_accesses(l2, page.linear);
			second_edit(&l2->second, gpa, level, SECOND_NO_FLUSH, .set = P);
		}
		set_rights(l2, gpa, level, RW | US);
	}
}

static void try_each_structure(enum level second, uint64_t flags)
{
	for (unsigned structure = PT; structure <= PML4; structure++)
		try_structure(structure, second, flags);
}

TEST(each_structure_of_l2_is_read_as_a_user_write,
     "a walk of one of L2's paging structures needs U/S and R/W, never mind XD", MANUAL, NEEDS)
{
	try_each_structure(PT, A | D);
	try_each_structure(PT, 0);
}

TEST(each_structure_of_l2_is_read_as_a_user_write_in_2_mbyte_pages,
     "the same, with L2's paging structures in 2-MByte pages", MANUAL, NEEDS)
{
	try_each_structure(PD, A | D);
}

TEST(each_structure_of_l2_is_read_as_a_user_write_in_1_gbyte_pages,
     "the same, with L2's paging structures in 1-GByte pages", MANUAL, NEEDS " pages_1g")
{
	try_each_structure(PDPT, A | D);
}

TEST(cr0_wp_of_neither_side_matters_to_nested_tables,
     "a nested entry without R/W stops every write and every walk, with CR0.WP = 0 too", MANUAL,
     NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 13);

	clear_cr0(CR0_WP);
	l2->cr0 &= ~CR0_WP;
	set_rights(l2, page.gpa, PT, US);
	try_accesses(l2, page.linear);
	set_rights(l2, page.gpa, PT, RW | US);
	set_rights(l2, GPA(page.entry_gpa[PT]), PT, US);
	try_accesses(l2, page.linear);
}

/* All rights of L2's own leaf and of the page's nested entry. */
static void try_both_dimensions(struct l2 *l2, struct l2_page *page)
{
	uint64_t leaf = page->gpa.value | A | D;

	for (unsigned own = 0; own < 16; own++) {
		for (unsigned number = 0; number < 8; number++) {
			set_rights(l2, page->gpa, PT, rights_of(number));
			l2_write_entry(l2, page, PT, leaf | rights_of(own) | (own & 8 ? P : 0));
			try_accesses(l2, page->linear);
		}
	}
}

TEST(page_faults_of_l2_come_before_nested_faults_of_the_page,
     "an access that L2's own structures deny raises #PF in L2, whatever nested entries say of the "
     "page",
     MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P, 14);

	try_both_dimensions(l2, &page);
	l2->cr0 &= ~CR0_WP;
	try_both_dimensions(l2, &page);
}

static bool completed(const struct l2_outcome *outcome)
{
	return !outcome->exited && outcome->outcome.vector == NO_VECTOR;
}

/* A right that is missing at one level, then given back without any flush. */
static void widen(struct l2 *l2, gpa_t gpa, enum level level, uint64_t missing,
		  struct access access)
{
	struct l2_outcome outcome;

	second_edit(&l2->second, gpa, level, SECOND_FLUSH, .set = missing & XD,
		    .clear = missing & ~XD);
	outcome = l2_attempt(l2, access);
	expect(outcome.exited && outcome.exit.kind == L2_VIOLATION, "exit kind %u",
	       outcome.exit.kind);
	second_edit(&l2->second, gpa, level, SECOND_NO_FLUSH, .set = missing & ~XD,
		    .clear = missing & XD);
	outcome = l2_attempt(l2, access);
	if (!completed(&outcome))
		outcome = l2_attempt(l2, access);
	expect(completed(&outcome), "still kind %u, EXITINFO1 0x%llx", outcome.exit.kind,
	       (unsigned long long)outcome.exit.qualification);
}

TEST(widened_rights_need_no_flush,
     "after a nested entry allows more, without a flush, an access faults at most once more",
     "APM Vol. 2, \"TLB Management\"; \"Nested Paging\"", NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .alone = top_of_own() == PML4 ? ALONE_PAGE : 0);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 15);

	for (unsigned level = PT; level <= top_of_own(); level++) {
		widen(l2, page.gpa, level, P, read_access(page.linear, 8));
		widen(l2, page.gpa, level, US, read_access(page.linear, 8));
		widen(l2, page.gpa, level, RW, write_access(page.linear, 8, frame_word(15)));
		widen(l2, page.gpa, level, XD, fetch_access(page.linear));
		widen(l2, GPA(page.entry_gpa[PT]), level < top_of_own() ? level : PT, RW,
		      read_access(page.linear, 8));
	}
}

static void narrow(struct l2 *l2, gpa_t gpa, enum level level, uint64_t bit, struct access access)
{
	expect_l2_completes(l2, access);
	second_edit(&l2->second, gpa, level, SECOND_FLUSH, .set = bit & XD, .clear = bit & ~XD);
	expect_l2_violation(l2, access, gpa);
	expect_l2_violation(l2, access, gpa); /* the fault itself must not let it through */
	second_edit(&l2->second, gpa, level, SECOND_FLUSH, .set = bit & ~XD, .clear = bit & XD);
}

TEST(reduced_rights_hold_after_a_flush,
     "after a nested entry allows less and TLB_CONTROL flushed the ASID, each access faults",
     "APM Vol. 2, \"TLB Flush\"", NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .alone = top_of_own() == PML4 ? ALONE_PAGE : 0);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 16);

	for (unsigned level = PT; level <= top_of_own(); level++) {
		narrow(l2, page.gpa, level, P, read_access(page.linear, 8));
		narrow(l2, page.gpa, level, US, read_access(page.linear, 8));
		narrow(l2, page.gpa, level, RW, write_access(page.linear, 8, frame_word(16)));
		narrow(l2, page.gpa, level, XD, fetch_access(page.linear));
	}
	narrow(l2, GPA(page.entry_gpa[PD]), PT, RW, read_access(page.linear, 8));
}

#define CROSSING 4 /* bytes of the operand in the first page */

/* Bytes of the operand in the page that faults are [first, first + 4). */
static void expect_crossing(struct l2 *l2, struct access access, gpa_t page, uint64_t first)
{
	struct l2_outcome outcome = l2_attempt(l2, access);
	const struct l2_exit *exit = &outcome.exit;

	expect(outcome.exited && exit->kind == L2_VIOLATION && exit->final &&
		       exit->gpa >= page.value + first && exit->gpa < page.value + first + 4,
	       "kind %u at guest-physical 0x%llx", exit->kind, (unsigned long long)exit->gpa);
}

TEST(an_access_that_crosses_pages_names_the_page_that_faults,
     "of an operand in two pages EXITINFO2 reports the bad one, and nothing was written", MANUAL,
     NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 17);
	gpa_t next = l2_place(l2, filled_frame(18), PT, false);
	linear_t linear = linear_plus(page.linear, PAGE_4K - CROSSING);
	const uint32_t *tail = identity(gpa_plus(page.frame, PAGE_4K - CROSSING));
	uint32_t before = *tail;

	*(volatile uint64_t *)(page.entry[PT] + 8) = next.value | P | RW | US | A | D;
	second_allow(&l2->second, next, PT, SECOND_READ, SECOND_FLUSH);
	expect_crossing(l2, write_access(linear, 8, 1), next, 0);
	expect(*tail == before, "the first page holds 0x%x instead of 0x%x", *tail, before);
	second_allow(&l2->second, next, PT, 0, SECOND_FLUSH);
	expect_crossing(l2, as_user(read_access(linear, 8)), next, 0);
	second_allow(&l2->second, next, PT, SECOND_ALL, SECOND_FLUSH);
	second_allow(&l2->second, page.gpa, PT, SECOND_READ, SECOND_FLUSH);
	expect_crossing(l2, write_access(linear, 8, 1), page.gpa, PAGE_4K - CROSSING);
	expect_l2_read(l2, read_access(linear, 8), frame_word(17) >> 32 | frame_word(18) << 32);
}
