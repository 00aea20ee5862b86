/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The local APIC, by memory or as x2APIC, whichever the machine is in (SDM Vol. 3, "Advanced
 * Programmable Interrupt Controller (APIC)"): as much as starting other processors and interrupting
 * them takes. Every wait is bounded. Acts on the processor that calls.
 */
#ifndef DRIVERS_LOCAL_APIC_H
#define DRIVERS_LOCAL_APIC_H

#include <stdbool.h>
#include <stdint.h>

/* Reads how many processors the ACPI tables behind `rsdp` list (0: search the BIOS areas), while
 * they are still there. */
void processors_collect(uint64_t rsdp);

/* How many processors there should be: by ACPI, or else by CPUID, which may tell too many. */
unsigned processors_expected(void);
bool processors_are_listed(void);

/* Whether there is a local APIC that can be used. */
bool local_apic_is_usable(void);

/* Where its registers are in memory; 0 as an x2APIC, or where it cannot be used. */
uint64_t local_apic_page(void);

/* Lets interrupts through. On a processor that was started by another, `like_starter` is what
 * local_apic_mode() was there. */
uint64_t local_apic_mode(void);
void local_apic_enable(uint64_t like_starter);

uint32_t local_apic_id(void);

/* INIT and SIPI, for one processor or for all others; a SIPI starts at physical address `start`, a
 * page below 1 MByte. False: the interrupt was not sent in time. */
bool send_init(uint32_t apic_id);
bool send_startup(uint32_t apic_id, uint32_t start);
bool send_init_to_others(void);
bool send_startup_to_others(uint32_t start);

/* A fixed interrupt, and what its handler does at the end. */
bool send_interrupt(uint32_t apic_id, unsigned vector);
void end_of_interrupt(void);

/* A periodic interrupt, a quarter of a second apart (SDM
 * Vol. 3, "APIC Timer"); also masks the interrupts of the old controllers. */
void local_apic_timer_start(unsigned vector);
void local_apic_timer_stop(void);

#endif
