/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A shadow pager: what a hypervisor without a second level of translation does. L2's own paging
 * structures lie in L2-physical memory, which a map in software (l2->second) leads to L1's frames;
 * the processor walks shadow structures instead, which hold L2's rights and L1's frames together.
 *
 *   L2's tables   --- walked in software, at each #PF --->   shadow tables: 4-KByte pages only
 *        ^                                                        |
 *        '--- pages that hold L2's tables are mapped read-only <--'
 *
 * It is as simple as it can be while right: a store to a table, a MOV to CR3 and a change of CR0 or
 * CR4 drop all shadows, INVLPG those of the GByte around. SDM Vol. 3, "Virtualizing Virtual Memory
 * by Brute Force"; APM Vol. 2, "Shadow Page Tables".
 */
#ifndef NESTED_SHADOW_H
#define NESTED_SHADOW_H

#include "nested/nested.h"

/* Gives *l2 the map of its memory, and empty shadows. 4-level paging only. */
void shadow_start(struct l2 *l2);

/* What CR3 has to hold while L2 runs. */
gpa_t shadow_root(void);

/* Empties the shadows when l2->cr3, cr0 or cr4 is not what they were made for. True where something
 * was dropped, as below: the processor's own translations have to go, too. */
bool shadow_follow(const struct l2 *l2);
bool shadow_drop_all(void);
bool shadow_drop_page(linear_t linear);

enum shadow_result {
	SHADOW_FILLED,	   /* the instruction can be tried again */
	SHADOW_IS_L2S,	   /* L2's own structures deny the access: *error_code is for L2 */
	SHADOW_TABLE_WRITE /* a store to one of L2's tables, which somebody has to carry out */
};

/* A #PF with this error code of the processor's. While `writes_tables` stores to tables are let
 * through; shadow_table_was_written() has to follow them, which drops all. */
enum shadow_result shadow_page_fault(struct l2 *l2, linear_t linear, uint64_t *error_code,
				     bool writes_tables);

bool shadow_table_was_written(void);

/* Bytes of code at a linear address of L2's that is mapped. */
void shadow_read_code(const struct l2 *l2, linear_t linear, uint8_t *bytes, unsigned count);

#endif
