/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/axes.h"

void add_axis(struct axes *axes, struct axis axis)
{
	axes->axis[axes->count++] = axis;
}

uint64_t numbered_combinations(const struct axes *axes)
{
	uint64_t product = 1;

	for (unsigned i = 0; i < axes->count; i++)
		product *= axes->axis[i].values;
	return product;
}

uint64_t offered_combinations(const struct axes *axes)
{
	uint64_t product = 1;

	for (unsigned i = 0; i < axes->count; i++) {
		unsigned offered = axes->axis[i].values;

		for (uint64_t missing = axes->axis[i].missing; missing; missing &= missing - 1)
			offered--;
		product *= offered;
	}
	return product;
}

uint64_t combination_number(const struct axes *axes, const unsigned char value[])
{
	uint64_t number = 0;

	for (unsigned i = 0; i < axes->count; i++)
		number = number * axes->axis[i].values + value[i];
	return number;
}

void combination_values(const struct axes *axes, uint64_t number, unsigned char value[])
{
	for (unsigned i = axes->count; i-- > 0; number /= axes->axis[i].values)
		value[i] = (unsigned char)(number % axes->axis[i].values);
}

bool combination_is_offered(const struct axes *axes, const unsigned char value[])
{
	for (unsigned i = 0; i < axes->count; i++)
		if (axes->axis[i].missing >> value[i] & 1)
			return false;
	return true;
}

void text_combination(struct text *text, const struct axes *axes, const unsigned char value[])
{
	for (unsigned i = 0; i < axes->count; i++) {
		const struct axis *axis = &axes->axis[i];

		text_add(text, "%s%s ", i ? ", " : "", axis->name);
		if (axis->spoken)
			text_add(text, "%s", axis->spoken[value[i]]);
		else
			text_add(text, "%u", value[i]);
	}
}
