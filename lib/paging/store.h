/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every way to write an entry. A hypervisor that write-protects paging structures has to emulate
 * each of these instructions exactly; one that it gets wrong loses, tears or misplaces the store.
 */
#ifndef PAGING_STORE_H
#define PAGING_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/features.h"

struct store_method {
	const char *name;
	/* Writes `value` to *entry, supervisor mode. */
	void (*store)(volatile uint64_t *entry, uint64_t value);
	enum feature need;
	bool crosses;	  /* also rewrites, unchanged, bytes of both neighbour entries */
	bool covers_line; /* overwrites the 512 bytes around, aligned 16, from 160 bytes before the
			     entry */
	bool executes;	  /* the value's frame must be identity-mapped RAM with room for code at the
			     offset that its    low 12 bits give, since the stored value is a return
			     address */
};

enum store {
	STORE_MOV8,
	STORE_MOV4,
	STORE_MOV4_HIGH_FIRST,
	STORE_MOV2,
	STORE_MOV1,
	STORE_MOV8_CROSSING,
	STORE_MOV4_CROSSING,
	STORE_MOV2_CROSSING,
	STORE_XCHG,
	STORE_XCHG_PARTS,
	STORE_CMPXCHG,
	STORE_CMPXCHG_FAILING_FIRST,
	STORE_CMPXCHG8B,
	STORE_CMPXCHG16B,
	STORE_LOCK_AND_OR,
	STORE_LOCK_BTS_BTR,
	STORE_LOCK_BTC,
	STORE_LOCK_XADD,
	STORE_LOCK_XOR,
	STORE_ADD,
	STORE_INC,
	STORE_NOT_NEG,
	STORE_REP_MOVSB,
	STORE_REP_MOVSQ,
	STORE_REP_MOVSQ_BACKWARDS,
	STORE_REP_STOSD,
	STORE_STOSQ,
	STORE_MOVDQA,
	STORE_MOVDQU,
	STORE_MOVQ,
	STORE_MOVHPS,
	STORE_MOVNTI,
	STORE_MOVNTDQ,
	STORE_PUSH,
	STORE_PUSHF_PUSH,
	STORE_POP,
	STORE_CALL,
	STORE_SGDT,
	STORE_FXSAVE,
	STORE_METHODS
};

extern const struct store_method store_methods[STORE_METHODS];

/* Stores. `entry` is any alias of the entry. */
void store_by_method(volatile uint64_t *entry, uint64_t value, const struct store_method *method);

#endif
