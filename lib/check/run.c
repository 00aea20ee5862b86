/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The loop over the cases: plan, selection, needs, verdicts, and state put back after each.
 */
#include "check/report.h"

#include "check/expect.h"
#include "check/needs.h"
#include "check/running.h"
#include "check/state.h"
#include "cpu/exception.h"
#include "cpu/features.h"
#include "drivers/power.h"
#include "libc/string.h"
#include "mem/frames.h"

#define LONGEST_GLOB 128

extern const struct test_case _cases[], _cases_end[];

static void *case_context[5];
static bool in_case;
static uint64_t seed;
static const char *permits = "";
static unsigned passed, failed, skipped;
static uint64_t all_checks;

_Noreturn void leave_case(void)
{
	__builtin_longjmp(case_context, 1);
}

uint64_t run_seed(void)
{
	return seed;
}

static void fail_for_memory(void)
{
	end_case_failed("no memory left: give the image more in unittests.cfg");
}

/* An exception that no attempt was waiting for. While a case runs it fails that case; elsewhere
 * nothing is sound. */
static void unexpected_exception(const struct exception_frame *frame, uint64_t cr2)
{
	struct failure *failure;
	struct text text;

	if (!in_case) {
		printf("Bail out! exception %s outside a case, RIP 0x%llx\n",
		       vector_name((unsigned)frame->vector), (unsigned long long)frame->rip);
		power_off(EXIT_ABORTED);
	}
	in_case = false;
	failure = new_failure("", 0);
	text = TEXT(failure->observed);
	text_exception(&text, (unsigned)frame->vector, frame->error_code);
	text_add(&text, ", CR2 0x%llx, RIP 0x%llx, RSP 0x%llx", (unsigned long long)cr2,
		 (unsigned long long)frame->rip, (unsigned long long)frame->rsp);
	text = TEXT(failure->message);
	text_add(&text, "unexpected exception %s", vector_name((unsigned)frame->vector));
	text = TEXT(failure->backtrace);
	text_backtrace(&text, frame->rip, frame->rbp);
	printf("# exception %s\n", failure->observed);
	running.failures++;
	leave_case();
}

/* Whether one of the globs in a list with commas matches. */
static bool matches_list(const char *globs, const char *name)
{
	char glob[LONGEST_GLOB];

	while (*globs) {
		size_t length = 0;

		for (; *globs && *globs != ','; globs++)
			if (length + 1 < sizeof(glob))
				glob[length++] = *globs;
		glob[length] = '\0';
		if (*globs == ',')
			globs++;
		if (glob_matches(glob, name))
			return true;
	}
	return false;
}

static bool is_selected(const struct test_case *test, const char *globs)
{
	return !*globs || matches_list(globs, test->name);
}

bool is_permitted(const char *id)
{
	return matches_list(permits, id);
}

static unsigned count_selected(const char *globs)
{
	unsigned count = 0;

	for (const struct test_case *test = _cases; test < _cases_end; test++)
		count += is_selected(test, globs);
	return count;
}

/* Where the case comes back to, by return or by leave_case(). A function of its own, so that no
 * local variable lives across the jump. */
static void __attribute__((noinline)) run_guarded(const struct test_case *test)
{
	if (__builtin_setjmp(case_context) == 0) {
		in_case = true;
		test->run();
	}
	in_case = false;
}

static void print_result(const struct test_case *test, unsigned number)
{
	if (!running.failures && !running.skip_need && !running.checks) {
		struct failure *failure = new_failure("", 0);
		struct text message = TEXT(failure->message);

		text_add(&message, "the case checked nothing");
		running.failures++;
	}
	if (running.failures) {
		failed++;
		printf("not ok %u - %s\n", number, test->name);
		print_diagnostics(test);
	} else if (running.skip_need) {
		skipped++;
		printf("ok %u - %s # SKIP needs %s: %s\n", number, test->name, running.skip_need,
		       running.skip_reason);
	} else {
		passed++;
		printf("ok %u - %s\n", number, test->name);
	}
	all_checks += running.checks;
	printf("# checks %llu\n", (unsigned long long)running.checks);
}

static void run_case(const struct test_case *test, unsigned number, bool avoided)
{
	char missing[32], reason[96];
	struct text missing_text = TEXT(missing), reason_text = TEXT(reason);

	running = (struct running){0};
	expectations_reset();
	printf("# begin %s\n", test->name);
	if (avoided) {
		running.skip_need = "survival";
		running.skip_reason = "known to bring this hypervisor down, see its adapter";
	} else if (needs_are_met(test->needs, &missing_text, &reason_text)) {
		state_save();
		run_guarded(test);
		state_restore();
	} else {
		running.skip_need = missing;
		running.skip_reason = reason;
	}
	print_result(test, number);
}

static void print_header(const struct run_options *options)
{
	printf("# shadowbox image=%s boot=%s cpu=\"%s\" vendor=%s hypervisor=\"%s\" maxphyaddr=%u "
	       "levels=%u seed=%llu resume=%u\n",
	       image_name, options->boot, cpu_brand(), cpu_vendor(), hypervisor_vendor(),
	       maxphyaddr(), linear_levels(), (unsigned long long)options->seed, options->resume);
}

int run_cases(const struct run_options *options)
{
	unsigned number = 0, planned = count_selected(options->cases);

	seed = options->seed;
	permits = options->permits;
	set_unexpected_exception_handler(unexpected_exception);
	set_out_of_frames_handler(fail_for_memory);
	print_header(options);
	if (!planned) {
		printf("1..0 # SKIP no case matches\n");
		printf("# end passed=0 failed=0 skipped=0 checks=0\n");
		return EXIT_SKIPPED;
	}
	printf("1..%u\n", planned);
	for (const struct test_case *test = _cases; test < _cases_end; test++)
		if (is_selected(test, options->cases) && ++number > options->resume)
			run_case(test, number, matches_list(options->avoided, test->name));
	printf("# end passed=%u failed=%u skipped=%u checks=%llu\n", passed, failed, skipped,
	       (unsigned long long)all_checks);
	if (failed)
		return EXIT_FAILED;
	return passed ? EXIT_PASSED : EXIT_SKIPPED;
}
