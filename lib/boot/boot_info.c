/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot/boot_info.h"

#include "libc/string.h"
#include "libc/text.h"

#define MULTIBOOT_LOADED      0x2badb002
#define MULTIBOOT_HAS_MEMORY  (1u << 0)
#define MULTIBOOT_HAS_COMMAND (1u << 2)
#define MULTIBOOT_HAS_MAP     (1u << 6)
#define PVH_MAGIC	      0x336ec578
#define RANGE_IS_RAM	      1
#define RAM_IF_NOTHING_IS_TOLD \
	(15 * MBYTE) /* from 1 MByte on: what the oldest PC has before its hole */

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, command_line, mods_count, mods_addr;
	uint32_t syms[4], map_length, map_address;
};

struct multiboot_range {
	uint32_t size; /* of what follows */
	uint64_t start, bytes;
	uint32_t type;
} __attribute__((packed));

struct pvh_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, command_line, rsdp, map;
	uint32_t map_entries, reserved;
};

struct pvh_range {
	uint64_t start, bytes;
	uint32_t type, reserved;
};

static const void *at(uint64_t address)
{
	return identity(GPA(address));
}

static void add_range(struct boot_info *info, uint64_t start, uint64_t bytes, uint32_t type)
{
	if (type == RANGE_IS_RAM && info->range_count < MOST_RANGES)
		info->ranges[info->range_count++] = (struct memory_range){GPA(start), bytes};
}

static void copy_command_line(struct boot_info *info, uint64_t address)
{
	const char *from = at(address);

	if (!address || address >= IDENTITY_MAP_BYTES - COMMAND_LINE_BYTES)
		return;
	for (unsigned i = 0; i < COMMAND_LINE_BYTES - 1 && from[i]; i++)
		info->command_line[i] = from[i];
}

static void read_multiboot(struct boot_info *info, const struct multiboot_info *multiboot)
{
	info->protocol = "multiboot1";
	if (multiboot->flags & MULTIBOOT_HAS_COMMAND)
		copy_command_line(info, multiboot->command_line);
	if (multiboot->flags & MULTIBOOT_HAS_MAP) {
		const char *next = at(multiboot->map_address);
		const char *end = next + multiboot->map_length;

		while (next < end) {
			const struct multiboot_range *range = (const void *)next;

			add_range(info, range->start, range->bytes, range->type);
			next += range->size + 4;
		}
	} else if (multiboot->flags & MULTIBOOT_HAS_MEMORY) {
		add_range(info, MBYTE, multiboot->mem_upper * KBYTE, RANGE_IS_RAM);
	}
}

static void read_pvh(struct boot_info *info, const struct pvh_info *pvh)
{
	const struct pvh_range *range = at(pvh->map);

	info->protocol = "pvh";
	copy_command_line(info, pvh->command_line);
	info->rsdp = pvh->rsdp;
	if (!pvh->version || !pvh->map || pvh->map >= IDENTITY_MAP_BYTES)
		return; /* version 0 has no memory map */
	for (uint32_t i = 0; i < pvh->map_entries; i++)
		add_range(info, range[i].start, range[i].bytes, range[i].type);
}

/* Bytes from 1 MByte on that the command line tells, or what every PC has. */
static uint64_t told_ram(const char *command_line)
{
	unsigned long long mbytes;
	char word[32];

	while (next_word(&command_line, word, sizeof(word)))
		if (!strncmp(word, "ram=", 4) && parse_number(word + 4, &mbytes) && mbytes > 1)
			return (mbytes - 1) * MBYTE;
	return RAM_IF_NOTHING_IS_TOLD;
}

void boot_info_read(struct boot_info *info, uint32_t magic, uint32_t address)
{
	info->protocol = "unknown";
	/* PVH first: some loaders leave Multiboot's magic in EAX on that path too. */
	if (address && *(const uint32_t *)at(address) == PVH_MAGIC)
		read_pvh(info, at(address));
	else if (magic == MULTIBOOT_LOADED)
		read_multiboot(info, at(address));
	if (!info->range_count)
		add_range(info, MBYTE, told_ram(info->command_line), RANGE_IS_RAM);
}
