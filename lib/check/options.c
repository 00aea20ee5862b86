/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/options.h"

#include "cpu/features.h"
#include "cpu/sabotage.h"
#include "libc/string.h"

#define LONGEST_GLOB 128
#define ADDRESS_BITS 52
#define FOREIGN_WORD 1000 /* each so manieth is another guest's, where that is played */

static const struct run_options nothing = {
	.cases = "", .permits = "", .avoided = "", .seed = 1, .boot = "unknown"};
static const struct run_options *current = &nothing;

void set_options(const struct run_options *options)
{
	current = options;
}

const struct run_options *run_options(void)
{
	return current;
}

/* Whether one of the globs in a list with commas matches; what follows its # is put into `number`.
 */
static bool matches_list(const char *globs, const char *name, unsigned long long *number,
			 bool *numbered)
{
	char glob[LONGEST_GLOB];

	while (next_item(&globs, glob, sizeof(glob))) {
		char *hash = strchr(glob, '#');

		if (hash)
			*hash = '\0';
		if (!glob_matches(glob, name))
			continue;
		*numbered = hash && parse_number(hash + 1, number);
		return true;
	}
	return false;
}

static bool is_in(const char *globs, const char *name)
{
	unsigned long long number;
	bool numbered;

	return matches_list(globs, name, &number, &numbered);
}

bool asked_combination(const char *name, uint64_t *number)
{
	unsigned long long value = 0;
	bool numbered = false;

	matches_list(current->cases, name, &value, &numbered);
	*number = value;
	return numbered;
}

bool run_is_exhaustive(void)
{
	return current->exhaustive;
}

bool is_selected(const char *name)
{
	return !*current->cases || is_in(current->cases, name);
}

bool is_avoided(const char *name)
{
	return is_in(current->avoided, name);
}

bool is_omitted(unsigned index)
{
	return index < 64 && current->omitted >> index & 1;
}

bool is_permitted(const char *id)
{
	return is_in(current->permits, id);
}

unsigned first_reserved_address_bit(void)
{
	return is_permitted("P15") || !maxphyaddr_is_told() ? ADDRESS_BITS : maxphyaddr();
}

unsigned run_seconds(unsigned otherwise)
{
	return current->seconds ? current->seconds : otherwise;
}

/* Words name the guest that stores them; they are another's where this number is. */
static unsigned number_of_another_guest(void)
{
	static unsigned calls;

	return ++calls % FOREIGN_WORD ? current->guest : current->guest % 2 + 1;
}

unsigned run_guest(void)
{
	if (current->guest && sabotaged(SABOTAGE_memory_of_another_guest))
		return number_of_another_guest();
	return current->guest;
}

uint64_t run_seed(void)
{
	return current->seed;
}
