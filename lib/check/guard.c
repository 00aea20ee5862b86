/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Around one case: where it comes back to when it is left early.
 */
#include "check/running.h"

static void *case_context[5];

_Noreturn void leave_case(void)
{
	__builtin_longjmp(case_context, 1);
}

void run_guarded(const struct test_case *test)
{
	if (__builtin_setjmp(case_context) == 0) {
		running.entered = true;
		test->run();
	}
	running.entered = false;
}
