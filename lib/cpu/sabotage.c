/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/sabotage.h"

#include "libc/string.h"

#define LONGEST_NAME 64

bool sabotage_chosen[SABOTAGES];
processor_event_function *processor_event_hook;

static const struct {
	const char *name;
	enum sabotage_family family;
} table[SABOTAGES] = {
#define SABOTAGE(name, family, id, text) {#name, FAMILY_##family},
#include "cpu/sabotage.def"
#undef SABOTAGE
};

/* The list also stands in the file, for ./run sabotage (docs/report.md). */
#define SABOTAGE(name, family, id, text)                                  \
	static const char listed_##name[]                                 \
		__attribute__((section(".sabotage"), used, aligned(1))) = \
			"@sabotage\0" #name "\0" #family "\0" id "\0" text;
#include "cpu/sabotage.def"
#undef SABOTAGE

bool sabotaged_family(enum sabotage_family family)
{
	for (int i = 0; i < SABOTAGES; i++)
		if (sabotage_chosen[i] && table[i].family == family)
			return true;
	return false;
}

static bool choose(const char *name)
{
	for (int i = 0; i < SABOTAGES; i++) {
		if (!strcmp(name, table[i].name)) {
			sabotage_chosen[i] = true;
			return true;
		}
	}
	return false;
}

const char *choose_sabotage(const char *names)
{
	static char name[LONGEST_NAME];

	while (next_item(&names, name, sizeof(name)))
		if (!choose(name))
			return name;
	return NULL;
}
