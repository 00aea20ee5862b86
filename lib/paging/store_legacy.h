/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Ways to write an entry in 32-bit images, as store.h has them for 64-bit ones: an entry of 32-bit
 * paging at once or in pieces, one of PAE paging in halves or by instructions with operands of 8
 * bytes. What stands around the entry is written, where it is, with what was there before.
 */
#ifndef PAGING_STORE_LEGACY_H
#define PAGING_STORE_LEGACY_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/features.h"
#include "paging/store.h"

struct legacy_store {
	const char *name;
	/* Of a word of 4 bytes, or, the other being NULL, of an entry of 8 bytes. */
	void (*store_word)(volatile uint32_t *word, uint32_t value);
	void (*store_entry)(volatile uint64_t *entry, uint64_t value);
	enum feature need;
	enum store like; /* of store.h, for sabotage */
};

/* In groups, by what an emulator of instructions would share. */
enum legacy_store_group {
	LEGACY_MOVES,
	LEGACY_CROSSING,
	LEGACY_LOCKED,
	LEGACY_STRINGS,
	LEGACY_VECTORS,
	LEGACY_STACK,
	LEGACY_X87,
	LEGACY_STORE_GROUPS
};

/* Ended by a method without a name. */
extern const struct legacy_store *const legacy_stores[LEGACY_STORE_GROUPS];

/* The method on an entry of `bytes` 4 or 8; words make up one of 8 bytes, the upper one first.
 * False: the method is for the other size, or the processor does not have it. */
bool legacy_store(const struct legacy_store *method, volatile void *entry, unsigned bytes,
		  uint64_t value);

#endif
