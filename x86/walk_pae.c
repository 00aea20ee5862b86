/* SPDX-License-Identifier: BSD-2-Clause
 *
 * PAE paging: page directories and page tables with entries of 8 bytes under four PDPTEs, pages of
 * 4 KBytes and 2 MBytes.
 *
 * R/W, U/S and XD of PDE and PTE combine; PDPTEs have no rights and no accessed flag. Bits
 * 62:MAXPHYADDR are reserved in PDE and PTE, XD while EFER.NXE = 0, and bits 20:13 of a PDE that
 * maps a page; PS of a PDE needs no CR4.PSE. CR3 is aligned to 32 bytes (SDM Vol. 3, "PAE Paging";
 * APM Vol. 2, "PAE Paging").
 *
 * Caught here: bits 62:52 ignored as in 4-level paging, masks of another mode; PDPTEs that take
 * part in the rights; I/D of the error code without EFER.NXE and CR4.SMEP; a PDPT that is read at
 * the page's beginning instead of at CR3's 32 bytes (HX01); a page directory that serves the wrong
 * GByte. Loading and checking PDPTEs is pdpte_registers' subject.
 *
 * Not checked: P in the error code of reserved-bit faults (reserved_bits does, in 64-bit mode).
 */
#include "test.h"

SUBJECT(walk_pae, "PAE paging: every right, bit and page size");
BUILT_FOR_32BIT;

#define MANUAL	      "SDM Vol. 3, \"PAE Paging\""
#define MANUAL_RIGHTS "SDM Vol. 3, \"Determination of Access Rights\""
#define MANUAL_CR3    "SDM Vol. 3, \"PDPTE Registers\""
#define LAST_PDPT     0xfe0 /* the last one of a page */
#define CR3_LOW_BITS  0x1full

TEST(rights_combine_for_4_kbyte_pages, "R/W, U/S and XD of PDE and PTE together decide",
     MANUAL_RIGHTS, "pae")
{
	run_under_pae();
	try_walks(PT, ALL_WALK_AXES);
}

TEST(rights_combine_for_2_mbyte_pages, "R/W, U/S and XD of the PDE decide", MANUAL_RIGHTS, "pae")
{
	run_under_pae();
	try_walks(PD, ALL_WALK_AXES);
}

static void try_bits(enum level level, bool execute_disable)
{
	run_under_pae();
	if (has(FEATURE_nx))
		execute_disable ? set_efer(EFER_NXE) : clear_efer(EFER_NXE);
	try_each_legacy_bit(level, 0);
}

TEST(each_bit_is_reserved_or_ignored_for_4_kbyte_pages,
     "Bits 62:MAXPHYADDR of PDE and PTE are reserved, other flags are not", MANUAL, "pae")
{
	try_bits(PT, true);
}

TEST(each_bit_is_reserved_or_ignored_for_2_mbyte_pages,
     "Bits 20:13 and 62:MAXPHYADDR of a PDE that maps a page are reserved", MANUAL, "pae")
{
	try_bits(PD, true);
}

TEST(xd_is_reserved_while_nxe_is_clear, "XD is reserved in PDE and PTE while EFER.NXE = 0", MANUAL,
     "pae nx")
{
	try_bits(PT, false);
	try_bits(PD, false);
}

/* The same offset in each GByte, so that only the PDPTE tells the pages apart. */
TEST(each_pdpte_serves_its_own_gbyte, "Bits 31:30 of a linear address select the PDPTE", MANUAL,
     "pae")
{
	struct legacy_page page[2];

	run_under_pae();
	for (uint32_t i = 0; i < 2; i++)
		page[i] = legacy_map_at(LINEAR((i + 1) * PAGE_1G + 0x12345000), PT,
					filled_frame(1 + i), P | RW | US);
	for (uint32_t i = 0; i < 2; i++) {
		expect_read(read_access(page[i].linear, 4), (uint32_t)frame_word(1 + i));
		try_legacy_accesses(page[i].linear);
	}
}

/* R/W, U/S and, with EFER.NXE = 1, XD taken from PDE or PTE. */
static void try_rights_at(linear_t linear)
{
	static const uint64_t taken[] = {0, RW, US, RW | US, XD};
	struct legacy_page page = legacy_map_at(linear, PT, filled_frame(31), P | RW | US);

	for (unsigned i = 0; i < 2 * COUNT_OF(taken); i++) {
		enum level level = i & 1 ? PD : PT;
		uint64_t bits = taken[i / 2];

		if (bits == XD && !has(FEATURE_nx))
			continue;
		legacy_write(&page, level, legacy_entry(&page, level) ^ bits);
		invalidate(linear, MOV_CR3);
		try_legacy_accesses(linear);
		legacy_write(&page, level, (legacy_entry(&page, level) ^ bits) & ~(A | D));
	}
}

TEST(rights_combine_in_the_last_entries,
     "R/W, U/S and XD decide in the first and last entries of a page directory and page table",
     MANUAL_RIGHTS, "pae")
{
	run_under_pae();
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	try_rights_at(LINEAR(PAGE_1G));
	try_rights_at(LINEAR(2 * PAGE_1G - PAGE_4K));
	try_rights_at(LINEAR(2 * PAGE_1G));
	try_rights_at(LINEAR(4 * PAGE_1G - PAGE_4K)); /* where devices are otherwise */
}

/* Every other PDPT of the page holds nothing but zeros: taking one of them loses the image itself.
 */
TEST(pdpt_is_found_by_bits_31_to_5_of_cr3,
     "CR3 gives the PDPT's address to 32 bytes; bits 4:0 are no address", MANUAL_CR3, "pae")
{
	struct legacy_page page;
	gpa_t pdpt = gpa_plus(frame_alloc(), LAST_PDPT);

	run_under_pae();
	page = map_legacy_subject(PT, 31);
	memcpy(identity(pdpt), identity(image_root()), PDPTE_REGISTERS * 8);
	for (uint64_t low = 0; low <= CR3_LOW_BITS; low++) {
		mov_to_cr3(pdpt.value | low);
		note_pdptes();
		try_legacy_accesses(page.linear);
	}
}

TEST(pages_of_2_mbytes_need_no_pse, "PS of a PDE maps 2 MBytes whatever CR4.PSE says", MANUAL,
     "pae")
{
	struct legacy_page page;

	run_under_pae();
	page = map_legacy_subject(PD, 31);
	for (unsigned round = 0; round < 2; round++) {
		clear_cr4(CR4_PSE);
		invalidate(page.linear, MOV_CR3);
		try_legacy_accesses(page.linear);
		set_cr4(CR4_PSE);
		invalidate(page.linear, MOV_CR3);
		try_legacy_accesses(page.linear);
	}
}
