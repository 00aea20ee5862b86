/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Linear addresses of compatibility mode wrap at 4 GBytes.
 *
 * The sum of segment base and offset keeps 32 bits, for INVLPG too, and an operand over the end of
 * the 32-bit linear space goes on at 0. 64-bit mode looks at no base of DS and ES. Translations are
 * those of 64-bit mode: changing the code segment flushes nothing and hides nothing (SDM Vol. 3,
 * "Linear-Address Pre-Processing"; APM Vol. 2, "Compatibility Mode"; R32).
 *
 * Caught here: linear addresses that run on above 4 GBytes, where another page is mapped; the
 * second part of an operand translated there; segment bases forgotten in one mode or kept in the
 * other; INVLPG that drops another page, extends the sign of its 32-bit address, or drops only what
 * its own mode has cached, as may MOV to CR3; CR2 with an upper half. Emulators, and hypervisors
 * that compute linear addresses for instructions by themselves.
 *
 * Not checked: operands that a segment's limit ends at 4 GBytes, where processors differ;
 * instructions that run over the end of the 32-bit address space.
 */
#include "test.h"

SUBJECT(linear_address_wrap, "addresses of compatibility mode that wrap at 4 GBytes");

#define MANUAL		"SDM Vol. 3, \"Linear-Address Pre-Processing\""
#define MANUAL_SEGMENTS "APM Vol. 2, \"Segment Registers\""
#define MANUAL_FLUSH	"SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define LINEAR_PAGE	LINEAR(0x56789000)
#define LINEAR_LAST	LINEAR(0xfffff000)
#define TARGET		0x7f8
#define FLAT_DATA	0x00cff3000000ffffull
#define TAG		71

/* A data segment with this base; the access is made at linear + `offset` - base there. */
static struct access through_segment(struct access access, uint32_t base)
{
	uint64_t gdt[GDT_ENTRIES];

	copy_gdt(gdt);
	gdt[GDT_SPARE_SEL / 8] =
		FLAT_DATA | (base & 0xffffffull) << 16 | (uint64_t)(base >> 24) << 56;
	load_gdt_copy(gdt);
	access.segment = GDT_SPARE_SEL | 3;
	access.base = base;
	return in_compatibility_mode(access);
}

/* 4 GBytes further on lies a page that nothing may use. */
struct wrap {
	struct page page, decoy;
};

static struct wrap map_wrap(linear_t linear)
{
	struct wrap wrap;

	use_low_pages();
	wrap.page = map_low_target(linear, PT, TAG);
	wrap.decoy = map_low_page(linear_plus(linear, 4 * GBYTE), PT, filled_frame(TAG + 1),
				  P | RW | US);
	return wrap;
}

static void expect_decoy_untouched(const struct wrap *wrap)
{
	const uint64_t *words = identity(wrap->decoy.frame);

	for (int level = PT; level <= PDPT; level++)
		expect_flags(&wrap->decoy, (enum level)level, A | D, 0);
	for (unsigned i = 0; i < PAGE_4K / 8; i++)
		expect(words[i] == frame_word(TAG + 1), "the frame 4 GBytes on is written");
}

static void try_wrap(linear_t linear)
{
	static const uint32_t bases[] = {0x80000000, 0xfffff000, 0xfffffff0, 0x60001230};
	struct wrap wrap = map_wrap(linear);
	linear_t target = linear_plus(linear, TARGET);

	for (unsigned i = 0; i < COUNT_OF(bases); i++) {
		for (unsigned n = 0; n < 8; n++) {
			struct access access = n & 1 ? write_access(target, 4, frame_word(TAG))
						     : read_access(target, 4);

			access.user = n & 2;
			write_entry(&wrap.page, PT,
				    wrap.page.frame.value | (n & 4 ? P | RW : 0) | US, INVLPG);
			expect_as_modelled(through_segment(access, bases[i]));
		}
	}
	expect_decoy_untouched(&wrap);
}

TEST(base_plus_offset_wraps_at_4_gbytes,
     "The sum of segment base and offset keeps 32 bits: the page there is used, and CR2 names it",
     MANUAL, "")
{
	try_wrap(LINEAR_PAGE);
}

TEST(base_plus_offset_wraps_to_page_0,
     "A sum just above 4 GBytes leads to the first page of the linear space", MANUAL, "")
{
	try_wrap(LINEAR(0));
}

