/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/report.h"

#include "check/options.h"
#include "check/running.h"
#include "cpu/control.h"
#include "cpu/exception.h"
#include "cpu/sabotage.h"
#include "drivers/local_apic.h"
#include "libc/string.h"

#define TICKS_BETWEEN_SIGNS  5000000000ull /* some seconds, whatever the processor's speed */
#define CHECKS_BETWEEN_SIGNS 64		   /* at least */
#define MOST_OTHERS	     8
#define MOST_FAILURES_A_CASE 200

struct running running;

static struct failure first, later;

void count_check(void)
{
	count_checks(1);
}

/* A slow machine shows that it gets on: the runner takes silence for a hang. */
void count_checks(unsigned count)
{
	uint64_t before = running.checks;

	running.checks += count;
	if (before / CHECKS_BETWEEN_SIGNS != running.checks / CHECKS_BETWEEN_SIGNS)
		progress("%llu checks", (unsigned long long)running.checks);
}

void count_combinations(uint64_t tried, uint64_t offered)
{
	running.tried += tried;
	running.offered += offered;
}

bool combination_is_asked(uint64_t *number)
{
	running.asked = false;
	return asked_combination(running.name, number);
}

/* How the case came to the expectation: a line of a helper alone says little. `frame` is RBP of
 * new_failure(). */
static void describe_callers(struct failure *failure, const void *frame)
{
	const uintptr_t *saved = frame;
	struct text text = TEXT(failure->backtrace);

	text_backtrace(&text, saved[1], saved[0]);
}

struct failure *new_failure(const char *file, int line)
{
	struct failure *failure = running.failures ? &later : &first;

	*failure = (struct failure){.file = file, .line = line};
	describe_callers(failure, __builtin_frame_address(0));
	return failure;
}

/* Under a bug that is played the others say nothing new. Other processors are not to be left in
 * the middle of what they do. */
static bool one_failure_is_enough(void)
{
	return sabotage_is_played() && processors_expected() == 1;
}

void report_failure(struct failure *failure)
{
	running.failures++;
	if (failure == &later && running.others < MOST_OTHERS) {
		struct text others = {running.other_text, sizeof(running.other_text),
				      strlen(running.other_text)};

		running.others++;
		text_add(&others, "%s: %s\n", failure->message, failure->access);
	}
	if (running.failures >= MOST_FAILURES_A_CASE || one_failure_is_enough())
		leave_case();
}

void failures_are_model_mismatches(void)
{
	running.model_mismatch = true;
}

_Noreturn void end_case_failed(const char *why)
{
	struct failure *failure = new_failure("", 0);
	struct text message = TEXT(failure->message);

	text_add(&message, "%s", why);
	running.failures++;
	leave_case();
}

_Noreturn void end_case_skipped(const char *need, const char *reason)
{
	running.skip_need = need;
	running.skip_reason = reason;
	leave_case();
}

static void print_block(const char *key, const char *text)
{
	if (!*text)
		return;
	printf("  %s: |\n", key);
	print_indented("    ", text);
}

void print_diagnostics(const struct test_case *test)
{
	printf("  ---\n");
	print_block("message", first.message);
	if (*first.file)
		printf("  at: %s:%d\n", first.file, first.line);
	if (running.model_mismatch)
		printf("  class: model mismatch\n");
	print_block("manual", test->manual);
	print_block("combination", first.combination);
	print_block("access", first.access);
	print_block("walk", first.walk);
	print_block("expected", first.expected);
	print_block("observed", first.observed);
	if (*first.backtrace)
		printf("  backtrace: %s\n", first.backtrace);
	if (running.failures > 1) {
		printf("  failing_checks: %u of %llu\n", running.failures,
		       (unsigned long long)running.checks);
		print_block("others", running.other_text);
	}
	printf("  ...\n");
}

static void __attribute__((format(printf, 2, 0)))
print_comment(const char *kind, const char *format, va_list list)
{
	char line[256];
	struct text text = TEXT(line);

	text_add_list(&text, format, list);
	printf("# %s %s\n", kind, line);
}

void note(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	print_comment("note", format, list);
	va_end(list);
}

void progress(const char *format, ...)
{
	static uint64_t last;
	uint64_t now = read_tsc();
	va_list list;

	if (now - last < TICKS_BETWEEN_SIGNS)
		return;
	last = now;
	va_start(list, format);
	print_comment("progress", format, list);
	va_end(list);
}
