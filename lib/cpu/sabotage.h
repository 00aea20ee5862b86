/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Playing a hypervisor with a bug: the word sabotage=NAME[,NAME...] on the command line makes one
 * of the primitives that tests are made of misbehave as if the machine did
 * (docs/proving-the-suite.md). What can be chosen stands in sabotage.def; the sabotage room does
 * it, through the hooks below, which are NULL without the word.
 */
#ifndef CPU_SABOTAGE_H
#define CPU_SABOTAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sabotage {
#define SABOTAGE(name, family, id, text) SABOTAGE_##name,
#include "cpu/sabotage.def"
#undef SABOTAGE
	SABOTAGES
};

enum sabotage_family {
	FAMILY_invalidation,
	FAMILY_table_writes,
	FAMILY_rights,
	FAMILY_flags,
	FAMILY_faults,
	FAMILY_reserved,
	FAMILY_frames,
	FAMILY_pdptes,
	FAMILY_emulation,
	FAMILY_nested,
	FAMILY_isolation,
	FAMILY_processors,
	FAMILY_nested_invalidation,
	FAMILY_permitted,
};

/* Chosen ones; nothing is without the word. Asked ones: see sabotaged(). */
extern bool sabotage_chosen[SABOTAGES], sabotage_asked[SABOTAGES];

/* Whether this one was chosen, asked where it makes a difference only: a case that never asks for a
 * bug need not run under it, which the report tells ./run sabotage. */
static inline bool sabotaged(enum sabotage which)
{
	sabotage_asked[which] = true;
	return sabotage_chosen[which];
}

/* Whether any of this family was chosen, and whether any at all: to be ready for it. */
bool sabotaged_family(enum sabotage_family family);
bool sabotage_is_played(void);

/* Nothing was asked for so far; and what was since then, a bit for each in the order of the list,
 * the first in the first digit's lowest. */
#define ASKED_DIGITS ((SABOTAGES + 3) / 4)
void forget_asked(void);
void print_asked(char digits[ASKED_DIGITS + 1]);

/* Names with commas between them. The first that is none, or NULL: all are chosen. */
const char *choose_sabotage(const char *names);

/* What a processor with a bug has to know of. */
enum processor_event {
	EVENT_cr0, /* written; `operand` is the new value */
	EVENT_cr2,
	EVENT_cr3,
	EVENT_cr4,
	EVENT_EFER,
	EVENT_PKRU,
	EVENT_INVLPG,  /* `operand` is the linear address */
	EVENT_INVPCID, /* `operand` is the type, `descriptor` its two words */
	EVENT_STORE,   /* an entry was stored: `operand` is its address, `descriptor` {method, old
			  value} */
	EVENT_PAGING_WAS_OFF,
	EVENT_NEW_CASE, /* nothing is cached */
	/* What guests may have cached: `operand` is the type, linear address or TLB_CONTROL, and
	   `descriptor` begins with the EPT pointer, VPID or ASID. */
	EVENT_INVEPT,
	EVENT_INVVPID,
	EVENT_INVLPGA,
	EVENT_TLB_CONTROL,
	EVENT_L2_RUNS, /* it may flush what is its own */
};

typedef void processor_event_function(enum processor_event event, uint64_t operand,
				      const uint64_t *descriptor);
extern processor_event_function *processor_event_hook;

/* For the last five of them, while there is an L2 guest under a hypervisor with a bug. */
extern processor_event_function *guest_event_hook;

static inline void guest_event(enum processor_event event, uint64_t operand,
			       const uint64_t *descriptor)
{
	if (__builtin_expect(!!guest_event_hook, 0))
		guest_event_hook(event, operand, descriptor);
}

/* After the instruction. */
static inline void processor_event(enum processor_event event, uint64_t operand,
				   const uint64_t *descriptor)
{
	if (__builtin_expect(!!processor_event_hook, 0))
		processor_event_hook(event, operand, descriptor);
}

#endif
