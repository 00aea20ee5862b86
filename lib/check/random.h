/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reproducible random numbers: a case's sequence depends on the run's seed and on what the case
 * passes, never on the cases before it.
 */
#ifndef CHECK_RANDOM_H
#define CHECK_RANDOM_H

#include "check/options.h"

struct random {
	uint64_t state;
};

static inline uint64_t random_mixed(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Mixed, for the generator only counts: what starts close by is the same stream, a few numbers
 * later. */
static inline struct random random_start(uint64_t salt)
{
	return (struct random){random_mixed(random_mixed(run_seed() + 0x9e3779b97f4a7c15) + salt)};
}

/* SplitMix64. */
static inline uint64_t random_next(struct random *random)
{
	return random_mixed(random->state += 0x9e3779b97f4a7c15);
}

/* 0 to below - 1. */
static inline uint64_t random_below(struct random *random, uint64_t below)
{
	return random_next(random) % below;
}

#endif
