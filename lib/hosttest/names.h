/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Included before everything else (-include) in what is built for the host, except expect.c: the
 * images' functions with standard names get symbols of their own, so that they stand beside the
 * host's.
 */
#ifndef HOSTTEST_NAMES_H
#define HOSTTEST_NAMES_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) __asm__("image_memcpy");
void *memmove(void *to, const void *from, size_t bytes) __asm__("image_memmove");
void *memset(void *to, int byte, size_t bytes) __asm__("image_memset");
int memcmp(const void *a, const void *b, size_t bytes) __asm__("image_memcmp");
size_t strlen(const char *s) __asm__("image_strlen");
int strcmp(const char *a, const char *b) __asm__("image_strcmp");
int strncmp(const char *a, const char *b, size_t n) __asm__("image_strncmp");
char *strchr(const char *s, int c) __asm__("image_strchr");
void printf(const char *format, ...) __asm__("image_printf");

#endif
