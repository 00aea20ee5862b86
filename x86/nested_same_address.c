/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Under EPT and nested paging: one address that means different things.
 *
 * A linear address of L2's is not L1's, even where both have the same value in CR3; a
 * guest-physical address beyond the first pieces of a 1-GByte page is not the one with a bit less;
 * and a 2-MByte page of L2's is one page for its INVLPG, whatever the second level maps it by (SDM
 * Vol. 3, "EPT Translation Mechanism", "Details of TLB Use"; APM Vol. 2, "Nested Paging", "TLB
 * Control").
 *
 * Caught here: translations that are kept over a VM entry or exit since CR3 keeps its value (R39,
 * KN05); bits of a 1-GByte page's offset that are lost; an INVLPG of L2's that drops one of the
 * pieces into which a shadow or a TLB broke its large page (BX12, QT22). Hypervisors that nest, and
 * emulators with one TLB for all.
 *
 * Not checked: that anything is still cached.
 */
#include "test.h"

SUBJECT(nested_same_address, "addresses that L1 and L2, or two pages, have in common");

#define NEEDS "second_level"
#define FLAGS (P | RW | US | A | D)
#define TAG   11

/* L2-physical, where L1 has its root, lies L2's. */
static void give_l2_the_same_registers(struct l2 *l2)
{
	second_map(&l2->second, GPA(read_cr3() & ENTRY_ADDRESS), l2->root_frame, PT, SECOND_ALL);
	l2->cr3 = read_cr3();
	l2->cr0 = read_cr0();
	l2->cr4 = read_cr4();
	l2->efer = read_msr(MSR_EFER) & ~EFER_SVME;
}

static void try_the_same_cr3(uint16_t tag)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .tag = tag);
	struct l2_page page = l2_map(l2, PT, FLAGS, 54);

	map_page_at_linear(page.linear, PT, filled_frame(80), FLAGS);
	give_l2_the_same_registers(l2);
	for (unsigned i = 0; i < 4; i++) {
		expect_read(read_access(page.linear, 8), frame_word(80));
		expect_l2_read(l2, read_access(page.linear, 8), frame_word(54));
	}
}

TEST(the_same_cr3_is_another_root_in_l2,
     "L1 and L2 with equal CR3, CR0, CR4 and EFER read at one linear address each its own page",
     "SDM Vol. 3, \"Information That May Be Cached\"; APM Vol. 2, \"TLB Control\"", NEEDS)
{
	try_the_same_cr3(0);
}

TEST(the_same_cr3_is_another_root_under_a_vpid,
     "with a VPID, too, L1 and L2 with equal control registers read each its own page",
     "SDM Vol. 3, \"Information That May Be Cached\"", NEEDS " vmx vpid")
{
	try_the_same_cr3(TAG);
}

static void need_1_gbyte_pages(void)
{
	if (has(FEATURE_svm) ? !has(FEATURE_pages_1g) : !has_vmx(VMX_FEATURE_ept_1g))
		end_case_skipped("ept_1g", "not offered here: 1-GByte pages in the second level");
}

/* Where there is no memory at the other address, a store is lost (P26). */
static void expect_not_here(struct l2 *l2, const struct l2_page *page, unsigned bit)
{
	volatile uint64_t *word = identity(page->frame);

	l2_attempt(l2, write_access(page->linear, 8, frame_word(bit)));
	expect(*word == frame_word(55), "a store with bit %u of the offset reached frame 0x%llx",
	       bit, (unsigned long long)page->frame.value);
	*word = frame_word(55);
	expect(l2_attempt(l2, read_access(page->linear, 8)).outcome.value[0] != frame_word(55),
	       "a read with bit %u of the offset reached frame 0x%llx", bit,
	       (unsigned long long)page->frame.value);
}

TEST(every_high_bit_of_the_offset_in_a_1_gbyte_page_counts,
     "L2-physical addresses in a 1-GByte page that differ in bit 28 or 29 are not the same memory",
     "SDM Vol. 3, \"EPT Translation Mechanism\"; APM Vol. 2, \"Nested Paging\"", NEEDS)
{
	struct l2 *l2;
	struct l2_page page;

	need_1_gbyte_pages();
	l2 = l2_start(L2_4LEVEL, .second_of_pages = PDPT);
	page = l2_map(l2, PT, FLAGS, 55);
	expect_l2_read(l2, read_access(page.linear, 8), frame_word(55));
	for (unsigned bit = 28; bit < 30; bit++) {
		gpa_t other = GPA(page.frame.value ^ 1ull << bit);

		l2_write_entry(l2, &page, PT, (page.gpa.value ^ 1ull << bit) | FLAGS);
		second_invalidate(&l2->second, SECOND_FLUSH_ALL);
		if (is_ram(other, PAGE_4K))
			expect_l2_read(l2, read_access(page.linear, 8),
				       *(volatile uint64_t *)identity(other));
		else
			expect_not_here(l2, &page, bit);
	}
}

