/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Waiting for another processor, never for ever. Time is the TSC's: some ten seconds where it runs
 * at a processor's usual rate, and some seconds where it counts an interpreter's instructions. A
 * host with a single CPU may run the other processor much later, which is no fault of anybody: on
 * a busy one the waiter does not run either, so it has to have taken many turns, too.
 */
#ifndef SMP_PATIENCE_H
#define SMP_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

struct patience {
	uint64_t start;
	unsigned turns;
};

struct patience patience_start(void);

/* A turn of a loop that waits; false when it has been too long. PAUSE makes a hypervisor run the
 * other processor where both share a host CPU; since some take locks for it, it is not made in
 * every turn. */
bool patience_left(struct patience *patience);

/* The length in TSC ticks of so many thousandths of a second, or of as much work as an interpreter
 * does in about that time. */
uint64_t milliseconds(unsigned count);

/* For how long a case repeats what may go wrong now and then: a part of these milliseconds under a
 * bug that is played (cpu/sabotage.h), which takes many launches. */
uint64_t time_to_try(unsigned milliseconds_otherwise);

#endif
