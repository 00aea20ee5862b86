/* SPDX-License-Identifier: BSD-2-Clause */
#include "nested/wrongly.h"

#define MOST_PATCHES 64

static struct patch {
	uint64_t address, before, value;
	unsigned bytes;
	bool keeps_flags;
} patches[MOST_PATCHES];
static unsigned patch_count;

uint64_t read_entry_of(uint64_t address, unsigned bytes)
{
	return bytes == 4 ? *(volatile uint32_t *)identity(GPA(address))
			  : *(volatile uint64_t *)identity(GPA(address));
}

void write_entry_at(uint64_t address, unsigned bytes, uint64_t value)
{
	if (bytes == 4)
		*(volatile uint32_t *)identity(GPA(address)) = (uint32_t)value;
	else
		*(volatile uint64_t *)identity(GPA(address)) = value;
}

void patch_entry(uint64_t address, unsigned bytes, uint64_t value, bool keeps_flags)
{
	uint64_t before;

	if (address >= IDENTITY_MAP_BYTES || patch_count == MOST_PATCHES)
		return;
	before = read_entry_of(address, bytes);
	if (before == value)
		return;
	patches[patch_count++] = (struct patch){address, before, value, bytes, keeps_flags};
	write_entry_at(address, bytes, value);
}

void undo_patches(uint64_t flags)
{
	while (patch_count) {
		const struct patch *patch = &patches[--patch_count];
		uint64_t now = read_entry_of(patch->address, patch->bytes);
		uint64_t set = patch->keeps_flags ? now & ~patch->value & flags : 0;

		write_entry_at(patch->address, patch->bytes, patch->before | set);
	}
}

unsigned patches_made(void)
{
	return patch_count;
}
