/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot/boot_info.h"

#include "libc/string.h"
#include "libc/text.h"

#define MULTIBOOT_LOADED      0x2badb002
#define MULTIBOOT_HAS_MEMORY  (1u << 0)
#define MULTIBOOT_HAS_COMMAND (1u << 2)
#define MULTIBOOT_HAS_MAP     (1u << 6)
#define MULTIBOOT2_LOADED     0x36d76289
#define TAG_BYTES	      8 /* its type and size; the next one is aligned to as many */
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

/* Multiboot 2 */
enum tag_type {
	TAG_END = 0,
	TAG_COMMAND_LINE = 1,
	TAG_MEMORY_MAP = 6,
	TAG_RSDP_OF_ACPI_1 = 14,
	TAG_RSDP_OF_ACPI_2 = 15,
};

struct tag {
	uint32_t type, size; /* size with these two */
};

struct map_tag {
	struct tag tag;
	uint32_t range_size, range_version;
};

struct pvh_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, command_line, rsdp, map;
	uint32_t map_entries, reserved;
};

/* Multiboot 2 has the same. */
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

static void read_map_tag(struct boot_info *info, const struct map_tag *map)
{
	const char *next = (const char *)(map + 1);
	const char *end = (const char *)map + map->tag.size;

	for (; map->range_size && next + map->range_size <= end; next += map->range_size) {
		const struct pvh_range *range = (const void *)next;

		add_range(info, range->start, range->bytes, range->type);
	}
}

/* `address` is that of a total size, eight bytes before the first tag. */
static void read_multiboot2(struct boot_info *info, uint64_t address)
{
	uint64_t end = address + *(const uint32_t *)at(address);
	uint64_t next = address + TAG_BYTES;

	info->protocol = "multiboot2";
	while (next + TAG_BYTES <= end) {
		const struct tag *tag = at(next);

		if (tag->type == TAG_END || tag->size < TAG_BYTES)
			return;
		if (tag->type == TAG_COMMAND_LINE)
			copy_command_line(info, next + TAG_BYTES);
		else if (tag->type == TAG_MEMORY_MAP)
			read_map_tag(info, at(next));
		else if (tag->type == TAG_RSDP_OF_ACPI_2 ||
			 (tag->type == TAG_RSDP_OF_ACPI_1 && !info->rsdp))
			info->rsdp = next + TAG_BYTES;
		next += (tag->size + TAG_BYTES - 1) / TAG_BYTES * TAG_BYTES;
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
	else if (magic == MULTIBOOT2_LOADED)
		read_multiboot2(info, address);
	if (!info->range_count)
		add_range(info, MBYTE, told_ram(info->command_line), RANGE_IS_RAM);
}
