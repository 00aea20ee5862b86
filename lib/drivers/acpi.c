/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/acpi.h"

#include "libc/string.h"

#define EBDA_SEGMENT_POINTER  0x40e
#define BIOS_AREA	      0xe0000
#define BIOS_AREA_END	      0x100000
#define IDENTITY_MAP_END      (1ull << 32)
#define MOST_TABLES	      64
#define MOST_TABLE_BYTES      (1u << 20)

#define FADT_HARDWARE_REDUCED (1u << 20)
#define FADT_DSDT	      40
#define FADT_PM1A_CONTROL     64
#define FADT_PM1B_CONTROL     68
#define FADT_FLAGS	      112
#define FADT_X_DSDT	      140
#define FADT_SLEEP_CONTROL    244
#define GAS_SYSTEM_MEMORY     0
#define GAS_SYSTEM_IO	      1

#define AML_NAME_OP	      0x08
#define AML_PACKAGE_OP	      0x12
#define AML_BYTE	      0x0a
#define AML_ONE		      0x01

struct table {
	char signature[4];
	uint32_t length;
} __attribute__((packed));

static const uint8_t *physical(uint64_t address)
{
	return (const uint8_t *)(uintptr_t)address;
}

static uint64_t read_field(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static bool sum_is_zero(const uint8_t *at, uint32_t bytes)
{
	uint8_t sum = 0;

	while (bytes--)
		sum = (uint8_t)(sum + *at++);
	return sum == 0;
}

/* The table at `address` when it is whole and inside the identity map, otherwise NULL. */
static const struct table *sound_table(uint64_t address)
{
	const struct table *table = (const struct table *)physical(address);

	if (!address || address >= IDENTITY_MAP_END - MOST_TABLE_BYTES)
		return NULL;
	if (table->length < 36 || table->length > MOST_TABLE_BYTES)
		return NULL;
	return sum_is_zero((const uint8_t *)table, table->length) ? table : NULL;
}

static uint64_t search(uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at + 36 <= to; at += 16)
		if (!memcmp(physical(at), "RSD PTR ", 8) && sum_is_zero(physical(at), 20))
			return at;
	return 0;
}

static uint64_t find_rsdp(void)
{
	uint64_t ebda = read_field(physical(EBDA_SEGMENT_POINTER), 2) << 4;
	uint64_t found = 0;

	if (ebda >= 0x80000 && ebda < 0xa0000)
		found = search(ebda, ebda + 1024);
	return found ? found : search(BIOS_AREA, BIOS_AREA_END);
}

static const struct table *find_in(const struct table *root, unsigned pointer_bytes,
				   const char *signature)
{
	unsigned count = (root->length - 36) / pointer_bytes;

	for (unsigned i = 0; i < count && i < MOST_TABLES; i++) {
		const uint8_t *slot = (const uint8_t *)root + 36 + i * pointer_bytes;
		const struct table *table = sound_table(read_field(slot, pointer_bytes));

		if (table && !memcmp(table->signature, signature, 4))
			return table;
	}
	return NULL;
}

static const struct table *find_table(uint64_t rsdp, const char *signature)
{
	const uint8_t *pointer = physical(rsdp);
	const struct table *root = NULL;

	if (!rsdp || rsdp >= IDENTITY_MAP_END || memcmp(pointer, "RSD PTR ", 8))
		return NULL;
	if (pointer[15] >= 2)
		root = sound_table(read_field(pointer + 24, 8));
	if (root)
		return find_in(root, 8, signature);
	root = sound_table(read_field(pointer + 16, 4));
	return root ? find_in(root, 4, signature) : NULL;
}

/* Name(_S5, Package {SLP_TYPa, ...}): byte-search instead of an AML interpreter, as boot loaders
 * do. */
static void find_sleep_type(const struct table *dsdt, struct acpi_power *power)
{
	const uint8_t *start = (const uint8_t *)dsdt, *end = start + dsdt->length;

	for (const uint8_t *at = start + 36; at + 10 < end; at++) {
		const uint8_t *element;

		if (memcmp(at, "_S5_", 4) || at[4] != AML_PACKAGE_OP)
			continue;
		if (at[-1] != AML_NAME_OP && !(at[-1] == '\\' && at[-2] == AML_NAME_OP))
			continue;
		element = at + 5 + (at[5] >> 6) + 2; /* PkgLength of 1 to 4 bytes, NumElements */
		power->sleep_type = *element == AML_BYTE ? element[1] : *element == AML_ONE ? 1 : 0;
		power->has_sleep_type = true;
		return;
	}
}

static void read_sleep_control(const struct table *fadt, struct acpi_power *power)
{
	const uint8_t *gas = (const uint8_t *)fadt + FADT_SLEEP_CONTROL;

	if (fadt->length < FADT_SLEEP_CONTROL + 12 || gas[0] > GAS_SYSTEM_IO)
		return;
	power->sleep_control_in_memory = gas[0] == GAS_SYSTEM_MEMORY;
	power->sleep_control = read_field(gas + 4, 8);
	if (power->sleep_control >= IDENTITY_MAP_END)
		power->sleep_control = 0;
}

bool acpi_find_power(uint64_t rsdp, struct acpi_power *power)
{
	const struct table *fadt, *dsdt = NULL;
	const uint8_t *bytes;

	*power = (struct acpi_power){0};
	fadt = find_table(rsdp ? rsdp : find_rsdp(), "FACP");
	if (!fadt || fadt->length < 116)
		return false;
	bytes = (const uint8_t *)fadt;
	power->pm1a_control = (uint16_t)read_field(bytes + FADT_PM1A_CONTROL, 4);
	power->pm1b_control = (uint16_t)read_field(bytes + FADT_PM1B_CONTROL, 4);
	power->hardware_reduced = read_field(bytes + FADT_FLAGS, 4) & FADT_HARDWARE_REDUCED;
	if (power->hardware_reduced)
		read_sleep_control(fadt, power);
	if (fadt->length >= FADT_X_DSDT + 8)
		dsdt = sound_table(read_field(bytes + FADT_X_DSDT, 8));
	if (!dsdt)
		dsdt = sound_table(read_field(bytes + FADT_DSDT, 4));
	if (dsdt)
		find_sleep_type(dsdt, power);
	return true;
}

#define MADT_FIRST_ENTRY	44
#define MADT_LOCAL_APIC		0
#define MADT_LOCAL_APIC_FLAGS	4
#define MADT_LOCAL_X2APIC	9
#define MADT_LOCAL_X2APIC_FLAGS 8
#define MADT_ENABLED		1

unsigned acpi_count_processors(uint64_t rsdp)
{
	const struct table *madt = find_table(rsdp ? rsdp : find_rsdp(), "APIC");
	const uint8_t *at, *end;
	unsigned count = 0;

	if (!madt)
		return 0;
	at = (const uint8_t *)madt + MADT_FIRST_ENTRY;
	end = (const uint8_t *)madt + madt->length;
	for (; at + 2 <= end && at[1] >= 2 && at + at[1] <= end; at += at[1]) {
		if (at[0] == MADT_LOCAL_APIC && at[1] >= 8)
			count += at[MADT_LOCAL_APIC_FLAGS] & MADT_ENABLED;
		else if (at[0] == MADT_LOCAL_X2APIC && at[1] >= 16)
			count += at[MADT_LOCAL_X2APIC_FLAGS] & MADT_ENABLED;
	}
	return count;
}
