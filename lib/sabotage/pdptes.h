/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the sabotage room: the PDPTE registers of PAE paging (SDM Vol. 3, "PDPTE Registers"),
 * which only 32-bit images have.
 */
#ifndef SABOTAGE_PDPTES_H
#define SABOTAGE_PDPTES_H

#include "access/access.h"
#include "cpu/sabotage.h"

#ifdef __x86_64__
static inline void pdptes_event(enum processor_event event, uint64_t value, uint64_t old)
{
	(void)event;
	(void)value;
	(void)old;
}

static inline void pdptes_after_refusal(const struct access *access, struct outcome *outcome)
{
	(void)access;
	(void)outcome;
}

static inline void pdptes_after_access(uint64_t linear)
{
	(void)linear;
}
#else
/* After a MOV to CR0, CR3 or CR4. */
void pdptes_event(enum processor_event event, uint64_t value, uint64_t old);

/* After a MOV to one of them that raised #GP, which may be taken back. */
void pdptes_after_refusal(const struct access *access, struct outcome *outcome);

/* After an access that completed. */
void pdptes_after_access(uint64_t linear);
#endif

#endif
