/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The program that is process 1 of the outer machine: init.c takes orders, vmm.c is a virtual
 * machine monitor on KVM for one guest, and both speak through console.c.
 */
#ifndef NESTED_H
#define NESTED_H

#include <stddef.h>
#include <stdint.h>

#define MBYTE (1ull << 20)

/* What to run. */
struct guest {
	const uint8_t *file; /* the image, an ELF64 file with a PVH note */
	size_t file_bytes;
	uint64_t memory; /* bytes of the guest's RAM */
	unsigned cpus;
	const char *args; /* the guest's command line */
};

/* Opens the serial port and returns it, for reading orders. */
int console_open(void);

/* A line of the outer machine's own; the newline is added. */
void console_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Bytes for the guest's console, as they come. Any thread may call it. */
void console_put(const char *bytes, size_t length);

/* Ends this process and says how the guest came to its end: "exit 1", or why it could not go on. */
_Noreturn void guest_ended(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs the guest to its end; does not return. One process runs one guest. */
_Noreturn void vmm_run(const struct guest *guest);

/* Puts the segments of the image into `memory`, the first `room` bytes of the guest's; returns the
 * PVH entry. An image without one, or that does not fit, is the guest's end. */
uint32_t image_load(const struct guest *guest, uint8_t *memory, uint64_t room);

/* The tables of the firmware that a guest finds through its start info: a MADT that lists `cpus`
 * processors with APIC ids from 0 on. Written at `address` of `memory`, the guest's RAM; fits in 4
 * KBytes. The RSDP comes first. */
void acpi_tables(uint8_t *memory, uint32_t address, unsigned cpus);

#endif
