/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/slice.h"

#include "libc/string.h"

void slice_start(struct slice *slice, const struct axes *axes, unsigned shares)
{
	memset(slice->seen, 0, sizeof(slice->seen));
	slice->axes = axes;
	slice->shares = shares;
}

static bool has_new_pair(const struct slice *slice, const unsigned char value[])
{
	for (unsigned i = 0; i < slice->axes->count; i++)
		for (unsigned j = i + 1; j < slice->axes->count; j++)
			if (!(slice->seen[i][value[i]][j] >> value[j] & 1))
				return true;
	return false;
}

static void note_pairs(struct slice *slice, const unsigned char value[])
{
	for (unsigned i = 0; i < slice->axes->count; i++)
		for (unsigned j = i + 1; j < slice->axes->count; j++)
			slice->seen[i][value[i]][j] |= 1ull << value[j];
}

/* No axis' number of values may be what the choice goes by. */
static bool is_chosen(uint64_t number, unsigned shares)
{
	uint32_t mixed = (uint32_t)number * 0x9e3779b1u ^ (uint32_t)(number >> 32);

	mixed ^= mixed >> 15;
	mixed *= 0x85ebca77u;
	return (mixed >> 13) % shares == 0;
}

bool slice_takes(struct slice *slice, uint64_t number)
{
	unsigned char value[MOST_AXES];

	if (slice->shares == 1)
		return true;
	combination_values(slice->axes, number, value);
	if (!is_chosen(number, slice->shares) && !has_new_pair(slice, value))
		return false;
	note_pairs(slice, value);
	return true;
}
