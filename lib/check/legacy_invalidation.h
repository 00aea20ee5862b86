/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What tests of invalidation have in common under 32-bit and PAE paging. 32-bit images only; all of
 * it under the paging mode that is on.
 */
#ifndef CHECK_LEGACY_INVALIDATION_H
#define CHECK_LEGACY_INVALIDATION_H

#include "paging/edit.h"
#include "paging/legacy.h"

/* A page of `level`'s size in full use whose entry then leads to other memory: after the
 * invalidation every access, anywhere in the page, finds that. INVLPG is made at each of several
 * offsets. `flags` of the entry besides P, R/W and U/S. */
void try_moved_page(enum level level, uint64_t flags, enum invalidation how);

/* The same by CR4.PGE, changed once to 1 or to 0; and by CR0.PG, cleared and set again, with global
 * translations where there are some. */
void try_each_change_of_pge(void);
void try_paging_off(void);

/* P, R/W, U/S and A and D are taken, at each level, from a page of `level`'s size in full use. */
void try_taken_rights(enum level level, enum invalidation how);

/* A PDE in use leads to another page table: after INVLPG of any address those of its addresses that
 * were not used before are translated by the new table. */
void try_new_table(void);

/* P becomes 1 in a PTE or PDE, or rights are given, among neighbours in use: no invalidation is
 * needed, but one fault for rights that were given is permitted. */
void try_widened_entries(void);

/* Large page and page table take turns in a PDE; nothing else is made in between than what the
 * manual asks for. */
void try_size_changes(void);

/* A root like the current one, but that the page's linear address leads to a frame with this tag,
 * by structures of its own. */
struct legacy_root {
	gpa_t address;
	struct legacy_page page; /* at the same linear address in all of them */
};
struct legacy_root make_legacy_root(const struct legacy_page *page, uint32_t tag);

/* Roots with directories of their own, changed to and fro by MOV to CR3, and edited while another
 * one is in use. */
void try_roots(void);

#endif
