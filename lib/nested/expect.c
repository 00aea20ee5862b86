/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Expectations that name one outcome, for accesses through translations that may be cached.
 */
#include "nested/describe.h"

#include "check/report.h"

/* What was expected comes in printf's manner. */
static void fail(const char *file, int line, struct l2 *l2, struct access access,
		 const struct l2_outcome *outcome, const char *format, ...)
{
	struct failure *failure = new_failure(file, line);
	struct text text = TEXT(failure->expected);
	va_list list;

	va_start(list, format);
	text_add_list(&text, format, list);
	va_end(list);
	text = TEXT(failure->access);
	text_add(&text, "L2 ");
	text_access(&text, &access);
	text = TEXT(failure->walk);
	text_l2_walk_of(&text, l2, &access);
	text = TEXT(failure->observed);
	text_l2_outcome(&text, outcome);
	text = TEXT(failure->message);
	text_add(&text, "must be: %s; was: %s", failure->expected, failure->observed);
	report_failure(failure);
}

static bool completes(const struct l2_outcome *outcome)
{
	return !outcome->exited && outcome->outcome.vector == NO_VECTOR;
}

struct l2_outcome judge_l2_read(const char *file, int line, struct l2 *l2, struct access access,
				uint64_t value)
{
	struct l2_outcome outcome = l2_attempt(l2, access);

	count_check();
	if (!completes(&outcome) || outcome.outcome.value[0] != value)
		fail(file, line, l2, access, &outcome, "completed, value 0x%llx",
		     (unsigned long long)value);
	return outcome;
}

struct l2_outcome judge_l2_completes(const char *file, int line, struct l2 *l2,
				     struct access access)
{
	struct l2_outcome outcome = l2_attempt(l2, access);

	count_check();
	if (!completes(&outcome))
		fail(file, line, l2, access, &outcome, "completed");
	return outcome;
}

struct l2_outcome judge_l2_exit(const char *file, int line, struct l2 *l2, struct access access,
				enum l2_exit_kind kind, gpa_t gpa)
{
	struct l2_outcome outcome = l2_attempt(l2, access);

	count_check();
	if (!outcome.exited || outcome.exit.kind != kind || outcome.exit.gpa != gpa.value)
		fail(file, line, l2, access, &outcome, "%s at guest-physical 0x%llx",
		     kind == L2_VIOLATION ? "violation" : "misconfiguration",
		     (unsigned long long)gpa.value);
	return outcome;
}

struct l2_outcome judge_l2_page_fault(const char *file, int line, struct l2 *l2,
				      struct access access, uint64_t error_code)
{
	struct l2_outcome outcome = l2_attempt(l2, access);

	count_check();
	if (outcome.exited || outcome.outcome.vector != VECTOR_PF ||
	    outcome.outcome.error_code != error_code || outcome.outcome.cr2 != access.linear.value)
		fail(file, line, l2, access, &outcome, "#PF error code 0x%llx, CR2 0x%llx",
		     (unsigned long long)error_code, (unsigned long long)access.linear.value);
	return outcome;
}
