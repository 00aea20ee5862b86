/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The frame around tests that run on the host: they register themselves, count their checks, and
 * name the place of those that fail. Only expect.c uses the host's library.
 */
#ifndef HOSTTEST_EXPECT_H
#define HOSTTEST_EXPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host_test {
	const char *name;
	void (*run)(void);
	struct host_test *next;
};

/* HOST_TEST(name) { ... }: the name says what holds. */
#define HOST_TEST(name)                                             \
	static void name(void);                                     \
	__attribute__((constructor)) static void add_##name(void)   \
	{                                                           \
		static struct host_test test = {#name, name, NULL}; \
                                                                    \
		add_host_test(&test);                               \
	}                                                           \
	static void name(void)

#define expect_that(condition)                                           \
	do {                                                             \
		host_checks++;                                           \
		if (!(condition))                                        \
			host_fail(__FILE__, __LINE__, "%s", #condition); \
	} while (0)

#define expect_equal(expression, wanted)                                               \
	do {                                                                           \
		uint64_t seen_ = (uint64_t)(expression), wanted_ = (uint64_t)(wanted); \
                                                                                       \
		host_checks++;                                                         \
		if (seen_ != wanted_)                                                  \
			host_fail(__FILE__, __LINE__, "%s is 0x%llx, expected 0x%llx", \
				  #expression, (unsigned long long)seen_,              \
				  (unsigned long long)wanted_);                        \
	} while (0)

#define expect_text(expression, wanted)                                                \
	do {                                                                           \
		const char *string_ = (expression);                                    \
                                                                                       \
		host_checks++;                                                         \
		if (!host_same_text(string_, wanted))                                  \
			host_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", \
				  #expression, string_, wanted);                       \
	} while (0)

extern uint64_t host_checks;

/* Set by --quick, for builds in which every access costs extra: what is exhaustive may then be a
 * sample. */
extern bool host_quick;

/* Called after each printed failure, to say of which combination it is; NULL for none. */
extern void (*host_explain)(void);

void add_host_test(struct host_test *test);
void host_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void host_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The host's own snprintf and strcmp, to compare with; memory that a sanitizer watches. */
int host_format(char *buffer, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool host_same_text(const char *a, const char *b);
void *host_allocate(size_t bytes);
void host_free(void *memory);

#endif
