/* SPDX-License-Identifier: BSD-2-Clause */
#include "hosttest/naive_shadow_stack.h"

#include "hosttest/naive_keys.h"

static bool bit(uint64_t value, unsigned number)
{
	return value >> number & 1;
}

/* "Determination of Access Rights": what a shadow-stack address is, then of which mode. */
static bool is_shadow_stack_address(const struct naive_answer *walked)
{
	unsigned last = walked->entries - 1;

	for (unsigned i = 0; i < last; i++)
		if (!bit(walked->entry[i].value, 1))
			return false;
	if (bit(walked->entry[last].value, 1))
		return false;
	return bit(walked->entry[last].value, 6);
}

bool naive_shadow_stack_allows(const struct naive_question *question,
			       const struct naive_answer *walked)
{
	bool user_mode_address = true;

	if (!is_shadow_stack_address(walked))
		return false;
	for (unsigned i = 0; i < walked->entries; i++)
		if (!bit(walked->entry[i].value, 2))
			user_mode_address = false;
	if (naive_user_mode_access(question))
		return user_mode_address;
	return !user_mode_address;
}
