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

/* Maps the page of `level`'s size that covers a frame, everything allowed; returns where the frame
 * begins in it. */
linear_t map_covering_page(enum level level, gpa_t frame);

/* Two 4-KByte pages in a row, each over a frame of its own that is filled with its tag; the frames
 * do not follow each other, so that an access which takes the second page's address from the first
 * one's shows. */
struct page_pair {
	struct page page; /* the first */
	gpa_t frame[2];
	uint64_t *entry[2]; /* PTEs */
	uint64_t good[2];   /* their values, everything allowed, A and D set */
	linear_t border;    /* the first byte of the second page */
};

struct page_pair map_page_pair(uint32_t first_tag, uint32_t second_tag);

/* Writes both PTEs and invalidates both pages by INVLPG. */
void set_page_pair(const struct page_pair *pair, uint64_t first, uint64_t second);

/* The level whose entries map the largest pages of this machine: PD or PDPT. */
enum level largest_page(void);

#endif
