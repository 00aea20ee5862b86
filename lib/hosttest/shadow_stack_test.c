/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Shadow-stack accesses: model against naive walker for R/W, U/S and D at every level, on random
 * structures, and a few answers by hand.
 */
#include "hosttest/expect.h"
#include "hosttest/world.h"
#include "paging/entry.h"

#define LINEAR		  0x0000123456789ab8ull
#define RANDOM_STRUCTURES 200000
#define KEY_5		  (5ull << 59)

static struct world world;
static struct model_processor processor = {
	.format = &paging_4level,
	.rules = {.maxphyaddr = 40, .pages_1g = true, .execute_disable = true},
	.root = WORLD_BASE,
	.wp = true,
};

/* R/W, U/S and D at each level, from the page's upwards. */
static void make_page(enum level last, unsigned combination, uint64_t more)
{
	for (int level = last; level <= PML4; level++, combination >>= 3) {
		uint64_t entry = P | world_frame((unsigned)(PML4 - level) + 1);

		if (level == (int)last)
			entry = P | 0x40000000 | (last == PT ? 0 : PS) | more;
		entry |= (combination & 1 ? RW : 0) | (combination & 2 ? US : 0) |
			 (combination & 4 ? D : 0);
		world.frame[PML4 - level][level_index(&paging_4level, (enum level)level, LINEAR)] =
			entry;
	}
}

static struct model_access access_number(unsigned number)
{
	return (struct model_access){
		.linear = LINEAR,
		.bytes = 8,
		.shadow_stack = true,
		.write = number & 1,
		.user = number & 2,
		.implicit = number & 4,
		.ac = number & 8,
	};
}

HOST_TEST(model_agrees_on_shadow_stack_pages)
{
	host_explain = explain_last;
	for (int last = PDPT; last >= PT; last--) {
		unsigned combinations = 1u << 3 * (PML4 - last + 1);

		for (unsigned i = 0; i < combinations; i++) {
			make_page((enum level)last, i, i & 64 ? XD : 0);
			for (unsigned number = 0; number < 16; number++) {
				struct model_access access = access_number(number);

				processor.smap = i & 1;
				compare_with_naive(&world, &processor, &access);
			}
		}
	}
}

HOST_TEST(model_agrees_on_shadow_stack_accesses_to_random_structures)
{
	unsigned allowed = 0;

	host_explain = explain_last;
	world.random = 0x55;
	for (unsigned i = 0; i < RANDOM_STRUCTURES; i++) {
		struct model_processor any;
		struct model_access access;
		struct model_answer answer;

		random_entries(&world);
		any = random_processor(&world);
		access = random_access(&world, &any);
		access.fetch = false;
		access.shadow_stack = true;
		any.wp = true; /* CR4.CET needs it */
		compare_with_naive(&world, &any, &access);
		model_translate(&answer, &any, &access, read_world, &world);
		allowed += answer.outcome[0].vector == MODEL_COMPLETES;
	}
	expect_that(allowed > RANDOM_STRUCTURES / 200);
}

static struct model_outcome outcome_of(struct model_access access)
{
	struct model_answer answer;

	access.linear = LINEAR;
	access.bytes = 8;
	model_translate(&answer, &processor, &access, read_world, &world);
	return answer.outcome[0];
}

#define OUTCOME(...) outcome_of((struct model_access){__VA_ARGS__})
#define SHADOW	     .shadow_stack = true

HOST_TEST(model_gives_the_known_shadow_stack_faults)
{
	processor.smap = true;
	make_page(PT, 03336, 0); /* a user-mode shadow-stack page */
	expect_equal(OUTCOME(SHADOW, .user = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(SHADOW, .user = true, .write = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(SHADOW, .user = true, .write = true).must[3], A | D);
	expect_equal(OUTCOME(SHADOW, .ac = true).error_code, 0x41);
	expect_equal(OUTCOME(.user = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(.user = true, .write = true).error_code, 7);
	expect_equal(OUTCOME(.ac = true, .write = true).error_code, 3);
	make_page(PT, 03334, 0); /* a supervisor-mode one */
	expect_equal(OUTCOME(SHADOW, .write = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(SHADOW, .user = true, .write = true).error_code, 0x47);
	make_page(PT, 03337, 0); /* an ordinary page */
	expect_equal(OUTCOME(SHADOW, .user = true).error_code, 0x45);
	make_page(PT, 03332, 0); /* read-only and clean */
	expect_equal(OUTCOME(SHADOW, .user = true).error_code, 0x45);
	make_page(PT, 03236, 0); /* the PDE is read-only */
	expect_equal(OUTCOME(SHADOW, .user = true, .write = true).error_code, 0x47);
	world.frame[3][level_index(&paging_4level, PT, LINEAR)] = 0;
	expect_equal(OUTCOME(SHADOW, .user = true).error_code, 0x44);
	make_page(PT, 03336, KEY_5);
	processor.pke = true;
	processor.pkru = 2u << 10; /* write-disable for key 5 */
	expect_equal(OUTCOME(SHADOW, .user = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(SHADOW, .user = true, .write = true).error_code, 0x67);
	processor.pke = false;
}
