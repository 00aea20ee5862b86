/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/sequence_scene.h"

#include "check/effort.h"
#include "check/subject.h"
#include "cpu/features.h"
#include "mem/frames.h"
#include "paging/space.h"

#define TABLE		(P | RW | US)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { CHANGES = 8, KINDS = 6, MOST_MADE = 64 };

struct sequence scene_sequence;
linear_t scene_place[SCENE_PLACES];	  /* one is used, the other only sometimes */
static uint64_t *entry[MOST_LEVELS + 1];  /* of scene_place[0] */
static uint64_t other[MOST_LEVELS + 1];	  /* values that lead to other frames; 0: none */
static uint64_t resized[MOST_LEVELS + 1]; /* and by pages of another size */
gpa_t scene_other_root;
gpa_t scene_foreign_root;

/* Every entry that was made, to begin each sequence with the same. */
static struct made {
	uint64_t *entry, value;
} made[MOST_MADE];
static unsigned made_count;
static bool fetches;

static void make(uint64_t *where, uint64_t value)
{
	*where = value;
	made[made_count++] = (struct made){where, value};
}

static bool share(enum level level, unsigned a, unsigned b)
{
	return !((scene_place[a].value ^ scene_place[b].value) &
		 ~(level_bytes(current_format(), level) - 1));
}

/* Memory for a page, in which each place has a tag of its own. */
static uint64_t memory(enum level page, unsigned which, uint32_t tag)
{
	uint64_t bytes = level_bytes(current_format(), page);
	gpa_t frames;

	if (page == PT)
		return filled_frame(tag + which).value;
	if (page == PDPT)
		return 0; /* the first GByte: see choose_places() */
	frames = frames_alloc(bytes);
	for (unsigned i = 0; i < SCENE_PLACES; i++)
		if (share(page, i, which))
			frame_fill(gpa_plus(frames, scene_place[i].value & (bytes - PAGE_4K)),
				   PAGE_4K, tag + i);
	return frames.value;
}

/* The value of an entry of level `at` for a place, with structures below it down to the page. */
static uint64_t build(enum level at, enum level page, unsigned which, uint64_t flags, uint32_t tag)
{
	enum level below = (enum level)(at - 1);
	uint64_t *table;

	if (at == page)
		return memory(page, which, tag) | flags | (page > PT ? PS : 0);
	table = identity(frame_alloc());
	for (unsigned i = 0; i < SCENE_PLACES; i++) {
		uint64_t *slot = &table[level_index(current_format(), below, scene_place[i].value)];

		if (share(at, i, which) && !*slot)
			make(slot, build(below, page, i, flags, tag));
	}
	return gpa_of(table).value | TABLE;
}

/* In one page; of 4-KByte pages in two that are neighbours. */
static void choose_places(enum level page)
{
	uint64_t base = unused_linear().value + 5 * PAGE_1G;

	if (page == PDPT) {
		for (unsigned i = 0; i < SCENE_PLACES; i++)
			scene_place[i] = LINEAR(base + filled_frame(0x100 + i).value + 0x240);
		return;
	}
	scene_place[0] = LINEAR(base + 6 * PAGE_2M + 7 * PAGE_4K + 0x240);
	scene_place[1] = linear_plus(scene_place[0], page == PT ? PAGE_4K : 37 * PAGE_4K);
}

static void make_scene(enum level page, uint64_t flags)
{
	const struct paging_format *format = current_format();
	uint64_t *table = identity(image_root());

	made_count = 0;
	choose_places(page);
	make(&table[level_index(format, PML4, scene_place[0].value)],
	     build(PML4, page, 0, flags, 0x100));
	for (int at = PML4; at >= (int)page; at--) {
		entry[at] = &table[level_index(format, (enum level)at, scene_place[0].value)];
		table = identity(GPA(*entry[at] & ENTRY_ADDRESS));
		other[at] = at == PDPT && page == PDPT
				    ? 0
				    : build((enum level)at, page, 0, flags, 0x200 + 16 * at);
		resized[at] = 0;
		if (at == (int)page && page > PT)
			resized[at] = build((enum level)at, page - 1, 0, flags, 0x300);
		else if (at == PD)
			resized[at] = build(PD, PD, 0, flags, 0x400);
	}
	scene_other_root = copy_root();
	scene_foreign_root = copy_root();
	table = identity(scene_foreign_root);
	make(&table[level_index(format, PML4, scene_place[0].value)],
	     build(PML4, page, 0, flags, 0x500));
}

/* The entry's new value; 0 where there is no such change. */
static uint64_t changed(enum level at, unsigned change)
{
	const uint64_t cleared[] = {RW, US, P, A | D};

	if (change < COUNT_OF(cleared))
		return *entry[at] & ~cleared[change];
	if (change == COUNT_OF(cleared))
		return has(FEATURE_nx) ? *entry[at] | XD : 0;
	if (change == COUNT_OF(cleared) + 1)
		return resized[at];
	return change == CHANGES - 1 ? other[at] & ~RW : other[at];
}

static void use(unsigned where, unsigned kind)
{
	kind %= KINDS;
	if (kind % 3 < 2 || fetches)
		sequence_access(&scene_sequence, nth_access(kind, scene_place[where]));
}

static void try_one(enum level at, unsigned change, void (*event)(void), unsigned order)
{
	uint64_t before, after;

	for (unsigned i = 0; i < made_count; i++)
		*(volatile uint64_t *)made[i].entry = made[i].value;
	sequence_start(&scene_sequence, scene_place, SCENE_PLACES);
	for (unsigned kind = 0; kind < KINDS; kind++)
		use(0, order + kind);
	if (order & 1)
		use(1, order + 1);
	after = changed(at, change);
	before = *(volatile uint64_t *)entry[at];
	if (!after)
		return;
	sequence_edit(&scene_sequence, entry[at], after);
	event();
	for (unsigned i = 0; i < 3; i++)
		use(i & 1, order + 5 * (i / 2)); /* a read behind a write, for one */
	sequence_edit(&scene_sequence, entry[at], before);
	event();
	for (unsigned i = 0; i < 3; i++)
		use(i & 1, order + 4 + 5 * (i / 2));
}

/* Every `step`th order, another one for each change and level. */
static void try_scene(enum level page, uint64_t flags, void (*event)(void), unsigned step)
{
	make_scene(page, flags);
	for (int at = page; at <= PML4; at++)
		for (unsigned change = 0; change < CHANGES; change++)
			for (unsigned order = (change + at) % step; order < KINDS; order += step)
				try_one((enum level)at, change, event, order);
	release_pages();
}

void try_event(void (*event)(void), enum scene_kinds kinds)
{
	unsigned shares = effort_shares(), step = shares < KINDS ? shares : KINDS;

	fetches = kinds == SCENE_ALL;
	set_cr0(CR0_WP);
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	sequence_counts_reset();
	for (int page = PT; page <= (int)largest_page(); page++) {
		try_scene((enum level)page, TABLE, event, step);
		if (!has(FEATURE_pge))
			continue;
		set_cr4(CR4_PGE);
		try_scene((enum level)page, TABLE | G, event, step);
		clear_cr4(CR4_PGE);
	}
	sequence_note();
}
