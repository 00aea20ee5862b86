/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L2's physical memory and its own paging structures.
 *
 *   L2-physical   192 MBytes   the stubs' pages
 *                 1 GByte on   everything else, by slots: frames in a GByte of their own each
 * (modulo 3 GBytes for modes with 32-bit entries), at indexes that differ at every level; one of
 * them may be alone in the upper half of the 40 bits, and so at the top of the second level
 */
#include "nested/l2.h"

#include "cpu/features.h"
#include "libc/string.h"
#include "mem/frames.h"
#include "paging/entry.h"
#include "paging/space.h"

#define CODE_GPA	 0x0c000000ull
#define CODE_LINEAR	 0x00007f8000000000ull
#define CODE_LINEAR_32	 0xc0000000ull
#define CODE_USER_OFFSET 0x10000ull
#define ALONE_BIT	 39
#define ALONE_BIT_5LEVEL 48
#define ENTRIES		 512
#define TABLE_FLAGS	 (P | RW | US | A)

extern const char _user[], _user_end[];

const struct paging_format *l2_format(const struct l2 *l2)
{
	static const struct paging_format *const formats[L2_MODES] = {
		[L2_32BIT] = &paging_32bit,
		[L2_PAE] = &paging_pae,
		[L2_4LEVEL] = &paging_4level,
		[L2_5LEVEL] = &paging_5level,
	};

	return formats[l2->mode];
}

bool l2_is_64bit(const struct l2 *l2)
{
	return l2->mode >= L2_4LEVEL;
}

/* Where there is no such bit, nothing can be alone at the top. */
static uint64_t alone_bit(const struct l2 *l2)
{
	if (l2->second.model.format->top == PML5 && maxphyaddr() > ALONE_BIT_5LEVEL)
		return 1ull << ALONE_BIT_5LEVEL;
	return maxphyaddr() > ALONE_BIT ? 1ull << ALONE_BIT : 0;
}

/* GBytes that L2-physical addresses may lie in, below the bit that makes them be alone. */
static uint64_t regions(void)
{
	unsigned bits = maxphyaddr() < ALONE_BIT ? maxphyaddr() : ALONE_BIT;

	return (1ull << (bits - 30)) - 2;
}

static gpa_t slot_gpa(const struct l2 *l2, unsigned slot, bool alone)
{
	uint64_t region = slot % (l2_is_64bit(l2) ? regions() : 3) + 1;
	uint64_t gpa = region << 30;

	gpa |= (uint64_t)((slot * 13 + 21) % ENTRIES) << 21;
	gpa |= (uint64_t)((slot * 29 + 100) % ENTRIES) << 12;
	return GPA(gpa | (alone ? alone_bit(l2) : 0));
}

gpa_t l2_place(struct l2 *l2, gpa_t frame, enum level second, bool alone)
{
	enum level level = second ? second : PT;
	uint64_t bytes = level_bytes(l2->second.model.format, level);
	gpa_t gpa = slot_gpa(l2, l2->next_slot++, alone);

	gpa.value &= ~(bytes - 1);
	second_map(&l2->second, gpa, GPA(frame.value & ~(bytes - 1)), level, SECOND_ALL);
	return gpa_plus(gpa, frame.value & (bytes - 1));
}

gpa_t l2_frame_of(const struct l2 *l2, gpa_t gpa)
{
	const struct model_second_level *model = &l2->second.model;
	struct walk walk;

	walk_linear(&walk, model->format, &model->rules, model->root, gpa.value, read_identity,
		    NULL);
	return GPA(walk.end == WALK_MAPPED ? walk.physical : 0);
}

static void write_entry_of(const struct l2 *l2, volatile uint8_t *entry, uint64_t value)
{
	if (l2_format(l2)->entry_bytes == 4)
		*(volatile uint32_t *)entry = (uint32_t)value;
	else
		*(volatile uint64_t *)entry = value;
}

uint64_t l2_read_entry(const struct l2 *l2, const volatile uint8_t *entry)
{
	if (l2_format(l2)->entry_bytes == 4)
		return *(const volatile uint32_t *)entry;
	return *(const volatile uint64_t *)entry;
}

void l2_write_entry(const struct l2 *l2, const struct l2_page *page, enum level level,
		    uint64_t value)
{
	write_entry_of(l2, page->entry[level], value);
}

void l2_set_flags(const struct l2 *l2, const struct l2_page *page, uint64_t flags)
{
	for (int level = page->level; level <= (int)l2_format(l2)->top; level++) {
		uint64_t mask = level == (int)page->level ? A | D : A;
		uint64_t entry = l2_read_entry(l2, page->entry[level]) & ~mask;

		write_entry_of(l2, page->entry[level], entry | (flags & mask));
	}
}

/* PAE: the page directory of a PDPTE, made on its first use. */
static gpa_t pae_directory(struct l2 *l2, linear_t linear, bool alone)
{
	unsigned index = (unsigned)(linear.value >> 30);
	uint64_t *pdpte = (uint64_t *)identity(l2->root_frame) + index;

	if (!(*pdpte & P))
		*pdpte = l2_place(l2, frame_alloc(), l2->options.second_of_tables, alone).value | P;
	l2->pdpte[index] = *pdpte;
	return GPA(*pdpte & ENTRY_ADDRESS);
}

