/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/effort.h"

#include "check/options.h"
#include "check/report.h"
#include "cpu/control.h"
#include "cpu/sabotage.h"
#include "cpu/user.h"
#include "drivers/timer.h"
#include "mem/frames.h"
#include "paging/edit.h"

#define BATCHES		       6
#define EVENTS		       4 /* of a batch; even */
#define IGNORED_BIT	       (1u << 9)
#define GIGA		       1000000000ull
#define AFFORDED	       20000 /* ns: that much is never too dear */
#define A_SHARE		       5000  /* ns */
#define MOST_SHARES_FOR_OTHERS 4     /* as events of other kinds are rarer */

/* The page is the user stack's, which every paging mode has. A shadow pager that keeps tables in
 * step lazily takes note of INVLPG only where the table has changed, so an ignored bit of the PTE
 * does; after an even number of changes it is what it was. */
static uint64_t ticks_of_a_batch(volatile uint32_t *entry)
{
	const linear_t linear = LINEAR(USER_WINDOW + USER_STACK);
	uint64_t start = read_tsc();

	for (unsigned i = 0; i < EVENTS; i++) {
		*entry ^= IGNORED_BIT;
		invalidate(linear, INVLPG);
		(void)*(volatile uint8_t *)(uintptr_t)linear.value;
	}
	return read_tsc() - start;
}

/* The cheapest of some batches: the host may have other things to do during the others. */
static uint64_t ticks_of_an_event(void)
{
	uint64_t least = ~0ull;
	struct walk walk;

	walk_now(&walk, LINEAR(USER_WINDOW + USER_STACK));
	for (unsigned batch = 0; batch < BATCHES; batch++) {
		uint64_t ticks = ticks_of_a_batch(identity(GPA(walk.step[walk.count - 1].address)));

		if (ticks < least)
			least = ticks;
	}
	return least / EVENTS;
}

static unsigned shares_for(uint64_t nanoseconds)
{
	unsigned shares = 1;

	if (nanoseconds < AFFORDED)
		return 1;
	while (shares < MOST_EFFORT_SHARES && nanoseconds / shares > A_SHARE)
		shares *= 2;
	return shares;
}

static unsigned told_shares(uint64_t nanoseconds, unsigned most, const char *what)
{
	unsigned shares = shares_for(nanoseconds);

	if (shares > most)
		shares = most;
	if (shares > 1)
		note("effort 1/%u: %s take %llu us here", shares, what,
		     (unsigned long long)nanoseconds / 1000);
	return shares;
}

unsigned effort_shares(void)
{
	static uint64_t nanoseconds;

	if (run_is_exhaustive())
		return 1;
	if (sabotage_is_played())
		return MOST_EFFORT_SHARES;
	if (!nanoseconds)
		nanoseconds = 1 + ticks_of_an_event() * GIGA / tsc_per_second();
	return told_shares(nanoseconds, MOST_EFFORT_SHARES,
			   "an edit, its invalidation and the next access");
}

unsigned effort_shares_with(void (*event)(void), const char *what)
{
	unsigned shares = effort_shares(), own;
	uint64_t least = ~0ull;

	if (run_is_exhaustive() || sabotage_is_played())
		return shares;
	for (unsigned i = 0; i < EVENTS; i++) {
		uint64_t start = read_tsc(), ticks;

		event();
		ticks = read_tsc() - start;
		if (ticks < least)
			least = ticks;
	}
	own = told_shares(1 + least * GIGA / tsc_per_second(), MOST_SHARES_FOR_OTHERS, what);
	return own > shares ? own : shares;
}

unsigned effort_scaled(unsigned rounds, unsigned least)
{
	unsigned scaled = rounds / effort_shares();

	return scaled < least ? least : scaled;
}
