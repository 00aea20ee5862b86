/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/walk_ways.h"

#define BYTE_OFFSET 1 /* of accesses to a byte: the byte of a frame's word that differs most */

/* The order is that of the names in walk_axes.c. */
static void describe_way(unsigned number, enum walk_operation *operation, bool *byte,
			 unsigned *mode)
{
	static const enum walk_operation more[] = {READ, WRITE, NOT, NEGATE};
	unsigned n = number - MAIN_WALK_ACCESSES;

	*mode = number < MAIN_WALK_ACCESSES ? number / 3 : n / 4;
	*operation = number < MAIN_WALK_ACCESSES ? (enum walk_operation)(number % 3) : more[n % 4];
	*byte = number >= MAIN_WALK_ACCESSES && *operation != NOT;
}

struct way make_way(unsigned number)
{
	const unsigned word = sizeof(void *);
	struct way way = {0};
	unsigned mode, bytes;
	bool byte;

	describe_way(number, &way.operation, &byte, &mode);
	bytes = byte ? 1 : way.operation == NOT ? 4 : word;
	if (way.operation == READ)
		way.access = read_access(LINEAR(0), bytes);
	else if (way.operation == WRITE)
		way.access = write_access(LINEAR(0), bytes, WALK_VALUE);
	else if (way.operation == FETCH)
		way.access = fetch_access(LINEAR(0));
	else
		way.access = instruction_access(
			way.operation == NOT ? INSTRUCTION_not4 : INSTRUCTION_neg1, LINEAR(0), 0);
	way.access.value[0] = WALK_VALUE;
	way.access.user = mode == 0;
	way.access.ac = mode == 2;
	way.attempt = prepare_attempt(&way.access);
	way.shift = byte ? 8 * BYTE_OFFSET : 0;
	way.mask = (bytes == 8 ? ~0ull : (1ull << 8 * bytes) - 1) << way.shift;
	return way;
}

uint64_t word_after(const struct way *way, uint64_t word)
{
	switch (way->operation) {
	case WRITE:
		return (word & ~way->mask) | (WALK_VALUE << way->shift & way->mask);
	case NOT:
		return word ^ way->mask;
	case NEGATE:
		return (word & ~way->mask) | ((0 - (word & way->mask)) & way->mask);
	default:
		return word;
	}
}
