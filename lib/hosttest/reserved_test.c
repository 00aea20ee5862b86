/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Model against naive walker: every single bit of an entry at every level, for every page size and
 * for processors that differ in what is reserved.
 */
#include "hosttest/expect.h"
#include "hosttest/world.h"
#include "paging/entry.h"

static struct world world;

static void make_chain(const struct paging_format *format, enum level last, uint64_t linear)
{
	for (int level = format->top; level >= (int)last; level--) {
		unsigned number = (unsigned)(format->top - level);
		uint64_t entry = world_frame(number + 1) | P | RW | US;

		if (level == (int)last)
			entry = P | RW | US | 0x40000000 | (last == PT ? 0 : PS);
		world.frame[number][level_index(format, (enum level)level, linear)] = entry;
	}
}

static void compare_accesses(const struct model_processor *processor, uint64_t linear)
{
	for (unsigned number = 0; number < 6; number++) {
		struct model_access access = {.linear = linear,
					      .bytes = 1,
					      .user = number & 1,
					      .write = number / 2 == 1,
					      .fetch = number / 2 == 2};

		compare_with_naive(&world, processor, &access);
	}
}

/* Each bit on its own, and each bit of an entry that is not present. */
static void compare_bits(const struct model_processor *processor, enum level last, uint64_t linear)
{
	const struct paging_format *format = processor->format;

	for (int level = format->top; level >= (int)last; level--) {
		uint64_t *entry = &world.frame[format->top - level]
					      [level_index(format, (enum level)level, linear)];
		uint64_t right = *entry;

		for (unsigned bit = 0; bit < 64; bit++) {
			*entry = right ^ 1ull << bit;
			compare_accesses(processor, linear);
			*entry = (right | 1ull << bit) & ~P;
			compare_accesses(processor, linear);
		}
		*entry = right;
	}
}

static void compare_formats(const struct paging_format *format, uint64_t linear)
{
	struct model_processor processor = {.format = format, .root = world_frame(0), .wp = true};

	host_explain = explain_last;
	for (unsigned width = 36; width <= 52; width++) {
		for (unsigned options = 0; options < 4; options++) {
			processor.rules = (struct paging_rules){.maxphyaddr = width,
								.pages_1g = options & 1,
								.execute_disable = options & 2};
			for (int last = PDPT; last >= PT; last--) {
				make_chain(format, (enum level)last, linear);
				compare_bits(&processor, (enum level)last, linear);
			}
		}
	}
}

HOST_TEST(model_agrees_on_each_single_bit_of_4_levels)
{
	compare_formats(&paging_4level, 0xffff8123456789abull);
}

HOST_TEST(model_agrees_on_each_single_bit_of_5_levels)
{
	compare_formats(&paging_5level, 0xff12345678abcdefull);
}
