/* SPDX-License-Identifier: BSD-2-Clause
 *
 * EPT: every combination of R, W and X, at every level and page size, against every kind of access.
 *
 * A guest-physical address may be read, written or fetched from only if every EPT entry that
 * translates it says so (SDM Vol. 3, "EPT Translation Mechanism"). Anything else is an EPT
 * violation, whose exit qualification says what the access was, what the entries allow together,
 * and whether it was the access itself or a reference to the guest's own paging structures; the
 * guest-physical and guest-linear addresses say where ("EPT Violations", "Exit Qualification for
 * EPT Violations"). A combination that cannot be (W without R) is a misconfiguration.
 *
 * Caught here: rights taken from the leaf alone or from the wrong entry's bits (KN01), a structure
 * of L2's that is looked up with the rights of the final access, bits 7 and 8 that do not tell a
 * walk from an access (KN14 for the processor's own), fetches reported as reads, the first half of
 * a page's violation reported for the second. A hypervisor that shadows EPT (KVM, Xen, ACRN,
 * Hyper-V, VirtualBox nested) has to compute all of this itself; an emulator, too.
 *
 * Nothing is sampled in the matrix of rights. Not checked: bits of the exit qualification that the
 * manual leaves undefined; bit 0 for read-modify-writes; string I/O, which is emulated (KN14).
 */
#include "test.h"

SUBJECT(ept, "EPT rights at every level against every access; every bit of the exit qualification");

#define MANUAL "SDM Vol. 3, \"EPT Violations\"; \"Exit Qualification for EPT Violations\""
#define NEEDS  "vmx vmx_allowed ept ept_4level invept"

/* Physical addresses of 40 bits have two entries at the top: enough for a page to be alone there.
 */
static unsigned top_of_own(void)
{
	return maxphyaddr() > 39 ? PML4 : PDPT;
}

struct accesses {
	struct access list[6];
};

static struct accesses all_accesses(linear_t linear)
{
	const struct access read = read_access(linear, 8);
	const struct access write = write_access(linear, 8, frame_word(77));
	const struct access fetch = fetch_access(linear);

	return (struct accesses){
		{read, write, fetch, as_user(read), as_user(write), as_user(fetch)}};
}

static void try_accesses(struct l2 *l2, linear_t linear)
{
	const struct accesses accesses = all_accesses(linear);

	for (unsigned i = 0; i < COUNT_OF(accesses.list); i++)
		expect_l2_as_modelled(l2, accesses.list[i]);
}

