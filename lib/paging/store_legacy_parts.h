/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the files that make up the table of store_legacy.h.
 */
#ifndef PAGING_STORE_LEGACY_PARTS_H
#define PAGING_STORE_LEGACY_PARTS_H

#include <stddef.h>

#include "paging/store_legacy.h"

#define ALWAYS FEATURE_COUNT /* no need */

typedef volatile uint32_t *word_ptr;
typedef volatile uint64_t *entry_ptr;

extern const struct legacy_store legacy_string_stores[], legacy_vector_stores[],
	legacy_stack_stores[], legacy_x87_stores[];

#endif
