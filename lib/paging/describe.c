/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/describe.h"

#include "paging/entry.h"

static const struct {
	uint64_t bit;
	const char *name;
} flags[] = {{P, "P"}, {RW, "RW"}, {US, "US"}, {PWT, "PWT"}, {PCD, "PCD"},
	     {A, "A"}, {D, "D"},   {PS, "PS"}, {G, "G"},     {XD, "XD"}};

void text_flags(struct text *text, const struct paging_format *format, enum level level,
		uint64_t entry)
{
	(void)format;
	if (!(entry & P))
		text_word(text, "not-present");
	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (entry & flags[i].bit)
			text_word(text, flags[i].bit == PS && level == PT ? "PAT" : flags[i].name);
}

void text_walk(struct text *text, const struct walk *walk)
{
	for (unsigned i = 0; i < walk->count; i++) {
		const struct walk_step *step = &walk->step[i];

		text_add(text, "%-5s 0x%016llx = 0x%016llx ",
			 walk->format->level[step->level].entry_name,
			 (unsigned long long)step->address, (unsigned long long)step->entry);
		text_flags(text, walk->format, step->level, step->entry);
		text_add(text, "\n");
	}
	if (walk->end == WALK_MAPPED)
		text_add(text, "-> physical 0x%llx in a page of 0x%llx bytes\n",
			 (unsigned long long)walk->physical, (unsigned long long)walk->page_bytes);
}
