/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Many pages whose entries can all be edited at once, for one flush to serve them all. Every page
 * has an entry of its own at every level, but all entries of a level stand in one structure (under
 * PAE paging, in one of each GByte), to which all entries above refer: so few structures are
 * touched, and what a hypervisor keeps for one of them it must keep apart by the rights of the way
 * there.
 */
#ifndef CHECK_WALK_PAGES_H
#define CHECK_WALK_PAGES_H

#include "paging/space.h"

#define WALK_PAGES 230

/* What a page may lead to: memory for data, or memory for code that is never written, since
 * emulators take their time where code changes. */
enum walk_use { FOR_DATA, FOR_CODE, WALK_USES };

struct walk_target {
	linear_t linear; /* of the word that accesses are made to */
	uint64_t base;	 /* of the entry that maps the page: an address, without any flag */
	gpa_t word;	 /* where `linear` then leads */
	uint32_t tag;	 /* of the word; pages over one frame have other words */
};

struct walk_page {
	volatile void *entry[MOST_LEVELS + 1]; /* by level, of the current format's size */
	uint64_t base[MOST_LEVELS + 1];	       /* the entries' addresses, above the last */
	struct walk_target target[WALK_USES];
};

/* Builds all of them, of `level`'s size, under the current format; the entries are clear. Returns
 * an array of WALK_PAGES that stays for the length of the case. */
struct walk_page *make_walk_pages(enum level level);

/* One entry of the current format's size. */
static inline uint64_t walk_entry(const struct walk_page *page, int level, bool wide)
{
	return wide ? *(volatile uint64_t *)page->entry[level]
		    : *(volatile uint32_t *)page->entry[level];
}

static inline void write_walk_entry(const struct walk_page *page, int level, bool wide,
				    uint64_t value)
{
	if (wide)
		*(volatile uint64_t *)page->entry[level] = value;
	else
		*(volatile uint32_t *)page->entry[level] = (uint32_t)value;
}

/* Adds to the entries as they were written each A that present ones have got since. They were
 * changed one by one, without an invalidation: until the one that came after them all, a processor
 * that looks ahead may walk by what it had cached of some, and set A in others. */
void note_early_accessed(const struct walk_page *page, enum level level,
			 const struct paging_format *format, uint64_t *written);

#endif
