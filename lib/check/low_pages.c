/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/low_pages.h"

#include "check/state.h"
#include "cpu/user.h"
#include "libc/string.h"
#include "mem/frames.h"

#define ENTRIES	  512
#define REFERENCE (P | RW | US)

extern char _user[], _user_end[];

static uint64_t *root;

/* The structure that an entry references, made where it is not present. */
static uint64_t *table_below(uint64_t *entry)
{
	if (!(*entry & P))
		*entry = frame_alloc().value | REFERENCE;
	return identity(GPA(*entry & ENTRY_ADDRESS));
}

/* The first 2 MBytes again, in pages of 4 KBytes. */
static uint64_t small_pages(void)
{
	gpa_t table = frame_alloc();
	uint64_t *entry = identity(table);

	for (uint64_t i = 1; i < ENTRIES; i++)
		entry[i] = i * PAGE_4K | P | RW | A | D;
	return table.value | REFERENCE | A;
}

/* The directory of the identity map's first GByte, which holds the image and all frames. */
static gpa_t first_gbyte(void)
{
	gpa_t directory = frame_alloc();
	struct walk walk;

	if (directory.value >= GBYTE)
		out_of_frames();
	walk_now(&walk, LINEAR(0));
	memcpy(identity(directory), identity(GPA(walk.step[2].address)), PAGE_4K);
	*(uint64_t *)identity(directory) = small_pages();
	return directory;
}

static void map_window(void)
{
	uint64_t end = (uintptr_t)_user_end;

	for (uint64_t at = (uintptr_t)_user; at < end; at += PAGE_4K)
		map_low_page(LINEAR(LOW_WINDOW + at - (uintptr_t)_user), PT, GPA(at), P | US | A);
}

void use_low_pages(void)
{
	gpa_t directory = first_gbyte(), top = copy_root();
	uint64_t *pdpt;

	root = identity(top);
	root[0] = 0;
	pdpt = table_below(&root[0]);
	root[0] |= A;
	pdpt[0] = directory.value | REFERENCE | A;
	map_window();
	load_root(top);
}

struct page map_low_page(linear_t linear, enum level level, gpa_t frame, uint64_t flags)
{
	struct page page = {.linear = linear, .frame = frame, .level = level};
	uint64_t *table = root;

	page.bytes = level_bytes(&paging_4level, level);
	for (int at = PML4; at > (int)level; at--) {
		page.entry[at] = &table[level_index(&paging_4level, (enum level)at, linear.value)];
		table = table_below(page.entry[at]);
	}
	page.entry[level] = &table[level_index(&paging_4level, level, linear.value)];
	*page.entry[level] = frame.value | flags | (level > PT ? PS : 0);
	return page;
}

struct page map_low_target(linear_t linear, enum level level, uint32_t tag)
{
	uint64_t bytes = level_bytes(&paging_4level, level);
	gpa_t frame;

	do /* the identity map is no longer what it was from 1 GByte on */
		frame = frames_alloc(bytes);
	while (frame.value + bytes > GBYTE);
	frame_fill(frame, PAGE_4K, tag);
	return map_low_page(linear, level, frame, P | RW | US);
}
