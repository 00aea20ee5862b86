/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/format_ept.h"

#include "paging/entry.h"

#define BITS_6_3	     (0xfull << 3)	/* of an entry that references a table */
#define LARGE_PDE_RESERVED   (0x1ffull << 12)	/* bits 20:12 */
#define LARGE_PDPTE_RESERVED (0x3ffffull << 12) /* bits 29:12 */

_Static_assert(EPT_PS == PS, "bit 7 says in both formats that an entry maps a page");

/* Memory types 2, 3 and 7. */
static uint64_t bad_memory_type(uint64_t entry)
{
	unsigned type = (entry & EPT_MEMORY_TYPE) >> 3;

	return type == 2 || type == 3 || type == 7 ? entry & EPT_MEMORY_TYPE : 0;
}

/* W without R never is allowed; X without R only where the processor says so. */
static uint64_t bad_rights(const struct paging_rules *rules, uint64_t entry)
{
	uint64_t bad = EPT_W;

	if (!rules->execute_only)
		bad |= EPT_X | (rules->mode_based_execute ? EPT_XU : 0);
	return entry & EPT_R ? 0 : entry & bad;
}

static uint64_t ept_reserved_bits(const struct paging_rules *rules, enum level level,
				  uint64_t entry)
{
	uint64_t bad = bad_rights(rules, entry);

	bad |= entry & ENTRY_ADDRESS & ~((1ull << rules->maxphyaddr) - 1);
	if (level >= PML4)
		return bad | (entry & (BITS_6_3 | EPT_PS));
	if (level > PT && !(entry & EPT_PS))
		return bad | (entry & BITS_6_3);
	if (level == PDPT && !rules->pages_1g)
		return bad | EPT_PS;
	if (level == PDPT)
		bad |= entry & LARGE_PDPTE_RESERVED;
	if (level == PD)
		bad |= entry & LARGE_PDE_RESERVED;
	return bad | bad_memory_type(entry);
}

/* clang-format off */
#define LEVELS_1_TO_4                                                                              \
	[PT]   = {.entry_name = "EPT PTE",   .shift = 12, .index_bits = 9},                        \
	[PD]   = {.entry_name = "EPT PDE",   .shift = 21, .index_bits = 9, .can_map_page = true},  \
	[PDPT] = {.entry_name = "EPT PDPTE", .shift = 30, .index_bits = 9, .can_map_page = true},  \
	[PML4] = {.entry_name = "EPT PML4E", .shift = 39, .index_bits = 9}
/* clang-format on */

const struct paging_format paging_ept_4level = {
	.name = "4-level EPT",
	.top = PML4,
	.entry_bytes = 8,
	.linear_bits = 48,
	.present = EPT_RWX,
	.reserved_bits = ept_reserved_bits,
	.level = {LEVELS_1_TO_4},
};

const struct paging_format paging_ept_5level = {
	.name = "5-level EPT",
	.top = PML5,
	.entry_bytes = 8,
	.linear_bits = 57,
	.present = EPT_RWX,
	.reserved_bits = ept_reserved_bits,
	.level = {LEVELS_1_TO_4, [PML5] = {.entry_name = "EPT PML5E",
					   .shift = 48,
					   .index_bits = 9}},
};
