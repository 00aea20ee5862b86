/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/sabotage.h"

#include "libc/string.h"

#define LONGEST_NAME 64

bool sabotage_chosen[SABOTAGES], sabotage_asked[SABOTAGES];
processor_event_function *processor_event_hook, *guest_event_hook;

/* Names one after the other and families: images have to be small, see the Makefile. */
#define SABOTAGE(name, family, id, text) #name "\0"
static const char names[] =
#include "cpu/sabotage.def"
	;
#undef SABOTAGE

static const uint8_t families[SABOTAGES] = {
#define SABOTAGE(name, family, id, text) FAMILY_##family,
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
		if (sabotage_chosen[i] && families[i] == family)
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
	const char *at = names;

	for (int i = 0; i < SABOTAGES; i++, at += strlen(at) + 1) {
		if (!strcmp(name, at)) {
			sabotage_chosen[i] = true;
			return true;
		}
	}
	return false;
}

const char *choose_sabotage(const char *list)
{
	static char name[LONGEST_NAME];

	while (next_item(&list, name, sizeof(name)))
		if (!choose(name))
			return name;
	return NULL;
}
