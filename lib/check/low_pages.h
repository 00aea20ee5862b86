/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Linear space below 4 GBytes for pages of a case, which compatibility mode needs: a root in which
 * the identity map ends at 1 GByte, and in which page 0 is free too.
 *
 *   0          one page of the case | identity map to 1 GByte
 *   1 GByte    pages of the case
 *   3 GBytes   less 4 MBytes: the .user section for CPL 3 (LOW_WINDOW)
 *   3 GBytes   pages of the case
 *   4 GBytes   pages of the case, where compatibility mode does not come
 */
#ifndef CHECK_LOW_PAGES_H
#define CHECK_LOW_PAGES_H

#include "access/access.h"
#include "paging/space.h"

/* CR3 holds that root until the case ends. */
void use_low_pages(void);

/* A page of 4 KBytes or 2 MBytes at a linear address of the caller's choice, where the map above
 * says so. Entries above the last get P | RW | US and serve all pages of their part of the linear
 * space; the PML4E serves the image. */
struct page map_low_page(linear_t linear, enum level level, gpa_t frame, uint64_t flags);

/* The same over a new frame, with everything allowed, its first 4 KBytes filled with `tag`. */
struct page map_low_target(linear_t linear, enum level level, uint32_t tag);

#endif
