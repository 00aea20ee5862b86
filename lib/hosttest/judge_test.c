/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The judge: what it accepts is exactly what some permitted outcome allows, and what it rejects it
 * names rightly.
 */
#include "hosttest/expect.h"
#include "hosttest/world.h"
#include "paging/entry.h"

#define ALL_BITS ~0ull

static struct world world;
static struct model_processor processor;
static struct model_access access;
static struct model_answer answer;

/* The flags that some role of the entry of this step gives it: where tables reference themselves
 * one entry has several. */
static uint64_t of_all_roles(const uint64_t flags[MOST_LEVELS], unsigned step)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < answer.walk.count; i++)
		if (answer.walk.step[i].address == answer.walk.step[step].address)
			all |= flags[i];
	return all;
}

static bool fits_outcome(const struct model_outcome *outcome, const struct model_observation *seen)
{
	if (seen->vector != outcome->vector)
		return false;
	if (seen->vector != MODEL_COMPLETES &&
	    (seen->error_code | outcome->open_code) != (outcome->error_code | outcome->open_code))
		return false;
	if (seen->vector == 14 && seen->cr2 != answer.walk.linear)
		return false;
	for (unsigned i = 0; i < answer.walk.count; i++) {
		uint64_t before = answer.walk.step[i].entry, after = seen->entry_after[i];

		if ((after & outcome->must[i]) != outcome->must[i] || (before & ~after))
			return false;
		if (after &
		    ~(before | of_all_roles(outcome->must, i) | of_all_roles(outcome->may, i)))
			return false;
	}
	return true;
}

static bool fits(const struct model_observation *seen)
{
	for (unsigned i = 0; i < answer.count; i++)
		if (fits_outcome(&answer.outcome[i], seen))
			return true;
	return false;
}

static struct model_observation obedient(unsigned outcome)
{
	const struct model_outcome *from = &answer.outcome[outcome];
	struct model_observation seen = {.vector = from->vector, .error_code = from->error_code};

	seen.cr2 = answer.walk.linear;
	for (unsigned i = 0; i < answer.walk.count; i++) {
		seen.entry_after[i] = answer.walk.step[i].entry | of_all_roles(from->must, i);
		if (world_random_below(&world, 2))
			seen.entry_after[i] |= from->may[i];
	}
	return seen;
}

static enum model_mismatch judged(const struct model_observation *seen)
{
	return model_judge(&answer, seen, ALL_BITS).mismatch;
}

static void next_answer(void)
{
	random_entries(&world);
	processor = random_processor(&world);
	access = random_access(&world, &processor);
	access.may_write = !access.fetch && !world_random_below(&world, 4);
	model_translate(&answer, &processor, &access, read_world, &world);
}

/* One thing is different; it may still be permitted. */
static void disturb(struct model_observation *seen)
{
	uint64_t what = world_random_below(&world, 6);
	uint64_t flags = world_random_below(&world, 2) ? A : D;

	if (what == 0)
		seen->error_code ^= 1ull << world_random_below(&world, 16);
	else if (what == 1)
		seen->cr2 ^= 1ull << world_random_below(&world, 64);
	else if (what == 2)
		seen->vector = world_random_below(&world, 2) ? 13 : MODEL_COMPLETES;
	else if (answer.walk.count && what == 3)
		seen->entry_after[world_random_below(&world, answer.walk.count)] ^=
			1ull << world_random_below(&world, 64);
	else if (answer.walk.count)
		seen->entry_after[world_random_below(&world, answer.walk.count)] ^= flags;
}

HOST_TEST(the_judge_accepts_exactly_what_is_permitted)
{
	unsigned rounds = host_quick ? 20000 : 300000, accepted = 0;

	world.random = 0x0dd;
	for (unsigned i = 0; i < rounds; i++) {
		struct model_observation seen;

		next_answer();
		seen = obedient((unsigned)world_random_below(&world, answer.count));
		expect_equal(judged(&seen), MODEL_FITS);
		disturb(&seen);
		expect_equal(judged(&seen) == MODEL_FITS, fits(&seen));
		accepted += fits(&seen);
	}
	expect_that(accepted > rounds / 20 && accepted < rounds - rounds / 20);
}

