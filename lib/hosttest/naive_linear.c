/* SPDX-License-Identifier: BSD-2-Clause */
#include "hosttest/naive_linear.h"

static bool bit(uint64_t value, unsigned number)
{
	return value >> number & 1;
}

/* "Canonical Addressing": the bits from `last` down to `first` equal bit 63. */
static bool all_as_bit_63(uint64_t linear, unsigned last, unsigned first)
{
	unsigned ones = 0;

	for (unsigned i = first; i <= last; i++)
		if (bit(linear, i))
			ones++;
	return ones == (bit(linear, 63) ? last - first + 1 : 0);
}

static uint64_t with_bit_63(uint64_t linear, unsigned last, unsigned first)
{
	uint64_t result = linear;

	for (unsigned i = first; i <= last; i++) {
		result &= ~((uint64_t)1 << i);
		if (bit(linear, 63))
			result += (uint64_t)1 << i;
	}
	return result;
}

/* "Linear-Address Masking", as its table of modes has it: which bits are checked, which masked. */
static bool user_pointer(const struct naive_question *q, uint64_t *linear)
{
	uint64_t given = q->linear;

	if (q->cr3_lam_u57) {
		*linear = with_bit_63(given, 62, 57);
		return all_as_bit_63(given, 56, q->five_levels ? 56 : 47);
	}
	if (q->cr3_lam_u48) {
		*linear = with_bit_63(given, 62, 48);
		return all_as_bit_63(given, 47, 47);
	}
	return all_as_bit_63(given, 62, q->five_levels ? 56 : 47);
}

static bool supervisor_pointer(const struct naive_question *q, uint64_t *linear)
{
	uint64_t given = q->linear;

	if (!q->cr4_lam_sup)
		return all_as_bit_63(given, 62, q->five_levels ? 56 : 47);
	if (q->five_levels) {
		*linear = with_bit_63(given, 62, 57);
		return bit(given, 56);
	}
	*linear = with_bit_63(given, 62, 48);
	return bit(given, 47);
}

bool naive_linear(const struct naive_question *q, uint64_t *linear)
{
	*linear = q->linear;
	if (q->compatibility_mode) {
		*linear = q->linear % ((uint64_t)1 << 32);
		return true;
	}
	if (q->fetch)
		return all_as_bit_63(q->linear, 62, q->five_levels ? 56 : 47);
	return bit(q->linear, 63) ? supervisor_pointer(q, linear) : user_pointer(q, linear);
}
