/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/sabotage.h"

#include "libc/string.h"

#define LONGEST_NAME 64

bool sabotage_chosen[SABOTAGES], sabotage_asked[SABOTAGES];
processor_event_function *processor_event_hook, *guest_event_hook;

static const struct {
	const char *name;
	enum sabotage_family family;
} table[SABOTAGES] = {
#define SABOTAGE(name, family, id, text) {#name, FAMILY_##family},
#include "cpu/sabotage.def"
#undef SABOTAGE
};

/* The list also stands in the file, in its order, for ./run sabotage (docs/report.md). */
#define SABOTAGE(name, family, id, text) "@sabotage\0" #name "\0" #family "\0" id "\0" text "\0"
static const char listed[] __attribute__((section(".sabotage"), used)) =
#include "cpu/sabotage.def"
	;
#undef SABOTAGE

bool sabotaged_family(enum sabotage_family family)
{
	for (int i = 0; i < SABOTAGES; i++)
		if (sabotage_chosen[i] && table[i].family == family)
			return true;
	return false;
}

bool sabotage_is_played(void)
{
	for (int i = 0; i < SABOTAGES; i++)
		if (sabotage_chosen[i])
			return true;
	return false;
}

void forget_asked(void)
{
	memset(sabotage_asked, 0, sizeof(sabotage_asked));
}

void print_asked(char digits[ASKED_DIGITS + 1])
{
	unsigned value = 0;

	for (unsigned i = 0; i < SABOTAGES; i++) {
		value |= (unsigned)sabotage_asked[i] << i % 4;
		if (i % 4 < 3 && i + 1 < SABOTAGES)
			continue;
		digits[i / 4] = "0123456789abcdef"[value];
		value = 0;
	}
	digits[ASKED_DIGITS] = '\0';
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
