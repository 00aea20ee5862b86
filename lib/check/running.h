/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the check room: the case that is running.
 */
#ifndef CHECK_RUNNING_H
#define CHECK_RUNNING_H

#include <stdbool.h>
#include <stdint.h>

#include "check/case.h"
#include "cpu/sabotage.h"

struct running {
	const char *name;
	bool entered;		 /* from the case's first instruction to its last */
	bool asked;		 /* for one combination, but nobody has looked at that yet */
	uint64_t tried, offered; /* combinations */
	uint64_t checks;
	unsigned failures, others;
	const char *skip_need, *skip_reason;
	bool model_mismatch;
	char other_text[1024];
	char sabotages[ASKED_DIGITS + 1]; /* that would have made a difference */
};

extern struct running running;

/* Before the first case: exceptions and a lack of memory end the case from now on. */
void catch_unexpected(void);

/* Runs the case and comes back, by its return or by leave_case(). No local variable of the caller
 * lives across that jump: it must not be inlined. */
void run_guarded(const struct test_case *test) __attribute__((noinline));

/* Back to the loop over the cases. */
_Noreturn void leave_case(void);

void print_diagnostics(const struct test_case *test);

#endif
