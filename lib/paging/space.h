/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages to test with. Each page gets paging structures of its own at every level, so that an entry
 * can be edited without touching another page, and a linear address of its own with different
 * indexes at every level, so that a wrong index shows. All of it, with its frames, is gone after
 * the case.
 *
 * Linear space, by PML4E:  0 identity map | 1 to 239 pages of the running case | 255 user window in
 * its first GByte | 256 to 511, the upper half, and the rest of 255: pages mapped at a linear
 * address. Under 5-level paging all of this is PML5E 0, and the case's pages are in PML5E 1 to 239.
 */
#ifndef PAGING_SPACE_H
#define PAGING_SPACE_H

#include "mem/address.h"
#include "paging/entry.h"
#include "paging/walk.h"

struct page {
	linear_t linear;
	gpa_t frame;
	enum level level; /* of the entry that maps it: PT, PD, PDPT */
	uint64_t bytes;
	uint64_t *
		entry[MOST_LEVELS + 1]; /* by level, through the identity map; NULL below `level` */
};

/* Linear addresses' format and rules as the processor has them now. */
const struct paging_format *current_format(void);
struct paging_rules current_rules(void);

/* The PDPTE registers of PAE paging, as last loaded; NULL in other modes. */
const uint64_t *current_pdptes(void);

/* Prepares the image's own root structure; with it the user window. */
void spaces_init(void);

/* A 4-KByte page over a new frame; a page of `level`'s size over `frame`. Every entry above the
 * last gets P | RW | US; the last gets `flags`. */
struct page map_page(uint64_t flags);
struct page map_page_at(enum level level, gpa_t frame, uint64_t flags);

/* The same at a linear address of the caller's choice, in a PML4E that no page uses yet, or in the
 * user window's, in a PDPTE that none uses; its PML4E is then to be left alone. */
struct page map_page_at_linear(linear_t linear, enum level level, gpa_t frame, uint64_t flags);

/* The first linear address of a PML4E, in 32-bit images of a PDE, that no page uses yet; the next
 * page will use another. */
linear_t unused_linear(void);

/* The paging structure that holds an entry. */
uint64_t *table_of(const uint64_t *entry);

/* The physical address of the root structure that CR3 holds, and the image's own: of the format
 * that is in use, and of 4-level or 5-level paging. The PML5 table's first entry is for the image.
 */
gpa_t current_root(void);
gpa_t image_root(void);
gpa_t image_root_of(const struct paging_format *format);

/* A second root with the same content as the image's: identity map, user window and the pages
 * mapped so far. */
gpa_t copy_root(void);

/* The entry at a physical address, of the current format's size; 0 outside the identity map. */
uint64_t read_identity(const void *memory, uint64_t address);

/* Walks the structures under the current CR3 as they are in memory. */
void walk_now(struct walk *walk, linear_t linear);

/* Forgets all pages; the frames are released by the caller. CR3 must hold the image's root. */
void spaces_reset(void);

#endif