/* All 8 combinations at each level from the leaf to the top that translate one address. */
static void try_all_rights(struct l2 *l2, gpa_t gpa, linear_t linear)
{
	unsigned leaf = second_page_level(&l2->second, gpa);
	unsigned levels = top_of_own() - leaf + 1;

	for (unsigned combination = 0; combination < 1u << (3 * levels); combination++) {
		for (unsigned i = 0; i < levels; i++)
			second_allow(&l2->second, gpa, leaf + i, combination >> (3 * i) & 7,
				     SECOND_NO_FLUSH);
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
     "R, W and X of all four EPT entries together decide on each access to a 4-KByte page", MANUAL,
     NEEDS)
{
	try_page_rights(PT);
}

TEST(rights_of_all_levels_combine_for_2_mbyte_pages,
     "R, W and X of three EPT entries together decide on each access to a 2-MByte page", MANUAL,
     NEEDS " ept_2m")
{
	try_page_rights(PD);
}

TEST(rights_of_all_levels_combine_for_1_gbyte_pages,
     "R, W and X of two EPT entries together decide on each access to a 1-GByte page", MANUAL,
     NEEDS " ept_1g")
{
	try_page_rights(PDPT);
}

/* All rights, at one level of the second level after the other, for one of L2's structures. */
static void try_structure(enum level structure, enum level second, uint64_t flags)
{
	bool alone = structure == PML4 || top_of_own() == PML4;
	struct l2 *l2 =
		l2_start(L2_4LEVEL, .second_of_tables = second, .alone = alone ? structure : 0);
	struct l2_page page = l2_map(l2, PT, P | RW | US, 12);
	gpa_t gpa = GPA(page.entry_gpa[structure]);

	for (unsigned level = second; level <= top_of_own(); level++) {
		for (unsigned rights = 0; rights < 8; rights++) {
			second_allow(&l2->second, gpa, level, rights, SECOND_NO_FLUSH);
			l2_set_flags(l2, &page, flags);
			try_accesses(l2, page.linear);
		}
		second_allow(&l2->second, gpa, level, SECOND_ALL, SECOND_NO_FLUSH);
	}
}

static void try_each_structure(enum level second, uint64_t flags)
{
	for (unsigned structure = PT; structure <= PML4; structure++)
		try_structure(structure, second, flags);
}

TEST(each_structure_of_l2_needs_its_own_right_to_read,
     "a walk that may not read one of L2's paging structures is a violation that names it", MANUAL,
     NEEDS)
{
	try_each_structure(PT, A | D);
}

TEST(each_structure_of_l2_needs_its_own_right_to_read_in_2_mbyte_pages,
     "the same, with L2's paging structures in 2-MByte pages", MANUAL, NEEDS " ept_2m")
{
	try_each_structure(PD, A | D);
}

TEST(each_structure_of_l2_needs_its_own_right_to_read_in_1_gbyte_pages,
     "the same, with L2's paging structures in 1-GByte pages", MANUAL, NEEDS " ept_1g")
{
	try_each_structure(PDPT, A | D);
}

/* Bit 8 of the exit qualification is clear for "the update of an accessed or dirty bit". */
TEST(a_flag_of_l2_is_set_only_where_ept_allows_the_write,
     "an accessed or dirty flag of L2 that has to be set in a page without W is a violation",
     MANUAL, NEEDS)
{
	try_each_structure(PT, 0);
}

/* All rights of L2's own leaf and of the page's EPT entry: L2's #PF has nothing to do with EPT, and
 * bits 11:9 of the exit qualification, where defined, are L2's rights. */
static void try_both_dimensions(struct l2 *l2, struct l2_page *page)
{
	uint64_t leaf = page->gpa.value | A | D;

	for (unsigned own = 0; own < 16; own++) {
		uint64_t flags = (own & 1 ? P : 0) | (own & 2 ? RW : 0) | (own & 4 ? US : 0) |
				 (own & 8 ? XD : 0);

		for (unsigned rights = 0; rights < 8; rights++) {
			second_allow(&l2->second, page->gpa, PT, rights, SECOND_NO_FLUSH);
			l2_write_entry(l2, page, PT, leaf | flags);
			try_accesses(l2, page->linear);
		}
	}
}

TEST(page_faults_of_l2_come_before_violations_of_the_page,
     "an access that L2's own structures deny raises #PF in L2, whatever EPT says of the page",
     "SDM Vol. 3, \"Prioritization of EPT Misconfigurations and EPT Violations\"", NEEDS " nx")
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P, 13);

	try_both_dimensions(l2, &page);
	l2->cr0 &= ~CR0_WP;
	try_both_dimensions(l2, &page);
}

TEST(every_bit_of_a_guest_physical_address_is_translated,
     "pages at each power of two below MAXPHYADDR, and below its double, are found", MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 16);

	for (unsigned bit = 28; bit < maxphyaddr(); bit++) {
		for (unsigned last = 0; last < 2; last++) {
			uint64_t gpa = (1ull << bit << last) - (last ? PAGE_4K : 0);
			gpa_t frame = frame_alloc();

			frame_fill(frame, PAGE_4K, 1000 + 2 * bit + last);
			second_map(&l2->second, GPA(gpa), frame, PT, SECOND_ALL);
			l2_write_entry(l2, &page, PT, gpa | P | RW | US | A | D);
			expect_l2_as_modelled(l2, read_access(page.linear, 8));
			expect_l2_read(l2, fetch_access(page.linear), 1000 + 2 * bit + last);
		}
	}
}

#define CROSSING 4 /* bytes of the operand in the first page */

