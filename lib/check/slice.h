/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Some of a case's combinations, where trying each would take too long: one of so many, spread
 * evenly, and besides every one that brings two values of two axes together for the first time. So
 * all pairs of values that the whole has are in the slice too. Pure, also built for the host.
 */
#ifndef CHECK_SLICE_H
#define CHECK_SLICE_H

#include "check/axes.h"

#define MOST_SLICE_VALUES 64 /* of an axis, which is all that check/axes.h allows */

struct slice {
	const struct axes *axes;
	unsigned shares;
	uint64_t seen[MOST_AXES][MOST_SLICE_VALUES][MOST_AXES]; /* by axis, value, later axis */
};

/* One of `shares` combinations; 1: all of them. */
void slice_start(struct slice *slice, const struct axes *axes, unsigned shares);

/* Whether the combination of this number is in the slice; ask once for each, in any order. */
bool slice_takes(struct slice *slice, uint64_t number);

#endif
