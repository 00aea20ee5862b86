/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/two_dimensional.h"

#include "paging/entry.h"

/* Which flags of one entry of the second level must be set after an outcome, and which may have
 * been. */
static void second_flags(const struct model_l2_answer *answer, enum model_l2_kind kind,
			 unsigned reference, unsigned step, uint64_t *must, uint64_t *may)
{
	const struct model_reference *of = &answer->reference[reference];
	bool maps_page = of->walk.end == WALK_MAPPED && step + 1 == of->walk.count;
	bool ended = of->walk.end != WALK_MAPPED && step + 1 == of->walk.count;
	uint64_t accessed = answer->nested_paging ? A : EPT_A;
	uint64_t dirty = answer->nested_paging ? D : EPT_D;
	uint64_t flags = accessed | (maps_page && of->written ? dirty : 0);
	bool stopped = kind == MODEL_L2_VIOLATION || kind == MODEL_L2_MISCONFIGURATION;

	*must = *may = 0;
	if (!answer->second_flags || ended)
		return;
	if (kind == MODEL_L2_COMPLETES)
		*must = flags;
	else if (stopped && reference + 1 == answer->references)
		*may = accessed; /* the one that was denied never is dirty */
	else
		*may = flags;
}

/* The flags that a completed access before this one sets in an entry. */
static uint64_t set_before(const struct model_l2_answer *before, uint64_t address)
{
	uint64_t flags = 0, must, may;

	if (!before)
		return 0;
	for (unsigned r = 0; r < before->references; r++) {
		for (unsigned i = 0; i < before->reference[r].walk.count; i++) {
			if (before->reference[r].walk.step[i].address != address)
				continue;
			second_flags(before, MODEL_L2_COMPLETES, r, i, &must, &may);
			flags |= must;
		}
	}
	return flags;
}

/* The same entry may serve several references: what any of them may set is no mistake. */
static uint64_t any_may_set(const struct model_l2_answer *answer, enum model_l2_kind kind,
			    uint64_t address)
{
	uint64_t flags = 0, must, may;

	for (unsigned r = 0; r < answer->references; r++) {
		for (unsigned i = 0; i < answer->reference[r].walk.count; i++) {
			if (answer->reference[r].walk.step[i].address != address)
				continue;
			second_flags(answer, kind, r, i, &must, &may);
			flags |= must | may;
		}
	}
	return flags;
}

static bool flags_fit(uint64_t before, uint64_t after, uint64_t must, uint64_t may)
{
	return !(must & ~after) && !(before & ~after) && !((before ^ after) & ~(must | may));
}

static bool guest_flags_fit(const struct model_l2_answer *answer,
			    const struct model_l2_outcome *outcome,
			    const struct model_l2_observation *seen,
			    struct model_l2_verdict *verdict)
{
	for (unsigned i = 0; i < answer->guest.count; i++) {
		verdict->step = i;
		if (!flags_fit(answer->guest.step[i].entry, seen->guest_after[i], outcome->must[i],
			       outcome->may[i]))
			return false;
	}
	return true;
}

static bool second_flags_fit(const struct model_l2_answer *answer,
			     const struct model_l2_outcome *outcome,
			     const struct model_l2_observation *seen,
			     const struct model_l2_answer *earlier,
			     struct model_l2_verdict *verdict)
{
	uint64_t must, may;

	for (unsigned r = 0; r < answer->references; r++) {
		for (unsigned i = 0; i < answer->reference[r].walk.count; i++) {
			const struct walk_step *step = &answer->reference[r].walk.step[i];

			second_flags(answer, outcome->kind, r, i, &must, &may);
			if (flags_fit(step->entry, seen->second_after[r][i], must, may))
				continue;
			may |= any_may_set(answer, outcome->kind, step->address) |
			       set_before(earlier, step->address);
			verdict->reference = r;
			verdict->step = i;
			if (!flags_fit(step->entry, seen->second_after[r][i], must, may))
				return false;
		}
	}
	return true;
}

static enum model_l2_mismatch judge_exit(const struct model_l2_answer *answer,
					 const struct model_l2_outcome *outcome,
					 const struct model_access *access,
					 const struct model_l2_observation *seen)
{
	if (seen->kind != outcome->kind)
		return MODEL_L2_WRONG_KIND;
	if (outcome->kind == MODEL_L2_COMPLETES)
		return MODEL_L2_FITS;
	if (outcome->kind == MODEL_L2_EXCEPTION) {
		if (seen->vector != outcome->vector || seen->error_code != outcome->error_code)
			return MODEL_L2_WRONG_EXCEPTION;
		return seen->linear == access->linear ? MODEL_L2_FITS : MODEL_L2_WRONG_LINEAR;
	}
	if (seen->gpa != outcome->gpa)
		return MODEL_L2_WRONG_GPA;
	if (outcome->kind == MODEL_L2_VIOLATION && !answer->nested_paging &&
	    seen->linear != access->linear)
		return MODEL_L2_WRONG_LINEAR; /* SVM does not report it */
	if ((seen->qualification ^ outcome->qualification) & outcome->defined)
		return MODEL_L2_WRONG_QUALIFICATION;
	return MODEL_L2_FITS;
}

struct model_l2_verdict model_judge_l2(const struct model_l2_answer *answer,
				       const struct model_access *access,
				       const struct model_l2_observation *seen,
				       const struct model_l2_answer *before)
{
	struct model_l2_verdict best = {.mismatch = MODEL_L2_WRONG_KIND};

	for (unsigned i = 0; i < answer->count; i++) {
		const struct model_l2_outcome *outcome = &answer->outcome[i];
		struct model_l2_verdict verdict = {.outcome = i};

		verdict.mismatch = judge_exit(answer, outcome, access, seen);
		if (verdict.mismatch == MODEL_L2_FITS &&
		    !guest_flags_fit(answer, outcome, seen, &verdict))
			verdict.mismatch = MODEL_L2_WRONG_GUEST_FLAGS;
		if (verdict.mismatch == MODEL_L2_FITS &&
		    !second_flags_fit(answer, outcome, seen, before, &verdict))
			verdict.mismatch = MODEL_L2_WRONG_SECOND_FLAGS;
		if (verdict.mismatch == MODEL_L2_FITS)
			return verdict;
		if (i == 0 || verdict.mismatch > best.mismatch)
			best = verdict; /* later mismatches mean that more was right */
	}
	return best;
}

const char *model_l2_mismatch_text(enum model_l2_mismatch mismatch)
{
	static const char *const texts[] = {
		[MODEL_L2_FITS] = "as permitted",
		[MODEL_L2_WRONG_KIND] = "wrong outcome",
		[MODEL_L2_WRONG_GPA] = "wrong guest-physical address",
		[MODEL_L2_WRONG_EXCEPTION] = "wrong exception or error code",
		[MODEL_L2_WRONG_LINEAR] = "wrong linear address",
		[MODEL_L2_WRONG_QUALIFICATION] = "wrong exit qualification",
		[MODEL_L2_WRONG_GUEST_FLAGS] = "wrong flags in an entry of L2",
		[MODEL_L2_WRONG_SECOND_FLAGS] = "wrong flags in an entry of the second level",
	};

	return texts[mismatch];
}
