/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Protection keys: model against naive walker for every key, every two bits of rights and every
 * access, and a few answers by hand.
 */
#include "hosttest/expect.h"
#include "hosttest/world.h"
#include "paging/entry.h"

#define LINEAR	  0x0000123456789abcull
#define KEY_SHIFT 59

enum { WITH_PKE = 1, WITH_PKS = 2, WITH_WP = 4, WITH_SMAP = 8, SETTINGS = 16 };
enum { AD = 1, WD = 2 };

static struct world world;

/* Entries above have another key, which must not matter. */
static void make_page(enum level last, unsigned key, uint64_t rights)
{
	const struct paging_format *format = &paging_4level;

	for (int level = PML4; level >= (int)last; level--) {
		uint64_t *table = world.frame[PML4 - level];
		uint64_t entry = P | RW | US | world_frame((unsigned)(PML4 - level) + 1) |
				 (uint64_t)(~key & 0xf) << KEY_SHIFT;

		if (level == (int)last)
			entry = P | 0x40000000 | (last == PT ? 0 : PS) | rights |
				(uint64_t)key << KEY_SHIFT;
		table[level_index(format, (enum level)level, LINEAR)] = entry;
	}
}

/* The key's rights stand among the opposite ones of all others. */
static uint32_t register_with(unsigned key, uint32_t rights)
{
	uint32_t others = rights & AD ? 0 : 0x55555555;

	return (others & ~(3u << 2 * key)) | rights << 2 * key;
}

static struct model_processor processor_with(unsigned settings, uint32_t pkru, uint32_t pkrs)
{
	return (struct model_processor){
		.format = &paging_4level,
		.rules = {.maxphyaddr = 40, .pages_1g = true, .execute_disable = true},
		.root = world_frame(0),
		.wp = settings & WITH_WP,
		.smap = settings & WITH_SMAP,
		.pke = settings & WITH_PKE,
		.pks = settings & WITH_PKS,
		.pkru = pkru,
		.pkrs = pkrs,
	};
}

static void compare_accesses(const struct model_processor *processor)
{
	for (unsigned number = 0; number < 24; number++) {
		struct model_access access = {
			.linear = LINEAR,
			.bytes = 1,
			.write = number / 8 == 1,
			.fetch = number / 8 == 2,
			.user = number & 1,
			.ac = number & 2,
			.implicit = (number & 4) && number / 8 != 2,
		};

		compare_with_naive(&world, processor, &access);
	}
}

static void compare_settings(unsigned key)
{
	for (unsigned settings = 0; settings < SETTINGS; settings++) {
		for (uint32_t rights = 0; rights < 16; rights++) {
			struct model_processor processor =
				processor_with(settings, register_with(key, rights & 3),
					       register_with(key, rights >> 2));

			compare_accesses(&processor);
		}
	}
}

HOST_TEST(model_agrees_on_all_protection_keys)
{
	host_explain = explain_last;
	for (int last = PDPT; last >= PT; last--) {
		for (unsigned key = 0; key < 16; key++) {
			for (unsigned rights = 0; rights < 8; rights++) {
				make_page((enum level)last, key,
					  (rights & 1 ? RW : 0) | (rights & 2 ? US : 0) |
						  (rights & 4 ? XD : 0));
				compare_settings(key);
			}
		}
	}
}

/* Key 5 with these rights in both registers. */
static struct model_outcome outcome_of(unsigned settings, uint32_t rights,
				       struct model_access access)
{
	struct model_processor processor =
		processor_with(settings, register_with(5, rights), register_with(5, rights));
	struct model_answer answer;

	access.linear = LINEAR;
	access.bytes = 1;
	model_translate(&answer, &processor, &access, read_world, &world);
	return answer.outcome[0];
}

#define OUTCOME(settings, rights, ...) \
	outcome_of(settings, rights, (struct model_access){__VA_ARGS__})

HOST_TEST(model_gives_the_known_protection_key_faults)
{
	make_page(PT, 5, RW | US);
	expect_equal(OUTCOME(WITH_PKE, AD, .user = true).error_code, 0x25);
	expect_equal(OUTCOME(WITH_PKE, AD, .user = false).error_code, 0x21);
	expect_equal(OUTCOME(WITH_PKE, WD, .user = true, .write = true).error_code, 0x27);
	expect_equal(OUTCOME(WITH_PKE, WD, .user = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(WITH_PKE, WD, .write = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(WITH_PKE | WITH_WP, WD, .write = true).error_code, 0x23);
	expect_equal(OUTCOME(WITH_PKE, AD, .user = true, .fetch = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(WITH_PKS, AD, .user = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(WITH_PKE | WITH_SMAP, AD, .write = true).error_code, 0x23);
	make_page(PT, 5, US);
	expect_equal(OUTCOME(WITH_PKE, WD, .user = true, .write = true).error_code, 0x27);
	make_page(PT, 5, RW);
	expect_equal(OUTCOME(WITH_PKE, AD, .write = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(WITH_PKS, AD, .write = true).error_code, 0x23);
	expect_equal(OUTCOME(WITH_PKS, WD, .write = true).vector, MODEL_COMPLETES);
	expect_equal(OUTCOME(WITH_PKS | WITH_WP, WD, .write = true).error_code, 0x23);
	expect_equal(OUTCOME(WITH_PKS, AD, .user = true).error_code, 5);
	expect_equal(OUTCOME(WITH_PKS, AD, .user = true).open_code, 0x20);
	make_page(PT, 5, 0);
	*(&world.frame[3][level_index(&paging_4level, PT, LINEAR)]) &= ~P;
	expect_equal(OUTCOME(WITH_PKE | WITH_PKS, AD, .user = true).error_code, 4);
}
