/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the loader left: who it was, the command line, the RAM, the RSDP. Copied before memory
 * beyond the image is used.
 */
#ifndef BOOT_BOOT_INFO_H
#define BOOT_BOOT_INFO_H

#include "mem/frames.h"

#define MOST_RANGES	   32
#define COMMAND_LINE_BYTES 1024

struct boot_info {
	const char *protocol; /* "multiboot1", "multiboot2", "pvh", "unknown" */
	char command_line[COMMAND_LINE_BYTES];
	struct memory_range ranges[MOST_RANGES]; /* RAM */
	unsigned range_count;
	uint64_t rsdp; /* 0: not told */
};

/* `magic` and `address` are EAX and EBX as the loader left them. */
void boot_info_read(struct boot_info *info, uint32_t magic, uint32_t address);

#endif
