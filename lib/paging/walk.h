/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The one walker: which entries translate a linear address, top down, until one is not present, has
 * a reserved bit set, or maps the page. It knows structure only; whether an access is allowed is
 * the model's business.
 */
#ifndef PAGING_WALK_H
#define PAGING_WALK_H

#include "paging/format.h"

/* Reads the entry at a physical address. */
typedef uint64_t read_entry_fn(const void *memory, uint64_t address);

struct walk_step {
	enum level level;
	uint64_t address; /* of the entry */
	uint64_t entry;
};

enum walk_end { WALK_MAPPED, WALK_NOT_PRESENT, WALK_RESERVED };

struct walk {
	const struct paging_format *format;
	uint64_t linear;
	unsigned count;
	struct walk_step step[MOST_LEVELS];
	enum walk_end end;   /* what the last step was */
	uint64_t physical;   /* WALK_MAPPED: where `linear` leads */
	uint64_t page_bytes; /* and in a page of which size */
};

/* Walks from the structure at physical address `root`. Without paging there are no steps. */
void walk_linear(struct walk *walk, const struct paging_format *format,
		 const struct paging_rules *rules, uint64_t root, uint64_t linear,
		 read_entry_fn *read_entry, const void *memory);

/* Goes on with a walk, which says format and linear address, behind the steps that it has: from the
 * structure at `table`, whose entries are of level `from`. */
void walk_on(struct walk *walk, const struct paging_rules *rules, enum level from, uint64_t table,
	     read_entry_fn *read_entry, const void *memory);

#endif