/* In L2: reads three pieces of a page, replaces its PDE, INVLPG once, reads them again. */
__asm__(".pushsection .rodata\n"
	"pieces:\n"
	"	mov (%r8), %rax\n"
	"	mov 0x64000(%r8), %rbx\n"
	"	mov 0x1ff000(%r8), %rcx\n"
	"	mov %rdx, (%rsi)\n"
	"	invlpg (%rdi)\n"
	"	mov (%r8), %r9\n"
	"	mov 0x64000(%r8), %r10\n"
	"	mov 0x1ff000(%r8), %r11\n"
	"	ud2\n"
	"pieces_end:\n"
	".popsection\n");

extern const uint8_t pieces[], pieces_end[];

static const uint64_t offsets[] = {0, 0x64000, 0x1ff000};

/* 2 MBytes of L2's physical memory of which the pieces that are read are mapped, each by a 4-KByte
 * entry of its own. */
static gpa_t place_pieces(struct l2 *l2, uint32_t tag)
{
	gpa_t area = l2_place(l2, GPA(0), PT, false);

	area.value &= ~(PAGE_2M - 1);
	for (unsigned i = 0; i < COUNT_OF(offsets); i++)
		second_map(&l2->second, gpa_plus(area, offsets[i]), filled_frame(tag + i), PT,
			   SECOND_ALL);
	return area;
}

static struct l2_page map_code(struct l2 *l2)
{
	struct l2_page code = l2_map(l2, PT, FLAGS, 0);

	memcpy(identity(code.frame), pieces, (size_t)(pieces_end - pieces));
	if (has(FEATURE_svm))
		svm_guest(l2)->vmcb->control.intercept_3 &= ~VMCB_INTERCEPT_3_INVLPG;
	return code;
}

/* INVLPG of the address at `offset` in the page. */
static void try_pieces(uint64_t offset, uint64_t flags)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .tag = TAG * !!has(FEATURE_svm));
	struct l2_page code = map_code(l2), window = l2_map(l2, PT, FLAGS, 0);
	struct l2_page page = l2_map(l2, PD, flags, 0);
	linear_t start = LINEAR(page.linear.value & ~(PAGE_2M - 1));
	gpa_t old = place_pieces(l2, 60), new = place_pieces(l2, 70);
	struct l2_registers registers = {.r8 = start.value,
					 .rdi = start.value + offset,
					 .rdx = new.value | flags | PS,
					 .rip = code.linear.value,
					 .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	l2->cr4 |= flags & G ? CR4_PGE : 0;
	l2_write_entry(l2, &page, PD, old.value | flags | PS);
	l2_write_entry(l2, &window, PT, (page.entry_gpa[PD] & ~(PAGE_4K - 1)) | FLAGS);
	registers.rsi =
		(window.linear.value & ~(PAGE_4K - 1)) | (page.entry_gpa[PD] & (PAGE_4K - 1));
	second_invalidate(&l2->second, SECOND_FLUSH_ALL);
	l2->backend->enter(l2, &registers, &exit);
	expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD,
	       "exit kind %u, vector %u, reason 0x%llx, gpa 0x%llx", exit.kind, exit.vector,
	       (unsigned long long)exit.reason, (unsigned long long)exit.gpa);
	expect(registers.rax == frame_word(60) && registers.rbx == frame_word(61) &&
		       registers.rcx == frame_word(62),
	       "before: 0x%llx 0x%llx 0x%llx", (unsigned long long)registers.rax,
	       (unsigned long long)registers.rbx, (unsigned long long)registers.rcx);
	expect(registers.r9 == frame_word(70) && registers.r10 == frame_word(71) &&
		       registers.r11 == frame_word(72),
	       "after INVLPG at offset 0x%llx: 0x%llx 0x%llx 0x%llx", (unsigned long long)offset,
	       (unsigned long long)registers.r9, (unsigned long long)registers.r10,
	       (unsigned long long)registers.r11);
}

TEST(invlpg_of_l2_drops_all_pieces_of_its_large_page,
     "INVLPG in L2 with any address of a 2-MByte page drops it, whatever maps its pieces",
     "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\"; APM Vol. 2, "
     "\"TLB Management\"",
     NEEDS)
{
	static const uint64_t at[] = {0, 0x64000, 0x1ff000, 0x123456};

	for (unsigned i = 0; i < COUNT_OF(at); i++) {
		try_pieces(at[i], FLAGS);
		try_pieces(at[i], FLAGS | G);
	}
}
