/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Litmus tests in which translations are events: remaps, page walks, INVLPG.
 *
 * A store to an entry is a store: others see it in the order of x86-TSO. A walk is a read, and made
 * anew after INVLPG (SDM Vol. 3, "Invalidation of TLBs and Paging-Structure Caches"). So whoever
 * has seen a remap, or what was stored after it, and executes INVLPG, finds the new frame, and all
 * processors agree about the order of two remaps ("Propagation of Paging-Structure Changes to
 * Multiple Processors"). The shapes are those of TransForm's x86t_elt model (ISCA 2020), and TSO's
 * own with walks as loads.
 *
 * Caught here: shadow pagers that read a guest's entry before they note that they must follow it,
 * or the other way round, with no barrier between (KS24, KS39); stores to tables that reach the
 * shadow out of order, or for one processor only; an INVLPG that finds a page in step while a store
 * to it is under way.
 *
 * Not checked: what a processor finds without INVLPG, even after it has seen a later store (P24):
 * the old and the new frame are both right, and the old one is only noted as relaxed.
 */
#include "test.h"

SUBJECT(transistency_litmus, "litmus tests of remaps, page walks and INVLPG");

#define MANUAL	      "SDM Vol. 3, \"Propagation of Paging-Structure Changes to Multiple Processors\""

#define PROGRAM(name) static void name(unsigned self, unsigned i, uint64_t *seen)
#define JUDGE(name)   static enum litmus_verdict name(const uint64_t *seen)
#define UNUSED	      ((void)self, (void)seen)

static bool is_frame(uint64_t value)
{
	return value == LITMUS_OLD || value == LITMUS_NEW;
}

static enum litmus_verdict forbidden_if(bool forbidden)
{
	return forbidden ? LITMUS_FORBIDDEN : LITMUS_PLAIN;
}

static void fence(void)
{
	__asm__ volatile("mfence" : : : "memory");
}

PROGRAM(remap_and_tell)
{
	UNUSED;
	litmus_remap(i, V);
	litmus_linger(self);
	*litmus_flag(i) = 1;
}

PROGRAM(hear_and_walk)
{
	uint64_t flag = *litmus_flag(i);

	litmus_linger(self);
	seen[1] = litmus_walk_and_read(i, V);
	seen[0] = flag;
}

JUDGE(judge_told)
{
	return forbidden_if(!is_frame(seen[1]) || (seen[0] && seen[1] == LITMUS_OLD));
}

TEST(remap_is_seen_with_what_follows,
     "Who sees a store that follows a remap, and executes INVLPG, finds the new frame", MANUAL,
     "two_processors")
{
	static const struct litmus shape = {.name = "remap v; flag = 1 | flag; INVLPG v; v",
					    .seen = {"flag", "v"},
					    .program = {remap_and_tell, hear_and_walk},
					    .use = litmus_cache_some,
					    .judge = judge_told};

	litmus_run_remap(&shape, LITMUS_OLD, LITMUS_NEW);
}

PROGRAM(hear_and_use)
{
	uint64_t flag = *litmus_flag(i);

	litmus_linger(self);
	seen[1] = *litmus_at(i, V);
	seen[0] = flag;
}

JUDGE(judge_unflushed)
{
	if (!is_frame(seen[1]))
		return LITMUS_FORBIDDEN;
	return seen[0] && seen[1] == LITMUS_OLD ? LITMUS_RELAXED : LITMUS_PLAIN;
}

TEST(remap_without_invlpg_leads_to_either_frame,
     "Without INVLPG the old or the new frame is found, and nothing else", MANUAL, "two_processors")
{
	static const struct litmus shape = {.name = "remap v; flag = 1 | flag; v",
					    .seen = {"flag", "v"},
					    .program = {remap_and_tell, hear_and_use},
					    .use = litmus_cache_some,
					    .judge = judge_unflushed};

	litmus_run_remap(&shape, LITMUS_OLD, LITMUS_NEW);
}

PROGRAM(hear_and_attempt)
{
	linear_t linear = LINEAR((uintptr_t)litmus_at(i, V));
	uint64_t flag = *litmus_flag(i);
	struct outcome outcome;

	litmus_forget(i, V);
	outcome = attempt_as(self, read_access(linear, 8));
	if (outcome.vector == NO_VECTOR)
		seen[1] = outcome.value[0];
	else if (outcome.vector != VECTOR_PF || outcome.error_code)
		seen[1] = outcome.vector << 16 | outcome.error_code;
	seen[0] = flag;
}

JUDGE(judge_mapped)
{
	return forbidden_if((seen[1] != LITMUS_UNMAPPED && seen[1] != LITMUS_NEW) ||
			    (seen[0] && seen[1] == LITMUS_UNMAPPED));
}

JUDGE(judge_unmapped)
{
	return forbidden_if((seen[1] != LITMUS_UNMAPPED && seen[1] != LITMUS_OLD) ||
			    (seen[0] && seen[1] == LITMUS_OLD));
}

TEST(new_mapping_is_seen_with_what_follows,
     "Who sees a store that follows P = 1, and executes INVLPG, gets no page fault", MANUAL,
     "two_processors")
{
	static const struct litmus shape = {.name = "map v; flag = 1 | flag; INVLPG v; v",
					    .seen = {"flag", "v"},
					    .program = {remap_and_tell, hear_and_attempt},
					    .judge = judge_mapped};

	litmus_run_remap(&shape, LITMUS_UNMAPPED, LITMUS_NEW);
}

TEST(lost_mapping_is_seen_with_what_follows,
     "Who sees a store that follows P = 0, and executes INVLPG, gets a page fault", MANUAL,
     "two_processors")
{
	static const struct litmus shape = {.name = "unmap v; flag = 1 | flag; INVLPG v; v",
					    .seen = {"flag", "v"},
					    .program = {remap_and_tell, hear_and_attempt},
					    .use = litmus_cache_some,
					    .judge = judge_unmapped};

	litmus_run_remap(&shape, LITMUS_OLD, LITMUS_UNMAPPED);
}

PROGRAM(remap_both)
{
	UNUSED;
	litmus_remap(i, V);
	litmus_linger(self);
	litmus_remap(i, W);
}

PROGRAM(walk_w_then_v)
{
	uint64_t w = litmus_walk_and_read(i, W);

	litmus_linger(self);
	seen[1] = litmus_walk_and_read(i, V);
	seen[0] = w;
}

JUDGE(judge_order)
{
	return forbidden_if(!is_frame(seen[0]) || !is_frame(seen[1]) ||
			    (seen[0] == LITMUS_NEW && seen[1] == LITMUS_OLD));
}

TEST(two_remaps_are_walked_in_their_order,
     "Walks that follow an INVLPG each find two remaps of one processor in its order", MANUAL,
     "two_processors")
{
	static const struct litmus shape = {.name = "remap v; remap w | INVLPG w; w; INVLPG v; v",
					    .seen = {"w", "v"},
					    .program = {remap_both, walk_w_then_v},
					    .use = litmus_cache_some,
					    .judge = judge_order};

	litmus_run_remap(&shape, LITMUS_OLD, LITMUS_NEW);
}

PROGRAM(remap_v_walk_w)
{
	litmus_remap(i, V);
	fence();
	litmus_linger(self);
	seen[0] = litmus_walk_and_read(i, W);
}

PROGRAM(remap_w_walk_v)
{
	litmus_remap(i, W);
	fence();
	litmus_linger(self);
	seen[1] = litmus_walk_and_read(i, V);
}

JUDGE(judge_buffering)
{
	return forbidden_if(!is_frame(seen[0]) || !is_frame(seen[1]) ||
			    (seen[0] == LITMUS_OLD && seen[1] == LITMUS_OLD));
}

TEST(remaps_with_fences_are_not_both_missed,
     "Of two processors that remap a page, and after MFENCE walk the other's, one finds it new",
     MANUAL, "two_processors")
{
	static const struct litmus shape = {
		.name = "remap v; MFENCE; INVLPG w; w | remap w; MFENCE; INVLPG v; v",
		.seen = {"w", "v"},
		.program = {remap_v_walk_w, remap_w_walk_v},
		.use = litmus_cache_some,
		.judge = judge_buffering};

	litmus_run_remap(&shape, LITMUS_OLD, LITMUS_NEW);
}

PROGRAM(remap_v)
{
	UNUSED;
	litmus_remap(i, V);
}

PROGRAM(load_walk_load)
{
	uint64_t first = *litmus_entry(i, V), word, second;

	litmus_linger(self);
	word = litmus_walk_and_read(i, V);
	second = *litmus_entry(i, V);
	seen[0] = litmus_mapping_of(i, V, first);
	seen[1] = word;
	seen[2] = litmus_mapping_of(i, V, second);
}

JUDGE(judge_coherence)
{
	return forbidden_if(!is_frame(seen[0]) || !is_frame(seen[1]) || !is_frame(seen[2]) ||
			    seen[0] > seen[1] || seen[1] > seen[2]);
}

TEST(walks_and_loads_of_an_entry_are_coherent,
     "Of a load of an entry, a walk after INVLPG and a load, none finds an older entry than before",
     MANUAL, "two_processors")
{
	static const struct litmus shape = {.name = "remap v | entry; INVLPG v; v; entry",
					    .seen = {"entry", "v", "entry"},
					    .program = {remap_v, load_walk_load},
					    .use = litmus_cache_some,
					    .judge = judge_coherence};

	litmus_run_remap(&shape, LITMUS_OLD, LITMUS_NEW);
}
