/* SPDX-License-Identifier: BSD-2-Clause */
#include "libc/string.h"

#include <stdint.h>

/* Emulators take a step for each element: a page is 512 of them, not 4096. */
#ifdef __x86_64__
#define REP_MOVS_WORDS "rep movsq"
#define REP_STOS_WORDS "rep stosq"
#else
#define REP_MOVS_WORDS "rep movsl"
#define REP_STOS_WORDS "rep stosl"
#endif

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	return memmove(to, from, bytes);
}

void *memmove(void *to, const void *from, size_t bytes)
{
	unsigned char *d = to;
	const unsigned char *s = from;

	if ((uintptr_t)d - (uintptr_t)s >= bytes) {
		size_t words = bytes / sizeof(uintptr_t);

		__asm__ volatile(REP_MOVS_WORDS : "+D"(d), "+S"(s), "+c"(words) : : "memory");
		bytes %= sizeof(uintptr_t);
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(bytes) : : "memory");
		return to;
	}
	while (bytes--)
		d[bytes] = s[bytes];
	return to;
}

void *memset(void *to, int byte, size_t bytes)
{
	void *d = to;
	uintptr_t word = ~(uintptr_t)0 / 0xff * (unsigned char)byte;
	size_t words = bytes / sizeof(word);

	__asm__ volatile(REP_STOS_WORDS : "+D"(d), "+c"(words) : "a"(word) : "memory");
	bytes %= sizeof(word);
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(bytes) : "a"(word) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const unsigned char *p = a, *q = b;

	for (; bytes; bytes--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

size_t strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return (size_t)(end - s);
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

bool glob_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			resume = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool next_word(const char **cursor, char *word, size_t size)
{
	const char *s = *cursor;
	size_t length = 0;

	while (*s == ' ' || *s == '\t')
		s++;
	for (; *s && *s != ' ' && *s != '\t'; s++)
		if (length + 1 < size)
			word[length++] = *s;
	word[length] = '\0';
	*cursor = s;
	return length > 0;
}

bool next_item(const char **cursor, char *item, size_t size)
{
	const char *s = *cursor;
	size_t length = 0;

	if (!*s)
		return false;
	for (; *s && *s != ','; s++)
		if (length + 1 < size)
			item[length++] = *s;
	item[length] = '\0';
	*cursor = *s ? s + 1 : s;
	return true;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

bool parse_number(const char *s, unsigned long long *value)
{
	unsigned long long result = 0;
	int base = 10;

	if (s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	if (!*s)
		return false;
	for (; *s; s++) {
		int digit = digit_value(*s);

		if (digit >= base)
			return false;
		result = result * (unsigned)base + (unsigned)digit;
	}
	*value = result;
	return true;
}
