/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How a test image declares itself and its cases. Everything is also kept as text in the ELF
 * section .shadowbox, so that the runner can list cases without booting anything (docs/report.md).
 */
#ifndef CHECK_CASE_H
#define CHECK_CASE_H

struct test_case {
	const char *name;
	const char *promise; /* what the manual promises, in one line */
	const char *manual;  /* its section, by title */
	const char *needs;   /* words of cpu/features.def and check/needs.c; "" for none */
	void (*run)(void);
};

#define CASE_TEXT_(text)   #text
#define CASE_STRING_(text) CASE_TEXT_(text)
/* The line makes the order of the source the order in the file, which compilers do not keep. */
#define LISTED_(name, ...)                                                                         \
	static const char name[]                                                                   \
		__attribute__((section(".shadowbox." CASE_STRING_(__LINE__)), used, aligned(1))) = \
			__VA_ARGS__

/* Once per image: its name and one line on its subject. */
#define SUBJECT(name, summary)                                  \
	LISTED_(listed_subject, "@image\0" #name "\0" summary); \
	const char image_name[] = #name

/* Once in an image that is built with -m32; all others are 64-bit ones. The Makefile looks for it.
 */
#define BUILT_FOR_32BIT _Static_assert(sizeof(void *) == 4, "an image for 32-bit modes")

/* TEST(name, promise, manual's section, needs) { ... }; the strings are literals, the name is a
 * promise in the present tense. */
#define TEST(name, promise_text, manual_text, needs_text)                                         \
	static void name(void);                                                                   \
	LISTED_(listed_##name, "@case\0" #name "\0" promise_text "\0" manual_text "\0" needs_text \
			       "\0" __FILE__ ":" CASE_STRING_(__LINE__));                         \
	static const struct test_case case_##name __attribute__((                                 \
		section(".cases." CASE_STRING_(__LINE__)), used, aligned(sizeof(void *)))) = {    \
		#name, promise_text, manual_text, needs_text, name};                              \
	static void name(void)

extern const char image_name[];

#endif
