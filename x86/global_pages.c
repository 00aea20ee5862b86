/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Global pages: what MOV to CR3 must still drop, and what CR4.PGE drops.
 *
 * MOV to CR3 drops every translation that is not global; a change of CR4.PGE drops the global ones
 * as well. G means nothing while CR4.PGE = 0, nor in an entry that references a table (SDM Vol. 3,
 * "Global Pages", "Operations that Invalidate TLBs and Paging-Structure Caches"; APM Vol. 2, "TLB
 * Management").
 *
 * Caught here: global translations that survive a change of CR4.PGE (BX03, AC01); translations
 * taken for global because of G in an upper entry, or G from before CR4.PGE was set (R14);
 * non-global translations kept by MOV to CR3 when the page is large (R11).
 *
 * Not asserted: that global translations survive MOV to CR3 (P10).
 */
#include "test.h"

SUBJECT(global_pages, "what MOV to CR3 and CR4.PGE drop of global and other translations");

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""

static void reload(void)
{
	invalidate(LINEAR(0), MOV_CR3);
}

static void toggle_pge(void)
{
	invalidate(LINEAR(0), CR4_PGE_TWICE);
}

static void clear_pge_then_set(void)
{
	clear_cr4(CR4_PGE);
	set_cr4(CR4_PGE);
}

static void (*const flushes[])(void) = {reload, toggle_pge, clear_pge_then_set};

/* A page of the lower half, or one of those that many kernels have for themselves, each in a PML4E
 * of its own: an entry that may be cached is not replaced without a flush. */
static struct page map_in_half(bool upper, enum level level, gpa_t frame, uint64_t flags)
{
	static unsigned count;

	if (!upper)
		return map_page_at(level, frame, flags);
	return map_page_at_linear(LINEAR(0xffff812340000000 + ((uint64_t)count++ << 39)), level,
				  frame, flags);
}

/* Leaf changes of pages of a size that were cached at several offsets: with `flags` in the leaf,
 * `flush` must drop. */
static void try_leaf_of(bool upper, enum level level, uint64_t flags, void (*flush)(void))
{
	uint64_t bytes = level == PT ? PAGE_4K : PAGE_2M,
		 step = level == PT ? PAGE_4K : 37 * PAGE_4K;
	gpa_t old = frames_alloc(bytes), new = frames_alloc(bytes);
	struct page page = map_in_half(upper, level, old, P | RW | US | flags);

	frame_fill(old, bytes, 61);
	frame_fill(new, bytes, 62);
	for (uint64_t at = 0; at < bytes; at += step) {
		expect_read(read_access(linear_plus(page.linear, at), 8), frame_word(61));
		expect_read(as_user(read_access(linear_plus(page.linear, at), 8)), frame_word(61));
		expect_read(fetch_access(linear_plus(page.linear, at)), 61);
	}
	write_entry(&page, level, new.value | P | RW | US | flags | (level > PT ? PS : 0),
		    NO_FLUSH);
	flush();
	for (uint64_t at = 0; at < bytes; at += step) {
		expect_read(fetch_access(linear_plus(page.linear, at)), 62);
		expect_read(read_access(linear_plus(page.linear, at), 8), frame_word(62));
		expect_read(as_user(read_access(linear_plus(page.linear, at), 8)), frame_word(62));
	}
}

static void try_leaf(enum level level, uint64_t flags, void (*flush)(void))
{
	try_leaf_of(false, level, flags, flush);
}

TEST(mov_to_cr3_drops_translations_of_the_upper_half,
     "MOV to CR3 drops non-global translations of the upper half of the linear addresses, too",
     MANUAL, "")
{
	for (unsigned i = 0; i < 4; i++) {
		try_leaf_of(true, PT, 0, reload);
		try_leaf_of(true, PD, 0, reload);
		if (has(FEATURE_pge)) {
			set_cr4(CR4_PGE);
			try_leaf_of(true, PT, G, toggle_pge);
		}
	}
}

TEST(mov_to_cr3_drops_translations_that_are_not_global,
     "MOV to CR3 drops non-global translations of every page size with CR4.PGE = 0 or 1", MANUAL,
     "")
{
	for (unsigned i = 0; i < 4; i++) {
		try_leaf(PT, 0, reload);
		try_leaf(PD, 0, reload);
		if (has(FEATURE_pge))
			set_cr4(CR4_PGE);
	}
}

TEST(global_flag_means_nothing_while_pge_is_clear,
     "With CR4.PGE = 0 MOV to CR3 drops translations of entries with G = 1 too",
     "SDM Vol. 3, \"Global Pages\"", "pge")
{
	clear_cr4(CR4_PGE);
	try_leaf(PT, G, reload);
	try_leaf(PD, G, reload);
}

TEST(changes_of_cr4_pge_drop_global_translations,
     "A change of CR4.PGE in either direction drops every translation, global ones too", MANUAL,
     "pge")
{
	for (unsigned i = 1; i < COUNT_OF(flushes); i++) {
		set_cr4(CR4_PGE);
		try_leaf(PT, G, flushes[i]);
		try_leaf(PD, G, flushes[i]);
		try_leaf(PT, 0, flushes[i]);
	}
}

static uint64_t *entry_in(gpa_t table, enum level level, linear_t linear)
{
	return (uint64_t *)identity(table) + level_index(&paging_4level, level, linear.value);
}

/* Entries of each level above the last come to lead to other tables, in which the page and the one
 * behind it are others. */
static void try_upper_levels(void (*flush)(void))
{
	const uint64_t flags = P | RW | US;
	struct page page = map_page_at(PT, filled_frame(61), flags | G);
	gpa_t table = frame_alloc();

	entry_in(table, PT, page.linear)[0] = filled_frame(62).value | flags | G;
	entry_in(table, PT, page.linear)[1] = filled_frame(63).value | flags | G;
	for (enum level level = PD; level <= PML4; level++) {
		uint64_t good = *page.entry[level];
		gpa_t upper = frame_alloc();

		expect_read(read_access(page.linear, 8), frame_word(61));
		write_entry(&page, level, table.value | flags, NO_FLUSH);
		flush();
		expect_read(read_access(linear_plus(page.linear, PAGE_4K), 8), frame_word(63));
		expect_read(read_access(page.linear, 8), frame_word(62));
		write_entry(&page, level, good, NO_FLUSH);
		flush();
		*entry_in(upper, level, page.linear) = table.value | flags;
		table = upper;
	}
}

TEST(each_flush_drops_entries_of_upper_levels,
     "MOV to CR3 and changes of CR4.PGE drop what is cached of entries above the last", MANUAL,
     "pge")
{
	clear_cr4(CR4_PGE);
	try_upper_levels(reload);
	set_cr4(CR4_PGE);
	for (unsigned i = 1; i < COUNT_OF(flushes); i++)
		try_upper_levels(flushes[i]);
}

static void clear_pge(void)
{
	clear_cr4(CR4_PGE);
}

TEST(clearing_cr4_pge_drops_global_translations,
     "CR4.PGE changed from 1 to 0, and no more, drops global translations", MANUAL, "pge")
{
	set_cr4(CR4_PGE);
	try_leaf(PT, G, clear_pge);
	set_cr4(CR4_PGE);
	try_leaf(PD, G, clear_pge);
}

static void set_pge(void)
{
	set_cr4(CR4_PGE);
}

TEST(setting_cr4_pge_drops_translations,
     "CR4.PGE changed from 0 to 1, and no more, drops translations, with G = 1 or 0", MANUAL, "pge")
{
	static const uint64_t flags[] = {G, 0};

	for (unsigned i = 0; i < COUNT_OF(flags); i++) {
		clear_cr4(CR4_PGE);
		try_leaf(PT, flags[i], set_pge);
		clear_cr4(CR4_PGE);
		try_leaf(PD, flags[i], set_pge);
	}
}

/* G in an entry that references a table is ignored: the page below is not global. */
TEST(global_flag_in_upper_levels_is_ignored,
     "G in a PDE or PDPTE that references a table makes nothing global",
     "SDM Vol. 3, \"Global Pages\"", "pge")
{
	set_cr4(CR4_PGE);
	for (int level = PD; level <= PDPT; level++) {
		struct page page = map_page_at(PT, filled_frame(71), P | RW | US);

		edit_entry(&page, (enum level)level, INVLPG, .set = G);
		expect_read(read_access(page.linear, 8), frame_word(71));
		expect_read(as_user(fetch_access(page.linear)), 71);
		write_entry(&page, PT, filled_frame(72).value | P | RW | US, MOV_CR3);
		expect_read(read_access(page.linear, 8), frame_word(72));
		expect_read(as_user(fetch_access(page.linear)), 72);
	}
}
