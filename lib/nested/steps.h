/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Several accesses of L2 within one VM entry.
 *
 * Many processors and hypervisors drop translations at VM entries and exits. What L2 itself caches
 * and drops only shows between them: here L2 goes from one instruction of access/instructions.S to
 * the next by a list in its memory.
 */
#ifndef NESTED_STEPS_H
#define NESTED_STEPS_H

#include "nested/nested.h"

#define MOST_STEPS 16

struct l2_run {
	unsigned done;		    /* steps that completed */
	uint64_t value[MOST_STEPS]; /* what each of them read; of a fetch, the frame's tag */
	struct l2_outcome end;	    /* of the first step that did not; after all, NO_VECTOR */
};

/* Makes up to MOST_STEPS accesses one after the other, until one of them does not complete. All are
 * at the privilege level and with the EFLAGS.AC of the first; operands have 8 bytes at most. For L2
 * in 64-bit mode. The first call maps a page for the list: call it before translations matter. */
void l2_run_steps(struct l2 *l2, const struct access *steps, unsigned count, struct l2_run *run);

/* The same as the machine does it, whatever hypervisor with a bug is played. */
void l2_run_steps_rightly(struct l2 *l2, const struct access *steps, unsigned count,
			  struct l2_run *run);

#endif
