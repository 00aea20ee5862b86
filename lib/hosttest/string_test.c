/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/libc/string.c by the standard's definitions. Operands end where their allocation ends, so
 * that the sanitized build sees one byte too many.
 */
#include "hosttest/expect.h"
#include "libc/string.h"

#define LONGEST 40

static void fill(unsigned char *bytes, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		bytes[i] = (unsigned char)(i * 7 + 1);
}

HOST_TEST(memmove_copies_every_overlap)
{
	unsigned char buffer[LONGEST], original[LONGEST];

	for (unsigned from = 0; from < LONGEST; from++) {
		for (unsigned to = 0; to < LONGEST; to++) {
			unsigned bytes = LONGEST - (from > to ? from : to);
			bool right = true;

			fill(buffer, LONGEST);
			fill(original, LONGEST);
			expect_that(memmove(buffer + to, buffer + from, bytes) == buffer + to);
			for (unsigned i = 0; i < LONGEST; i++) {
				bool moved = i >= to && i < to + bytes;

				right &= buffer[i] == original[moved ? i - to + from : i];
			}
			expect_that(right);
		}
	}
}

HOST_TEST(memcpy_and_memset_touch_their_bytes_alone)
{
	for (unsigned bytes = 0; bytes < LONGEST; bytes++) {
		unsigned char from[LONGEST], to[LONGEST + 2] = {0};
		bool right = true;

		fill(from, LONGEST);
		expect_that(memcpy(to + 1, from, bytes) == to + 1);
		for (unsigned i = 0; i < LONGEST + 2; i++)
			right &= to[i] == (i >= 1 && i <= bytes ? from[i - 1] : 0);
		expect_that(memset(to + 1, 0x1a5, bytes) == to + 1);
		for (unsigned i = 0; i < LONGEST + 2; i++)
			right &= to[i] == (i >= 1 && i <= bytes ? 0xa5 : 0);
		expect_that(right);
	}
}

HOST_TEST(memcmp_compares_unsigned_bytes)
{
	expect_that(memcmp("\x7f", "\x80", 1) < 0);
	expect_that(memcmp("\xff", "\x01", 1) > 0);
	expect_that(memcmp("abc", "abd", 2) == 0);
	expect_that(memcmp("abc", "abd", 3) < 0);
	expect_that(memcmp("a\0b", "a\0c", 3) < 0);
	expect_that(memcmp("x", "y", 0) == 0);
}

HOST_TEST(strings_compare_as_the_standard_says)
{
	expect_equal(strlen(""), 0);
	expect_equal(strlen("four"), 4);
	expect_that(strcmp("", "") == 0);
	expect_that(strcmp("a", "") > 0);
	expect_that(strcmp("", "a") < 0);
	expect_that(strcmp("abc", "abd") < 0);
	expect_that(strcmp("a\x80", "a\x7f") > 0);
	expect_that(strncmp("abc", "abd", 2) == 0);
	expect_that(strncmp("abc", "abd", 3) < 0);
	expect_that(strncmp("ab", "abc", 3) < 0);
	expect_that(strncmp("a", "b", 0) == 0);
}

HOST_TEST(strchr_finds_the_first_and_the_end)
{
	const char *s = "abcabc";

	expect_that(strchr(s, 'b') == s + 1);
	expect_that(strchr(s, 'x') == NULL);
	expect_that(strchr(s, '\0') == s + 6);
	expect_that(strchr("", 'a') == NULL);
}

/* One byte behind the last is not ours. */
HOST_TEST(strings_are_not_read_beyond_their_end)
{
	char *s = host_allocate(4), *t = host_allocate(4);
	char word[4];
	const char *cursor = s;
	unsigned long long number;

	memcpy(s, "a*1", 4);
	memcpy(t, "ab1", 4);
	expect_equal(strlen(s), 3);
	expect_that(strcmp(s, t) < 0);
	expect_that(strchr(s, 'z') == NULL);
	expect_that(glob_matches(s, t));
	expect_that(next_word(&cursor, word, sizeof(word)));
	expect_that(!next_word(&cursor, word, sizeof(word)));
	expect_that(!parse_number(t, &number));
	host_free(s);
	host_free(t);
}

/* What a glob means, said as plainly as possible. */
static bool plainly_matches(const char *pattern, const char *text)
{
	if (!*pattern)
		return !*text;
	if (*pattern == '*')
		return plainly_matches(pattern + 1, text) ||
		       (*text && plainly_matches(pattern, text + 1));
	return *text && (*pattern == '?' || *pattern == *text) &&
	       plainly_matches(pattern + 1, text + 1);
}

/* The `number`-th word over an alphabet, up to 5 letters. */
static void word_number(char *word, unsigned number, const char *alphabet, unsigned letters)
{
	for (; number; number = (number - 1) / letters)
		*word++ = alphabet[(number - 1) % letters];
	*word = '\0';
}

HOST_TEST(globs_match_what_they_mean)
{
	char pattern[8], text[8];

	for (unsigned i = 0; i < 1365; i++) {
		word_number(pattern, i, "ab*?", 4);
		for (unsigned j = 0; j < 63; j++) {
			word_number(text, j, "ab", 2);
			expect_that(glob_matches(pattern, text) == plainly_matches(pattern, text));
		}
	}
	expect_that(glob_matches("*_page", "drops_a_4_kbyte_page"));
	expect_that(!glob_matches("page", "a_page"));
}

HOST_TEST(words_are_split_at_blanks_and_cut)
{
	const char *cursor = "  one\ttwo   threefour ";
	char word[6];

	expect_that(next_word(&cursor, word, sizeof(word)));
	expect_text(word, "one");
	expect_that(next_word(&cursor, word, sizeof(word)));
	expect_text(word, "two");
	expect_that(next_word(&cursor, word, sizeof(word)));
	expect_text(word, "three");
	expect_that(!next_word(&cursor, word, sizeof(word)));
	expect_text(word, "");
}

HOST_TEST(numbers_are_decimal_or_0x)
{
	static const char *const none[] = {"", "0x", "1a", "0xg", " 1", "-1", "1 ", "x1"};
	unsigned long long value = 77;

	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		expect_that(!parse_number(none[i], &value));
	expect_equal(value, 77);
	expect_that(parse_number("0", &value) && value == 0);
	expect_that(parse_number("1234567890123", &value) && value == 1234567890123);
	expect_that(parse_number("0xfFfFfFfFfFfFfFfF", &value) && value == ~0ull);
	expect_that(parse_number("18446744073709551615", &value) && value == ~0ull);
}
