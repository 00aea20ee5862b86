/* SPDX-License-Identifier: BSD-2-Clause */
#include "sabotage/lend.h"

#include "cpu/control.h"
#include "cpu/features.h"
#include "libc/string.h"

#define ENTRIES	   512
#define MOST_LENT  12
#define MOST_PAGES 2

static uint64_t lent[MOST_LENT][ENTRIES] __attribute__((aligned(PAGE_4K)));
static unsigned lent_count, page_count;
static uint64_t pages[MOST_PAGES], saved_cr3;

void lend_begin(void)
{
	lent_count = 1;
	page_count = 0;
	memcpy(lent[0], identity(current_root()), PAGE_4K);
}

static bool is_lent(uint64_t entry)
{
	uint64_t address = entry & ENTRY_ADDRESS;

	return entry & P && address >= (uintptr_t)lent && address < (uintptr_t)lent + sizeof(lent);
}

/* A table with what lies below `entry`, which may be absent or map a large page. */
static uint64_t *lend_table(const struct paging_format *format, enum level level, uint64_t entry)
{
	const struct paging_rules rules = current_rules();
	uint64_t *table = lent[lent_count++ % MOST_LENT];

	if (!(entry & P) || reserved_bits_set(format, &rules, level, entry)) {
		memset(table, 0, PAGE_4K);
	} else if (!maps_page(format, &rules, level, entry)) {
		memcpy(table, identity(GPA(entry & ENTRY_ADDRESS)), PAGE_4K);
	} else {
		uint64_t bytes = level_bytes(format, (enum level)(level - 1));
		uint64_t flags = entry & ~ENTRY_ADDRESS & ~(level - 1 == PT ? PS : 0);
		uint64_t first = entry & ENTRY_ADDRESS & ~(level_bytes(format, level) - 1);

		for (unsigned i = 0; i < ENTRIES; i++)
			table[i] = (first + i * bytes) | flags;
	}
	return table;
}

static uint64_t lent_entry(const struct translation *translation)
{
	uint64_t rights = translation->rights;

	if (translation->found == FOUND_ABSENT)
		return 0;
	if (translation->found == FOUND_RESERVED)
		return P | RIGHTS | 1ull << (maxphyaddr() < 52 ? 51 : 0);
	if (!(read_msr(MSR_EFER) & EFER_NXE))
		rights &= ~XD;
	return translation->frame | rights | (translation->last & PROTECTION_KEY) | P | A | D;
}

void lend_page(uint64_t linear, const struct translation *translation)
{
	const struct paging_format *format = current_format();
	uint64_t *table = lent[0];

	for (int level = format->top; level > PT; level--) {
		uint64_t *entry = &table[level_index(format, (enum level)level, linear)];

		if (!is_lent(*entry))
			*entry = (uintptr_t)lend_table(format, (enum level)level, *entry) | P |
				 RIGHTS;
		table = identity(GPA(*entry & ENTRY_ADDRESS));
	}
	table[level_index(format, PT, linear)] = lent_entry(translation);
	pages[page_count++ % MOST_PAGES] = linear;
}

/* Without the hooks: these are not the guest's. */
static void enter_root(uint64_t cr3)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
	for (unsigned i = 0; i < page_count; i++)
		__asm__ volatile("invlpg (%0)" : : "r"(pages[i]) : "memory");
}

void lend_enter(void)
{
	saved_cr3 = read_cr3();
	enter_root((uintptr_t)lent[0] | (saved_cr3 & 0xfff));
}

void lend_leave(void)
{
	enter_root(saved_cr3);
}
