/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the check room: the accesses of walks, ready to run (check/walk_axes.h has their order).
 */
#ifndef CHECK_WALK_WAYS_H
#define CHECK_WALK_WAYS_H

#include "access/attempt.h"
#include "check/walk_axes.h"

/* What RAX holds before each access, and what is written. */
#define WALK_VALUE (sizeof(void *) == 8 ? 0x5ca1ab1e0ddba11full : 0x0ddba11full)

enum walk_operation { READ, WRITE, FETCH, NOT, NEGATE };

/* One of the ways to access, ready to run. */
struct way {
	struct access access;
	struct attempt attempt;
	enum walk_operation operation;
	unsigned shift; /* bits from the word's beginning */
	uint64_t mask;	/* of the operand, shifted */
};

struct way make_way(unsigned access);

/* What memory holds after the access to this word has completed. */
uint64_t word_after(const struct way *way, uint64_t word);

#endif
