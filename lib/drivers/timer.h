/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Time: how fast the TSC counts.
 */
#ifndef DRIVERS_TIMER_H
#define DRIVERS_TIMER_H

#include <stdint.h>

/* TSC ticks in a second of the machine's own time: measured with the interval timer,
 * or else as CPUID tells, or else a guess. Takes 20 ms at the first call. */
uint64_t tsc_per_second(void);

#endif
