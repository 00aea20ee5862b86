/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the access room: what attempt.S works with; the offsets stand there by name.
 */
#ifndef ACCESS_ATTEMPT_H
#define ACCESS_ATTEMPT_H

#include "access/access.h"

struct attempt {
	uint64_t entry, operand, done, readable, rflags, user_rsp;
	uint32_t code_segment, stack_segment; /* of another mode; 0 for this one */
	uint64_t value[2];
	uint64_t vector, error_code, cr2, rip;
};

_Static_assert(__builtin_offsetof(struct attempt, code_segment) == 48, "as in attempt.S");
_Static_assert(__builtin_offsetof(struct attempt, value) == 56, "as in attempt.S");
_Static_assert(__builtin_offsetof(struct attempt, rip) == 96, "as in attempt.S");

struct code {
	uint64_t entry, touch;
};

extern uint64_t access_readable[2];

void attempt_run(struct attempt *attempt);

/* Runs it, by one of the attempt_run functions, from a 32-bit code segment; returns the RIP that a
 * fault of the access has. 64-bit images only. */
uint64_t attempt_in_compatibility_mode(void (*run)(struct attempt *attempt),
				       struct attempt *attempt, const struct access *access);

#endif