/* Two adjacent pages of L2 in two unrelated frames. */
static gpa_t map_next(struct l2 *l2, struct l2_page *page)
{
	gpa_t frame = frame_alloc(), gpa = l2_place(l2, frame, PT, false);

	frame_fill(frame, PAGE_4K, 15);
	*(volatile uint64_t *)(page->entry[PT] + 8) = gpa.value | P | RW | US | A | D;
	return gpa;
}

static void expect_crossing(struct l2 *l2, struct access access, gpa_t gpa, uint64_t offset)
{
	struct l2_outcome outcome = l2_attempt(l2, access);

	expect(outcome.exited && outcome.exit.kind == L2_VIOLATION && outcome.exit.final &&
		       outcome.exit.gpa - gpa.value < PAGE_4K,
	       "kind %u at 0x%llx", outcome.exit.kind, (unsigned long long)outcome.exit.gpa);
	/* Any byte of the operand in that page will do, but both addresses must be of the same. */
	expect(outcome.exit.linear >= access.linear.value + offset &&
		       outcome.exit.linear < access.linear.value + offset + 4 &&
		       ((outcome.exit.linear ^ outcome.exit.gpa) & (PAGE_4K - 1)) == 0,
	       "linear 0x%llx, guest-physical 0x%llx, operand at 0x%llx",
	       (unsigned long long)outcome.exit.linear, (unsigned long long)outcome.exit.gpa,
	       (unsigned long long)access.linear.value);
}

TEST(an_access_that_crosses_pages_names_the_page_that_violates,
     "of an operand in two pages the violation reports the bad one, and nothing was written",
     MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 14);
	gpa_t next = map_next(l2, &page);
	linear_t linear = linear_plus(page.linear, PAGE_4K - CROSSING);
	const uint32_t *tail = identity(gpa_plus(page.frame, PAGE_4K - CROSSING));
	uint32_t before = *tail;

	second_allow(&l2->second, next, PT, 0, SECOND_FLUSH);
	expect_crossing(l2, read_access(linear, 8), next, CROSSING);
	expect_crossing(l2, write_access(linear, 8, 1), next, CROSSING);
	second_allow(&l2->second, next, PT, SECOND_READ, SECOND_FLUSH);
	expect_crossing(l2, as_user(write_access(linear, 8, 1)), next, CROSSING);
	expect(*tail == before, "the first page holds 0x%x instead of 0x%x", *tail, before);
	second_allow(&l2->second, next, PT, SECOND_ALL, SECOND_FLUSH);
	second_allow(&l2->second, page.gpa, PT, SECOND_READ, SECOND_FLUSH);
	expect_crossing(l2, write_access(linear, 8, 1), page.gpa, 0);
	expect_l2_read(l2, read_access(linear, 8), frame_word(14) >> 32 | frame_word(15) << 32);
}

#define HEAD 3 /* bytes of the instruction's 5 in the first page */

TEST(a_fetch_that_crosses_pages_names_the_page_that_violates,
     "of an instruction in two pages the violation reports the second, and RIP is the "
     "instruction's",
     MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 14);
	gpa_t next = map_next(l2, &page);
	struct access fetch = fetch_access(linear_plus(page.linear, PAGE_4K - HEAD));
	const uint64_t word = frame_word(17);
	struct l2_outcome outcome;

	memcpy(identity(gpa_plus(page.frame, PAGE_4K - HEAD)), &word, HEAD);
	memcpy(identity(l2_frame_of(l2, next)), (const char *)&word + HEAD, sizeof(word) - HEAD);
	second_allow(&l2->second, next, PT, SECOND_READ | SECOND_WRITE, SECOND_FLUSH);
	expect_crossing(l2, fetch, next, HEAD);
	expect_crossing(l2, as_user(fetch), next, HEAD);
	outcome = l2_attempt(l2, fetch);
	expect(outcome.exit.rip == fetch.linear.value, "RIP 0x%llx",
	       (unsigned long long)outcome.exit.rip);
	second_allow(&l2->second, next, PT, SECOND_ALL, SECOND_FLUSH);
	expect_l2_read(l2, fetch, 17);
}
