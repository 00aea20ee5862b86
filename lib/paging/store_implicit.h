/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The stores of store_implicit.c, for the table in store.c alone.
 */
#ifndef PAGING_STORE_IMPLICIT_H
#define PAGING_STORE_IMPLICIT_H

#include <stdint.h>

typedef volatile uint64_t *entry_ptr;

void store_rep_movsb(entry_ptr entry, uint64_t value);
void store_rep_movsq(entry_ptr entry, uint64_t value);
void store_rep_movsq_backwards(entry_ptr entry, uint64_t value);
void store_rep_stosd(entry_ptr entry, uint64_t value);
void store_stosq(entry_ptr entry, uint64_t value);
void store_movdqa(entry_ptr entry, uint64_t value);
void store_movdqu(entry_ptr entry, uint64_t value);
void store_movq(entry_ptr entry, uint64_t value);
void store_movhps(entry_ptr entry, uint64_t value);
void store_movnti(entry_ptr entry, uint64_t value);
void store_movntdq(entry_ptr entry, uint64_t value);
void store_push(entry_ptr entry, uint64_t value);
void store_pushf_push(entry_ptr entry, uint64_t value);
void store_pop(entry_ptr entry, uint64_t value);
void store_call(entry_ptr entry, uint64_t value);
void store_sgdt(entry_ptr entry, uint64_t value);
void store_fxsave(entry_ptr entry, uint64_t value);

#endif
