/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An access that the processor makes itself, compared with the model.
 */
#include "check/expect.h"
#include "check/state.h"
#include "check/system_tables.h"
#include "libc/string.h"
#include "paging/describe.h"

#define LONGEST_OPERAND 64

/* A write that follows a read which completed: that one has set the accessed flags. */
static void add_flags_of_read(struct model_answer *answer, const struct model_outcome *read)
{
	for (unsigned i = 0; i < answer->walk.count; i++) {
		answer->outcome[0].must[i] |= read->must[i];
		answer->outcome[0].may[i] &= ~read->must[i];
	}
}

static void translate(struct model_answer *answer, struct model_access *asked,
		      const struct implicit_access *implicit)
{
	struct model_outcome read;

	*asked = (struct model_access){.linear = implicit->linear.value,
				       .bytes = implicit->bytes,
				       .write = !implicit->reads,
				       .user = implicit->access.user,
				       .ac = implicit->access.ac,
				       .implicit = true};
	model_translate(answer, processor_now(), asked, read_identity, NULL);
	read = answer->outcome[0];
	if (!implicit->reads || implicit->writes == NEVER || read.vector != MODEL_COMPLETES)
		return;
	asked->write = true;
	model_translate(answer, processor_now(), asked, read_identity, NULL);
	add_flags_of_read(answer, &read);
	if (implicit->writes == MAYBE)
		answer->outcome[answer->count++] = read;
}

/* In the model's terms: the expected vector is completion, and CR2 may be any byte of the operand.
 */
static struct model_observation observe(const struct implicit_access *implicit,
					const struct outcome *outcome, const struct walk *walk)
{
	struct model_observation seen = {
		.vector = outcome->vector, .error_code = outcome->error_code, .cr2 = outcome->cr2};

	if (seen.vector == implicit->completed)
		seen.vector = MODEL_COMPLETES;
	if (seen.cr2 - implicit->linear.value < implicit->bytes)
		seen.cr2 = implicit->linear.value;
	for (unsigned i = 0; i < walk->count; i++)
		seen.entry_after[i] = read_identity(NULL, walk->step[i].address);
	return seen;
}

static void report(const char *file, int line, const char *what,
		   const struct implicit_access *implicit, const struct model_answer *answer,
		   const struct outcome *outcome)
{
	const struct model_outcome *wanted = &answer->outcome[0];
	struct failure *failure = new_failure(file, line);
	struct text text = TEXT(failure->message);

	text_add(&text, "%s", what);
	text = TEXT(failure->access);
	text_add(&text, "%s at CPL %u%s, which uses %u bytes at linear 0x%016llx",
		 instruction_table[implicit->access.instruction].text,
		 implicit->access.user ? 3 : 0, implicit->access.ac ? " with EFLAGS.AC" : "",
		 implicit->bytes, (unsigned long long)implicit->linear.value);
	text = TEXT(failure->walk);
	text_walk(&text, &answer->walk);
	text = TEXT(failure->expected);
	if (wanted->vector == MODEL_COMPLETES)
		text_add(&text, "completed");
	else
		text_exception(&text, wanted->vector, wanted->error_code);
	text_add(&text, ": %s", wanted->why);
	text = TEXT(failure->observed);
	text_outcome(&text, outcome);
	for (unsigned i = 0; i < answer->walk.count; i++)
		text_add(&text, "\n%s afterwards 0x%016llx",
			 answer->walk.format->level[answer->walk.step[i].level].entry_name,
			 (unsigned long long)read_identity(NULL, answer->walk.step[i].address));
	report_failure(failure);
}

void judge_implicit(const char *file, int line, const struct implicit_access *implicit)
{
	uint8_t before[LONGEST_OPERAND], *memory = NULL;
	struct model_verdict verdict;
	struct model_access asked;
	struct model_answer answer;
	struct model_observation seen;
	struct outcome outcome;
	uint64_t mask = ~0ull;

	translate(&answer, &asked, implicit);
	if (answer.walk.end == WALK_MAPPED) {
		memory = identity(GPA(answer.walk.physical));
		memcpy(before, memory, implicit->bytes);
	}
	outcome = attempt(implicit->access);
	seen = observe(implicit, &outcome, &answer.walk);
	if (answer.walk.end == WALK_RESERVED)
		mask &= ~(uint64_t)PF_P;
	verdict = model_judge(&answer, &seen, mask);
	count_check();
	if (verdict.mismatch != MODEL_FITS)
		report(file, line, model_mismatch_text(verdict.mismatch), implicit, &answer,
		       &outcome);
	else if (seen.vector != MODEL_COMPLETES && outcome.rip != outcome.expected_rip)
		report(file, line, "RIP of the fault is not that of the instruction", implicit,
		       &answer, &outcome);
	else if (seen.vector != MODEL_COMPLETES && memory &&
		 memcmp(before, memory, implicit->bytes))
		report(file, line, "the access faulted, but changed memory", implicit, &answer,
		       &outcome);
}
