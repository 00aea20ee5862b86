/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the nested room: what its files know of a guest.
 */
#ifndef NESTED_L2_H
#define NESTED_L2_H

#include "nested/nested.h"

/* NULL for L2_UNPAGED. The format for PAE begins at the page directory. */
const struct paging_format *l2_format(const struct l2 *l2);
bool l2_is_64bit(const struct l2 *l2);

uint64_t l2_read_entry(const struct l2 *l2, const volatile uint8_t *entry);

/* Where the access's instruction and the end of the worker stand in L2's linear space. */
linear_t l2_stub(const struct l2 *l2, const struct access *access);

#endif
