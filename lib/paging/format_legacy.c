/* SPDX-License-Identifier: BSD-2-Clause
 *
 * SDM Vol. 3, "32-Bit Paging" and "PAE Paging".
 */
#include "paging/format_legacy.h"

#include "paging/entry.h"

#define BITS(high, low)	   ((2ull << (high)) - (1ull << (low)))
#define PSE36_ADDRESS	   BITS(20, 13) /* bits 39:32 of the address of a 4-MByte page */
#define PSE36_TOP	   40
#define LARGE_PDE_RESERVED BITS(21, 13)
#define PAE_HIGH_RESERVED  BITS(62, 52)

/* With M = min(40, MAXPHYADDR), or 32 without PSE-36, bits 21:M-19 of a 4-MByte page are reserved.
 */
static uint64_t reserved_32bit(const struct paging_rules *rules, enum level level, uint64_t entry)
{
	unsigned m = rules->maxphyaddr < PSE36_TOP ? rules->maxphyaddr : PSE36_TOP;

	if (level == PT || !maps_page(&paging_32bit, rules, level, entry))
		return 0;
	if (!rules->pse36)
		return entry & LARGE_PDE_RESERVED;
	return entry & LARGE_PDE_RESERVED & ~((1ull << (m - 19)) - 1);
}

static uint64_t nothing_reserved(const struct paging_rules *rules, enum level level, uint64_t entry)
{
	(void)rules;
	(void)level;
	(void)entry;
	return 0;
}

static uint64_t page_address_32bit(enum level level, uint64_t entry)
{
	uint64_t address = entry & BITS(31, 12);

	return level == PT ? address : (address & BITS(31, 22)) | (entry & PSE36_ADDRESS) << 19;
}

const struct paging_format paging_32bit = {
	.name = "32-bit",
	.top = PD,
	.entry_bytes = 4,
	.linear_bits = 32,
	.present = P,
	.reserved_bits = reserved_32bit,
	.page_address = page_address_32bit,
	.level =
		{[PT] = {.entry_name = "PTE", .shift = 12, .index_bits = 10},
		 [PD] = {.entry_name = "PDE", .shift = 22, .index_bits = 10, .can_map_page = true}},
};

const struct paging_format paging_32bit_without_pse = {
	.name = "32-bit without PSE",
	.top = PD,
	.entry_bytes = 4,
	.linear_bits = 32,
	.present = P,
	.reserved_bits = nothing_reserved,
	.level = {[PT] = {.entry_name = "PTE", .shift = 12, .index_bits = 10},
		  [PD] = {.entry_name = "PDE", .shift = 22, .index_bits = 10}},
};

const struct paging_format paging_pae = {
	.name = "PAE",
	.top = PD,
	.entry_bytes = 8,
	.linear_bits = 32,
	.present = P,
	.level = {[PT] = {.entry_name = "PTE",
			  .shift = 12,
			  .index_bits = 9,
			  .reserved = PAE_HIGH_RESERVED},
		  [PD] = {.entry_name = "PDE",
			  .shift = 21,
			  .index_bits = 9,
			  .can_map_page = true,
			  .reserved = PAE_HIGH_RESERVED,
			  .reserved_of_page = BITS(20, 13)}},
};

const struct paging_format paging_off = {.name = "no", .linear_bits = 32};

uint64_t reserved_in_pdpte(const struct paging_rules *rules, uint64_t entry)
{
	if (!(entry & P))
		return 0;
	return entry & (BITS(2, 1) | BITS(8, 5) | ~((1ull << rules->maxphyaddr) - 1));
}
