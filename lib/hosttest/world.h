/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Paging structures to ask the model about: a few frames, so few that random entries make them
 * alias, point at themselves and serve at several levels at once.
 */
#ifndef HOSTTEST_WORLD_H
#define HOSTTEST_WORLD_H

#include "hosttest/naive.h"
#include "model/model.h"

#define WORLD_BASE   0x0000000765432000ull /* of the first frame */
#define WORLD_FRAMES 6

struct world {
	uint64_t frame[WORLD_FRAMES][512];
	uint64_t random;
};

/* SplitMix64. */
uint64_t world_random(struct world *world);
uint64_t world_random_below(struct world *world, uint64_t below);

/* Reads an entry of a frame; elsewhere every address has arbitrary content of its own. */
uint64_t read_world(const void *memory, uint64_t address);

static inline uint64_t world_frame(unsigned number)
{
	return WORLD_BASE + number * 4096ull;
}

/* A processor and an access with everything at random; linear addresses use few indexes. */
struct model_processor random_processor(struct world *world);
struct model_access random_access(struct world *world, const struct model_processor *processor);

/* Writes random entries wherever a walk of such an address may come along: mostly present and
 * referencing frames of the world. */
void random_entries(struct world *world);

/* Asks both; each difference is a failed expectation. What was asked is kept for explain_last(). */
void compare_with_naive(const struct world *world, const struct model_processor *processor,
			const struct model_access *access);
void explain_last(void);

#endif
