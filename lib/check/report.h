/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The report on the console (docs/report.md), and how a case's checks end up in it.
 */
#ifndef CHECK_REPORT_H
#define CHECK_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "check/case.h"
#include "libc/text.h"

/* What a failure says; empty parts are left out. */
struct failure {
	const char *file;
	int line;
	char message[256], combination[512], access[160], walk[2048], expected[512], observed[1024];
	char backtrace[256];
};

/* Counts a comparison; call it once for each thing that could have been wrong. */
void count_check(void);
void count_checks(unsigned count);

/* The description to fill in for a failed check; the first of a case is printed whole, of later
 * ones the message and the access of a few. report_failure() ends the case when it has failed very
 * often. */
struct failure *new_failure(const char *file, int line);
void report_failure(struct failure *failure);

/* From here on a failure of the running case says that CPUID and the processor disagree about a
 * feature (P30), which is no defect of an MMU: the runner counts it apart. */
void failures_are_model_mismatches(void);

/* How many combinations of its axes the running case has tried, of how many that this machine
 * offers; for the report. */
void count_combinations(uint64_t tried, uint64_t offered);

/* Whether the command line asks for a single combination of the running case (case=NAME#NUMBER). */
bool combination_is_asked(uint64_t *number);

/* Ends the running case at once, as failed; for use where it cannot go on. */
_Noreturn void end_case_failed(const char *why);

/* A word to the reader, without a verdict. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the running case as skipped: for needs that only show while it runs. */
_Noreturn void end_case_skipped(const char *need, const char *reason);

/* A sign of life from a long case, for the runner's silence limit; call it as often as you like, it
 * prints once in some seconds. */
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
