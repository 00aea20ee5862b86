/* SPDX-License-Identifier: BSD-2-Clause */
#include "sabotage/translate.h"

static enum found found_by(enum walk_end end)
{
	return end == WALK_MAPPED	 ? FOUND_PAGE
	       : end == WALK_NOT_PRESENT ? FOUND_ABSENT
					 : FOUND_RESERVED;
}

uint64_t rights_below(uint64_t rights, uint64_t entry)
{
	return (rights & entry & RIGHTS) | ((rights | entry) & XD);
}

uint64_t table_to_begin_with(uint64_t linear)
{
	const uint64_t *pdptes = current_pdptes();
	uint64_t pdpte;

	if (!pdptes)
		return current_root().value;
	pdpte = pdptes[linear >> 30 & 3];
	return pdpte & P ? pdpte & ENTRY_ADDRESS : 0;
}

void translate_rightly(struct translation *translation, uint64_t linear)
{
	struct walk walk;

	if (!table_to_begin_with(linear)) {
		*translation = (struct translation){.found = FOUND_ABSENT, .rights = RIGHTS};
		return;
	}
	walk_now(&walk, LINEAR(linear));
	*translation = (struct translation){.found = found_by(walk.end),
					    .frame = walk.physical & ~(PAGE_4K - 1),
					    .rights = RIGHTS,
					    .count = walk.count};
	for (unsigned i = 0; i < walk.count; i++) {
		translation->address[i] = walk.step[i].address;
		translation->seen[i] = walk.step[i].entry;
		translation->at[i] = walk.step[i].level;
		translation->rights = rights_below(translation->rights, walk.step[i].entry);
		translation->last = walk.step[i].entry;
		translation->level = walk.step[i].level;
	}
}

bool translations_differ(const struct translation *a, const struct translation *b)
{
	if (a->found != b->found)
		return true;
	return a->found == FOUND_PAGE && (a->frame != b->frame || a->rights != b->rights ||
					  ((a->last ^ b->last) & PROTECTION_KEY));
}