/* A write that completes through four present entries without A and D. */
static void make_simple_answer(bool present)
{
	processor = (struct model_processor){.format = &paging_4level,
					     .rules = {.maxphyaddr = 40, .execute_disable = true},
					     .root = world_frame(0)};
	access = (struct model_access){.linear = 0x1234, .bytes = 8, .write = true};
	for (unsigned i = 0; i < 4; i++)
		world.frame[i][i == 3 ? 1 : 0] = world_frame(i + 1) | P | RW | US;
	if (!present)
		world.frame[3][1] &= ~P;
	model_translate(&answer, &processor, &access, read_world, &world);
}

HOST_TEST(mismatches_of_a_completed_write_are_named)
{
	struct model_observation right, seen;

	make_simple_answer(true);
	right = obedient(0);
	seen = right;
	seen.vector = 14;
	expect_equal(judged(&seen), MODEL_WRONG_VECTOR);
	seen = right;
	seen.entry_after[3] &= ~D;
	expect_equal(judged(&seen), MODEL_FLAG_MISSING);
	seen = right;
	seen.entry_after[0] &= ~A;
	expect_equal(judged(&seen), MODEL_FLAG_MISSING);
	seen = right;
	seen.entry_after[2] |= D;
	expect_equal(judged(&seen), MODEL_FLAG_FORBIDDEN);
	seen = right;
	seen.entry_after[1] |= G;
	expect_equal(judged(&seen), MODEL_ENTRY_CHANGED);
	expect_equal(model_judge(&answer, &seen, ALL_BITS).step, 1);
	seen = right;
	seen.entry_after[1] &= ~RW;
	expect_equal(judged(&seen), MODEL_ENTRY_CHANGED);
}

HOST_TEST(mismatches_of_a_fault_are_named)
{
	struct model_observation right, seen;

	make_simple_answer(false);
	right = obedient(0);
	seen = right;
	seen.error_code ^= 2;
	expect_equal(judged(&seen), MODEL_WRONG_ERROR_CODE);
	expect_equal(model_judge(&answer, &seen, ~2ull).mismatch, MODEL_FITS);
	expect_equal(model_judge(&answer, &seen, ~1ull).mismatch, MODEL_WRONG_ERROR_CODE);
	seen = right;
	seen.cr2++;
	expect_equal(judged(&seen), MODEL_WRONG_CR2);
	seen = right;
	seen.entry_after[3] |= A;
	expect_equal(judged(&seen), MODEL_FLAG_FORBIDDEN);
	seen = right;
	seen.entry_after[0] |= A | D;
	expect_equal(judged(&seen), MODEL_FLAG_FORBIDDEN);
	seen = right;
	seen.vector = MODEL_COMPLETES;
	expect_equal(judged(&seen), MODEL_WRONG_VECTOR);
}

/* A flag that was set already stays: only setting is ever permitted. */
HOST_TEST(a_lost_flag_is_a_changed_entry)
{
	struct model_observation seen;

	make_simple_answer(false);
	world.frame[0][0] |= A;
	model_translate(&answer, &processor, &access, read_world, &world);
	seen = obedient(0);
	expect_equal(judged(&seen), MODEL_FITS);
	seen.entry_after[0] &= ~A;
	expect_equal(judged(&seen), MODEL_ENTRY_CHANGED);
}

/* The mismatch that is told is that of the outcome which fits best. */
HOST_TEST(the_best_fitting_outcome_is_compared_with)
{
	make_simple_answer(true);
	for (unsigned i = 0; i < 4; i++)
		world.frame[i][i == 3] &= ~RW;
	processor.wp = true;
	access.may_write = true;
	for (unsigned write = 0; write < 2; write++) {
		unsigned faulting = write ? 0 : 1; /* the read completes, the write faults */
		struct model_observation seen;
		struct model_verdict verdict;

		access.write = write;
		model_translate(&answer, &processor, &access, read_world, &world);
		seen = obedient(faulting);
		verdict = model_judge(&answer, &seen, ALL_BITS);
		expect_equal(verdict.mismatch, MODEL_FITS);
		expect_equal(verdict.outcome, faulting);
		seen.error_code ^= 4;
		verdict = model_judge(&answer, &seen, ALL_BITS);
		expect_equal(verdict.mismatch, MODEL_WRONG_ERROR_CODE);
		expect_equal(verdict.outcome, faulting);
	}
}

HOST_TEST(each_mismatch_has_a_text_of_its_own)
{
	for (unsigned i = MODEL_FITS; i <= MODEL_FLAG_FORBIDDEN; i++)
		for (unsigned j = MODEL_FITS; j < i; j++)
			expect_that(!host_same_text(model_mismatch_text((enum model_mismatch)i),
						    model_mismatch_text((enum model_mismatch)j)));
}
