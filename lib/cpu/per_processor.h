/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the entry code of exceptions and attempts keeps for each application processor, found
 * through GS.base. The processor that booted has variables of its own for it and leaves GS to the
 * tests, so that an image that never starts another processor pays nothing.
 */
#ifndef CPU_PER_PROCESSOR_H
#define CPU_PER_PROCESSOR_H

/* Offsets from GS.base, checked below. */
#define PER_PROCESSOR_SELF	0
#define PER_PROCESSOR_ATTEMPT	8
#define PER_PROCESSOR_STACK	16
#define PER_PROCESSOR_INTERRUPT 24
#define PER_PROCESSOR_EXCEPTION 32
#define PER_PROCESSOR_ARMED	40

/* The vector by which processors interrupt each other, and the local APIC's spurious one. */
#define VECTOR_PROCESSOR	0x40
#define VECTOR_SPURIOUS		0xff

#define MSR_GS_BASE		0xc0000101u

#ifndef __ASSEMBLER__
#include <stdint.h>

#include "cpu/exception.h"

struct per_processor {
	struct per_processor *self;
	void *attempt; /* access/attempt.S: the attempt under way */
	uint64_t attempt_stack;
	/* Called with interrupts off when another processor interrupts this one. */
	void (*interrupt)(struct per_processor *self);
	/* Called with every exception that no attempt takes; must not return. */
	void (*exception)(const struct exception_frame *frame, struct per_processor *self);
	uint8_t armed;
};

_Static_assert(__builtin_offsetof(struct per_processor, attempt) == PER_PROCESSOR_ATTEMPT, "");
_Static_assert(__builtin_offsetof(struct per_processor, interrupt) == PER_PROCESSOR_INTERRUPT, "");
_Static_assert(__builtin_offsetof(struct per_processor, exception) == PER_PROCESSOR_EXCEPTION, "");
_Static_assert(__builtin_offsetof(struct per_processor, armed) == PER_PROCESSOR_ARMED, "");
#endif
#endif
