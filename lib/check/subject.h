/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What most tests begin with: a page of some size over memory that belongs to the case.
 */
#ifndef CHECK_SUBJECT_H
#define CHECK_SUBJECT_H

#include "paging/space.h"

struct subject {
	struct page page;
	linear_t target;  /* in the page, 8-byte aligned, over a filled frame of the case */
	uint64_t *memory; /* of the target, through the identity map */
};

/* Maps a page of `level`'s size with `flags` in its entry and P | RW | US above. A 1-GByte page
 * covers memory that is not the case's own: stay within 4 KBytes of the target. The frame around
 * the target is filled with `tag`. */
struct subject map_subject(enum level level, uint64_t flags, uint32_t tag);

/* The level whose entries map the largest pages of this machine: PD or PDPT. */
enum level largest_page(void);

#endif
