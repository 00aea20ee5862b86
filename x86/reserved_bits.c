/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every bit of every paging-structure entry, one at a time: reserved ones must fault, ignored ones
 * must not.
 *
 * A present entry with a reserved bit set translates nothing: the access raises #PF with RSVD = 1
 * and P = 1, whatever the entry's rights, and leaves the entry alone (SDM Vol. 3, "Page-Fault
 * Exceptions" and the tables of entry formats in "4-Level Paging and 5-Level Paging"; APM Vol. 2,
 * "Page Faults"). An entry with P = 0 is never checked. Reserved are bits 51:MAXPHYADDR everywhere,
 * PS where it has no meaning, the low address bits of large pages, and XD while EFER.NXE = 0; bits
 * 11:9, 58:52, PWT, PCD, G and the PAT bit are not.
 *
 * Caught here: masks that are off by a bit or belong to another level or page size (XS02, XS03,
 * XS22, BX08, QT19); the check made on entries that are not present (XS18) or skipped for some
 * access or cached entry (KS09); walks through a 512-GByte "page" (XS03, KS23); P missing in the
 * error code (QT01, V801). Shadow pagers keep such masks by hand; emulators build them per mode;
 * hardware-assisted ones meet them when they walk tables in software.
 *
 * Not checked: bit 8 of the PML4E, which AMD reserves and Intel ignores (P14); flips that would
 * only lead the walk to other memory.
 */
#include "test.h"

SUBJECT(reserved_bits, "every bit of every entry: reserved ones fault, ignored ones do not");

#define MANUAL_FORMATS "SDM Vol. 3, \"4-Level Paging and 5-Level Paging\", entry formats"
#define MANUAL_FAULTS  "SDM Vol. 3, \"Page-Fault Exceptions\""

static void try_accesses(linear_t target)
{
	const struct access read = read_access(target, 4);
	const struct access write = write_access(target, 8, frame_word(22));
	const struct access fetch = fetch_access(target);
	const struct access all[] = {as_user(read), as_user(write), as_user(fetch),
				     read,	    write,	    fetch};

	for (unsigned i = 0; i < COUNT_OF(all); i++)
		expect_as_modelled(all[i]);
}

static bool is_reserved(enum level level, uint64_t entry)
{
	struct paging_rules rules = current_rules();

	return reserved_bits_set(current_format(), &rules, level, entry) != 0;
}

/* Bits whose flip is no matter of reservation: it would unmap, or lead elsewhere. */
static bool leads_elsewhere(const struct page *page, enum level level, uint64_t bit)
{
	bool large = level == page->level && level > PT;

	if (bit == P || (level == PML4 && bit == G))
		return true;
	if (bit == PS)
		return level == PD || level == PDPT;
	return (bit & ENTRY_ADDRESS) && !(large && bit == PAT_OF_LARGE_PAGE);
}

static void change_entry(const struct subject *subject, enum level level, uint64_t value)
{
	write_entry(&subject->page, level, value, NO_FLUSH);
	invalidate(subject->target, INVLPG);
}

static void try_entry(const struct subject *subject, enum level level, uint64_t value)
{
	uint64_t good = *subject->page.entry[level];

	change_entry(subject, level, value);
	try_accesses(subject->target);
	change_entry(subject, level, good);
}

/* Each bit but `left_out` of each entry that translates the subject, flipped alone. `preset` is A
 * where it shall not be seen whether a PDPTE with a reserved bit gets A. */
static void try_each_bit(const struct subject *subject, uint64_t left_out, uint64_t preset)
{
	for (int level = PML4; level >= (int)subject->page.level; level--) {
		uint64_t good =
			(*subject->page.entry[level] & ~(A | D)) | (level == PDPT ? preset : 0);

		for (unsigned i = 0; i < 64; i++) {
			uint64_t bit = 1ull << i;

			if (bit & left_out)
				continue;
			if (is_reserved((enum level)level, good | bit) ||
			    !leads_elsewhere(&subject->page, (enum level)level, bit))
				try_entry(subject, (enum level)level, good ^ bit);
		}
	}
}

static uint64_t address_bits_from_maxphyaddr(void)
{
	return ENTRY_ADDRESS & ~((1ull << maxphyaddr()) - 1);
}

