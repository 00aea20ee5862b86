/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What tests of tables that are written while in use have in common under 32-bit and PAE paging.
 * 32-bit images only; all of it under the paging mode that is on.
 */
#ifndef CHECK_LEGACY_REWRITE_H
#define CHECK_LEGACY_REWRITE_H

#include "paging/store_legacy.h"

/* Every method of the group on a PTE and a PDE in use: through the identity map's large page, a
 * page of 4 KBytes, a read-only one with CR0.WP = 0, and the page directory mapped by itself. After
 * each store the whole table is compared, then accesses with the model: with the invalidation that
 * is required, and with none where P becomes 1. */
void try_legacy_stores(enum legacy_store_group group);

/* One page table under four PDEs with different rights, in each quarter of the linear space: its
 * entries changed one after another, and the PDEs; every translation is looked at. */
void try_shared_page_table(void);

/* The same large page by PDEs with different rights, used in every order and in each part. */
void try_shared_large_page(void);

/* A page table that was changed, and for which no INVLPG was made, comes under a PDE that was not
 * present: the changed entry counts. */
void try_table_under_new_pde(void);

#endif