/* The entry at `level` for a linear address, with the structures above made as needed; where each
 * structure is goes to *page. */
static void find_entries(struct l2 *l2, struct l2_page *page, linear_t linear, enum level level,
			 unsigned alone)
{
	const struct paging_format *format = l2_format(l2);
	gpa_t table = l2->root;

	if (l2->mode == L2_PAE)
		table = pae_directory(l2, linear, alone == PD);
	for (int at = format->top;; at--) {
		enum level here = (enum level)at;
		uint64_t offset = level_index(format, here, linear.value) * format->entry_bytes;

		page->table[at] = table;
		page->entry_gpa[at] = table.value + offset;
		page->entry[at] = identity(l2_frame_of(l2, GPA(page->entry_gpa[at])));
		if (here == level)
			return;
		if (!(l2_read_entry(l2, page->entry[at]) & P)) {
			bool is_alone = alone && (unsigned)at - 1 == alone;

			table = l2_place(l2, frame_alloc(), l2->options.second_of_tables, is_alone);
			write_entry_of(l2, page->entry[at], table.value | TABLE_FLAGS);
		}
		table = GPA(l2_read_entry(l2, page->entry[at]) & ENTRY_ADDRESS);
	}
}

static void map_code(struct l2 *l2)
{
	uint64_t base = l2_is_64bit(l2) ? CODE_LINEAR : CODE_LINEAR_32;
	struct l2_page page;

	for (uint64_t at = 0; at < (uint64_t)(_user_end - _user); at += PAGE_4K) {
		second_map(&l2->second, GPA(CODE_GPA + at), gpa_of(_user + at), PT, SECOND_ALL);
		if (l2->mode == L2_UNPAGED)
			continue;
		for (unsigned user = 0; user < 2; user++) {
			linear_t linear = LINEAR(base + at + user * CODE_USER_OFFSET);

			find_entries(l2, &page, linear, PT, 0);
			write_entry_of(l2, page.entry[PT],
				       (CODE_GPA + at) | P | A | (user ? US : 0));
		}
	}
	l2->code[0] = l2->code[1] = LINEAR(CODE_GPA);
	if (l2->mode != L2_UNPAGED) {
		l2->code[0] = LINEAR(base);
		l2->code[1] = LINEAR(base + CODE_USER_OFFSET);
	}
}

/* Indexes that differ between pages and between a page's levels. */
static linear_t linear_of_page(const struct l2 *l2, unsigned number, enum level level)
{
	uint64_t linear = 0;

	if (l2->mode == L2_5LEVEL)
		linear |= (uint64_t)(number + 3) << 48;
	if (l2_is_64bit(l2))
		linear |= (uint64_t)(number + 1) << 39 | (uint64_t)(number * 7 + 3) << 30;
	else
		linear |= 1ull << 30;
	if (l2->mode == L2_32BIT)
		linear |= (uint64_t)(number * 5 + 9) << 22;
	else if (level <= PD)
		linear |= (uint64_t)(number * 13 + 21) << 21;
	if (level <= PT)
		linear |= (uint64_t)(number * 29 + 100) << 12;
	return LINEAR(linear);
}

struct l2_page l2_map(struct l2 *l2, enum level level, uint64_t flags, uint32_t tag)
{
	bool alone = l2->options.alone == ALONE_PAGE;
	struct l2_page page = {.frame = frame_alloc(), .level = level, .bytes = PAGE_4K};

	frame_fill(page.frame, PAGE_4K, tag);
	page.gpa = l2_place(l2, page.frame, l2->options.second_of_pages, alone);
	page.linear = LINEAR(page.gpa.value);
	if (l2->mode == L2_UNPAGED)
		return page;
	page.bytes = level_bytes(l2_format(l2), level);
	page.linear = linear_of_page(l2, l2->pages++, level);
	page.linear.value &= ~(page.bytes - 1);
	find_entries(l2, &page, page.linear, level, l2->options.alone);
	page.linear.value |= page.gpa.value & (page.bytes - 1);
	write_entry_of(l2, page.entry[level],
		       (page.gpa.value & ~(page.bytes - 1)) | flags | (level > PT ? PS : 0));
	return page;
}

void l2_first_space(struct l2 *l2)
{
	bool alone = l2->mode != L2_PAE && l2->options.alone;

	if (l2->mode != L2_UNPAGED) {
		l2->root_frame = frame_alloc();
		l2->root = l2_place(l2, l2->root_frame, l2->options.second_of_tables,
				    alone && l2->options.alone == l2_format(l2)->top);
		l2->cr3 = l2->root.value;
	}
	map_code(l2);
}

void l2_new_space(struct l2 *l2)
{
	l2->root_frame = frame_alloc();
	l2->root = l2_place(l2, l2->root_frame, l2->options.second_of_tables, false);
	l2->cr3 = l2->root.value;
	l2->pages = 0;
	memset(l2->pdpte, 0, sizeof(l2->pdpte));
	map_code(l2);
}
