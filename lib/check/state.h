/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Processor state that comes back by itself. CR0, CR3, CR4 and EFER are noted before a case and put
 * back after it, however it ends; other MSRs and words of memory that outlive a case are written
 * through the journal.
 */
#ifndef CHECK_STATE_H
#define CHECK_STATE_H

#include "cpu/control.h"
#include "mem/address.h"
#include "model/model.h"

/* Bits set and cleared; MOV CR3 of a root, or of a root with a PCID and CR3_NO_FLUSH. Nothing is
 * flushed but what the processor flushes by itself. */
void set_cr0(uint64_t bits);
void clear_cr0(uint64_t bits);
void set_cr4(uint64_t bits);
void clear_cr4(uint64_t bits);
void set_efer(uint64_t bits);
void clear_efer(uint64_t bits);
void load_root(gpa_t root);
void mov_to_cr3(uint64_t value);

/* These are undone after the case, last first. */
void write_msr_until_end(uint32_t msr, uint64_t value);
void write_word_until_end(volatile uint64_t *word, uint64_t value);

/* Called once, after the running case and before anything else is put back: for rooms that bring
 * the processor into an operation which must be left first. Calls with the same function count
 * once. */
void at_case_end(void (*undo)(void));

/* The processor as the model sees it; kept up to date by the functions above. */
const struct model_processor *processor_now(void);

/* For rooms that change it by other ways. */
void processor_changed(void);

/* In a case that maps very many pages: forgets all pages and frames so far. */
void release_pages(void);

/* Around each case; `restore` also flushes everything and takes back frames and pages. */
void state_save(void);
void state_restore(void);

#endif
