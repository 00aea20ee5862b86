/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory for litmus tests in which entries change: each instance has two linear addresses, V and W,
 * and each of them an old and a new frame.
 */
#ifndef SMP_LITMUS_REMAP_H
#define SMP_LITMUS_REMAP_H

#include <stdbool.h>

#include "smp/litmus.h"

/* What is read at V or W: nothing, since it faults; the word of the old, of the new frame. */
enum litmus_mapping { LITMUS_UNMAPPED, LITMUS_OLD, LITMUS_NEW };
enum litmus_place { V, W };

/* Runs the shape with remaps of PTEs, then of PDEs that lead to page tables, on as many processors
 * as it has programs; ends the case as skipped when there are not so many. V and W are mapped as
 * `before` at first, and by litmus_remap() as `after`. Its `prepare` is filled in here; `use` of
 * every second instance, which caches both translations, where the shape has one. */
void litmus_run_remap(const struct litmus *shape, enum litmus_mapping before,
		      enum litmus_mapping after);

/* For `use`: reads V and W of every second instance. */
void litmus_cache_some(unsigned self, unsigned instance, uint64_t *seen);

/* The word at V or W, by its linear address; the same word of a frame, by the identity map. */
volatile uint64_t *litmus_at(unsigned instance, enum litmus_place place);
volatile uint64_t *litmus_frame(unsigned instance, enum litmus_place place,
				enum litmus_mapping mapping);

/* The entry that is changed; the PTE by which the old frame is mapped, which may be the same. */
volatile uint64_t *litmus_entry(unsigned instance, enum litmus_place place);
volatile uint64_t *litmus_old_pte(unsigned instance, enum litmus_place place);

/* What the entry says, by its address alone; 0 when it is none of the entries that it may be. */
enum litmus_mapping litmus_mapping_of(unsigned instance, enum litmus_place place, uint64_t entry);

/* Changes the entry, by MOV or by XCHG. */
void litmus_remap(unsigned instance, enum litmus_place place);

/* INVLPG; INVLPG and a read. */
void litmus_forget(unsigned instance, enum litmus_place place);
uint64_t litmus_walk_and_read(unsigned instance, enum litmus_place place);

/* Words of memory that is always mapped, 0 at first. */
volatile uint64_t *litmus_flag(unsigned instance);
volatile uint64_t *litmus_answer(unsigned instance);

/* Gives the others a chance to make the word other than 0, and answers with it; nothing depends on
 * how long that is. */
uint64_t litmus_wait(const volatile uint64_t *word);

#endif
