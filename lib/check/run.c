/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The loop over the cases: plan, selection, needs, verdicts, and state put back after each.
 */
#include "check/run.h"

#include "check/expect.h"
#include "check/needs.h"
#include "check/running.h"
#include "check/state.h"
#include "cpu/features.h"
#include "drivers/power.h"

extern const struct test_case _cases[], _cases_end[];

static unsigned passed, failed, skipped;
static uint64_t all_checks;

static bool is_to_run(const struct test_case *test)
{
	return is_selected(test->name) && !is_omitted((unsigned)(test - _cases));
}

static unsigned count_selected(void)
{
	unsigned count = 0;

	for (const struct test_case *test = _cases; test < _cases_end; test++)
		count += is_to_run(test);
	return count;
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
	if (running.offered)
		printf("# combinations %llu of %llu\n", (unsigned long long)running.tried,
		       (unsigned long long)running.offered);
	if (sabotage_is_played())
		printf("# asked %s\n", running.sabotages);
	if (running.asked && !running.skip_need)
		note("%s has no combinations: all of it ran", test->name);
}

static void run_case(const struct test_case *test, unsigned number)
{
	char missing[32], reason[96];
	uint64_t combination;
	struct text missing_text = TEXT(missing), reason_text = TEXT(reason);

	running = (struct running){.name = test->name};
	running.asked = asked_combination(test->name, &combination);
	expectations_reset();
	printf("# begin %s\n", test->name);
	if (is_avoided(test->name)) {
		running.skip_need = "survival";
		running.skip_reason = "known to bring this hypervisor down, see its adapter";
	} else if (needs_are_met(test->needs, &missing_text, &reason_text)) {
		state_save();
		forget_asked();
		run_guarded(test);
		print_asked(running.sabotages);
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
	unsigned number = 0, planned;

	set_options(options);
	catch_unexpected();
	print_header(options);
	planned = count_selected();
	if (!planned) {
		printf("1..0 # SKIP no case matches\n");
		printf("# end passed=0 failed=0 skipped=0 checks=0\n");
		return EXIT_SKIPPED;
	}
	printf("1..%u\n", planned);
	for (const struct test_case *test = _cases; test < _cases_end; test++)
		if (is_to_run(test) && ++number > options->resume)
			run_case(test, number);
	printf("# end passed=%u failed=%u skipped=%u checks=%llu\n", passed, failed, skipped,
	       (unsigned long long)all_checks);
	if (failed)
		return EXIT_FAILED;
	return passed ? EXIT_PASSED : EXIT_SKIPPED;
}
