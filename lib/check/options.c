/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/options.h"

#include "libc/string.h"

#define LONGEST_GLOB 128

static const struct run_options nothing = {"", "", "", 0, 1, 0, "unknown"};
static const struct run_options *current = &nothing;

void set_options(const struct run_options *options)
{
	current = options;
}

const struct run_options *run_options(void)
{
	return current;
}

/* Whether one of the globs in a list with commas matches. */
static bool matches_list(const char *globs, const char *name)
{
	char glob[LONGEST_GLOB];

	while (*globs) {
		size_t length = 0;

		for (; *globs && *globs != ','; globs++)
			if (length + 1 < sizeof(glob))
				glob[length++] = *globs;
		glob[length] = '\0';
		if (*globs == ',')
			globs++;
		if (glob_matches(glob, name))
			return true;
	}
	return false;
}

bool is_selected(const char *name)
{
	return !*current->cases || matches_list(current->cases, name);
}

bool is_avoided(const char *name)
{
	return matches_list(current->avoided, name);
}

bool is_permitted(const char *id)
{
	return matches_list(current->permits, id);
}

unsigned run_seconds(unsigned otherwise)
{
	return current->seconds ? current->seconds : otherwise;
}

uint64_t run_seed(void)
{
	return current->seed;
}