/* Address bits from MAXPHYADDR on, and XD as a reserved bit, have cases of their own. */
static void try_low_bits(enum level level, uint64_t preset)
{
	struct subject subject = map_subject(level, P | RW | US, 21);

	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	try_each_bit(&subject, address_bits_from_maxphyaddr() | (has(FEATURE_nx) ? 0 : XD), preset);
}

TEST(each_bit_is_reserved_or_ignored_for_4_kbyte_pages,
     "Only PS of the PML4E faults below MAXPHYADDR on the way to a 4-KByte page", MANUAL_FORMATS,
     "")
{
	try_low_bits(PT, A);
}

TEST(each_bit_is_reserved_or_ignored_for_2_mbyte_pages,
     "Bits 20:13 of a PDE that maps a page are reserved", MANUAL_FORMATS, "")
{
	try_low_bits(PD, A);
}

TEST(each_bit_is_reserved_or_ignored_for_1_gbyte_pages,
     "Bits 29:13 of a PDPTE that maps a page are reserved", MANUAL_FORMATS, "pages_1g")
{
	try_low_bits(PDPT, A);
}

/* Apart, since an emulator that marks such entries early does so for this size alone. */
TEST(entries_of_1_gbyte_pages_with_a_reserved_bit_are_not_marked,
     "A PDPTE for a 1-GByte page that has a reserved bit set does not get A", MANUAL_FAULTS,
     "pages_1g")
{
	try_low_bits(PDPT, 0);
}

TEST(ps_of_a_pdpte_is_reserved_without_1_gbyte_pages,
     "PS of a PDPTE is reserved where CPUID shows no 1-GByte pages", MANUAL_FORMATS, "no_pages_1g")
{
	struct subject subject = map_subject(PT, P | RW | US, 21);

	try_entry(&subject, PDPT, *subject.page.entry[PDPT] | PS | A);
}

/* Each bit from MAXPHYADDR to 51, in each entry, for each page size that the machine has. */
static void try_address_bits(enum level level)
{
	struct subject subject = map_subject(level, P | RW | US, 21);

	for (int at = PML4; at >= (int)level; at--)
		for (unsigned bit = maxphyaddr(); bit < 52; bit++)
			try_entry(&subject, (enum level)at,
				  (*subject.page.entry[at] & ~(A | D)) | 1ull << bit |
					  (at == PDPT && level == PDPT ? A : 0));
}

TEST(address_bits_from_maxphyaddr_are_reserved, "Bits 51:MAXPHYADDR are reserved in every entry",
     MANUAL_FORMATS, "reserved_address_bits")
{
	if (is_permitted("P15"))
		end_case_skipped("reserved_address_bits",
				 "bits from the guest's MAXPHYADDR on are not virtualised (P15)");
	try_address_bits(PT);
	try_address_bits(PD);
	if (has(FEATURE_pages_1g))
		try_address_bits(PDPT);
}

/* XD is an ordinary bit or a reserved one as EFER.NXE says; the same entry is used both ways, with
 * its translation cached before each change, and everything flushed after it. */
static void try_xd_both_ways(enum level page_level, enum level level)
{
	struct subject subject = map_subject(page_level, P | RW | US, 21);

	change_entry(&subject, level, *subject.page.entry[level] | XD);
	for (unsigned round = 0; round < 3; round++) {
		set_efer(EFER_NXE);
		invalidate(subject.target, CR4_PGE_TWICE);
		try_accesses(subject.target);
		clear_efer(EFER_NXE);
		invalidate(subject.target, CR4_PGE_TWICE);
		try_accesses(subject.target);
	}
}

TEST(xd_is_reserved_while_nxe_is_clear,
     "XD forbids fetches with EFER.NXE = 1 and is reserved with EFER.NXE = 0", MANUAL_FORMATS, "nx")
{
	for (int level = PT; level <= PML4; level++) {
		try_xd_both_ways(PT, (enum level)level);
		if (level >= PD)
			try_xd_both_ways(PD, (enum level)level);
		if (level >= PDPT && has(FEATURE_pages_1g))
			try_xd_both_ways(PDPT, (enum level)level);
	}
}

/* A reserved bit must win over every missing right, and the fault is not remembered once the bit is
 * gone. */
