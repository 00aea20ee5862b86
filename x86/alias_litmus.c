/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Litmus tests of memory that is reached by two linear addresses, and of the stores that a walk
 * makes.
 *
 * The order of memory is that of physical addresses (SDM Vol. 3, "Memory Ordering"), by whatever
 * linear address an access is made. D is set by a locked cycle before the store that needs it is
 * seen, A before what follows the access ("Accessed and Dirty Flags"). A processor that has
 * answered a shootdown stores nothing to the old frame, and all processors agree about the order of
 * two remaps ("Propagation of Paging-Structure Changes to Multiple Processors").
 *
 * Caught here: hypervisors that give the aliases of a frame different memory for a while; locked
 * cycles that are emulated as a load and a store; D or A written back late (ER03); remaps that
 * reach the shadow for one processor first (KS24, KS39).
 *
 * Not checked: A that is set without the access, which is permitted.
 */
#include "test.h"

SUBJECT(alias_litmus, "litmus tests of aliases, accessed and dirty flags, and remaps by several");

#define MANUAL	     "SDM Vol. 3, \"Propagation of Paging-Structure Changes to Multiple Processors\""
#define MANUAL_ORDER "SDM Vol. 3, \"Memory Ordering in P6 and More Recent Processor Families\""
#define MANUAL_AD    "SDM Vol. 3, \"Accessed and Dirty Flags\""

enum { FIRST = 5, SECOND };

#define PROGRAM(name) static void name(unsigned self, unsigned i, uint64_t *seen)
#define JUDGE(name)   static enum litmus_verdict name(const uint64_t *seen)
#define UNUSED	      ((void)self, (void)seen)
#define RUN(text, judged, last, words, ...)                           \
	static const struct litmus shape = {.name = (text),           \
					    .seen = words,            \
					    .program = {__VA_ARGS__}, \
					    .use = litmus_cache_some, \
					    .look = (last),           \
					    .judge = (judged)};       \
	litmus_run_remap(&shape, LITMUS_OLD, LITMUS_NEW)
#define WORDS(...)          \
	{                   \
		__VA_ARGS__ \
	}

static enum litmus_verdict forbidden_if(bool forbidden)
{
	return forbidden ? LITMUS_FORBIDDEN : LITMUS_PLAIN;
}

/* The frame of before by the identity map: the alias of V or W. */
static volatile uint64_t *alias(unsigned i, enum litmus_place place)
{
	return litmus_frame(i, place, LITMUS_OLD);
}

PROGRAM(store_v_and_w)
{
	UNUSED;
	*litmus_at(i, V) = FIRST;
	litmus_linger(self);
	*litmus_at(i, W) = FIRST;
}

PROGRAM(load_aliases)
{
	uint64_t w = *alias(i, W), v = *alias(i, V);

	(void)self;
	seen[0] = w;
	seen[1] = v;
}

JUDGE(judge_passing)
{
	return forbidden_if(seen[0] == FIRST && seen[1] != FIRST);
}

TEST(stores_are_seen_in_order_by_aliases,
     "Who sees the second of two stores by another linear address sees the first by another, too",
     MANUAL_ORDER, "two_processors")
{
	RUN("v = 5; w = 5 | alias of w; alias of v", judge_passing, NULL, WORDS("w", "v"),
	    store_v_and_w, load_aliases);
}

PROGRAM(store_v_load_w)
{
	(void)self;
	*litmus_at(i, V) = FIRST;
	__asm__ volatile("mfence" : : : "memory");
	seen[0] = *alias(i, W);
}

PROGRAM(store_w_load_v)
{
	(void)self;
	*litmus_at(i, W) = FIRST;
	__asm__ volatile("mfence" : : : "memory");
	seen[1] = *alias(i, V);
}

JUDGE(judge_buffering)
{
	return forbidden_if(seen[0] != FIRST && seen[1] != FIRST);
}

TEST(stores_with_fences_are_not_both_missed_by_aliases,
     "Of two processors that store, and after MFENCE load by aliases, one sees the other's store",
     MANUAL_ORDER, "two_processors")
{
	RUN("v = 5; MFENCE; alias of w | w = 5; MFENCE; alias of v", judge_buffering, NULL,
	    WORDS("w", "v"), store_v_load_w, store_w_load_v);
}

PROGRAM(store_both_ways)
{
	*litmus_at(i, V) = FIRST;
	seen[2] = *alias(i, V);
	litmus_linger(self);
	*alias(i, V) = SECOND;
	seen[3] = *litmus_at(i, V);
}

PROGRAM(load_both_ways)
{
	uint64_t first = *alias(i, V), second = *litmus_at(i, V);

	(void)self;
	seen[0] = first;
	seen[1] = second;
}

JUDGE(judge_coherence)
{
	return forbidden_if(seen[0] > seen[1] || seen[2] != FIRST || seen[3] != SECOND);
}

TEST(aliases_are_coherent,
     "Loads by two linear addresses never go back, and find the processor's own stores",
     MANUAL_ORDER, "two_processors")
{
	RUN("v = 5; alias; alias = 6; v | alias; v", judge_coherence, NULL,
	    WORDS("alias", "v", "own alias", "own v"), store_both_ways, load_both_ways);
}

