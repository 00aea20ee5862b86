/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Litmus tests: short programs that several processors run at about the same time, many times over,
 * each time on memory of its own; what they saw is counted, and judged. A processor that comes late
 * is waited for only a while, so that what is seen, never what is judged, depends on the host.
 */
#ifndef SMP_LITMUS_H
#define SMP_LITMUS_H

#include <stdint.h>

#include "mem/address.h"
#include "paging/space.h"

#define LITMUS_INSTANCES  64 /* run one after the other, between barriers */
#define LITMUS_PROCESSORS 4
#define LITMUS_SEEN	  4

/* LITMUS_RELAXED: permitted, but not if one access was made after the other. */
enum litmus_verdict { LITMUS_PLAIN, LITMUS_RELAXED, LITMUS_FORBIDDEN };

/* One processor's part in one instance. It stores what it saw to places in `seen` that no other
 * processor stores to; they are 0 before. */
typedef void litmus_program(unsigned self, unsigned instance, uint64_t *seen);

struct litmus {
	const char *name;
	const char *seen[LITMUS_SEEN];		    /* what the words are called; NULL: unused */
	litmus_program *program[LITMUS_PROCESSORS]; /* of each processor; NULL: not so many */
	litmus_program *prepare;		    /* on processor 0, while the others wait */
	litmus_program *use;  /* or NULL: on each, after it has forgotten all translations */
	litmus_program *look; /* or NULL: on processor 0, when all programs have ended */
	enum litmus_verdict (*judge)(const uint64_t *seen);
};

/* Runs it a short while, or an equal part of run_seconds() for each of the `runs` that the case
 * makes; reports what was seen as a note, and what is forbidden as failed checks. The processors
 * must have been started. */
void litmus_run(const struct litmus *litmus, unsigned runs);

/* For programs: some time, not always the same, in which the others get on. PAUSE is made now and
 * then, since it lets the others run where all share a host CPU. */
void litmus_linger(unsigned self);

/* Entries of one paging structure side by side, and the linear addresses that they translate. */
struct litmus_window {
	linear_t first;
	uint64_t step;		    /* bytes between linear addresses */
	volatile uint64_t *entries; /* all 512, by the identity map; 0 at first */
};

/* A structure of this level (PT, PD) that nothing else uses. */
struct litmus_window litmus_window(enum level level);

static inline volatile uint64_t *litmus_word(const struct litmus_window *window, unsigned index)
{
	return (volatile uint64_t *)(uintptr_t)linear_plus(window->first, index * window->step)
		.value;
}

#endif
