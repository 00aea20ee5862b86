/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/libc/text.c compared with the host's snprintf, and its fixed buffers at their limits.
 */
#include "hosttest/expect.h"
#include "libc/string.h"
#include "libc/text.h"

#define SAME(format, ...)                                                   \
	do {                                                                \
		char ours_[128], theirs_[128];                              \
		struct text made_ = TEXT(ours_);                            \
                                                                            \
		text_add(&made_, format, __VA_ARGS__);                      \
		host_format(theirs_, sizeof(theirs_), format, __VA_ARGS__); \
		expect_text(ours_, theirs_);                                \
		expect_equal(made_.length, strlen(theirs_));                \
	} while (0)

HOST_TEST(numbers_are_formatted_as_the_standard_says)
{
	static const int numbers[] = {
		0, 1, -1, 42, -42, 123456, -123456, 2147483647, -2147483647 - 1};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int n = numbers[i];

		SAME("%d|%5d|%-5d|%05d|%*d", n, n, n, n, 7, n);
		SAME("%u|%12u|%-12u|%012u", (unsigned)n, (unsigned)n, (unsigned)n, (unsigned)n);
		SAME("%x|%10x|%-10x|%010x", (unsigned)n, (unsigned)n, (unsigned)n, (unsigned)n);
		SAME("%ld|%lu|%lx", (long)n, (unsigned long)(long)n, (unsigned long)(long)n);
		SAME("%lld|%llu|%llx", (long long)n, (unsigned long long)n, (unsigned long long)n);
		SAME("%zu|%20zu|%zx", (size_t)n, (size_t)n, (size_t)n);
	}
	SAME("%llu %lld", ~0ull, (long long)(1ull << 63));
	SAME("0x%016llx", 0xfffffull);
}

HOST_TEST(strings_and_characters_are_formatted_as_the_standard_says)
{
	SAME("%s|%8s|%-8s|%2s", "word", "word", "word", "word");
	SAME("%s%s", "", "x");
	SAME("%c|%3c|%-3c|", 'a', 'b', 'c');
	SAME("100%% of %d", 3);
	SAME("%p", (void *)0x1234abcd);
	SAME("plain%s", "");
}

HOST_TEST(what_does_not_fit_is_cut_off)
{
	for (size_t size = 1; size < 12; size++) {
		char *buffer = host_allocate(size);
		struct text text = {.at = buffer, .size = size};

		buffer[0] = '\0';
		text_add(&text, "%s-%d", "abcdef", 12345);
		text_word(&text, "more");
		expect_equal(text.length, size - 1);
		expect_equal(strlen(buffer), size - 1);
		expect_that(!strncmp(buffer, "abcdef-12345", size - 1));
		host_free(buffer);
	}
}

HOST_TEST(words_have_one_blank_between_them)
{
	char buffer[32];
	struct text text = TEXT(buffer);

	text_word(&text, "P");
	text_word(&text, "RW");
	text_add(&text, " ");
	text_word(&text, "US");
	expect_text(buffer, "P RW US");
}

static char printed[4096];
static size_t printed_length;

static void keep(const char *bytes, size_t length)
{
	memcpy(printed + printed_length, bytes, length);
	printed_length += length;
	printed[printed_length] = '\0';
}

static const char *after_printing(const char *indent, const char *s)
{
	printed_length = 0;
	printed[0] = '\0';
	set_console(keep);
	print_indented(indent, s);
	set_console(NULL);
	return printed;
}

HOST_TEST(printing_goes_to_the_console)
{
	printed_length = 0;
	printf("nobody listens %d\n", 1);
	set_console(keep);
	printf("%d and %s\n", 2, "two");
	set_console(NULL);
	expect_text(printed, "2 and two\n");
}

HOST_TEST(each_line_is_indented)
{
	expect_text(after_printing("  ", "one\ntwo"), "  one\n  two\n");
	expect_text(after_printing("> ", "one\n\ntwo\n"), "> one\n> \n> two\n");
	expect_text(after_printing("  ", ""), "");
}

/* A line that fills the whole buffer is cut, and what follows is still printed. */
HOST_TEST(long_lines_are_cut)
{
	static char line[2000];

	memset(line, 'x', sizeof(line) - 1);
	memcpy(line + 1990, "\nend", 5);
	after_printing("  ", line);
	expect_that(printed_length > 1000 && printed_length < 1100);
	expect_text(printed + printed_length - 4, "end\n");
}
