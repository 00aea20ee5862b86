/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/expect.h"

#include "check/state.h"
#include "paging/describe.h"

static void describe_access(struct failure *failure, const struct access *access)
{
	struct text text = TEXT(failure->access);
	struct walk walk;

	text_access(&text, access);
	walk_now(&walk, access->linear);
	text = TEXT(failure->walk);
	text_walk(&text, &walk);
}

static void say(char *buffer, size_t size, const char *what)
{
	struct text text = {buffer, size, 0};

	text_add(&text, "%s", what);
}

#define SAY(field, what) say(field, sizeof(field), what)

void fail_expectation(const char *file, int line, const char *condition, const char *format, ...)
{
	struct failure *failure = new_failure(file, line);
	struct text observed = TEXT(failure->observed);
	va_list list;

	va_start(list, format);
	text_add_list(&observed, format, list);
	va_end(list);
	SAY(failure->message, failure->observed);
	SAY(failure->expected, condition);
	report_failure(failure);
}

struct outcome judge_read(const char *file, int line, struct access access, uint64_t value)
{
	struct outcome outcome = attempt(access);
	struct failure *failure;
	struct text text;

	count_checks(2);
	if (outcome.vector == NO_VECTOR && outcome.value[0] == value)
		return outcome;
	failure = new_failure(file, line);
	describe_access(failure, &access);
	SAY(failure->message, outcome.vector == NO_VECTOR ? "wrong data" : "unexpected fault");
	text = TEXT(failure->expected);
	text_add(&text, "completed, value 0x%llx", (unsigned long long)value);
	text = TEXT(failure->observed);
	text_outcome(&text, &outcome);
	report_failure(failure);
	return outcome;
}

static struct outcome judge_fault(const char *file, int line, struct access access,
				  struct outcome wanted)
{
	struct outcome outcome = attempt(access);
	struct failure *failure;
	struct text text;

	count_checks(4);
	if (outcome.vector == wanted.vector && outcome.error_code == wanted.error_code &&
	    outcome.cr2 == wanted.cr2 && outcome.rip == outcome.expected_rip)
		return outcome;
	failure = new_failure(file, line);
	describe_access(failure, &access);
	SAY(failure->message,
	    outcome.vector == NO_VECTOR ? "the access completed, but must fault" : "wrong fault");
	wanted.rip = outcome.expected_rip;
	text = TEXT(failure->expected);
	text_outcome(&text, &wanted);
	text = TEXT(failure->observed);
	text_outcome(&text, &outcome);
	report_failure(failure);
	return outcome;
}

struct outcome judge_page_fault(const char *file, int line, struct access access,
				uint64_t error_code)
{
	return judge_fault(file, line, access,
			   (struct outcome){.vector = VECTOR_PF,
					    .error_code = error_code,
					    .cr2 = access.linear.value});
}

#define CR2_CANARY ((uint64_t)(unsigned long)0x0000123456789abcull)

struct outcome judge_exception(const char *file, int line, struct access access, unsigned vector,
			       uint64_t error_code)
{
	write_cr2(CR2_CANARY);
	return judge_fault(
		file, line, access,
		(struct outcome){.vector = vector, .error_code = error_code, .cr2 = CR2_CANARY});
}

void judge_flags(const char *file, int line, const struct page *page, enum level level,
		 uint64_t mask, uint64_t value)
{
	uint64_t entry = *(volatile uint64_t *)page->entry[level];
	const struct paging_format *format = current_format();
	struct failure *failure;
	struct text text;

	count_check();
	if ((entry & mask) == value)
		return;
	failure = new_failure(file, line);
	text = TEXT(failure->message);
	text_add(&text, "wrong accessed or dirty flag in the %s", format->level[level].entry_name);
	text = TEXT(failure->expected);
	text_flags(&text, format, level, (entry & ~mask) | value);
	text = TEXT(failure->observed);
	text_flags(&text, format, level, entry);
	report_failure(failure);
}
