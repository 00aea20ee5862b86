/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses whose upper bits are not all alike, and pages at the very edges of the canonical
 * halves.
 *
 * With 4-level paging bits 63:47 of a linear address must be alike. An access elsewhere raises
 * #GP(0), or #SS(0) when it goes through the stack segment (push, pop, call, an operand based on
 * RSP or RBP), before any paging structure is looked at: CR2 stays, nothing is marked (SDM Vol. 1,
 * "Canonical Addressing"; SDM Vol. 3, "Interrupt 13" and "Interrupt 12"; APM Vol. 2, "Canonical
 * Address Form").
 *
 * Caught here: upper bits cut off, so that another page is used; CR2 written, or #PF raised instead
 * (QT23); #GP for stack accesses (QT23); an operand of which only the first byte is checked; bounds
 * that are off by one page at either edge, or sign extension lost in CR2 (R31). Such mistakes hide
 * in emulators and in the instruction emulators of hypervisors.
 *
 * Not checked: RIP when a jump to a non-canonical address faults, where processors differ; operands
 * that run from the last byte of the address space to the first; 57-bit addresses.
 */
#include "test.h"

SUBJECT(canonical_addresses, "non-canonical addresses, and the edges of both canonical halves");

#define MANUAL	      "SDM Vol. 1, \"Canonical Addressing\""
#define LOWER_END     0x0000800000000000ull /* the first non-canonical address */
#define UPPER_START   0xffff800000000000ull
#define TAG	      51
#define CR2_CANARY    0x0000456789abcdefull
#define MSR_LSTAR     0xc0000082u
#define MSR_FS_BASE   0xc0000100u
#define MSR_GS_BASE   0xc0000101u
#define MSR_KERNEL_GS 0xc0000102u

static bool is_offered(unsigned instruction)
{
	return has(instruction_table[instruction].need);
}

static bool uses_stack(unsigned instruction)
{
	return instruction == INSTRUCTION_pop || instruction == INSTRUCTION_push ||
	       instruction == INSTRUCTION_pushf || instruction == INSTRUCTION_call ||
	       instruction == INSTRUCTION_read_rbp;
}

static void expect_fetch_refused(struct access access)
{
	struct outcome outcome;

	write_cr2(CR2_CANARY);
	outcome = attempt(access);
	expect(outcome.vector == VECTOR_GP && outcome.error_code == 0, "a jump to 0x%llx gave %s",
	       (unsigned long long)access.linear.value, vector_name(outcome.vector));
	expect(outcome.cr2 == CR2_CANARY, "CR2 is 0x%llx", (unsigned long long)outcome.cr2);
}

enum kind { ORDINARY, VECTOR, STACK };

static enum kind kind_of(unsigned instruction)
{
	return uses_stack(instruction)			   ? STACK
	       : instruction_table[instruction].size == 16 ? VECTOR
							   : ORDINARY;
}

/* In both modes. */
static void expect_refused(unsigned instruction, uint64_t linear)
{
	struct access access = instruction_access((enum instruction)instruction, LINEAR(linear),
						  frame_word(TAG + 1));

	for (unsigned user = 0; user < 2; user++) {
		access.user = user;
		if (instruction == INSTRUCTION_fetch)
			expect_fetch_refused(access);
		else
			expect_exception(access, uses_stack(instruction) ? VECTOR_SS : VECTOR_GP,
					 0);
	}
}

static void try_all(bool stack)
{
	static const uint64_t addresses[] = {LOWER_END, UPPER_START - 16, 0x8000000000000000,
					     0x7ffffffffffffff0, 0x0123456789abcde0};

	for (unsigned i = 0; i < COUNT_OF(addresses); i++)
		for (unsigned n = 0; n < ORDINARY_INSTRUCTIONS; n++)
			if (is_offered(n) && uses_stack(n) == stack)
				expect_refused(n, addresses[i]);
}

TEST(every_instruction_is_refused_beyond_the_border,
     "Any access to a non-canonical address raises #GP(0), unless it is one of the stack; CR2 "
     "stays",
     MANUAL, "")
{
	try_all(false);
}

TEST(stack_accesses_beyond_the_border_raise_ss,
     "Accesses through RSP or RBP to a non-canonical address raise #SS(0); CR2 stays",
     "SDM Vol. 3, \"Interrupt 12 - Stack Fault Exception (#SS)\"", "")
{
	try_all(true);
}

/* Pages stand where an address without its upper bits would lead. */
static void try_flips(linear_t linear)
{
	static const unsigned instructions[] = {INSTRUCTION_read8, INSTRUCTION_write1,
						INSTRUCTION_fetch, INSTRUCTION_lock_or};
	gpa_t frame = filled_frame(TAG);
	struct page page = map_page_at_linear(linear, PT, frame, P | RW | US);

	expect_as_modelled(as_user(read_access(page.linear, 8)));
	for (unsigned bit = 47; bit < 64; bit++)
		for (unsigned i = 0; i < COUNT_OF(instructions); i++)
			expect_refused(instructions[i], linear.value ^ 1ull << bit);
	for (unsigned at = 0; at < PAGE_4K / 8; at++)
		expect(((uint64_t *)identity(frame))[at] == frame_word(TAG),
		       "the page without the flipped bit was written at offset 0x%x", 8 * at);
}

TEST(each_upper_bit_counts, "An address with one of bits 63:47 flipped leads nowhere", MANUAL, "")
{
	try_flips(LINEAR(0x00001234567897e0));
	try_flips(LINEAR(0xffffabcdef0127e0));
}

TEST(prefetches_are_silent, "A prefetch from a non-canonical address does nothing",
     "SDM Vol. 2, \"PREFETCHh\"", "")
{
	for (unsigned bit = 47; bit < 64; bit++) {
		struct access access =
			instruction_access(INSTRUCTION_prefetch, LINEAR(1ull << bit), 0);

		write_cr2(CR2_CANARY);
		expect(attempt(access).vector == NO_VECTOR, "a prefetch faulted");
		expect(attempt(as_user(access)).vector == NO_VECTOR, "a user prefetch faulted");
		expect(read_cr2() == CR2_CANARY, "CR2 is 0x%llx", (unsigned long long)read_cr2());
	}
}

/* Whole pages of either size that end or begin where the half does. */
static struct page map_edge(uint64_t edge, bool below, enum level level)
{
	uint64_t bytes = level == PT ? PAGE_4K : PAGE_2M;
	gpa_t frame = frames_alloc(bytes);

	frame_fill(frame, bytes, TAG);
	return map_page_at_linear(LINEAR(below ? edge - bytes : edge), level, frame, P | RW | US);
}

/* Every size at both ends of the page; an 8-byte code that ends with the page. */
static void try_ends(const struct page *page)
{
	for (unsigned size = 1; size <= 8; size *= 2) {
		uint64_t ends[] = {0, page->bytes - size};

		for (unsigned i = 0; i < COUNT_OF(ends); i++) {
			linear_t linear = linear_plus(page->linear, ends[i]);

			expect_as_modelled(as_user(read_access(linear, size)));
			expect_as_modelled(read_access(linear, size));
			expect_as_modelled(as_user(write_access(linear, size, frame_word(TAG))));
			expect_as_modelled(write_access(linear, size, frame_word(TAG)));
		}
	}
	frame_fill(page->frame, page->bytes, TAG);
	expect_as_modelled(fetch_access(page->linear));
	expect_as_modelled(as_user(fetch_access(page->linear)));
	expect_as_modelled(fetch_access(linear_plus(page->linear, page->bytes - 8)));
	expect_as_modelled(as_user(fetch_access(linear_plus(page->linear, page->bytes - 8))));
}

static void try_edge(uint64_t edge, bool below, enum level level)
{
	struct page page = map_edge(edge, below, level);

	try_ends(&page);
	edit_entry(&page, level, INVLPG, .clear = RW);
	try_ends(&page);
	edit_entry(&page, level, INVLPG, .clear = US);
	try_ends(&page);
	edit_entry(&page, level, INVLPG, .clear = P);
	try_ends(&page);
}

TEST(pages_at_the_edges_work,
     "The last pages of the lower half, the first and the last of the upper one are like any other",
     MANUAL, "")
{
	for (int level = PT; level <= PD; level++) {
		try_edge(LOWER_END, true, (enum level)level);
		try_edge(UPPER_START, false, (enum level)level);
		try_edge(0, true, (enum level)level);
		release_pages();
	}
}

/* Operands of which at least one byte is beyond the border: faults, and no byte is written. */
static void try_straddling(uint64_t border, bool below, enum kind kind)
{
	static const unsigned instructions[] = {
		INSTRUCTION_read2,   INSTRUCTION_read4,	 INSTRUCTION_read8,   INSTRUCTION_read16,
		INSTRUCTION_write2,  INSTRUCTION_write4, INSTRUCTION_write8,  INSTRUCTION_write16,
		INSTRUCTION_add2,    INSTRUCTION_inc,	 INSTRUCTION_lock_or, INSTRUCTION_xchg,
		INSTRUCTION_cmpxchg, INSTRUCTION_push,	 INSTRUCTION_pop,     INSTRUCTION_read_rbp};
	struct page page = map_edge(border, below, PT);
	const uint64_t *memory = identity(page.frame);

	expect_as_modelled(as_user(write_access(linear_plus(page.linear, 8), 8, frame_word(TAG))));
	for (unsigned i = 0; i < COUNT_OF(instructions); i++) {
		unsigned size = instruction_table[instructions[i]].size;

		if (!is_offered(instructions[i]) || kind_of(instructions[i]) != kind)
			continue;
		for (unsigned before = 1; before < size; before++)
			expect_refused(instructions[i], border - before);
	}
	for (unsigned at = 0; at < PAGE_4K / 8; at++)
		expect(memory[at] == frame_word(TAG), "the page was written at offset 0x%x",
		       8 * at);
}

TEST(operands_across_the_end_of_the_lower_half_fault,
     "An operand that begins in the last page of the lower half and ends beyond it raises #GP(0)",
     MANUAL, "")
{
	try_straddling(LOWER_END, true, ORDINARY);
}

TEST(operands_across_the_start_of_the_upper_half_fault,
     "An operand that begins below the upper half and ends in its first page raises #GP(0)", MANUAL,
     "")
{
	try_straddling(UPPER_START, false, ORDINARY);
}

TEST(vector_operands_across_a_border_fault,
     "A 16-byte operand that straddles either border raises #GP(0) and no byte of it is written",
     MANUAL, "sse2")
{
	try_straddling(LOWER_END, true, VECTOR);
	try_straddling(UPPER_START, false, VECTOR);
}

TEST(stack_operands_across_a_border_raise_ss,
     "An operand of the stack that straddles either border raises #SS(0)",
     "SDM Vol. 3, \"Interrupt 12 - Stack Fault Exception (#SS)\"", "")
{
	try_straddling(LOWER_END, true, STACK);
	try_straddling(UPPER_START, false, STACK);
}

TEST(msrs_take_canonical_addresses_only,
     "WRMSR of a non-canonical address to FS.base, GS.base, KernelGSbase or LSTAR raises #GP(0)",
     "SDM Vol. 2, \"WRMSR\"", "")
{
	static const uint32_t msrs[] = {MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS, MSR_LSTAR};

	for (unsigned i = 0; i < COUNT_OF(msrs); i++) {
		uint64_t before = UPPER_START;

		write_msr_until_end(msrs[i], before);
		expect(read_msr(msrs[i]) == before, "the MSR lost a canonical address");
		for (unsigned bit = 47; bit < 64; bit++) {
			expect_exception(instruction_access(INSTRUCTION_wrmsr, LINEAR(msrs[i]),
							    UPPER_START ^ 1ull << bit),
					 VECTOR_GP, 0);
			expect(read_msr(msrs[i]) == before, "MSR 0x%x is 0x%llx", msrs[i],
			       (unsigned long long)read_msr(msrs[i]));
		}
	}
}
