/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The second level of translation, from L2-physical to L1-physical addresses: EPT, or the nested
 * page tables of SVM. Its structures lie in L1's frames and are gone after the case.
 *
 * L2-physical addresses are never equal to the L1-physical ones that they lead to, so that a walk
 * which forgets the second level shows.
 */
#ifndef NESTED_SECOND_LEVEL_H
#define NESTED_SECOND_LEVEL_H

#include "mem/address.h"
#include "model/two_dimensional.h"

/* What an entry may allow, or an access ask for, in words that both vendors share. An entry with
 * none of them is not present. SVM's tables have no right for reads alone: there SECOND_READ is P.
 */
#define SECOND_READ    (1u << 0)
#define SECOND_WRITE   (1u << 1)
#define SECOND_EXECUTE (1u << 2)
#define SECOND_ALL     (SECOND_READ | SECOND_WRITE | SECOND_EXECUTE)

/* Which invalidation follows a change of an entry. */
enum second_invalidation {
	SECOND_NO_FLUSH, /* the test means it */
	SECOND_FLUSH,	 /* of this second level alone: INVEPT single-context; TLB_CONTROL */
	SECOND_FLUSH_ALL /* INVEPT all-context; a flush of everything */
};

struct second_level;

/* What EPT and nested paging have of their own. */
struct second_level_kind {
	const char *name;     /* "EPT" */
	uint64_t table_flags; /* of a new entry that references a table: every right */
	uint64_t page_flags;  /* of a new entry that maps a page, but for its rights */
	uint64_t (*rights)(unsigned rights); /* SECOND_* as bits of an entry */
	uint64_t rights_mask;		     /* all bits that rights() can set */
	uint64_t accessed, dirty;	     /* flags of an entry, where they are kept */
	void (*invalidate)(struct second_level *second, enum second_invalidation how);
};

struct second_level {
	const struct second_level_kind *kind;
	struct model_second_level model; /* format, rules, root: as the model sees it */
};

/* Maps the page of `level`'s size (PT, PD or PDPT: 4 KBytes, 2 MBytes, 1 GByte) at L2-physical
 * address `gpa` to L1's `frame`, both aligned to it, with SECOND_* rights; missing structures above
 * are added with every right. */
void second_map(struct second_level *second, gpa_t gpa, gpa_t frame, enum level level,
		unsigned rights);

/* The entry at `level` on the way of an L2-physical address, through L1's identity map; NULL where
 * the walk ends above it. */
uint64_t *second_entry(const struct second_level *second, gpa_t gpa, enum level level);

/* The level of the entry that maps the page at an L2-physical address; 0 where nothing does. */
enum level second_page_level(const struct second_level *second, gpa_t gpa);

/* Whether entries can forbid what this right allows: SVM's need XD to forbid fetches. */
bool second_can_deny(const struct second_level *second, unsigned right);

/* Bits of one entry set and cleared by a mov of 8 bytes, then an invalidation. */
struct second_edit {
	uint64_t set, clear;
};

#define second_edit(second, gpa, level, then, ...) \
	second_edit_with(second, gpa, level, then, (struct second_edit){__VA_ARGS__})
void second_edit_with(struct second_level *second, gpa_t gpa, enum level level,
		      enum second_invalidation then, struct second_edit edit);

/* The rights of one entry replaced. */
void second_allow(struct second_level *second, gpa_t gpa, enum level level, unsigned rights,
		  enum second_invalidation then);

/* Calls `visit` with every entry of every structure, present or not, from the top down; `maps_page`
 * for one that maps a page. */
void second_visit(const struct second_level *second,
		  void (*visit)(void *context, volatile uint64_t *entry, bool maps_page),
		  void *context);

/* Accessed flag of every present entry, dirty flag of every one that maps a page: set or clear. */
void second_set_flags(const struct second_level *second, bool accessed, bool dirty);

void second_invalidate(struct second_level *second, enum second_invalidation how);

#endif
