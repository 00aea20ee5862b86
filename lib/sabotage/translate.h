/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the sabotage room: how one 4-KByte page is translated.
 */
#ifndef SABOTAGE_TRANSLATE_H
#define SABOTAGE_TRANSLATE_H

#include "paging/space.h"

enum found { FOUND_ABSENT, FOUND_PAGE, FOUND_RESERVED };

#define RIGHTS (RW | US)

struct translation {
	enum found found;
	uint64_t frame;	  /* of the 4 KBytes */
	uint64_t rights;  /* combined: RW, US, XD */
	uint64_t last;	  /* the entry that maps the page, with its key, G and D */
	enum level level; /* of that entry */
	bool global;
	bool cached; /* from a TLB: nothing was walked, no flag is set */
	/* What was walked, top down; below a cached upper entry, whose rights are these. */
	uint64_t rights_above;
	unsigned count;
	enum level at[MOST_LEVELS];
	uint64_t address[MOST_LEVELS], seen[MOST_LEVELS];
};

/* Rights under an entry, from those above it. */
uint64_t rights_below(uint64_t rights, uint64_t entry);

/* As memory stands, by the manual. */
void translate_rightly(struct translation *translation, uint64_t linear);

/* The structure that a walk begins with; 0 below a PDPTE register that is not present. */
uint64_t table_to_begin_with(uint64_t linear);

/* With what is cached and what was chosen. */
void translate_wrongly(struct translation *translation, uint64_t linear, bool write);

/* Whether an access would notice a difference. */
bool translations_differ(const struct translation *a, const struct translation *b);

#endif
