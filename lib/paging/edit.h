/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Changing an entry that translations may be cached of. The author of a test says which
 * invalidation follows (SDM Vol. 3, "Invalidation of TLBs and Paging-Structure Caches") and may
 * choose the storing instruction.
 */
#ifndef PAGING_EDIT_H
#define PAGING_EDIT_H

#include "paging/space.h"
#include "paging/store.h"

enum invalidation {
	NO_FLUSH,      /* the test means it: what follows must be right without one */
	INVLPG,	       /* of the page's first byte */
	MOV_CR3,       /* of the current value: all but global translations of this PCID */
	CR4_PGE_TWICE, /* CR4.PGE changed and changed back: everything, global too */
	CR4_PGE_ONCE,  /* CR4.PGE changed: everything, too */
	CR0_PG_TWICE,  /* CR0.PG cleared and set: the same; in 32-bit images */
};

void invalidate(linear_t linear, enum invalidation how);

struct edit {
	uint64_t set, clear; /* bits of the entry */
	enum store how;
};

/* edit_entry(&page, PD, INVLPG, .clear = RW); the entry keeps its other bits. */
#define edit_entry(page, level, then, ...) \
	edit_entry_with(page, level, then, (struct edit){__VA_ARGS__})
void edit_entry_with(const struct page *page, enum level level, enum invalidation then,
		     struct edit edit);

/* Replaces the whole entry by a mov of 8 bytes. */
void write_entry(const struct page *page, enum level level, uint64_t value, enum invalidation then);

#endif
