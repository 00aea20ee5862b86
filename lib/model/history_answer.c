/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What an access may do by now, and whether it did.
 */
#include "model/history_cache.h"
#include "paging/entry.h"

#define VECTOR_PAGE_FAULT 14
#define PAGE_OFFSET	  0xfffull
#define BIT(n)		  (1ull << (n))

static unsigned find_entry(struct history_answer *answer, const struct walk_step *step)
{
	unsigned i;

	for (i = 0; i < answer->entries; i++)
		if (answer->entry[i].address == step->address)
			return i;
	if (i == HISTORY_MOST_ENTRIES) {
		answer->anything = true;
		return 0;
	}
	answer->entry[answer->entries++] =
		(struct history_entry){step->address, step->entry, step->level, 0};
	return i;
}

static bool same_outcome(const struct history_outcome *a, const struct history_outcome *b)
{
	return a->vector == b->vector && a->error_code == b->error_code &&
	       a->open_code == b->open_code && a->physical == b->physical &&
	       a->must_a == b->must_a && a->must_d == b->must_d;
}

static void add_outcome(struct history_answer *answer, const struct history_outcome *outcome)
{
	for (unsigned i = 0; i < answer->count; i++)
		if (same_outcome(&answer->outcome[i], outcome))
			return;
	if (answer->count == HISTORY_MOST_OUTCOMES)
		answer->anything = true;
	else
		answer->outcome[answer->count++] = *outcome;
}

/* One way for the access to go. The processor may have walked each such way before, without using
 * it, and so have set accessed flags; never dirty flags. */
static void add_way(struct history_answer *answer, const struct history *history,
		    const struct model_access *access, const struct walk *walk, const char *way)
{
	struct model_outcome permitted =
		model_permitted(walk, &history->processor, access, access->write);
	struct history_outcome outcome = {.vector = permitted.vector,
					  .error_code = permitted.error_code,
					  .open_code = permitted.open_code,
					  .way = way,
					  .why = permitted.why};

	if (permitted.vector == MODEL_COMPLETES)
		outcome.physical = walk->physical;
	for (unsigned i = 0; i < walk->count; i++) {
		unsigned n;

		if (walk->step[i].address == HISTORY_NO_ADDRESS)
			continue;
		n = find_entry(answer, &walk->step[i]);
		answer->entry[n].may |= (permitted.must[i] | permitted.may[i]) & A;
		outcome.must_a |= permitted.must[i] & A ? BIT(n) : 0;
		outcome.must_d |= permitted.must[i] & D ? BIT(n) : 0;
	}
	add_outcome(answer, &outcome);
}

/* "Accessed and Dirty Flags": where D was 0 when the translation was cached, a write that it allows
 * walks again. */
static void add_cached(struct history_answer *answer, const struct history *history,
		       const struct model_access *access, const struct history_translation *cached)
{
	struct walk walk = {.format = history->processor.format,
			    .linear = access->linear,
			    .count = 1,
			    .end = WALK_MAPPED};
	struct model_outcome permitted;

	walk.step[0] = (struct walk_step){cached->level, HISTORY_NO_ADDRESS, cached->entry};
	walk.physical = cached->physical | (access->linear & PAGE_OFFSET);
	permitted = model_permitted(&walk, &history->processor, access, access->write);
	if (access->write && !cached->dirty && permitted.vector == MODEL_COMPLETES)
		return;
	add_way(answer, history, access, &walk,
		cached->global ? "a cached global translation" : "a cached translation");
}

static const char *prefix_name(enum level level)
{
	static const char *const names[] = {[PD] = "a cached PDE",
					    [PDPT] = "a cached PDPTE",
					    [PML4] = "a cached PML4E",
					    [PML5] = "a cached PML5E"};

	return names[level];
}

