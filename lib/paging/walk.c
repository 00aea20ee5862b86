/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/walk.h"

#include "paging/entry.h"

static enum walk_end take_page(struct walk *walk, enum level level, uint64_t entry)
{
	uint64_t offset_mask = level_bytes(walk->format, level) - 1;
	uint64_t address = walk->format->page_address ? walk->format->page_address(level, entry)
						      : entry & ENTRY_ADDRESS & ~offset_mask;

	walk->page_bytes = offset_mask + 1;
	walk->physical = address | (walk->linear & offset_mask);
	return WALK_MAPPED;
}

void walk_on(struct walk *walk, const struct paging_rules *rules, enum level from, uint64_t table,
	     read_entry_fn *read_entry, const void *memory)
{
	const struct paging_format *format = walk->format;

	walk->end = WALK_NOT_PRESENT;
	for (int number = from; number >= PT; number--) {
		struct walk_step *step = &walk->step[walk->count++];
		enum level level = (enum level)number;

		step->level = level;
		step->address =
			table + level_index(format, level, walk->linear) * format->entry_bytes;
		step->entry = read_entry(memory, step->address);
		if (!(step->entry & format->present))
			return;
		if (reserved_bits_set(format, rules, level, step->entry)) {
			walk->end = WALK_RESERVED;
			return;
		}
		if (maps_page(format, rules, level, step->entry)) {
			walk->end = take_page(walk, level, step->entry);
			return;
		}
		table = step->entry & ENTRY_ADDRESS;
	}
}

void walk_linear(struct walk *walk, const struct paging_format *format,
		 const struct paging_rules *rules, uint64_t root, uint64_t linear,
		 read_entry_fn *read_entry, const void *memory)
{
	walk->format = format;
	walk->linear = linear;
	walk->count = 0;
	if (format->top) {
		walk_on(walk, rules, format->top, root, read_entry, memory);
		return;
	}
	walk->end = WALK_MAPPED;
	walk->physical = linear;
	walk->page_bytes = 1ull << format->linear_bits;
}
