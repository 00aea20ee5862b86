/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What attempt.S works with; the offsets stand there by name. Outside of the access room only for
 * tests that make millions of attempts and prepare them beforehand; everybody else calls attempt().
 */
#ifndef ACCESS_ATTEMPT_H
#define ACCESS_ATTEMPT_H

#include "access/access.h"

struct attempt {
	uint64_t entry, operand, done, readable, rflags, user_rsp;
	uint32_t code_segment, stack_segment;  /* of another mode; 0 for this one */
	uint64_t value[2];		       /* written, then what was read */
	uint64_t vector, error_code, cr2, rip; /* what happened */
	uint64_t expected_rip;		       /* of the instruction that makes the access */
};

_Static_assert(__builtin_offsetof(struct attempt, code_segment) == 48, "as in attempt.S");
_Static_assert(__builtin_offsetof(struct attempt, value) == 56, "as in attempt.S");
_Static_assert(__builtin_offsetof(struct attempt, rip) == 96, "as in attempt.S");

struct code {
	uint64_t entry, touch;
};

extern uint64_t access_readable[2];

/* All that attempt_run() needs for an access in the image's own mode. For the same access elsewhere
 * change `operand`, and for a fetch `expected_rip`; value[0] is to be set before each run. Not for
 * instructions that use XMM0. */
struct attempt prepare_attempt(const struct access *access);
void attempt_run(struct attempt *attempt);

/* attempt_run() as attempt() has it: counted, and by the hook in its place. `access` is what was
 * prepared, at its present address. */
void attempt_prepared(struct attempt *attempt, struct access access);
struct outcome attempt_outcome(const struct attempt *attempt);

/* Runs it, by one of the attempt_run functions, from a 32-bit code segment; returns the RIP that a
 * fault of the access has. 64-bit images only. */
uint64_t attempt_in_compatibility_mode(void (*run)(struct attempt *attempt),
				       struct attempt *attempt, const struct access *access);

#endif
