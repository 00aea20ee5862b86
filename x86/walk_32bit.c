/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 32-bit paging: two levels, entries of 4 bytes, pages of 4 KBytes and 4 MBytes.
 *
 * R/W and U/S of PDE and PTE combine as in every mode; there is no XD, so I/D of the error code
 * speaks of CR4.SMEP alone. A PDE with PS = 1 maps 4 MBytes while CR4.PSE = 1 and references a page
 * table while CR4.PSE = 0; with PSE-36 its bits 20:13 are address bits 39:32, up to MAXPHYADDR, and
 * those above are reserved (SDM Vol. 3, "32-Bit Paging"; APM Vol. 2, "Non-PAE Paging").
 *
 * Caught here: shadow tables of 512 entries that stand for guest tables of 1024, and pick the wrong
 * half or quarter (KS13); 4-MByte pages made of two 2-MByte ones, of which INVLPG drops one; PS
 * looked at without CR4.PSE, or cached across its change; reserved-bit masks of another mode; PWT,
 * PCD or ignored bits of CR3 taken for address bits; all that access_rights catches in 64-bit mode.
 *
 * Not checked: data in pages that PSE-36 puts above 4 GBytes (pse36 does).
 */
#include "test.h"

SUBJECT(walk_32bit, "32-bit paging: every right, bit and page size");
BUILT_FOR_32BIT;

#define MANUAL	      "SDM Vol. 3, \"32-Bit Paging\""
#define MANUAL_RIGHTS "SDM Vol. 3, \"Determination of Access Rights\""
#define MANUAL_INVLPG "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define BYTES_4M      (4 * MBYTE)
#define PSE36_BITS    (0xffull << 13)
#define ENTRIES	      1024
#define CR3_IGNORED   0xfe7ull
#define IDENTITY_BITS (P | RW | A | D)

TEST(rights_combine_for_4_kbyte_pages, "R/W and U/S of PDE and PTE together decide", MANUAL_RIGHTS,
     "")
{
	try_walks(PT, ALL_WALK_AXES);
}

TEST(rights_combine_for_4_mbyte_pages, "R/W and U/S of the PDE decide", MANUAL_RIGHTS, "pse")
{
	try_walks(PD, ALL_WALK_AXES);
}

TEST(no_bit_is_reserved_for_4_kbyte_pages, "No bit of a PDE or PTE for 4-KByte pages is reserved",
     MANUAL, "")
{
	try_each_legacy_bit(PT, PS);
}

TEST(only_address_bits_are_reserved_for_4_mbyte_pages,
     "Bit 21 is reserved in a PDE that maps 4 MBytes, and no lower one but 20:13", MANUAL, "pse")
{
	try_each_legacy_bit(PD, PSE36_BITS);
}

/* The model says which of them are reserved. */
static void try_pse36_bits(bool reserved)
{
	struct legacy_page page = map_legacy_subject(PD, 31);
	uint64_t good = legacy_entry(&page, PD) & ~(A | D);
	struct paging_rules rules = current_rules();
	unsigned tried = 0;

	for (uint64_t bit = 1ull << 13; bit <= 1ull << 20; bit <<= 1) {
		if (!!reserved_bits_set(current_format(), &rules, PD, good | bit) != reserved)
			continue;
		try_legacy_entry(&page, PD, good | bit);
		tried++;
	}
	if (!tried)
		end_case_skipped("maxphyaddr", "MAXPHYADDR leaves none of these bits to try");
}

TEST(pse36_address_bits_do_not_fault,
     "Bits 20:13 of a 4-MByte page hold address bits up to MAXPHYADDR", MANUAL, "pse36")
{
	try_pse36_bits(false);
}

TEST(pse36_bits_beyond_maxphyaddr_are_reserved,
     "Those of bits 20:13 that would be address bits from MAXPHYADDR on are reserved", MANUAL,
     "pse")
{
	try_pse36_bits(true);
}

TEST(invlpg_drops_all_of_a_4_mbyte_page,
     "INVLPG of any address drops the whole 4-MByte translation", MANUAL_INVLPG, "pse")
{
	static const uint32_t offsets[] = {0, PAGE_4K, PAGE_2M - 8, PAGE_2M, BYTES_4M - PAGE_4K};
	gpa_t frame[2] = {frames_alloc(BYTES_4M), frames_alloc(BYTES_4M)};
	struct legacy_page page = legacy_map(PD, frame[0], P | RW | US);

	frame_fill(frame[0], BYTES_4M, 1);
	frame_fill(frame[1], BYTES_4M, 2);
	for (unsigned i = 0; i < 2 * COUNT_OF(offsets); i++) {
		for (unsigned j = 0; j < COUNT_OF(offsets); j++)
			expect_read(as_user(read_access(linear_plus(page.linear, offsets[j]), 4)),
				    (uint32_t)frame_word(1 + (i & 1)));
		legacy_write(&page, PD, frame[~i & 1].value | P | RW | US | PS);
		invalidate(linear_plus(page.linear, offsets[i / 2]), INVLPG);
	}
}

/* 1024 translations of one page table, each over a frame of its own; then one entry in each quarter
 * is led elsewhere, and no other may follow. */
