/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One access in L2, compared with the model in both dimensions.
 */
#include "nested/describe.h"
#include "nested/l2.h"

#include "check/expect.h"
#include "check/report.h"
#include "mem/frames.h"
#include "svm/vmcb.h"

static uint64_t read_memory(const void *memory, uint64_t address)
{
	(void)memory;
	return address < IDENTITY_MAP_BYTES ? *(const volatile uint64_t *)identity(GPA(address))
					    : 0;
}

/* 32-bit paging's entries. */
static uint64_t read_memory_4(const void *memory, uint64_t address)
{
	(void)memory;
	return address < IDENTITY_MAP_BYTES ? *(const volatile uint32_t *)identity(GPA(address))
					    : 0;
}

struct judged {
	struct l2 *l2;
	struct access access;
	struct model_access model_access;
	struct model_l2_answer answer, stub;
	bool has_stub; /* the access's instruction was fetched first */
	struct l2_outcome outcome;
	struct model_l2_observation seen;
};

void l2_translate(const struct l2 *l2, struct model_l2_answer *answer,
		  const struct model_second_level *second, const struct model_access *access)
{
	struct model_processor processor = l2_processor(l2, LINEAR(access->linear));

	model_translate_l2(answer, &processor, second, access, read_memory, NULL);
}

static void ask_model(const struct judged *judged, struct model_l2_answer *answer,
		      const struct model_access *access)
{
	l2_translate(judged->l2, answer, &judged->l2->second.model, access);
}

/* The instruction has to be fetched before it can access anything: where that already ends in an
 * exit, the fetch is what is judged. */
static void predict(struct judged *judged)
{
	struct model_access fetch = {.fetch = true,
				     .user = judged->access.user,
				     .linear = l2_stub(judged->l2, &judged->access).value};

	judged->model_access = modelled_access(&judged->access);
	judged->has_stub = judged->access.instruction != INSTRUCTION_fetch;
	if (judged->has_stub) {
		ask_model(judged, &judged->stub, &fetch);
		if (judged->stub.outcome[0].kind != MODEL_L2_COMPLETES) {
			judged->model_access = fetch;
			judged->has_stub = false;
		}
	}
	ask_model(judged, &judged->answer, &judged->model_access);
}

void text_l2_walk_of(struct text *text, struct l2 *l2, const struct access *access)
{
	static struct judged judged;

	judged.l2 = l2;
	judged.model_access = modelled_access(access);
	ask_model(&judged, &judged.answer, &judged.model_access);
	text_l2_walk(text, &judged.answer);
}

static void observe(struct judged *judged)
{
	const struct l2_exit *exit = &judged->outcome.exit;
	const struct model_l2_answer *answer = &judged->answer;
	struct model_l2_observation *seen = &judged->seen;

	seen->vector = judged->outcome.outcome.vector;
	seen->error_code = exit->error_code;
	seen->linear = exit->linear;
	seen->gpa = exit->gpa;
	seen->qualification = exit->qualification;
	if (exit->kind == L2_MISCONFIGURATION && !p_of_reserved_bit_faults_is_compared())
		seen->qualification |= NPF_P;
	/* The n-th reference is to the structure that holds L2's n-th entry. */
	for (unsigned i = 0; i < answer->guest.count; i++) {
		uint64_t entry = answer->reference[i].walk.physical;

		seen->guest_after[i] = judged->l2->mode == L2_32BIT ? read_memory_4(NULL, entry)
								    : read_memory(NULL, entry);
	}
	for (unsigned r = 0; r < answer->references; r++)
		for (unsigned i = 0; i < answer->reference[r].walk.count; i++)
			seen->second_after[r][i] =
				read_memory(NULL, answer->reference[r].walk.step[i].address);
}

/* False for an exit of which the model knows nothing. */
static bool kind_of(const struct l2_outcome *outcome, enum model_l2_kind *kind)
{
	if (!outcome->exited)
		*kind = outcome->outcome.vector == NO_VECTOR ? MODEL_L2_COMPLETES
							     : MODEL_L2_EXCEPTION;
	else if (outcome->exit.kind == L2_VIOLATION)
		*kind = MODEL_L2_VIOLATION;
	else if (outcome->exit.kind == L2_MISCONFIGURATION)
		*kind = MODEL_L2_MISCONFIGURATION;
	else
		return false;
	return true;
}

