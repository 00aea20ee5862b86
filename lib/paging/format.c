/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/format.h"

#include "paging/entry.h"

#define LARGE_PDE_RESERVED   (0xffull << 13)	/* bits 20:13 */
#define LARGE_PDPTE_RESERVED (0x1ffffull << 13) /* bits 29:13 */

/* clang-format off */
#define LEVELS_1_TO_4                                                                              \
	[PT]   = {.entry_name = "PTE",   .shift = 12, .index_bits = 9},                            \
	[PD]   = {.entry_name = "PDE",   .shift = 21, .index_bits = 9, .can_map_page = true,       \
		  .reserved_of_page = LARGE_PDE_RESERVED},                                         \
	[PDPT] = {.entry_name = "PDPTE", .shift = 30, .index_bits = 9, .can_map_page = true,       \
		  .reserved_of_page = LARGE_PDPTE_RESERVED},                                       \
	[PML4] = {.entry_name = "PML4E", .shift = 39, .index_bits = 9, .reserved = PS}
/* clang-format on */

const struct paging_format paging_4level = {
	.name = "4-level",
	.top = PML4,
	.entry_bytes = 8,
	.linear_bits = 48,
	.present = P,
	.level = {LEVELS_1_TO_4},
};

const struct paging_format paging_5level = {
	.name = "5-level",
	.top = PML5,
	.entry_bytes = 8,
	.linear_bits = 57,
	.present = P,
	.level = {LEVELS_1_TO_4, [PML5] = {.entry_name = "PML5E",
					   .shift = 48,
					   .index_bits = 9,
					   .reserved = PS}},
};

bool maps_page(const struct paging_format *format, const struct paging_rules *rules,
	       enum level level, uint64_t entry)
{
	if (level == PT)
		return true;
	if (!(entry & PS) || !format->level[level].can_map_page)
		return false;
	return level != PDPT || rules->pages_1g;
}

uint64_t reserved_bits_set(const struct paging_format *format, const struct paging_rules *rules,
			   enum level level, uint64_t entry)
{
	uint64_t reserved = format->level[level].reserved;

	if (format->reserved_bits)
		return format->reserved_bits(rules, level, entry);
	reserved |= ENTRY_ADDRESS & ~((1ull << rules->maxphyaddr) - 1);
	if (!rules->execute_disable)
		reserved |= XD;
	if (maps_page(format, rules, level, entry))
		reserved |= format->level[level].reserved_of_page;
	else if (format->level[level].can_map_page)
		reserved |= entry & PS; /* a large page that this processor does not have */
	return entry & reserved;
}

const char *page_size_name(enum level level)
{
	static const char *const names[] = {"?", "4-KByte", "2-MByte", "1-GByte", "?", "?"};

	return names[level];
}
