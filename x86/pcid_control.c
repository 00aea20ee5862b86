/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CR3 and CR4 where there are process-context identifiers: what is accepted, refused and read back.
 *
 * CR4.PCIDE can be set only while CR3[11:0] = 000H. With it, CR3 bits 11:0 are the PCID and read
 * back, bit 63 of the operand is not kept; without it, bit 63 is reserved (SDM Vol. 3,
 * "Process-Context Identifiers (PCIDs)"; SDM Vol. 2, "MOV - Move to/from Control Registers"; R13).
 *
 * Caught here: bit 63 that faults although it may be set, or shows in CR3 (BX04, PV01); PCIDs that
 * are cut, or taken for PWT and PCD; bit 63 and the bits from MAXPHYADDR on checked by one mask.
 * These are mistakes of whoever intercepts MOV to CR3, and of emulators.
 *
 * Not checked: bits 62:61 of CR3, which enable LAM where that is offered.
 */
#include "test.h"

SUBJECT(pcid_control, "CR3 and CR4 with PCIDs: what is accepted, refused and read back");

#define KEPT   "SDM Vol. 3, \"Process-Context Identifiers (PCIDs)\""
#define MOVING "SDM Vol. 2, \"MOV - Move to/from Control Registers\""
#define PCIDS  4096
#define LAM    61 /* the first bit of two */

static void expect_cr3(uint64_t value)
{
	expect(read_cr3() == value, "CR3 is 0x%llx, not 0x%llx", (unsigned long long)read_cr3(),
	       (unsigned long long)value);
}

static void expect_cr3_refused(uint64_t value)
{
	uint64_t before = read_cr3();

	expect_exception(instruction_access(INSTRUCTION_mov_to_cr3, LINEAR(0), value), VECTOR_GP,
			 0);
	expect_cr3(before);
}

TEST(each_pcid_reads_back_and_bit_63_does_not,
     "With CR4.PCIDE = 1 each of 4096 PCIDs reads back from CR3, and bit 63 as 0", KEPT, "pcid")
{
	set_cr4(CR4_PCIDE);
	for (uint64_t pcid = 0; pcid < PCIDS; pcid++) {
		mov_to_cr3(image_root().value | pcid | CR3_NO_FLUSH);
		expect_cr3(image_root().value | pcid);
		mov_to_cr3(image_root().value | pcid);
		expect_cr3(image_root().value | pcid);
	}
}

TEST(bit_63_of_cr3_is_reserved_without_pcide,
     "With CR4.PCIDE = 0 MOV to CR3 with bit 63 set raises #GP(0) and CR3 stays", MOVING, "")
{
	expect_cr3_refused(image_root().value | CR3_NO_FLUSH);
	if (has(FEATURE_pcid)) {
		set_cr4(CR4_PCIDE);
		mov_to_cr3(image_root().value | CR3_NO_FLUSH);
		clear_cr4(CR4_PCIDE);
		expect_cr3_refused(image_root().value | CR3_NO_FLUSH);
	}
}

TEST(reserved_bits_of_cr3_fault_under_pcide,
     "With CR4.PCIDE = 1 a bit from MAXPHYADDR to 60 raises #GP(0) whatever bit 63 is", MOVING,
     "pcid")
{
	set_cr4(CR4_PCIDE);
	mov_to_cr3(image_root().value | 0x321);
	for (unsigned bit = first_reserved_address_bit(); bit < LAM; bit++) {
		expect_cr3_refused(image_root().value | 0x123 | 1ull << bit);
		expect_cr3_refused(image_root().value | 0x123 | 1ull << bit | CR3_NO_FLUSH);
	}
}

static void expect_pcide_refused(void)
{
	uint64_t cr3 = read_cr3(), cr4 = read_cr4();

	expect_exception(instruction_access(INSTRUCTION_mov_to_cr4, LINEAR(0), cr4 | CR4_PCIDE),
			 VECTOR_GP, 0);
	expect(read_cr4() == cr4, "CR4 is 0x%llx", (unsigned long long)read_cr4());
	expect_cr3(cr3);
}

/* Bits that are not PWT or PCD are ignored while PCIDE = 0: they may read back as 0. */
TEST(pcide_needs_pcid_0, "CR4.PCIDE from 0 to 1 raises #GP(0) while CR3[11:0] is not 000H", MOVING,
     "pcid")
{
	for (unsigned low = 1; low < PCIDS; low <<= 1) {
		mov_to_cr3(image_root().value | low);
		if (read_cr3() & (PCIDS - 1))
			expect_pcide_refused();
	}
	mov_to_cr3(image_root().value | CR3_PWT | CR3_PCD);
	expect_pcide_refused();
	mov_to_cr3(image_root().value);
	set_cr4(CR4_PCIDE);
	expect(read_cr4() & CR4_PCIDE, "PCIDE is 0");
}

/* 1 to 0 is allowed under any PCID, and what was its PCID is then PWT, PCD and ignored bits. */
TEST(pcide_may_be_cleared_under_any_pcid,
     "CR4.PCIDE from 1 to 0 is accepted whatever the PCID, and drops what was cached", KEPT, "pcid")
{
	for (unsigned pcid = 1; pcid < PCIDS; pcid <<= 1) {
		struct context context;

		set_cr4(CR4_PCIDE);
		context = make_context(pcid, PT, P | RW | US, 1);
		enter_context(&context, CR3_NO_FLUSH);
		expect_context(&context);
		move_context(&context, PT, 2);
		clear_cr4(CR4_PCIDE);
		expect_context(&context);
		expect((read_cr3() & ENTRY_ADDRESS) == (context.cr3 & ENTRY_ADDRESS),
		       "CR3 is 0x%llx", (unsigned long long)read_cr3());
		load_root(image_root());
	}
}
