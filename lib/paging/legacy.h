/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages to test with in 32-bit images, under 32-bit paging or PAE paging, in place of map_page()
 * and its like. Each page has a PDE of its own, and a page table where it is of 4 KBytes.
 *
 *   0        identity map (large pages)
 *   1 GByte  pages of the running case
 *   3 GByte  less 4 MBytes: user window
 *   3 GByte  identity map again, for devices
 */
#ifndef PAGING_LEGACY_H
#define PAGING_LEGACY_H

#include "paging/format_legacy.h"
#include "paging/space.h"

struct legacy_page {
	linear_t linear;
	gpa_t frame;
	enum level level; /* PT, PD */
	uint64_t bytes;
	volatile void *entry[PD + 1]; /* of the current format's size; NULL below `level` */
};

/* Paging off, CR4.PAE changed, paging on with the other of the image's two roots. */
void switch_to_pae(void);
void switch_to_32bit(void);

/* A page of `level`'s size over `frame`; a PDE that references a page table gets P | RW | US. */
struct legacy_page legacy_map(enum level level, gpa_t frame, uint64_t flags);

/* As legacy_map(), at a linear address between 1 GByte and the user window that no page uses. */
struct legacy_page legacy_map_at(linear_t linear, enum level level, gpa_t frame, uint64_t flags);

/* One entry; nothing is invalidated. */
uint64_t legacy_entry(const struct legacy_page *page, enum level level);
void legacy_write(const struct legacy_page *page, enum level level, uint64_t value);

/* PAE: the four PDPTEs in memory under CR3. note_pdptes() after each load of the registers keeps
 * current_pdptes() right. */
volatile uint64_t *pdptes_in_memory(void);
void note_pdptes(void);

#endif
