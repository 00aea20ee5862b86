/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Nothing completes on a non-canonical address.
 *
 * An access to an address whose upper bits are not alike raises #GP, or #SS where it is one of the
 * stack, before any translation (SDM Vol. 1, "Canonical Addressing"). Here every instruction that
 * has an operand is tried with each upper bit flipped, in both modes and under both paging modes,
 * and memory at the address without that bit must stay what it was.
 *
 * Caught here: upper bits that are dropped or not looked at for one kind of access, one privilege
 * level or one of the bits alone, the one next to the border first of all (R31).
 *
 * canonical_addresses asks for the right vector, error code and CR2; processors that are wrong in
 * these (QT23) still have to refuse the access.
 */
#include "test.h"

SUBJECT(canonical_instructions, "no instruction completes on a non-canonical address");

#define MANUAL "SDM Vol. 1, \"Canonical Addressing\""
#define TAG    37

/* A page stands where an address without the flipped bit would lead. */
static void expect_nothing_done(linear_t linear, unsigned first_bit)
{
	gpa_t frame = filled_frame(TAG);
	struct page page = map_page_at_linear(linear, PT, frame, P | RW | US);

	for (unsigned bit = first_bit; bit < 64; bit++) {
		for (unsigned n = 0; n < 2 * ORDINARY_INSTRUCTIONS; n++) {
			struct access access = instruction_access(
				(enum instruction)(n / 2), LINEAR(page.linear.value ^ 1ull << bit),
				frame_word(TAG + 1));
			struct outcome outcome;

			if (!has(instruction_table[n / 2].need))
				continue;
			access.user = n & 1;
			outcome = attempt(access);
			expect(outcome.vector == VECTOR_GP || outcome.vector == VECTOR_SS,
			       "%s with bit %u flipped: vector %u", instruction_table[n / 2].text,
			       bit, outcome.vector);
		}
	}
	for (unsigned at = 0; at < PAGE_4K / 8; at++)
		expect(((uint64_t *)identity(frame))[at] == frame_word(TAG),
		       "the page without the flipped bit was written at offset 0x%x", 8 * at);
}

TEST(nothing_is_accessed_beyond_the_border,
     "No instruction completes on an address with one of bits 63:47 flipped", MANUAL, "")
{
	expect_nothing_done(LINEAR(0x00001234567c9000), 47);
	expect_nothing_done(LINEAR(0xffffabcdef0c9000), 47);
}

TEST(nothing_is_accessed_beyond_the_border_of_five_levels,
     "Under 5-level paging no instruction completes with one of bits 63:56 flipped", MANUAL, "la57")
{
	enter_5level_paging();
	expect_nothing_done(LINEAR(0x00121234567c9000), 56);
	expect_nothing_done(LINEAR(0xffedabcdef0c9000), 56);
}