/* Both frames hold their tag; the operand is 2 bytes of each. */
static void try_straddling(unsigned bad)
{
	struct wrap wrap = map_wrap(LINEAR(0));
	struct page last = map_low_target(LINEAR_LAST, PT, TAG);
	struct access access = through_segment(read_access(LINEAR(0xfffffffe), 4), 0xffff0000);
	uint32_t both = (uint32_t)(frame_word(TAG) >> 48 | frame_word(TAG) << 16);

	for (unsigned i = 0; i < 4; i++) {
		uint32_t cr2 = bad == 1 ? 0xfffffffe : 0;
		struct outcome outcome;

		access.instruction = i & 1 ? INSTRUCTION_write4 : INSTRUCTION_read4;
		access.value[0] = both;
		access.user = i & 2;
		write_entry(&wrap.page, PT, wrap.page.frame.value | (bad == 2 ? 0 : P) | RW | US,
			    INVLPG);
		write_entry(&last, PT, last.frame.value | (bad == 1 ? 0 : P) | RW | US, INVLPG);
		if (!bad) {
			expect_read(access, both);
			continue;
		}
		outcome = attempt(access);
		expect(outcome.vector == VECTOR_PF && outcome.cr2 - cr2 < 2 &&
			       outcome.error_code == ((i & 1 ? PF_W : 0) | (i & 2 ? PF_U : 0)),
		       "%s error code 0x%llx, CR2 0x%llx", vector_name(outcome.vector),
		       (unsigned long long)outcome.error_code, (unsigned long long)outcome.cr2);
	}
	expect_decoy_untouched(&wrap);
}

TEST(operands_over_4_gbytes_continue_at_0,
     "An operand of which the last bytes lie beyond 4 GBytes has them in page 0", MANUAL, "")
{
	try_straddling(0);
}

TEST(operands_over_4_gbytes_fault_at_the_end,
     "#PF of such an operand has CR2 in the last page where that one is bad", MANUAL, "")
{
	try_straddling(1);
}

TEST(operands_over_4_gbytes_fault_at_0, "#PF of such an operand has CR2 = 0 where page 0 is bad",
     MANUAL, "")
{
	try_straddling(2);
}

TEST(code_may_end_at_4_gbytes, "A jump may be the last instruction below 4 GBytes", MANUAL, "")
{
	use_low_pages();
	map_low_target(LINEAR_LAST, PT, TAG);
	for (unsigned i = 0; i < 8; i++) {
		struct access access =
			in_compatibility_mode(fetch_access(linear_plus(LINEAR_LAST, PAGE_4K - 8)));

		access.user = i & 1;
		expect_as_modelled(access);
	}
}

/* Accesses of both modes by turns, with an edit and its INVLPG, from either mode, in between. */
static void try_turns(linear_t at, bool from_compatibility_mode)
{
	struct page page;
	gpa_t frame[2] = {filled_frame(TAG), filled_frame(TAG + 1)};

	use_low_pages();
	page = map_low_target(at, PT, TAG);
	for (unsigned i = 0; i < 32; i++) {
		struct access read = read_access(linear_plus(at, TARGET), 4);
		struct access drop = instruction_access(INSTRUCTION_invlpg, page.linear, 0);

		read.user = i & 2;
		read.compatibility = i & 4;
		write_entry(&page, PT, frame[i & 1].value | P | RW | US, NO_FLUSH);
		drop.compatibility = from_compatibility_mode;
		expect(attempt(drop).vector == NO_VECTOR, "INVLPG faults");
		expect_read(read, (uint32_t)frame_word(TAG + (i & 1)));
		read.compatibility = !read.compatibility;
		expect_read(read, (uint32_t)frame_word(TAG + (i & 1)));
		expect_as_modelled(fetch_access(linear_plus(at, 8)));
		expect_as_modelled(
			in_compatibility_mode(as_user(fetch_access(linear_plus(at, 8)))));
	}
}

TEST(invlpg_of_64_bit_mode_is_for_both_modes,
     "After INVLPG in 64-bit mode compatibility mode uses the new translation too", MANUAL_FLUSH,
     "")
{
	try_turns(LINEAR_PAGE, false);
}

TEST(invlpg_of_compatibility_mode_is_for_both_modes,
     "INVLPG in compatibility mode drops the translation of its 32-bit address", MANUAL_FLUSH, "")
{
	try_turns(LINEAR_PAGE, true);
}

/* With bit 31 set, which is no sign. */
TEST(invlpg_of_compatibility_mode_reaches_4_gbytes,
     "INVLPG in compatibility mode drops translations of addresses from 2 to 4 GBytes too",
     MANUAL_FLUSH, "")
{
	try_turns(LINEAR(0x96789000), true);
	try_turns(LINEAR(0xd6789000), true);
}