static void add_all_ways(struct history_answer *answer, const struct history *history,
			 const struct model_access *access)
{
	struct walk walk;

	history_walk(history, access->linear, &answer->walk);
	add_way(answer, history, access, &answer->walk, "memory");
	for (unsigned i = 0; i < history->prefixes; i++) {
		const struct history_prefix *prefix = &history->prefix[i];

		if (prefix->pcid != history->pcid ||
		    !history_prefix_serves(history, prefix, access->linear))
			continue;
		history_walk_behind(history, prefix, access->linear, &walk);
		add_way(answer, history, access, &walk, prefix_name(prefix->level));
	}
	for (unsigned i = 0; i < history->translations; i++) {
		const struct history_translation *cached = &history->translation[i];

		if (cached->linear == (access->linear & ~PAGE_OFFSET) &&
		    (cached->global || cached->pcid == history->pcid))
			add_cached(answer, history, access, cached);
	}
}

void history_permitted(const struct history *history, const struct model_access *access,
		       struct history_answer *answer)
{
	answer->count = answer->entries = 0;
	answer->anything = history->unknown || !history->controls.paging;
	if (is_canonical(history->processor.format, access->linear)) {
		add_all_ways(answer, history, access);
		return;
	}
	answer->walk = (struct walk){.format = history->processor.format, .linear = access->linear};
	answer->outcome[answer->count++] = (struct history_outcome){
		.vector = 13, .way = "memory", .why = "the linear address is not canonical"};
}

static enum model_mismatch judge_fault(const struct history_answer *answer,
				       const struct history_outcome *outcome,
				       const struct model_access *access,
				       const struct history_observation *seen, uint64_t mask)
{
	if ((seen->error_code ^ outcome->error_code) & mask & ~outcome->open_code)
		return MODEL_WRONG_ERROR_CODE;
	if (outcome->vector != VECTOR_PAGE_FAULT || seen->cr2 == access->linear)
		return MODEL_FITS;
	/* of a fetch of several instructions the first may have been let through */
	if (access->fetch && seen->cr2 - access->linear < access->bytes)
		for (unsigned i = 0; i < answer->count; i++)
			if (answer->outcome[i].vector == MODEL_COMPLETES)
				return MODEL_FITS;
	return MODEL_WRONG_CR2;
}

static enum model_mismatch judge_entry(uint64_t before, uint64_t after, uint64_t must, uint64_t may)
{
	uint64_t changed = before ^ after;

	if (must & ~after)
		return MODEL_FLAG_MISSING;
	if ((changed & ~(A | D)) || (before & ~after))
		return MODEL_ENTRY_CHANGED;
	return changed & ~(must | may) ? MODEL_FLAG_FORBIDDEN : MODEL_FITS;
}

static struct history_verdict judge_outcome(const struct history_answer *answer, unsigned index,
					    const struct model_access *access,
					    const struct history_observation *seen, uint64_t mask)
{
	const struct history_outcome *outcome = &answer->outcome[index];
	struct history_verdict verdict = {.outcome = index};

	if (seen->vector != outcome->vector)
		verdict.mismatch = MODEL_WRONG_VECTOR;
	else if (seen->vector != MODEL_COMPLETES)
		verdict.mismatch = judge_fault(answer, outcome, access, seen, mask);
	else if (!(seen->reached & BIT(index)))
		verdict.mismatch = MODEL_WRONG_FRAME;
	for (unsigned i = 0; i < answer->entries && verdict.mismatch == MODEL_FITS; i++) {
		const struct history_entry *entry = &answer->entry[i];
		uint64_t must =
			(outcome->must_a & BIT(i) ? A : 0) | (outcome->must_d & BIT(i) ? D : 0);

		verdict.mismatch =
			judge_entry(entry->value, seen->entry_after[i], must, entry->may);
		verdict.entry = i;
	}
	return verdict;
}

struct history_verdict history_judge(const struct history_answer *answer,
				     const struct model_access *access,
				     const struct history_observation *seen,
				     uint64_t error_code_mask)
{
	struct history_verdict best = {.mismatch = MODEL_FITS};

	for (unsigned i = 0; i < answer->count && !answer->anything; i++) {
		struct history_verdict verdict =
			judge_outcome(answer, i, access, seen, error_code_mask);

		verdict.stale = i > 0;
		if (verdict.mismatch == MODEL_FITS)
			return verdict;
		if (i == 0 || verdict.mismatch > best.mismatch)
			best = verdict; /* later mismatches mean that more was right */
	}
	return best;
}