static const char *data_mismatch(const struct judged *judged)
{
	const struct outcome *outcome = &judged->outcome.outcome;
	const struct model_reference *page =
		&judged->answer.reference[judged->answer.references - 1];
	uint64_t mask = ~0ull >> (64 - 8 * judged->model_access.bytes);
	uint64_t here;

	if (judged->outcome.exited)
		return NULL;
	if (outcome->vector != NO_VECTOR)
		return outcome->rip == outcome->expected_rip || !judged->has_stub
			       ? NULL
			       : "RIP of the fault is not that of the instruction";
	if (page->guest_level || judged->model_access.bytes > 8 ||
	    !is_ram(GPA(page->walk.physical), 8))
		return NULL;
	here = read_memory(NULL, page->walk.physical);
	if (judged->model_access.write)
		return judged->model_access.reads || !((here ^ judged->access.value[0]) & mask)
			       ? NULL
			       : "memory does not hold what was written";
	if (judged->model_access.fetch)
		mask = 0xffffffff;
	if (judged->model_access.fetch)
		here >>= 8; /* the operand of its mov */
	return (outcome->value[0] ^ here) & mask ? "wrong data" : NULL;
}

static void describe(const struct judged *judged, const struct model_l2_verdict *verdict,
		     struct failure *failure)
{
	struct text text = TEXT(failure->access);

	text_add(&text, "L2 ");
	text_access(&text, &judged->access);
	text = TEXT(failure->walk);
	text_l2_walk(&text, &judged->answer);
	text = TEXT(failure->expected);
	text_l2_expected(&text, &judged->answer.outcome[verdict->outcome], &judged->model_access);
	text = TEXT(failure->observed);
	text_l2_outcome(&text, &judged->outcome);
	text_add(&text, "\n");
	if (verdict->mismatch == MODEL_L2_WRONG_GUEST_FLAGS)
		text_add(&text, "L2's %s afterwards 0x%llx\n",
			 judged->answer.guest.format
				 ->level[judged->answer.guest.step[verdict->step].level]
				 .entry_name,
			 (unsigned long long)judged->seen.guest_after[verdict->step]);
	if (verdict->mismatch == MODEL_L2_WRONG_SECOND_FLAGS)
		text_add(&text, "entry at 0x%llx afterwards 0x%llx\n",
			 (unsigned long long)judged->answer.reference[verdict->reference]
				 .walk.step[verdict->step]
				 .address,
			 (unsigned long long)
				 judged->seen.second_after[verdict->reference][verdict->step]);
}

static const char *first_mismatch(struct judged *judged, struct model_l2_verdict *verdict)
{
	*verdict = (struct model_l2_verdict){.mismatch = MODEL_L2_WRONG_KIND};
	if (!kind_of(&judged->outcome, &judged->seen.kind))
		return "an exit that no translation causes";
	*verdict = model_judge_l2(&judged->answer, &judged->model_access, &judged->seen,
				  judged->has_stub ? &judged->stub : NULL);
	if (verdict->mismatch != MODEL_L2_FITS)
		return model_l2_mismatch_text(verdict->mismatch);
	return data_mismatch(judged);
}

struct l2_outcome judge_l2_access(const char *file, int line, struct l2 *l2, struct access access)
{
	static struct judged judged; /* too large for the stack */
	struct model_l2_verdict verdict;
	const char *what;

	judged.l2 = l2;
	judged.access = access;
	predict(&judged);
	second_invalidate(&l2->second, SECOND_FLUSH_ALL);
	judged.outcome = l2_attempt(l2, access);
	observe(&judged);
	count_check();
	what = first_mismatch(&judged, &verdict);
	if (what) {
		struct failure *failure = new_failure(file, line);
		struct text message = TEXT(failure->message);

		text_add(&message, "%s", what);
		describe(&judged, &verdict, failure);
		report_failure(failure);
	}
	return judged.outcome;
}
