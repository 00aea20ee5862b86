/* SPDX-License-Identifier: BSD-2-Clause
 *
 * TLB shootdown of rights: one processor takes a right from a page that another uses, has it forget
 * the translation, and waits for its answer.
 *
 * After the answer the right is gone: every access that needs it faults and changes nothing; and
 * after it was given back and that was answered, every access completes (SDM Vol. 3, "Propagation
 * of Paging-Structure Changes to Multiple Processors"). Between a change and the answer both are
 * permitted.
 *
 * Caught here: shadow pagers that reduce the rights of their own entry and flush one processor only
 * (KS39), at the leaf or in an entry above it; rights of the other mode (supervisor or user) that
 * stay; an emulated store that trusts an older walk.
 *
 * Not checked: frames (shootdown); rights taken away without a handshake (P8).
 */
#include "test.h"

SUBJECT(shootdown_rights, "rights that other processors must forget before they answer");

#define MANUAL	 "SDM Vol. 3, \"Propagation of Paging-Structure Changes to Multiple Processors\""
#define SLICE_MS 8 /* of one kind of invalidation at one level */
#define FEWEST	 2
#define BATCH	 6

/* What the others may rely on. */
enum phase { EITHER, GRANTED, DENIED };

static struct scene {
	struct page page;
	uint64_t right;	    /* RW, US or P: set to grant; XD: set to deny */
	unsigned way, code; /* the access that needs it, and its error code when denied */
	volatile uint64_t phase, stop; /* phase: low bits; above them the round */
	volatile uint64_t *word;
	unsigned count;
	uint64_t wrong[MOST_PROCESSORS];
	volatile uint64_t uses[MOST_PROCESSORS][3];
	struct outcome outcome[MOST_PROCESSORS];
} scene;

static void use_once(unsigned self)
{
	uint64_t before = __atomic_load_n(&scene.phase, __ATOMIC_ACQUIRE);
	struct access access = nth_access(scene.way, scene.page.linear);
	struct outcome outcome;
	bool right;

	outcome = attempt_as(self, access);
	if (__atomic_load_n(&scene.phase, __ATOMIC_ACQUIRE) != before)
		return;
	right = before % 4 == DENIED
			? outcome.vector == VECTOR_PF && outcome.error_code == scene.code
		: before % 4 == GRANTED ? outcome.vector == NO_VECTOR
					: true;
	scene.uses[self][before % 4]++;
	if (!right && !scene.wrong[self]++)
		scene.outcome[self] = outcome;
}

/* Rests after a batch of uses in a phase: the interrupt of the next change ends that. */
static void keep_using(unsigned self, void *argument)
{
	(void)argument;
	while (!scene.stop) {
		uint64_t phase = scene.phase;

		for (unsigned n = 0; n < BATCH; n++)
			use_once(self);
		if (phase % 4 != EITHER && phase == scene.phase)
			rest(self, &scene.phase, phase);
		else
			pause();
	}
}

/* Until every other processor has used the page in this phase. */
static void await_uses(enum phase phase, const uint64_t before[MOST_PROCESSORS])
{
	for (unsigned i = 1; i < scene.count; i++)
		wait_for_word(0, &scene.uses[i][phase], before[i] + 1, "uses of a page");
}

static void enter_phase(uint64_t round, enum phase phase)
{
	__atomic_store_n(&scene.phase, round * 4 + phase, __ATOMIC_SEQ_CST);
}

static void change(enum level level, bool grant, enum shootdown how)
{
	volatile uint64_t *entry = scene.page.entry[level];
	uint64_t value = *entry & ~scene.right;

	if (grant == (scene.right != XD))
		value |= scene.right;
	*entry = value;
	shoot_down_others(0, how, scene.page.linear);
	forget_translation(how, scene.page.linear);
}