TEST(each_entry_of_a_page_table_translates_its_own_page,
     "A store to a PTE changes one translation and no other", MANUAL, "")
{
	gpa_t frame = frames_alloc(BYTES_4M), other = filled_frame(5000);
	struct legacy_page page = legacy_map(PT, frame, P | RW | US);
	volatile uint32_t *table =
		(volatile uint32_t *)((uintptr_t)page.entry[PT] & ~(uintptr_t)(PAGE_4K - 1));
	linear_t first = LINEAR(page.linear.value & ~(BYTES_4M - 1));

	for (uint32_t i = 0; i < ENTRIES; i++) {
		frame_fill(gpa_plus(frame, i * PAGE_4K), PAGE_4K, i);
		table[i] = (uint32_t)(frame.value + i * PAGE_4K) | P | RW | US;
	}
	for (uint32_t changed = 1; changed <= ENTRIES; changed += 170) {
		invalidate(first, MOV_CR3);
		for (uint32_t i = 0; i < ENTRIES; i++) {
			uint32_t tag = i + 1 < changed && i % 170 == 0 ? 5000 : i;

			expect_read(read_access(linear_plus(first, i * PAGE_4K), 4),
				    (uint32_t)frame_word(tag));
		}
		table[changed - 1] = (uint32_t)other.value | P | RW | US;
	}
}

/* R/W and U/S of PDE and PTE. */
static void try_rights_at(linear_t linear)
{
	struct legacy_page page = legacy_map_at(linear, PT, filled_frame(31), P | RW | US);

	for (unsigned rights = 0; rights < 16; rights++) {
		for (int level = PT; level <= PD; level++) {
			unsigned these = level == PT ? rights : rights >> 2;
			uint64_t entry =
				legacy_entry(&page, (enum level)level) & ~(RW | US | A | D);

			legacy_write(&page, (enum level)level,
				     entry | (these & 1 ? RW : 0) | (these & 2 ? US : 0));
		}
		invalidate(linear, MOV_CR3);
		try_legacy_accesses(linear);
	}
}

/* Of the device memory at the end nothing is needed meanwhile. */
TEST(rights_combine_in_the_last_entries,
     "R/W and U/S decide in the last PDE, and in the first and last PTE, as in all others",
     MANUAL_RIGHTS, "")
{
	try_rights_at(LINEAR(0x7ffff000));
	try_rights_at(LINEAR(0x80000000));
	try_rights_at(LINEAR(0xffc00000));
	try_rights_at(LINEAR(0xfffff000));
}

/* The image itself lives on 4-MByte pages: a second root maps its memory by page tables, whose PDEs
 * mean the same either way. */
static gpa_t root_without_large_pages(void)
{
	gpa_t root = frame_alloc();
	uint32_t *directory = identity(root);

	memcpy(directory, identity(image_root()), PAGE_4K);
	for (uint32_t i = 0; i < IDENTITY_MAP_BYTES / BYTES_4M; i++) {
		gpa_t table = frame_alloc();
		uint32_t *entry = identity(table);

		for (uint32_t j = 0; j < ENTRIES; j++)
			entry[j] = i << 22 | j << 12 | IDENTITY_BITS;
		directory[i] = (uint32_t)table.value | P | RW | US | A;
	}
	return root;
}

TEST(ps_is_ignored_without_pse, "With CR4.PSE = 0 a PDE with PS = 1 references a page table",
     MANUAL, "pse")
{
	gpa_t large = frames_alloc(BYTES_4M), small = filled_frame(2);
	struct legacy_page page;

	frame_fill(gpa_plus(large, PAGE_4K), PAGE_4K, 1);
	at_case_end(switch_to_32bit); /* before CR3 is put back */
	load_root(root_without_large_pages());
	page = legacy_map(PD, large, P | RW | US);
	/* The page's first bytes are a page table whose second entry is of interest. */
	((uint32_t *)identity(large))[1] = (uint32_t)small.value | P | RW | US;
	for (unsigned round = 0; round < 3; round++) {
		set_cr4(CR4_PSE);
		invalidate(page.linear, MOV_CR3);
		expect_read(read_access(linear_plus(page.linear, PAGE_4K), 4),
			    (uint32_t)frame_word(1));
		try_legacy_reads(linear_plus(page.linear, PAGE_4K));
		clear_cr4(CR4_PSE);
		legacy_write(&page, PD, legacy_entry(&page, PD) & ~(uint64_t)(A | D));
		invalidate(page.linear, MOV_CR3);
		expect_read(read_access(linear_plus(page.linear, PAGE_4K), 4),
			    (uint32_t)frame_word(2));
		expect((legacy_entry(&page, PD) & (A | D)) == A, "the PDE is 0x%llx",
		       (unsigned long long)legacy_entry(&page, PD));
		try_legacy_reads(linear_plus(page.linear, PAGE_4K));
	}
}

TEST(low_bits_of_cr3_are_no_address, "Bits 11:0 of CR3 are PWT, PCD or ignored", MANUAL, "")
{
	struct legacy_page page = map_legacy_subject(PT, 31);
	uint64_t cr3 = read_cr3();

	for (unsigned bit = 0; bit < 12; bit++) {
		mov_to_cr3(cr3 | 1ull << bit);
		try_legacy_accesses(page.linear);
	}
	mov_to_cr3(cr3 | CR3_IGNORED | CR3_PWT);
	try_legacy_accesses(page.linear);
}
