/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What must hold of the model's history whatever a second opinion thinks, and its judge.
 */
#include "hosttest/expect.h"
#include "hosttest/history_scene.h"
#include "paging/entry.h"

#define SEQUENCES 6000

/* Some way into a random sequence. */
static void somewhere(uint64_t seed)
{
	scene_start(seed, seed % 4);
	for (unsigned step = 0; step < seed % SCENE_STEPS; step++)
		scene_random_step();
}

HOST_TEST(an_invalidation_never_permits_more)
{
	static struct history_answer before;
	unsigned count = host_quick ? SEQUENCES / 20 : SEQUENCES;

	for (unsigned i = 0; i < count; i++) {
		struct model_access access;

		somewhere(i);
		access = scene_random_access();
		scene_ask(&access);
		before = scene.answer;
		switch (i % 5) {
		case 0:
			scene_invlpg(scene_random_address());
			break;
		case 1:
			scene_mov_to_cr3(scene.naive.root | scene.naive.pcid);
			break;
		case 2:
			scene_invpcid(i / 5 % 4, scene.naive.pcid, scene_random_address());
			break;
		case 3:
			scene_paging_off_and_on();
			break;
		default:
			history_page_fault(&scene.history, scene_random_address());
		}
		scene_ask(&access);
		for (unsigned n = 0; n < scene.answer.count; n++)
			expect_that(scene_permits(&before, &scene.answer.outcome[n]));
	}
}

HOST_TEST(after_everything_was_dropped_memory_alone_decides)
{
	unsigned count = host_quick ? SEQUENCES / 20 : SEQUENCES;

	for (unsigned i = 0; i < count; i++) {
		struct model_access access;
		struct model_answer fresh;
		const struct history_outcome *outcome = &scene.answer.outcome[0];

		somewhere(i);
		scene_toggle_pge();
		access = scene_random_access();
		scene_ask(&access);
		model_translate(&fresh, &scene.history.processor, &access, read_world,
				&scene.world);
		expect_that(!scene.answer.anything);
		expect_equal(scene.answer.count, 1);
		expect_equal(outcome->vector, fresh.outcome[0].vector);
		expect_equal(outcome->error_code, fresh.outcome[0].error_code);
		if (outcome->vector == MODEL_COMPLETES)
			expect_equal(outcome->physical, fresh.walk.physical);
		for (unsigned n = 0; n < fresh.walk.count && n < scene.answer.entries; n++) {
			if (scene.answer.entry[n].address != fresh.walk.step[n].address)
				break; /* an entry that serves twice */
			expect_equal(scene.answer.entry[n].may,
				     (fresh.outcome[0].must[n] | fresh.outcome[0].may[n]) & A);
		}
	}
}

HOST_TEST(a_wider_right_never_takes_a_success_from_the_set)
{
	static struct history_answer before;
	unsigned count = host_quick ? SEQUENCES / 20 : SEQUENCES;

	for (unsigned i = 0; i < count; i++) {
		struct model_access access;
		uint64_t *entry;

		somewhere(i);
		entry = scene_entry((i / 7) % WORLD_FRAMES, i & 1);
		access = scene_random_access();
		scene_ask(&access);
		before = scene.answer;
		scene_edit(entry, (*entry | RW) & ~XD);
		scene_ask(&access);
		for (unsigned n = 0; n < before.count; n++)
			if (before.outcome[n].vector == MODEL_COMPLETES)
				expect_that(scene_permits(&scene.answer, &before.outcome[n]));
	}
}

HOST_TEST(entries_that_are_not_present_get_no_flags)
{
	unsigned count = host_quick ? SEQUENCES / 20 : SEQUENCES;

	for (unsigned i = 0; i < count; i++) {
		struct model_access access;

		somewhere(i);
		access = scene_random_access();
		scene_ask(&access);
		for (unsigned n = 0; n < scene.answer.entries; n++) {
			uint64_t bit = 1ull << n;

			if (scene.answer.entry[n].value & P)
				continue;
			expect_equal(scene.answer.entry[n].may, 0);
			for (unsigned j = 0; j < scene.answer.count; j++)
				expect_equal((scene.answer.outcome[j].must_a |
					      scene.answer.outcome[j].must_d) &
						     bit,
					     0);
		}
	}
}

/* The judge, asked of one access in each way that something can be wrong. */
HOST_TEST(the_judge_of_sequences_notices_each_thing_that_is_wrong)
{
	const struct model_access write = {.bytes = 8, .write = true};
	struct history_observation good = {.vector = MODEL_COMPLETES, .reached = 1}, seen;
	struct history_answer *answer = &scene.answer;
	struct history_verdict verdict;

	scene_start(3, false);
	scene.history.processor.smap = false;
	*scene_entry(4, 0) &= ~D;
	scene_ask(&write);
	for (unsigned i = 0; i < answer->entries; i++)
		good.entry_after[i] =
			answer->entry[i].value | A | (i + 1 == answer->entries ? D : 0);
	verdict = history_judge(answer, &write, &good, ~0ull);
	expect_equal(verdict.mismatch, MODEL_FITS);
	expect_that(!verdict.stale);
	seen = good;
	seen.vector = 14;
	expect_equal(history_judge(answer, &write, &seen, ~0ull).mismatch, MODEL_WRONG_VECTOR);
	seen = good;
	seen.reached = 0;
	expect_equal(history_judge(answer, &write, &seen, ~0ull).mismatch, MODEL_WRONG_FRAME);
	seen = good;
	seen.entry_after[3] &= ~D;
	expect_equal(history_judge(answer, &write, &seen, ~0ull).mismatch, MODEL_FLAG_MISSING);
	seen = good;
	seen.entry_after[0] |= D;
	expect_equal(history_judge(answer, &write, &seen, ~0ull).mismatch, MODEL_FLAG_FORBIDDEN);
	seen = good;
	seen.entry_after[2] ^= 1 << 9;
	expect_equal(history_judge(answer, &write, &seen, ~0ull).mismatch, MODEL_ENTRY_CHANGED);
}

HOST_TEST(the_judge_of_sequences_looks_at_faults)
{
	const struct model_access access = {
		.linear = 0x18, .bytes = 8, .fetch = true, .user = true};
	struct history_observation good = {.vector = 14, .cr2 = 0x18}, seen;
	struct history_answer *answer = &scene.answer;

	scene_start(5, false);
	*scene_entry(4, 0) &= ~P;
	scene_ask(&access);
	good.error_code = answer->outcome[0].error_code;
	for (unsigned i = 0; i < answer->entries; i++)
		good.entry_after[i] = answer->entry[i].value;
	expect_equal(history_judge(answer, &access, &good, ~0ull).mismatch, MODEL_FITS);
	seen = good;
	seen.error_code ^= 1;
	expect_equal(history_judge(answer, &access, &seen, ~0ull).mismatch, MODEL_WRONG_ERROR_CODE);
	seen = good;
	seen.cr2 = 0x1d;
	expect_equal(history_judge(answer, &access, &seen, ~0ull).mismatch, MODEL_WRONG_CR2);
}
