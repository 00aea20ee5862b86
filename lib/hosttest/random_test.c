/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Model against naive walker on a million random structures, and properties that hold whatever the
 * structures are.
 */
#include "hosttest/expect.h"
#include "hosttest/world.h"
#include "paging/entry.h"

#define RANDOM_STRUCTURES   1000000
#define PROPERTY_STRUCTURES 200000

static struct world world;
static struct model_processor processor;
static struct model_access access;
static struct model_answer answer;

static unsigned rounds(unsigned count)
{
	host_explain = explain_last;
	world.random = 0x5eed;
	return host_quick ? count / 10 : count;
}

static void next_question(void)
{
	random_entries(&world);
	processor = random_processor(&world);
	access = random_access(&world, &processor);
}

static const struct model_outcome *ask(void)
{
	model_translate(&answer, &processor, &access, read_world, &world);
	return &answer.outcome[0];
}

static bool completes(void)
{
	return ask()->vector == MODEL_COMPLETES;
}

/* That the generator makes what it is for: faults of all kinds and pages of all sizes, none rare.
 */
HOST_TEST(model_agrees_on_random_structures)
{
	unsigned count = rounds(RANDOM_STRUCTURES), ends[3] = {0}, sizes[PML5 + 1] = {0}, done = 0;

	for (unsigned i = 0; i < count; i++) {
		next_question();
		compare_with_naive(&world, &processor, &access);
		done += completes();
		if (answer.outcome[0].vector == 13)
			continue;
		ends[answer.walk.end]++;
		if (answer.walk.end == WALK_MAPPED)
			sizes[answer.walk.step[answer.walk.count - 1].level]++;
	}
	expect_that(done > count / 50);
	for (unsigned end = WALK_MAPPED; end <= WALK_RESERVED; end++)
		expect_that(ends[end] > count / 50);
	for (unsigned level = PT; level <= PDPT; level++)
		expect_that(sizes[level] > count / 50);
}

/* No entry, no flag: each property of one answer. */
static void check_flags(const struct model_outcome *outcome)
{
	unsigned last = answer.walk.count - 1;
	uint64_t mapping = answer.walk.step[last].address;

	for (unsigned i = 0; i <= last; i++) {
		uint64_t must = outcome->must[i], may = outcome->may[i];

		expect_that(!((must | may) & ~(A | D)));
		expect_that(!(may & D));
		expect_that(!(must & D) || access.write);
		expect_that(!(must & D) || answer.walk.step[i].address == mapping);
		if (outcome->vector != MODEL_COMPLETES)
			expect_equal(must, 0);
		else
			expect_that((must & A) && !may);
		if (!(answer.walk.step[i].entry & P))
			expect_equal(must | may, 0);
	}
}

static void check_error_code(const struct model_outcome *outcome)
{
	uint64_t last = answer.walk.step[answer.walk.count - 1].entry;
	uint64_t code = outcome->error_code;

	expect_equal(!(code & 1), !(last & P));
	expect_that(!(code & 8) || (code & 1));
	expect_equal(!!(code & 2), access.write);
	expect_equal(!!(code & 4), access.user && !access.implicit);
	expect_that(!(code & 16) || access.fetch);
	expect_that(!(code & 32) || ((code & 1) && !(code & 8) && !access.fetch));
	expect_that(!(code & ~0x3full));
	expect_that(!(outcome->open_code & ~32ull));
}

HOST_TEST(answers_have_the_properties_that_the_manual_gives_them)
{
	unsigned count = rounds(PROPERTY_STRUCTURES);

	for (unsigned i = 0; i < count; i++) {
		const struct model_outcome *outcome;

		next_question();
		outcome = ask();
		if (outcome->vector == 13) {
			expect_equal(answer.walk.count, 0);
			continue;
		}
		check_flags(outcome);
		if (outcome->vector == 14)
			check_error_code(outcome);
		else
			expect_equal(outcome->error_code, 0);
	}
}

/* A machine that does as it is told: what it leaves in memory fits, also where entries serve twice.
 */
HOST_TEST(flags_of_one_entry_agree_at_every_level_that_it_serves)
{
	unsigned count = rounds(PROPERTY_STRUCTURES), shared = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct model_outcome *outcome;

		next_question();
		outcome = ask();
		for (unsigned a = 0; a < answer.walk.count; a++) {
			for (unsigned b = 0; b < a; b++) {
				if (answer.walk.step[a].address != answer.walk.step[b].address)
					continue;
				shared++;
				expect_equal(outcome->must[a], outcome->must[b]);
				expect_equal(outcome->may[a], outcome->may[b]);
			}
		}
	}
	expect_that(shared > count / 50);
}

