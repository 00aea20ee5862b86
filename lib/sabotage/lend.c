/* SPDX-License-Identifier: BSD-2-Clause */
#include "sabotage/lend.h"

#include "cpu/control.h"
#include "cpu/features.h"
#include "libc/string.h"

#define MOST_LENT     12
#define PDPTES	      4
#define PAE_CR3_FLAGS 0x1full

static uint8_t lent[MOST_LENT][PAGE_4K] __attribute__((aligned(PAGE_4K)));
static uint64_t lent_pdpt[PDPTES] __attribute__((aligned(32)));
static unsigned lent_count, page_count;
static uint64_t pages[MOST_PAGES], saved_cr3;

static uint64_t get(const struct paging_format *format, const void *table, unsigned index)
{
	return format->entry_bytes == 8 ? ((const uint64_t *)table)[index]
					: ((const uint32_t *)table)[index];
}

static void put(const struct paging_format *format, void *table, unsigned index, uint64_t entry)
{
	if (format->entry_bytes == 8)
		((uint64_t *)table)[index] = entry;
	else
		((uint32_t *)table)[index] = (uint32_t)entry;
}

bool can_lend(const struct translation *translations, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (current_format()->entry_bytes == 4 && translations[i].found == FOUND_PAGE &&
		    translations[i].frame >> 32)
			return false;
	return true;
}

void lend_begin(void)
{
	lent_count = 0;
	page_count = 0;
	if (current_pdptes())
		memcpy(lent_pdpt, current_pdptes(), sizeof(lent_pdpt));
	else
		memcpy(lent[lent_count++], identity(current_root()), PAGE_4K);
}

static bool is_lent(uint64_t entry)
{
	uint64_t address = entry & ENTRY_ADDRESS;

	return entry & P && address >= (uintptr_t)lent && address < (uintptr_t)lent + sizeof(lent);
}

/* What a large page's entry maps, in entries of the level below. */
static void split(const struct paging_format *format, void *table, enum level level, uint64_t entry)
{
	enum level below = (enum level)(level - 1);
	uint64_t bytes = level_bytes(format, below);
	uint64_t flags = entry & ~ENTRY_ADDRESS & ~(below == PT ? PS : 0);
	uint64_t first = format->page_address
				 ? format->page_address(level, entry)
				 : entry & ENTRY_ADDRESS & ~(level_bytes(format, level) - 1);

	for (unsigned i = 0; i < PAGE_4K / format->entry_bytes; i++)
		put(format, table, i, (first + i * bytes) | flags);
}

/* A table with what lies below `entry`, which may be absent or map a large page. */
static void *lend_table(const struct paging_format *format, enum level level, uint64_t entry)
{
	const struct paging_rules rules = current_rules();
	void *table = lent[lent_count++ % MOST_LENT];

	if (!(entry & P) || reserved_bits_set(format, &rules, level, entry))
		memset(table, 0, PAGE_4K);
	else if (!maps_page(format, &rules, level, entry))
		memcpy(table, identity(GPA(entry & ENTRY_ADDRESS)), PAGE_4K);
	else
		split(format, table, level, entry);
	return table;
}

/* The structure of the format's top level for an address; below a PDPTE one of its own. */
static void *lent_top(uint64_t linear)
{
	uint64_t *pdpte = &lent_pdpt[linear >> 30 & (PDPTES - 1)];

	if (!current_pdptes())
		return lent[0];
	if (!is_lent(*pdpte)) {
		void *table = lent[lent_count++ % MOST_LENT];

		if (*pdpte & P)
			memcpy(table, identity(GPA(*pdpte & ENTRY_ADDRESS)), PAGE_4K);
		else
			memset(table, 0, PAGE_4K);
		*pdpte = (uintptr_t)table | P;
	}
	return identity(GPA(*pdpte & ENTRY_ADDRESS));
}

static uint64_t lent_entry(const struct translation *translation)
{
	uint64_t rights = translation->rights;

	if (translation->found == FOUND_ABSENT)
		return 0;
	if (translation->found == FOUND_RESERVED)
		return P | RIGHTS | 1ull << (maxphyaddr() < 52 ? 51 : 0);
	if (!current_rules().execute_disable)
		rights &= ~XD;
	return translation->frame | rights | (translation->last & PROTECTION_KEY) | P | A | D;
}

/* What reserved bits are in an entry of 4 bytes stays where it is. */
void lend_page(uint64_t linear, const struct translation *translation)
{
	const struct paging_format *format = current_format();
	void *table = lent_top(linear);

	pages[page_count++ % MOST_PAGES] = linear;
	if (translation->found == FOUND_RESERVED && format->entry_bytes == 4)
		return;
	for (int at = format->top; at > PT; at--) {
		enum level level = (enum level)at;
		unsigned index = level_index(format, level, linear);
		uint64_t entry = get(format, table, index);

		if (!is_lent(entry)) {
			entry = (uintptr_t)lend_table(format, level, entry) | P | RIGHTS;
			put(format, table, index, entry);
		}
		table = identity(GPA(entry & ENTRY_ADDRESS));
	}
	put(format, table, level_index(format, PT, linear), lent_entry(translation));
}

/* Without the hooks: these are not the guest's. */
static void enter_root(uint64_t cr3)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"((unsigned long)cr3) : "memory");
	for (unsigned i = 0; i < page_count; i++)
		__asm__ volatile("invlpg (%0)" : : "r"((unsigned long)pages[i]) : "memory");
}

void lend_enter(void)
{
	saved_cr3 = read_cr3();
	if (current_pdptes())
		enter_root((uintptr_t)lent_pdpt | (saved_cr3 & PAE_CR3_FLAGS));
	else
		enter_root((uintptr_t)lent[0] | (saved_cr3 & 0xfff));
}

void lend_leave(void)
{
	uint64_t *memory = identity(GPA(saved_cr3 & ~PAE_CR3_FLAGS)), saved[PDPTES];

	if (!current_pdptes()) {
		enter_root(saved_cr3);
		return;
	}
	/* The registers get what they had, whatever stands in memory by now. */
	memcpy(saved, memory, sizeof(saved));
	memcpy(memory, current_pdptes(), sizeof(saved));
	enter_root(saved_cr3);
	memcpy(memory, saved, sizeof(saved));
}