PROGRAM(add_to_v)
{
	(void)self;
	seen[0] = __atomic_fetch_add(litmus_at(i, V), 1, __ATOMIC_SEQ_CST);
}

PROGRAM(add_to_alias)
{
	(void)self;
	seen[1] = __atomic_fetch_add(alias(i, V), 1, __ATOMIC_SEQ_CST);
}

PROGRAM(look_at_sum)
{
	(void)self;
	seen[2] = *alias(i, V);
}

JUDGE(judge_sum)
{
	return forbidden_if(seen[0] == seen[1] || seen[2] != LITMUS_OLD + 2);
}

TEST(locked_cycles_by_aliases_are_atomic, "Two locked additions by two linear addresses both count",
     MANUAL_ORDER, "two_processors")
{
	RUN("LOCK XADD v | LOCK XADD alias", judge_sum, look_at_sum, WORDS("v", "alias", "sum"),
	    add_to_v, add_to_alias);
}

PROGRAM(load_v_store_w)
{
	UNUSED;
	(void)*litmus_at(i, V);
	litmus_linger(self);
	*litmus_at(i, W) = FIRST;
}

PROGRAM(load_data_then_flags)
{
	uint64_t data = *alias(i, W), dirty = *litmus_old_pte(i, W), accessed = *litmus_entry(i, V);

	(void)self;
	seen[0] = data;
	seen[1] = !!(dirty & D);
	seen[2] = !!(accessed & A);
}

JUDGE(judge_marks)
{
	if (seen[0] == FIRST)
		return forbidden_if(!seen[1] || !seen[2]);
	return seen[1] ? LITMUS_RELAXED : LITMUS_PLAIN;
}

TEST(flags_are_seen_with_the_data,
     "Who sees a store sees D = 1 in its PTE, and A = 1 where the load before it went", MANUAL_AD,
     "two_processors")
{
	RUN("v; w = 5 | alias of w; D of w; A of v", judge_marks, NULL, WORDS("w", "D", "A"),
	    load_v_store_w, load_data_then_flags);
}

PROGRAM(remap_and_await)
{
	uint64_t answer;

	(void)self;
	litmus_remap(i, V);
	*litmus_flag(i) = 1;
	answer = litmus_wait(litmus_answer(i));
	seen[1] = *alias(i, V);
	seen[0] = answer;
}

PROGRAM(store_answer_store)
{
	UNUSED;
	*litmus_at(i, V) = FIRST;
	if (!litmus_wait(litmus_flag(i)))
		return;
	litmus_forget(i, V);
	*litmus_answer(i) = 1;
	litmus_linger(self);
	*litmus_at(i, V) = SECOND;
}

PROGRAM(look_at_frames)
{
	(void)self;
	if (!seen[0]) /* the answer came too late to be waited for */
		seen[1] = *alias(i, V);
	seen[0] = *litmus_answer(i);
	seen[2] = *alias(i, V);
	seen[3] = *litmus_frame(i, V, LITMUS_NEW);
}

JUDGE(judge_answered)
{
	return forbidden_if(seen[0] &&
			    (seen[1] != seen[2] || seen[2] == SECOND || seen[3] != SECOND));
}

TEST(answered_remap_gets_no_more_stores,
     "After a processor has executed INVLPG and answered, its stores go to the new frame alone",
     MANUAL, "two_processors")
{
	RUN("remap v; flag = 1; await answer; old | v = 5; await flag; INVLPG v; answer = 1; v = 6",
	    judge_answered, look_at_frames, WORDS("answer", "old then", "old", "new"),
	    remap_and_await, store_answer_store);
}

PROGRAM(remap_v)
{
	UNUSED;
	litmus_remap(i, V);
}

PROGRAM(remap_w)
{
	UNUSED;
	litmus_remap(i, W);
}

PROGRAM(walk_v_then_w)
{
	uint64_t v = litmus_walk_and_read(i, V);

	(void)self;
	seen[1] = litmus_walk_and_read(i, W);
	seen[0] = v;
}

PROGRAM(walk_w_then_v)
{
	uint64_t w = litmus_walk_and_read(i, W);

	(void)self;
	seen[3] = litmus_walk_and_read(i, V);
	seen[2] = w;
}

JUDGE(judge_agreement)
{
	return forbidden_if(seen[0] == LITMUS_NEW && seen[1] == LITMUS_OLD &&
			    seen[2] == LITMUS_NEW && seen[3] == LITMUS_OLD);
}

TEST(remaps_are_walked_in_one_order,
     "Two processors that walk after INVLPG agree on which of two others' remaps came first",
     MANUAL, "two_processors")
{
	RUN("remap v | remap w | INVLPG v; v; INVLPG w; w | INVLPG w; w; INVLPG v; v",
	    judge_agreement, NULL, WORDS("v", "w", "w", "v"), remap_v, remap_w, walk_v_then_w,
	    walk_w_then_v);
}
