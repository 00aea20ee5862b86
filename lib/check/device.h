/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A device that every machine may have, at an address in memory: the local APIC (SDM Vol. 3, "The
 * Local APIC"). Its task-priority register holds what is written to its low byte.
 */
#ifndef CHECK_DEVICE_H
#define CHECK_DEVICE_H

#include "paging/space.h"

#define APIC_PAGE     0xfee00000ull
#define APIC_PRIORITY 0x80 /* offset of the register */

/* Ends the case as skipped where the local APIC is elsewhere, off, or an x2APIC. */
void require_local_apic(void);

/* The register through the identity map. */
volatile uint32_t *priority_register(void);

#endif
