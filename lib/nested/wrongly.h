/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the nested room: L2 under a hypervisor with a bug (cpu/sabotage.h, the family `nested`).
 * The real machine walks the second level; for the time of one VM entry the entries that it finds
 * are those that the hypervisor with the bug would have used.
 */
#ifndef NESTED_WRONGLY_H
#define NESTED_WRONGLY_H

#include "cpu/sabotage.h"
#include "nested/l2.h"
#include "nested/steps.h"

/* What the next VM entry runs under: EPTP or nCR3, VPID or ASID. */
struct l2_context {
	uint64_t root;
	uint32_t tag;
	bool accessed_dirty;
};

struct l2_context l2_context_of(const struct l2 *l2);

/* An entry for the time of a VM entry; afterwards it is what it was, and has the flags that the
 * processor set, if `keeps_flags`. */
void patch_entry(uint64_t address, unsigned bytes, uint64_t value, bool keeps_flags);
unsigned patches_made(void); /* since the last undo_patches() */
void undo_patches(uint64_t flags);

uint64_t read_entry_of(uint64_t address, unsigned bytes);
void write_entry_at(uint64_t address, unsigned bytes, uint64_t value);

/* Translations that were used and are kept until they are invalidated, or longer. */
void l2_caches_reset(void);
bool l2_caches_are_used(void);
void l2_caches_before(const struct l2 *l2, const struct l2_context *context,
		      const struct access *access, const struct model_l2_answer *answer);
void l2_caches_after(const struct l2 *l2, const struct l2_context *context,
		     const struct access *access, const struct l2_outcome *outcome,
		     const struct model_l2_answer *answer);
void l2_caches_event(enum processor_event event, uint64_t operand, const uint64_t *descriptor);

/* l2_run_steps() with what a hypervisor with a bug loses. */
void l2_run_steps_wrongly(struct l2 *l2, const struct access *steps, unsigned count,
			  struct l2_run *run);

/* From here on a new L2 runs under it. */
void l2_starts_wrongly(void);

#endif
