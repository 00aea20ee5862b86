/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "nested.h"

#define LOCAL_APIC_ADDRESS 0xfee00000
#define IO_APIC_ADDRESS	   0xfec00000

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
} __attribute__((packed));

struct rsdt {
	struct header header;
	uint32_t madt;
} __attribute__((packed));

struct madt {
	struct header header;
	uint32_t local_apic, flags;
	struct {
		uint8_t type, length, id, reserved;
		uint32_t address, first_interrupt;
	} __attribute__((packed)) io_apic;
	struct {
		uint8_t type, length, processor, apic;
		uint32_t flags;
	} __attribute__((packed)) cpus[];
} __attribute__((packed));

/* What makes the sum of all bytes zero. */
static uint8_t checksum(const void *table, size_t bytes)
{
	const uint8_t *at = table;
	uint8_t sum = 0;

	while (bytes--)
		sum = (uint8_t)(sum + *at++);
	return (uint8_t)-sum;
}

static void finish(struct header *header, const char *signature, size_t bytes)
{
	memcpy(header->signature, signature, sizeof(header->signature));
	memcpy(header->oem, "SHADOW", sizeof(header->oem));
	memcpy(header->oem_table, "NESTED  ", sizeof(header->oem_table));
	header->length = (uint32_t)bytes;
	header->revision = 1;
	header->checksum = checksum(header, bytes);
}

void acpi_tables(uint8_t *memory, uint32_t address, unsigned cpus)
{
	struct rsdp *rsdp = (void *)(memory + address);
	struct rsdt *rsdt = (void *)(memory + address + 64);
	struct madt *madt = (void *)(memory + address + 128);

	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	rsdp->rsdt = address + 64;
	rsdp->checksum = checksum(rsdp, sizeof(*rsdp));
	rsdt->madt = address + 128;
	finish(&rsdt->header, "RSDT", sizeof(*rsdt));

	madt->local_apic = LOCAL_APIC_ADDRESS;
	madt->flags = 1; /* there are 8259s too */
	madt->io_apic.type = 1;
	madt->io_apic.length = sizeof(madt->io_apic);
	madt->io_apic.address = IO_APIC_ADDRESS;
	for (unsigned i = 0; i < cpus; i++) {
		madt->cpus[i].length = sizeof(madt->cpus[0]);
		madt->cpus[i].processor = (uint8_t)i;
		madt->cpus[i].apic = (uint8_t)i;
		madt->cpus[i].flags = 1; /* usable */
	}
	finish(&madt->header, "APIC", sizeof(*madt) + cpus * sizeof(madt->cpus[0]));
}
