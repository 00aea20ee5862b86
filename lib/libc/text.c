/* SPDX-License-Identifier: BSD-2-Clause */
#include "libc/text.h"

#include <stdint.h>

#include "libc/string.h"

#define LINE_BYTES 1024

static void (*console_put)(const char *bytes, size_t length);

struct conversion {
	bool left, zero;
	int width;
	int longs;
};

static void add_char(struct text *text, char c)
{
	if (text->length + 1 >= text->size)
		return;
	text->at[text->length++] = c;
	text->at[text->length] = '\0';
}

static void add_padded(struct text *text, const char *s, size_t length, struct conversion how)
{
	int padding = how.width > (int)length ? how.width - (int)length : 0;

	if (!how.left)
		for (; padding > 0; padding--)
			add_char(text, how.zero ? '0' : ' ');
	for (size_t i = 0; i < length; i++)
		add_char(text, s[i]);
	for (; padding > 0; padding--)
		add_char(text, ' ');
}

static void add_number(struct text *text, unsigned long long value, unsigned base, bool negative,
		       struct conversion how)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (negative && how.zero) {
		add_char(text, '-'); /* before the zeros */
		how.width--;
	} else if (negative) {
		digits[--at] = '-';
	}
	add_padded(text, digits + at, sizeof(digits) - at, how);
}

static unsigned long long next_unsigned(va_list *list, int longs)
{
	if (longs >= 2)
		return va_arg(*list, unsigned long long);
	if (longs == 1)
		return va_arg(*list, unsigned long);
	return va_arg(*list, unsigned int);
}

static long long next_signed(va_list *list, int longs)
{
	if (longs >= 2)
		return va_arg(*list, long long);
	if (longs == 1)
		return va_arg(*list, long);
	return va_arg(*list, int);
}

static const char *parse_conversion(const char *format, va_list *list, struct conversion *how)
{
	for (;; format++) {
		if (*format == '-')
			how->left = true;
		else if (*format == '0')
			how->zero = true;
		else
			break;
	}
	if (*format == '*') {
		how->width = va_arg(*list, int);
		format++;
	}
	for (; *format >= '0' && *format <= '9'; format++)
		how->width = how->width * 10 + (*format - '0');
	for (; *format == 'l' || *format == 'z'; format++)
		how->longs++;
	return format;
}

static void add_conversion(struct text *text, char conversion, va_list *list, struct conversion how)
{
	long long number;
	const char *s;
	char c;

	switch (conversion) {
	case 'd':
		number = next_signed(list, how.longs);
		add_number(text,
			   number < 0 ? -(unsigned long long)number : (unsigned long long)number,
			   10, number < 0, how);
		break;
	case 'u':
		add_number(text, next_unsigned(list, how.longs), 10, false, how);
		break;
	case 'x':
		add_number(text, next_unsigned(list, how.longs), 16, false, how);
		break;
	case 'p':
		add_char(text, '0');
		add_char(text, 'x');
		add_number(text, (uintptr_t)va_arg(*list, void *), 16, false, how);
		break;
	case 'c':
		c = (char)va_arg(*list, int);
		add_padded(text, &c, 1, how);
		break;
	case 's':
		s = va_arg(*list, const char *);
		add_padded(text, s, strlen(s), how);
		break;
	default:
		add_char(text, conversion);
	}
}

void text_add_list(struct text *text, const char *format, va_list list)
{
	va_list arguments;

	va_copy(arguments, list);
	for (; *format; format++) {
		struct conversion how = {0};

		if (*format != '%') {
			add_char(text, *format);
			continue;
		}
		format = parse_conversion(format + 1, &arguments, &how);
		if (!*format)
			break;
		add_conversion(text, *format, &arguments, how);
	}
	va_end(arguments);
}

void text_add(struct text *text, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	text_add_list(text, format, list);
	va_end(list);
}

void text_word(struct text *text, const char *word)
{
	if (text->length && text->at[text->length - 1] != ' ')
		add_char(text, ' ');
	text_add(text, "%s", word);
}

void set_console(void (*put)(const char *bytes, size_t length))
{
	console_put = put;
}

void printf(const char *format, ...)
{
	char buffer[LINE_BYTES];
	struct text text = TEXT(buffer);
	va_list list;

	va_start(list, format);
	text_add_list(&text, format, list);
	va_end(list);
	if (console_put)
		console_put(buffer, text.length);
}

void print_indented(const char *indent, const char *s)
{
	while (*s) {
		const char *end = strchr(s, '\n');
		size_t length = end ? (size_t)(end - s) : strlen(s);
		char line[LINE_BYTES];
		struct text text = TEXT(line);

		for (size_t i = 0; i < length; i++)
			add_char(&text, s[i]);
		line[text.length] = '\0';
		printf("%s%s\n", indent, line);
		s += length + (end ? 1 : 0);
	}
}
