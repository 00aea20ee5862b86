/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Ending the machine. What is needed is collected at the start, before any test touches page
 * tables.
 */
#ifndef DRIVERS_POWER_H
#define DRIVERS_POWER_H

#include <stdint.h>

/* The statuses that an image asks for through isa-debug-exit; kvm-unit-tests' runner knows them
 * too. */
enum exit_code { EXIT_PASSED = 0, EXIT_FAILED = 1, EXIT_SKIPPED = 38, EXIT_ABORTED = 63 };

/* Looks up how this machine is switched off; `rsdp` as the loader told, or 0. */
void power_collect(uint64_t rsdp);

/* Climbs down the ladder: debug-exit, ACPI, known ports, reset, triple fault, HLT. Never returns.
 * Needs the identity map. */
_Noreturn void power_off(enum exit_code code);

#endif
