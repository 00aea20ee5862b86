/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Model against naive walker: every combination of R/W, U/S and XD over all levels, with every
 * control bit and every access, for every page size.
 */
#include "hosttest/expect.h"
#include "hosttest/world.h"
#include "paging/entry.h"

#define LINEAR_5LEVEL 0x00123456789abcdeull
#define LINEAR_4LEVEL 0x0000123456789abcull
#define CONTROLS      16
#define ACCESSES      20

static struct world world;

/* 0 to 3 read, 4 to 7 write, 8 to 11 fetch; then implicit reads and writes (there are no implicit
 * fetches); of each four with either CPL and either EFLAGS.AC. */
static struct model_access access_number(unsigned number, uint64_t linear)
{
	return (struct model_access){
		.linear = linear,
		.bytes = 1,
		.ac = number & 1,
		.user = number & 2,
		.write = number / 4 == 1 || number / 4 == 4,
		.fetch = number / 4 == 2,
		.implicit = number / 4 >= 3,
	};
}

static struct model_processor processor_number(unsigned number, const struct paging_format *format)
{
	return (struct model_processor){
		.format = format,
		.rules = {.maxphyaddr = 40, .pages_1g = true, .execute_disable = number & 8},
		.root = world_frame(0),
		.wp = number & 1,
		.smep = number & 2,
		.smap = number & 4,
	};
}

/* A chain of frames 0, 1, 2, ... from the top down to the entry of `last`, which maps a page. */
static uint64_t *chain_entry(const struct paging_format *format, enum level level, uint64_t linear)
{
	return &world.frame[format->top - level][level_index(format, level, linear)];
}

static void set_rights(const struct paging_format *format, enum level last, uint64_t linear,
		       unsigned combination)
{
	for (int level = format->top; level >= (int)last; level--, combination >>= 3) {
		uint64_t entry = P | world_frame((unsigned)(format->top - level) + 1);

		if (level == (int)last)
			entry = P | 0x40000000 | (last == PT ? 0 : PS);
		entry |= combination & 1 ? RW : 0;
		entry |= combination & 2 ? US : 0;
		entry |= combination & 4 ? XD : 0;
		*chain_entry(format, (enum level)level, linear) = entry;
	}
}

static void compare_everything(const struct paging_format *format, uint64_t linear)
{
	for (unsigned controls = 0; controls < CONTROLS; controls++) {
		struct model_processor processor = processor_number(controls, format);

		for (unsigned number = 0; number < ACCESSES; number++) {
			struct model_access access = access_number(number, linear);

			compare_with_naive(&world, &processor, &access);
		}
	}
}

static void compare_all_rights(const struct paging_format *format, uint64_t linear)
{
	host_explain = explain_last;
	for (int last = PDPT; last >= PT; last--) {
		unsigned combinations = 1u << (3 * (format->top - last + 1));
		unsigned step = host_quick && combinations > 4096 ? 61 : 1;

		for (unsigned i = 0; i < combinations; i += step) {
			set_rights(format, (enum level)last, linear, i);
			compare_everything(format, linear);
		}
	}
}

HOST_TEST(model_agrees_on_all_rights_of_4_levels)
{
	compare_all_rights(&paging_4level, LINEAR_4LEVEL);
}

HOST_TEST(model_agrees_on_all_rights_of_5_levels)
{
	compare_all_rights(&paging_5level, LINEAR_5LEVEL);
}

/* The same again by hand, for a few that everybody knows: a common error of both would show. */
static struct model_outcome outcome_of(unsigned controls, struct model_access access)
{
	struct model_processor processor = processor_number(controls, &paging_4level);
	struct model_answer answer;

	access.linear = LINEAR_4LEVEL;
	access.bytes = 1;
	model_translate(&answer, &processor, &access, read_world, &world);
	return answer.outcome[0];
}

#define OUTCOME(controls, ...) outcome_of(controls, (struct model_access){__VA_ARGS__})

enum { WP = 1, SMEP = 2, SMAP = 4, NXE = 8 };

HOST_TEST(model_gives_the_known_error_codes)
{
	set_rights(&paging_4level, PT, LINEAR_4LEVEL, 0);
	expect_equal(OUTCOME(0, .user = true).error_code, 5);
	expect_equal(OUTCOME(0, .user = true, .write = true).error_code, 7);
	expect_equal(OUTCOME(NXE, .user = true, .fetch = true).error_code, 0x15);
	expect_equal(OUTCOME(0, .user = true, .fetch = true).error_code, 5);
	expect_equal(OUTCOME(SMEP, .user = true, .fetch = true).error_code, 0x15);
	expect_equal(OUTCOME(WP, .write = true).error_code, 3);
	expect_equal(OUTCOME(0, .write = true).vector, MODEL_COMPLETES);
	*chain_entry(&paging_4level, PD, LINEAR_4LEVEL) = 0;
	expect_equal(OUTCOME(WP, .write = true).error_code, 2);
	*chain_entry(&paging_4level, PD, LINEAR_4LEVEL) = P | 1ull << 45;
	expect_equal(OUTCOME(WP, .user = true).error_code, 0xd);
}

HOST_TEST(model_gives_the_known_smep_and_smap_faults)
{
	set_rights(&paging_4level, PT, LINEAR_4LEVEL, 03333); /* RW and US at each of four levels */
	expect_equal(OUTCOME(SMAP, .ac = false).error_code, 1);
	expect_equal(OUTCOME(SMAP, .ac = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(SMAP, .ac = true, .implicit = true).error_code, 1);
	expect_equal(OUTCOME(SMAP, .user = true, .implicit = true, .write = true).error_code, 3);
	expect_equal(OUTCOME(SMAP, .user = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(SMEP, .fetch = true).error_code, 0x11);
	expect_equal(OUTCOME(SMAP, .fetch = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(SMEP, .user = true, .fetch = true).vector, MODEL_COMPLETES);
	/* One supervisor-mode entry makes a supervisor-mode address. */
	*chain_entry(&paging_4level, PML4, LINEAR_4LEVEL) &= ~US;
	expect_equal(OUTCOME(SMAP | SMEP, .fetch = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(SMAP | SMEP, .ac = false).vector, MODEL_COMPLETES);
}
