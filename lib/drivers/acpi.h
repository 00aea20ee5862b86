/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a machine's ACPI tables say about processors and about switching it off (ACPI, "Fixed ACPI
 * Description Table", "Sleep Control and Status Registers", "\_Sx (System States)"). Reads physical
 * memory through the identity map.
 */
#ifndef DRIVERS_ACPI_H
#define DRIVERS_ACPI_H

#include <stdbool.h>
#include <stdint.h>

struct acpi_power {
	bool has_sleep_type; /* the DSDT has \_S5 */
	uint8_t sleep_type;  /* SLP_TYPa for S5 */
	uint16_t pm1a_control;
	uint16_t pm1b_control;
	bool hardware_reduced;
	bool sleep_control_in_memory;
	uint64_t sleep_control; /* port or physical address, 0: none */
};

/* Fills *power from the tables behind `rsdp` (0: search the BIOS areas); false when there is no
 * sound FADT. */
bool acpi_find_power(uint64_t rsdp, struct acpi_power *power);

/* Processors that the MADT lists as enabled (ACPI, "Multiple APIC Description Table"); 0 when there
 * is no sound one. */
unsigned acpi_count_processors(uint64_t rsdp);

#endif
