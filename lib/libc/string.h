/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The part of <string.h> that images use, with the standard's meanings, and a glob.
 */
#ifndef LIBC_STRING_H
#define LIBC_STRING_H

#include <stdbool.h>
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/* Whether `text` matches `pattern`, in which * stands for any run of characters and ? for one. */
bool glob_matches(const char *pattern, const char *text);

/* The next word of `*cursor`, blanks skipped, copied into `word` (cut at `size` - 1); false at the
 * end. */
bool next_word(const char **cursor, char *word, size_t size);

/* The same for a list with commas, whose items may be empty. */
bool next_item(const char **cursor, char *item, size_t size);

/* A number in decimal or 0x hexadecimal; false, with *value untouched, when `s` is not one. */
bool parse_number(const char *s, unsigned long long *value);

#endif