TEST(reserved_bits_win_over_missing_rights,
     "A reserved bit is reported whatever R/W, U/S and XD of the entries say", MANUAL_FAULTS, "")
{
	for (unsigned rights = 0; rights < 4; rights++) {
		struct subject subject = map_subject(PD, P | RW | US, 21);
		uint64_t flags = (rights & 1 ? RW : 0) | (rights & 2 ? US : 0);
		uint64_t good = (*subject.page.entry[PD] & ~(RW | US)) | flags;

		change_entry(&subject, PD, good);
		try_accesses(subject.target);
		for (unsigned bit = 13; bit <= 20; bit++)
			try_entry(&subject, PD, good | 1ull << bit);
		try_accesses(subject.target);
	}
}

/* All bits but P random, at each level: nothing of such an entry may matter, and nothing in it may
 * change. */
TEST(entries_that_are_not_present_are_never_checked,
     "With P = 0 the error code has P = 0 and RSVD = 0 whatever the other 63 bits are",
     MANUAL_FAULTS, "")
{
	struct subject subject = map_subject(PT, P | RW | US, 21);
	struct random random = random_start(1);

	for (int level = PT; level <= PML4; level++) {
		for (unsigned i = 0; i < 64; i++)
			try_entry(&subject, (enum level)level, 1ull << i & ~P);
		for (unsigned i = 0; i < 64; i++)
			try_entry(&subject, (enum level)level, random_next(&random) & ~P);
		try_entry(&subject, (enum level)level, ~P);
	}
}

/* The only case that looks at P of such faults, so that the widespread defect QT01 shows here and
 * hides nothing else. */
TEST(reserved_bit_faults_report_present, "RSVD = 1 in the error code comes with P = 1",
     MANUAL_FAULTS, "")
{
	compare_p_of_reserved_bit_faults();
	for (int page_level = PT; page_level <= PD; page_level++) {
		struct subject subject = map_subject((enum level)page_level, P | RW | US, 21);

		try_entry(&subject, PML4, *subject.page.entry[PML4] | PS);
		try_entry(&subject, PD, *subject.page.entry[PD] | PS | 1ull << 20);
		if (has(FEATURE_nx)) {
			clear_efer(EFER_NXE);
			try_each_bit(&subject, address_bits_from_maxphyaddr(), A);
			set_efer(EFER_NXE);
		}
	}
}

/* Each reserved bit below and, where they are virtualised, from MAXPHYADDR. The flags stand there
 * before, D in the last entry; a PDPTE without A has a case of its own. */
static void try_reserved_bits(enum level page_level, uint64_t flags)
{
	struct subject subject = map_subject(page_level, P | RW | US, 21);
	uint64_t left_out = is_permitted("P15") ? address_bits_from_maxphyaddr() : 0;

	for (int level = PML4; level >= (int)page_level; level--) {
		uint64_t good = (*subject.page.entry[level] & ~(A | D)) |
				(flags & (level == (int)page_level ? A | D : A)) |
				(level == PDPT ? A : 0);

		for (unsigned bit = 0; bit < 64; bit++)
			if (!(1ull << bit & (left_out | P)) &&
			    is_reserved((enum level)level, good | 1ull << bit))
				try_entry(&subject, (enum level)level, good | 1ull << bit);
	}
}

TEST(reserved_bits_fault_whatever_the_flags_are,
     "A reserved bit faults in entries that have A or D, too", MANUAL_FAULTS, "")
{
	static const uint64_t flags[] = {A, D, A | D};

	for (int level = PT; level <= (int)largest_page(); level++)
		for (unsigned i = 0; i < COUNT_OF(flags); i++)
			try_reserved_bits((enum level)level, flags[i]);
}

TEST(reserved_bits_fault_whatever_rights_are_in_force,
     "A reserved bit, XD with EFER.NXE = 0 among them, faults under each of CR0.WP, SMEP and SMAP",
     MANUAL_FAULTS, "nx")
{
	for (unsigned n = 0; n < 8; n++) {
		clear_efer(EFER_NXE);
		n & 1 ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
		if (has(FEATURE_smep))
			n & 2 ? set_cr4(CR4_SMEP) : clear_cr4(CR4_SMEP);
		if (has(FEATURE_smap))
			n & 4 ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
		try_reserved_bits(PT, A);
		try_reserved_bits(PD, A);
		set_efer(EFER_NXE);
	}
}
