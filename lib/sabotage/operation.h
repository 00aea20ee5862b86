/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the sabotage room: an access under way.
 */
#ifndef SABOTAGE_OPERATION_H
#define SABOTAGE_OPERATION_H

#include "access/access.h"
#include "cpu/sabotage.h"
#include "sabotage/translate.h"

#define MOST_OPERAND_BYTES 64

struct operation {
	struct access access;
	unsigned bytes;
	bool write, read, fetch;
	unsigned pages;	      /* 1 or 2 */
	uint64_t linear[2];   /* the first byte in each */
	unsigned first_bytes; /* of two pages: in the first */
	struct translation right[2];
	uint64_t cr2;	  /* before */
	uint64_t data[2]; /* the operand's memory before, where `has_data` */
	bool has_data;
	uint8_t second[MOST_OPERAND_BYTES]; /* what the second page held, of `pages` 2 */
	unsigned second_bytes;
};

/* False for instructions that do not access memory, and for addresses that nothing translates. */
bool operation_begin(struct operation *operation, const struct access *access);

/* Afterwards: what comes back, entries' flags and memory as the processor with a bug leaves them.
 */
void falsify(const struct operation *operation, struct outcome *outcome);
void falsify_flags(const struct operation *operation, const struct outcome *outcome);

/* Instructions that operation_begin() is false for. */
struct outcome attempt_other(const struct access *access);

/* Bits of an entry's lower half. */
void change_entry(uint64_t address, uint32_t set, uint32_t clear);

#endif
