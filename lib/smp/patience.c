/* SPDX-License-Identifier: BSD-2-Clause */
#include "smp/patience.h"
#include "cpu/io.h"

#include "cpu/control.h"
#include "cpu/features.h"
#include "cpu/sabotage.h"

#define LONGEST_WAIT_MS	  10000
#define TICKS_PER_MS	  3000000ull
#define INTERPRETED_TICKS 10000ull /* in the place of TICKS_PER_MS */
#define PROBES		  16
#define TURNS_PER_PAUSE	  32
#define TURNS_PER_LOOK	  256
#define LEAST_TURNS	  (1u << 20) /* a waiter that gets no host CPU has waited for nobody */

/* CPUID takes a processor or a hypervisor hundreds of ticks. */
static bool tsc_counts_instructions(void)
{
	uint64_t start = read_tsc();

	for (unsigned i = 0; i < PROBES; i++)
		cpuid(0, 0);
	return read_tsc() - start < PROBES * 40;
}

uint64_t milliseconds(unsigned count)
{
	static uint64_t per_ms;

	if (!per_ms)
		per_ms = tsc_counts_instructions() ? INTERPRETED_TICKS : TICKS_PER_MS;
	return count * per_ms;
}

uint64_t time_to_try(unsigned milliseconds_otherwise)
{
	return milliseconds(milliseconds_otherwise) / (sabotage_is_played() ? 8 : 1);
}

struct patience patience_start(void)
{
	return (struct patience){read_tsc(), 0};
}

bool patience_left(struct patience *patience)
{
	if (++patience->turns % TURNS_PER_PAUSE)
		return true;
	pause();
	if (patience->turns % TURNS_PER_LOOK)
		return true;
	return patience->turns < LEAST_TURNS ||
	       read_tsc() - patience->start < milliseconds(LONGEST_WAIT_MS);
}
