/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/model.h"

#include "paging/entry.h"

#define VECTOR_PAGE_FAULT 14

static enum model_mismatch judge_entry(uint64_t before, uint64_t after, uint64_t must, uint64_t may)
{
	uint64_t changed = before ^ after;

	if (must & ~after)
		return MODEL_FLAG_MISSING;
	if (changed & ~(A | D))
		return MODEL_ENTRY_CHANGED;
	if (changed & ~(must | may))
		return MODEL_FLAG_FORBIDDEN;
	return before & ~after ? MODEL_ENTRY_CHANGED : MODEL_FITS;
}

/* What an entry may get in other roles that it plays on the same way: tables may reference
 * themselves (R27). */
static uint64_t elsewhere(const struct walk *walk, const struct model_outcome *outcome,
			  unsigned step)
{
	uint64_t flags = 0;

	for (unsigned i = 0; i < walk->count; i++)
		if (i != step && walk->step[i].address == walk->step[step].address)
			flags |= outcome->must[i] | outcome->may[i];
	return flags;
}

static struct model_verdict judge_outcome(const struct model_answer *answer, unsigned index,
					  const struct model_observation *seen, uint64_t mask)
{
	const struct model_outcome *outcome = &answer->outcome[index];
	struct model_verdict verdict = {.outcome = index};

	if (seen->vector != outcome->vector) {
		verdict.mismatch = MODEL_WRONG_VECTOR;
		return verdict;
	}
	if (seen->vector == VECTOR_PAGE_FAULT) {
		if ((seen->error_code ^ outcome->error_code) & mask & ~outcome->open_code)
			verdict.mismatch = MODEL_WRONG_ERROR_CODE;
		else if (seen->cr2 != answer->walk.linear)
			verdict.mismatch = MODEL_WRONG_CR2;
	} else if (seen->vector != MODEL_COMPLETES && seen->error_code != outcome->error_code) {
		verdict.mismatch = MODEL_WRONG_ERROR_CODE;
	}
	for (unsigned i = 0; i < answer->walk.count && verdict.mismatch == MODEL_FITS; i++) {
		uint64_t may = outcome->may[i] | elsewhere(&answer->walk, outcome, i);

		verdict.mismatch = judge_entry(answer->walk.step[i].entry, seen->entry_after[i],
					       outcome->must[i], may);
		verdict.step = i;
	}
	return verdict;
}

struct model_verdict model_judge(const struct model_answer *answer,
				 const struct model_observation *observation,
				 uint64_t error_code_mask)
{
	struct model_verdict best = {.mismatch = MODEL_WRONG_VECTOR};

	for (unsigned i = 0; i < answer->count; i++) {
		struct model_verdict verdict =
			judge_outcome(answer, i, observation, error_code_mask);

		if (verdict.mismatch == MODEL_FITS)
			return verdict;
		if (i == 0 || verdict.mismatch > best.mismatch)
			best = verdict; /* later mismatches mean that more was right */
	}
	return best;
}

const char *model_mismatch_text(enum model_mismatch mismatch)
{
	static const char *const texts[] = {
		[MODEL_FITS] = "as permitted",
		[MODEL_WRONG_VECTOR] = "wrong outcome",
		[MODEL_WRONG_ERROR_CODE] = "wrong error code",
		[MODEL_WRONG_CR2] = "wrong CR2",
		[MODEL_WRONG_FRAME] = "the data is not that of a permitted translation",
		[MODEL_ENTRY_CHANGED] = "an entry changed that must not",
		[MODEL_FLAG_MISSING] = "an accessed or dirty flag is missing",
		[MODEL_FLAG_FORBIDDEN] = "an accessed or dirty flag is set that must not be",
	};

	return texts[mismatch];
}