/* A phase that every processor has seen. */
static void play_phase(uint64_t round, enum phase phase)
{
	uint64_t before[MOST_PROCESSORS];

	for (unsigned i = 1; i < scene.count; i++)
		before[i] = scene.uses[i][phase];
	enter_phase(round, phase);
	use_once(0);
	await_uses(phase, before);
}

static void take_and_give(uint64_t round, enum level level, enum shootdown how)
{
	uint64_t tag = frame_word((uint32_t)round);

	change(level, false, how);
	*scene.word = tag;
	play_phase(round, DENIED);
	expect(*scene.word == tag, "0x%llx was stored without the right",
	       (unsigned long long)*scene.word);
	enter_phase(round, EITHER);
	change(level, true, how);
	play_phase(round, GRANTED);
	enter_phase(round, EITHER);
}

static void judge(enum level level, enum shootdown how)
{
	for (unsigned i = 0; i < scene.count; i++) {
		char words[160];
		struct text text = TEXT(words);

		text_outcome(&text, &scene.outcome[i]);
		expect(!scene.wrong[i],
		       "processor %u, entry of level %u, %s: %s; %llu of %llu uses", i, level,
		       shootdown_names[how], words, (unsigned long long)scene.wrong[i],
		       (unsigned long long)(scene.uses[i][DENIED] + scene.uses[i][GRANTED]));
	}
}

/* The right of the access `way`, in the entries of all levels and by all invalidations. */
static void shoot_right(enum level leaf, uint64_t right, unsigned way, unsigned code)
{
	unsigned round = 0;

	memset(&scene, 0, sizeof(scene));
	scene.page = map_page_at(leaf, frames_alloc(leaf == PD ? PAGE_2M : PAGE_4K), P | RW | US);
	scene.word = identity(scene.page.frame);
	frame_fill(scene.page.frame, PAGE_4K, 0);
	scene.right = right;
	scene.way = way;
	scene.code = code;
	scene.count = start_processors(2);
	for (enum level level = leaf; level <= PML4; level++)
		for (enum shootdown how = 0; how < SHOOTDOWNS; how++) {
			uint64_t start = read_tsc();
			unsigned first = round;

			if (!shootdown_is_offered(how))
				continue;
			scene.stop = 0;
			for (unsigned i = 1; i < scene.count; i++)
				start_work(i, keep_using, NULL);
			while (round < first + FEWEST || read_tsc() - start < time_to_try(SLICE_MS))
				take_and_give(++round, level, how);
			scene.stop = 1;
			shoot_down_others(0, how, scene.page.linear); /* those that rest */
			for (unsigned i = 1; i < scene.count; i++)
				finish_work(i);
			judge(level, how);
		}
}

TEST(write_faults_after_the_answer,
     "Without R/W, user writes of other processors fault after their answer", MANUAL,
     "two_processors")
{
	shoot_right(PT, RW, 1, PF_P | PF_W | PF_U);
	shoot_right(PD, RW, 1, PF_P | PF_W | PF_U);
}

TEST(supervisor_write_faults_after_the_answer,
     "Without R/W, supervisor writes of other processors with CR0.WP = 1 fault after their answer",
     MANUAL, "two_processors")
{
	shoot_right(PT, RW, 4, PF_P | PF_W);
}

TEST(user_read_faults_after_the_answer,
     "Without U/S, user reads of other processors fault after their answer", MANUAL,
     "two_processors")
{
	shoot_right(PT, US, 0, PF_P | PF_U);
}

TEST(read_faults_after_the_answer, "Without P, reads of other processors fault after their answer",
     MANUAL, "two_processors")
{
	shoot_right(PT, P, 3, 0);
	shoot_right(PD, P, 3, 0);
}

TEST(fetch_faults_after_the_answer, "With XD, fetches of other processors fault after their answer",
     MANUAL, "two_processors nx")
{
	set_efer(EFER_NXE);
	shoot_right(PT, XD, 2, PF_P | PF_U | PF_ID);
}
