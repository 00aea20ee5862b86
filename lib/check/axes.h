/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Combinations of things that vary. An axis has some values; the combinations of all axes' values
 * are numbered from 0 on, the last axis fastest. A number depends on the declared axes alone, never
 * on the machine: values that a machine does not offer are marked missing, and the numbers of the
 * others stay what they are. Pure, also built for the host.
 */
#ifndef CHECK_AXES_H
#define CHECK_AXES_H

#include <stdbool.h>
#include <stdint.h>

#include "libc/text.h"

#define MOST_AXES 12

struct axis {
	const char *name;
	unsigned values;	   /* at most 64 */
	uint64_t missing;	   /* bit n: this machine does not offer the nth value */
	const char *const *spoken; /* the values' names; NULL: they are shown as numbers */
};

struct axes {
	unsigned count;
	struct axis axis[MOST_AXES];
};

void add_axis(struct axes *axes, struct axis axis);

/* How many combinations there are by their numbers, and of these how many this machine offers. */
uint64_t numbered_combinations(const struct axes *axes);
uint64_t offered_combinations(const struct axes *axes);

/* Between a combination's number and the value of each axis, in the axes' order. */
uint64_t combination_number(const struct axes *axes, const unsigned char value[]);
void combination_values(const struct axes *axes, uint64_t number, unsigned char value[]);

/* Whether this machine offers all of its values. */
bool combination_is_offered(const struct axes *axes, const unsigned char value[]);

/* Appends "WP 1, SMEP 0, PDE US XD, ...". */
void text_combination(struct text *text, const struct axes *axes, const unsigned char value[]);

#endif
