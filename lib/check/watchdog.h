/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A hypervisor that loops inside, fault after fault for one access, leaves the guest no instruction
 * to notice it by; but it takes interrupts. For the length of a case a timer interrupts attempts
 * now and then, and an attempt that several interrupts have found unchanged is given up: its
 * outcome is VECTOR_WATCHDOG, which no expectation permits, with RIP and the access for the report.
 */
#ifndef CHECK_WATCHDOG_H
#define CHECK_WATCHDOG_H

#include <stdbool.h>

/* For cases that keep the image's own IDT, TSS and identity map, at CPL 0. Does nothing where there
 * is no local APIC; tells whether it does something. */
bool watch_attempts(void);

#endif