/* The entry that one step of the last answer read; NULL outside of the world. */
static uint64_t *entry_of_step(unsigned step)
{
	uint64_t offset = answer.walk.step[step].address - WORLD_BASE;

	if (offset >= sizeof(world.frame))
		return NULL;
	return &world.frame[offset / 4096][offset % 4096 / 8];
}

/* Whether the access still completes when bits of one entry on its way change. */
static bool completes_with(unsigned step, uint64_t set, uint64_t clear)
{
	uint64_t *entry = entry_of_step(step), old;
	bool result;

	if (!entry)
		return true;
	old = *entry;
	*entry = (old | set) & ~clear;
	result = completes();
	*entry = old;
	return result;
}

HOST_TEST(a_wider_right_never_takes_a_success_away)
{
	unsigned count = rounds(PROPERTY_STRUCTURES);

	for (unsigned i = 0; i < count; i++) {
		unsigned steps;
		bool user;

		next_question();
		if (!completes())
			continue;
		steps = answer.walk.count;
		user = access.user && !access.implicit;
		for (unsigned step = 0; step < steps; step++) {
			completes();
			expect_that(completes_with(step, RW, 0));
			expect_that(completes_with(step, 0, XD));
			if (user || !(processor.smep || processor.smap || processor.pke))
				expect_that(completes_with(step, US, 0));
			if (!user && !processor.pks)
				expect_that(completes_with(step, 0, US));
		}
	}
}

HOST_TEST(a_stricter_control_bit_never_allows_more)
{
	unsigned count = rounds(PROPERTY_STRUCTURES);

	for (unsigned i = 0; i < count; i++) {
		bool before;

		next_question();
		before = completes();
		processor.wp = true;
		expect_that(before || !completes());
		before = completes();
		processor.smep = true;
		expect_that(before || !completes());
		before = completes();
		processor.smap = true;
		expect_that(before || !completes());
		before = completes();
		access.ac = false;
		expect_that(before || !completes());
		before = completes();
		if (!access.fetch && !access.write) {
			access.write = true;
			expect_that(before || !completes());
		}
	}
}

/* Ignored bits are for software, and A and D are written, never asked. Keys are ignored where no
 * control bit gives them a meaning. */
HOST_TEST(ignored_bits_change_nothing)
{
	const uint64_t ignored =
		PWT | PCD | A | D | G | IGNORED_9_11 | IGNORED_52_58 | PROTECTION_KEY;
	unsigned count = rounds(PROPERTY_STRUCTURES);

	for (unsigned i = 0; i < count; i++) {
		struct model_answer before;
		uint64_t *entry;

		next_question();
		ask();
		before = answer;
		if (!before.walk.count)
			continue;
		entry = entry_of_step((unsigned)world_random_below(&world, before.walk.count));
		if (!entry)
			continue;
		*entry ^= world_random(&world) & ignored &
			  (processor.pke || processor.pks ? ~PROTECTION_KEY : ~0ull);
		ask();
		expect_equal(answer.outcome[0].vector, before.outcome[0].vector);
		expect_equal(answer.outcome[0].error_code, before.outcome[0].error_code);
		expect_equal(answer.walk.count, before.walk.count);
		expect_equal(answer.walk.end, before.walk.end);
		if (answer.walk.end == WALK_MAPPED)
			expect_equal(answer.walk.physical, before.walk.physical);
	}
}

/* Of a conditional write both answers are given, each as if it were sure. */
HOST_TEST(a_conditional_write_may_be_a_write_or_not)
{
	unsigned count = rounds(PROPERTY_STRUCTURES);

	for (unsigned i = 0; i < count; i++) {
		struct model_answer both;

		next_question();
		access.fetch = false;
		access.may_write = true;
		ask();
		both = answer;
		access.may_write = false;
		for (unsigned outcome = 0; outcome < both.count; outcome++) {
			ask();
			expect_equal(both.outcome[outcome].vector, answer.outcome[0].vector);
			expect_equal(both.outcome[outcome].error_code,
				     answer.outcome[0].error_code);
			for (unsigned step = 0; step < answer.walk.count; step++)
				expect_equal(both.outcome[outcome].must[step],
					     answer.outcome[0].must[step]);
			access.write = !access.write;
		}
		expect_equal(both.count, both.walk.count ? 2 : 1);
	}
}
