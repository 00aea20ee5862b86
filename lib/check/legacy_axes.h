/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What walk_32bit and walk_pae have in common besides all combinations (check/walk.h): single bits
 * and entries tried under the paging mode that is on, every access judged by the model. 32-bit
 * images only.
 */
#ifndef CHECK_LEGACY_AXES_H
#define CHECK_LEGACY_AXES_H

#include "paging/legacy.h"

/* A page of `level`'s size, P | RW | US, over memory of the case that is filled with the tag. */
struct legacy_page map_legacy_subject(enum level level, uint32_t tag);

/* Reads, writes and fetches of both modes at the page's first bytes; reads alone where the page is
 * not over the case's memory. */
void try_legacy_accesses(linear_t linear);
void try_legacy_reads(linear_t linear);

/* Each bit of each entry but P, PS of a PDE and address bits that lead elsewhere, flipped alone;
 * those of `left_out` not. */
void try_each_legacy_bit(enum level level, uint64_t left_out);

/* An entry replaced, the page invalidated by INVLPG, reads made, and all undone. */
void try_legacy_entry(const struct legacy_page *page, enum level level, uint64_t value);

#endif