TEST(invlpg_drops_large_pages_of_both_modes,
     "INVLPG of either mode drops all of a 2-MByte page that either has used", MANUAL_FLUSH, "")
{
	gpa_t frame[2] = {frames_alloc(PAGE_2M), frames_alloc(PAGE_2M)};
	struct page page;

	use_low_pages();
	page = map_low_page(LINEAR(0x56600000), PD, frame[0], P | RW | US);
	for (uint32_t i = 0; i < 2; i++)
		frame_fill(frame[i], PAGE_2M, TAG + i);
	for (uint32_t i = 0; i < 16; i++) {
		struct access drop = instruction_access(INSTRUCTION_invlpg,
							linear_plus(page.linear, i * 0x1f123), 0);

		write_entry(&page, PD, frame[i & 1].value | P | RW | US | PS, NO_FLUSH);
		drop.compatibility = i & 2;
		expect(attempt(drop).vector == NO_VECTOR, "INVLPG faults");
		for (uint64_t at = 0; at < PAGE_2M; at += 37 * PAGE_4K) {
			struct access read = read_access(linear_plus(page.linear, at), 4);

			read.user = i & 4;
			read.compatibility = !(i & 8);
			expect_read(read, (uint32_t)frame_word(TAG + (i & 1)));
		}
	}
}

/* Fetched code: MOV of EDX to CR3, then a word of the frame. */
TEST(mov_to_cr3_of_compatibility_mode_is_for_both_modes,
     "MOV to CR3 in compatibility mode drops what either mode has cached", MANUAL_FLUSH, "")
{
	static const uint8_t mov_edx_to_cr3[] = {0x0f, 0x22, 0xda};
	gpa_t frame[2] = {filled_frame(TAG), filled_frame(TAG + 1)};
	struct page page, code;
	struct access move;

	use_low_pages();
	page = map_low_target(LINEAR_PAGE, PT, TAG);
	code = map_low_target(LINEAR(0x96789000), PT, TAG + 2);
	memcpy((uint8_t *)identity(code.frame) + TARGET - 3, mov_edx_to_cr3, 3);
	move = in_compatibility_mode(fetch_access(linear_plus(code.linear, TARGET - 3)));
	move.value[1] = read_cr3();
	for (uint32_t i = 0; i < 16; i++) {
		struct access read = read_access(linear_plus(page.linear, TARGET), 4);

		write_entry(&page, PT, frame[i & 1].value | P | RW | US, NO_FLUSH);
		expect(attempt_rightly(move).value[0] == TAG + 2, "MOV to CR3 fails");
		processor_event(EVENT_cr3, move.value[1], NULL);
		read.user = i & 2;
		read.compatibility = i & 4;
		expect_read(read, (uint32_t)frame_word(TAG + (i & 1)));
		expect_read(fetch_access(page.linear), TAG + (i & 1));
	}
}

TEST(invlpg_wraps_at_4_gbytes, "INVLPG in compatibility mode takes base and offset modulo 4 GBytes",
     MANUAL_FLUSH, "")
{
	struct wrap wrap = map_wrap(LINEAR_PAGE);
	gpa_t frame[2] = {filled_frame(TAG), filled_frame(TAG + 1)};
	struct access drop =
		through_segment(instruction_access(INSTRUCTION_invlpg, LINEAR_PAGE, 0), 0x90000000);

	for (unsigned i = 0; i < 8; i++) {
		write_entry(&wrap.page, PT, frame[i & 1].value | P | RW | US, NO_FLUSH);
		expect(attempt(drop).vector == NO_VECTOR, "INVLPG faults");
		expect_read(read_access(LINEAR_PAGE, 4), (uint32_t)frame_word(TAG + (i & 1)));
	}
}

TEST(bases_do_not_matter_in_64_bit_mode,
     "DS and ES have base 0 in 64-bit mode, whatever compatibility mode has loaded",
     MANUAL_SEGMENTS, "")
{
	struct wrap wrap = map_wrap(LINEAR_PAGE);
	linear_t target = linear_plus(LINEAR_PAGE, TARGET);
	struct access access = through_segment(read_access(target, 4), 0x1000);

	expect_as_modelled(access);
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(GDT_SPARE_SEL | 3));
	expect_as_modelled(read_access(target, 8));
	expect_as_modelled(write_access(target, 8, frame_word(TAG)));
	expect_as_modelled(instruction_access(INSTRUCTION_stos, target, frame_word(TAG)));
	expect_decoy_untouched(&wrap);
}
