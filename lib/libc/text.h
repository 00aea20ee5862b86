/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Building text in a fixed buffer, and printing. Rooms that know a thing (an entry, an error code,
 * a walk) append its description to a `struct text`, so that the console and a failure's
 * diagnostics use the same words.
 */
#ifndef LIBC_TEXT_H
#define LIBC_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
	char *at;
	size_t size;   /* bytes at `at`, the final NUL included */
	size_t length; /* never more than size - 1: what does not fit is cut off */
};

/* An empty text in a char array. */
#define TEXT(buffer) ((buffer)[0] = '\0', (struct text){.at = (buffer), .size = sizeof(buffer)})

/* Appends, in printf's manner: %c %s %d %u %x %p, with -, 0, width, *, l, ll and z. */
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_list(struct text *text, const char *format, va_list list)
	__attribute__((format(printf, 2, 0)));

/* Appends `word` with a blank between words. */
void text_word(struct text *text, const char *word);

/* Where printf's characters go; set once by whoever owns the console. */
void set_console(void (*put)(const char *bytes, size_t length));
void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Puts `s` on the console line by line, each behind `indent`. */
void print_indented(const char *indent, const char *s);

#endif
