/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Usage: tests [--quick] [--first] [NAME...]. --first ends at the first failure. The last line
 * counts: "host tests: N passed, N failed, N skipped (N checks)".
 */
#include "hosttest/expect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRINTED_FAILURES 5

uint64_t host_checks;
bool host_quick;
void (*host_explain)(void);

static struct host_test *first_test, **next_test = &first_test;
static uint64_t failures_of_test;
static bool stop_at_first;

void add_host_test(struct host_test *test)
{
	*next_test = test;
	next_test = &test->next;
}

void host_print(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vprintf(format, list);
	va_end(list);
}

void host_fail(const char *file, int line, const char *format, ...)
{
	va_list list;

	if (++failures_of_test > PRINTED_FAILURES)
		return;
	printf("  %s:%d: ", file, line);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf("\n");
	if (host_explain)
		host_explain();
	if (stop_at_first)
		exit(1);
}

int host_format(char *buffer, size_t size, const char *format, ...)
{
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(buffer, size, format, list);
	va_end(list);
	return length;
}

bool host_same_text(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

void *host_allocate(size_t bytes)
{
	void *memory = malloc(bytes ? bytes : 1);

	if (!memory)
		abort();
	return memory;
}

void host_free(void *memory)
{
	free(memory);
}

/* Whether the test passed; one without checks proves nothing. */
static bool run_test(const struct host_test *test)
{
	uint64_t before = host_checks;

	failures_of_test = 0;
	host_explain = NULL;
	test->run();
	if (host_checks == before) {
		printf("FAILED %s: it checked nothing\n", test->name);
		return false;
	}
	if (failures_of_test)
		printf("FAILED %s: %llu of %llu checks\n", test->name,
		       (unsigned long long)failures_of_test,
		       (unsigned long long)(host_checks - before));
	return !failures_of_test;
}

static bool is_wanted(const struct host_test *test, int count, char **names)
{
	bool any = false;

	for (int i = 1; i < count; i++) {
		if (names[i][0] == '-')
			continue;
		if (!strcmp(names[i], test->name))
			return true;
		any = true;
	}
	return !any;
}

int main(int count, char **arguments)
{
	unsigned passed = 0, failed = 0;

	for (int i = 1; i < count; i++) {
		if (!strcmp(arguments[i], "--quick"))
			host_quick = true;
		else if (!strcmp(arguments[i], "--first"))
			stop_at_first = true;
	}
	for (struct host_test *test = first_test; test; test = test->next)
		if (is_wanted(test, count, arguments))
			run_test(test) ? passed++ : failed++;
	printf("host tests: %u passed, %u failed, 0 skipped (%llu checks)\n", passed, failed,
	       (unsigned long long)host_checks);
	return failed || !passed;
}
