/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/format_npt.h"

#include "paging/entry.h"

static uint64_t npt_reserved_bits(const struct paging_rules *rules, enum level level,
				  uint64_t entry)
{
	return reserved_bits_set(&paging_5level, rules, level, entry);
}

/* clang-format off */
#define LEVELS_1_TO_4                                                                              \
	[PT]   = {.entry_name = "NPT PTE",   .shift = 12, .index_bits = 9},                        \
	[PD]   = {.entry_name = "NPT PDE",   .shift = 21, .index_bits = 9, .can_map_page = true},  \
	[PDPT] = {.entry_name = "NPT PDPTE", .shift = 30, .index_bits = 9, .can_map_page = true},  \
	[PML4] = {.entry_name = "NPT PML4E", .shift = 39, .index_bits = 9}
/* clang-format on */

const struct paging_format paging_npt_4level = {
	.name = "4-level nested",
	.top = PML4,
	.entry_bytes = 8,
	.linear_bits = 48,
	.present = P,
	.reserved_bits = npt_reserved_bits,
	.level = {LEVELS_1_TO_4},
};

const struct paging_format paging_npt_5level = {
	.name = "5-level nested",
	.top = PML5,
	.entry_bytes = 8,
	.linear_bits = 57,
	.present = P,
	.reserved_bits = npt_reserved_bits,
	.level = {LEVELS_1_TO_4, [PML5] = {.entry_name = "NPT PML5E",
					   .shift = 48,
					   .index_bits = 9}},
};
