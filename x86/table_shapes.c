/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Stores to paging structures in shapes that single entries do not show: across two tables, through
 * a table that maps itself, whole tables at once, by the stack, and many in a row between two
 * invalidations.
 *
 * The promise is that of table_writes: memory is what counts, after the required invalidation (SDM
 * Vol. 3, "Invalidation of TLBs and Paging-Structure Caches"; R26, R27).
 *
 * Caught here: a store that straddles two write-protected tables and reaches only one (XS24); a
 * self-mapped table whose shadow follows one of its two roles (R27, XS41); heuristics that give a
 * table up after some writes and lose the rest (XS25, XS30); the wrong quadrant or half of a table
 * brought up to date (KS13); halves of one entry written in an order that makes it present too
 * early (XS25).
 */
#include "test.h"

SUBJECT(table_shapes, "stores across two tables, through self-maps, of whole tables at once");

#define MANUAL "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""

static uint64_t leaf(gpa_t frame)
{
	return frame.value | P | RW | US | A | D;
}

/* Two page tables under neighbouring PDEs, or two directories of large pages under neighbouring
 * PDPTEs, and one linear window of two pages over them. The last page of the first table and the
 * first page of the second follow each other in linear space. */
struct neighbours {
	enum level level;
	uint64_t *first, *second; /* tables */
	linear_t last_page;	  /* of the first table */
	linear_t next_page;	  /* the second table's first */
	linear_t window;
};

static uint64_t tagged_leaf(enum level level, uint32_t tag)
{
	gpa_t frame = frames_alloc(level_bytes(current_format(), level));

	frame_fill(frame, PAGE_4K, tag);
	return leaf(frame) | (level == PT ? 0 : PS);
}

static struct neighbours make_neighbours(enum level level, bool user_window)
{
	uint64_t bytes = level_bytes(current_format(), level), all = 512 * bytes;
	struct page page = map_page_at(level, frames_alloc(bytes), P | RW | US);
	uint64_t window_flags = P | RW | (user_window ? US : 0);
	struct neighbours n = {.level = level};
	gpa_t second = frame_alloc();
	struct page window;

	n.first = table_of(page.entry[level]);
	n.second = identity(second);
	page.entry[level + 1][1] = second.value | P | RW | US;
	n.last_page = LINEAR((page.linear.value & ~(all - 1)) + all - bytes);
	n.next_page = linear_plus(n.last_page, bytes);
	n.first[511] = tagged_leaf(level, 2);
	n.second[0] = tagged_leaf(level, 3);
	window = map_page_at(PT, gpa_of(n.first), window_flags);
	window.entry[PT][1] = second.value | window_flags;
	n.window = window.linear;
	return n;
}

static void expect_neighbours(const struct neighbours *n, uint32_t first, uint32_t second)
{
	expect_read(read_access(n->last_page, 8), frame_word(first));
	expect_read(as_user(fetch_access(n->last_page)), first);
	expect_read(read_access(n->next_page, 8), frame_word(second));
	expect_read(as_user(fetch_access(n->next_page)), second);
}

static void flush_neighbours(const struct neighbours *n, bool by_cr3)
{
	if (by_cr3) {
		invalidate(n->last_page, MOV_CR3);
		return;
	}
	invalidate(n->last_page, INVLPG);
	invalidate(n->next_page, INVLPG);
}

TEST(store_of_16_bytes_across_two_tables_is_followed,
     "A store to the last entry of one table and the first of another changes both translations",
     MANUAL, "sse2")
{
	uint32_t tag = 10;

	for (unsigned i = 0; i < 8; i++) {
		struct neighbours n = make_neighbours(PT, i & 1);
		struct access access = write_access(linear_plus(n.window, PAGE_4K - 8), 16, 0);

		access.user = i & 1;
		access.value[0] = leaf(filled_frame(tag));
		access.value[1] = leaf(filled_frame(tag + 1));
		expect_neighbours(&n, 2, 3);
		expect(attempt(access).vector == NO_VECTOR, "the store faulted");
		expect(n.first[511] == access.value[0] && n.second[0] == access.value[1],
		       "the entries are 0x%llx and 0x%llx", (unsigned long long)n.first[511],
		       (unsigned long long)n.second[0]);
		flush_neighbours(&n, i & 2);
		expect_neighbours(&n, tag, tag + 1);
		tag += 2;
	}
}

static void try_8_bytes(enum level level)
{
	for (unsigned i = 0; i < 8; i++) {
		struct neighbours n = make_neighbours(level, i & 1);
		uint64_t second = tagged_leaf(level, 20 + i);
		/* bits 63:32 of the first entry are 0 before and after, but for ignored ones */
		uint64_t value = 0x00f00000 | (second << 32);
		struct access access = write_access(linear_plus(n.window, PAGE_4K - 4), 8, value);

		access.user = i & 1;
		expect_neighbours(&n, 2, 3);
		expect(attempt(access).vector == NO_VECTOR, "the store faulted");
		expect(n.first[511] >> 32 == 0x00f00000 && n.second[0] == second,
		       "the entries are 0x%llx and 0x%llx", (unsigned long long)n.first[511],
		       (unsigned long long)n.second[0]);
		flush_neighbours(&n, i & 2);
		expect_neighbours(&n, 2, 20 + i);
	}
}

TEST(store_of_8_bytes_across_two_tables_is_followed,
     "A store to the upper half of one table's last entry and the lower half of the next table's "
     "first",
     MANUAL, "")
{
	try_8_bytes(PT);
}

TEST(store_of_8_bytes_across_two_directories_is_followed,
     "A store over the border of two page directories changes what both map", MANUAL, "")
{
	try_8_bytes(PD);
}

/* Reads an entry through the page that it maps; the read may set flags in it. */
static void expect_page_word(linear_t linear, uint64_t entry)
{
	uint64_t value = attempt(read_access(linear, 8)).value[0];

	expect((value & ~(A | D)) == (entry & ~(A | D)), "read 0x%llx, not 0x%llx",
	       (unsigned long long)value, (unsigned long long)entry);
}

/* Entry 300 of a page table leads to the table itself: it is written through the page that it maps.
 */
TEST(table_that_maps_itself_is_followed,
     "Stores through a page table that maps itself change the translations that it makes, its own "
     "too",
     MANUAL, "")
{
	struct page page = map_page_at(PT, filled_frame(1), P | RW | US);
	uint64_t *table = table_of(page.entry[PT]);
	unsigned index = (unsigned)(page.entry[PT] - table);
	linear_t base = LINEAR(page.linear.value & ~(PAGE_2M - 1));
	linear_t self = linear_plus(base, 300 * PAGE_4K);

	table[300] = gpa_of(table).value | P | RW | US;
	for (uint32_t i = 0; i < 24; i++) {
		struct access store = write_access(linear_plus(self, index * 8ull), 8,
						   leaf(filled_frame(100 + i)));

		store.user = i & 1;
		expect_as_modelled(store);
		invalidate(page.linear, i & 2 ? MOV_CR3 : INVLPG);
		expect_read(read_access(page.linear, 8), frame_word(100 + i));
		expect_read(as_user(fetch_access(page.linear)), 100 + i);
		/* the table moves itself out of its own sight and back */
		store = write_access(linear_plus(self, 300 * 8), 8, leaf(filled_frame(200 + i)));
		expect(attempt(store).vector == NO_VECTOR, "the table's store to itself faulted");
		invalidate(self, i & 4 ? MOV_CR3 : INVLPG);
		expect_read(read_access(self, 8), frame_word(200 + i));
		*(volatile uint64_t *)&table[300] = gpa_of(table).value | P | RW | US;
		invalidate(self, INVLPG);
		expect_page_word(linear_plus(self, 300 * 8), table[300]);
	}
}

/* One frame is page table and page directory at once: as a directory, its entries reference itself.
 */
TEST(one_frame_can_be_a_table_at_two_levels,
     "A frame used as page directory and as page table is followed in both roles", MANUAL, "")
{
	struct page page = map_page_at(PT, filled_frame(1), P | RW | US);
	uint64_t *directory = table_of(page.entry[PD]);
	linear_t gbyte = LINEAR(page.linear.value & ~(PAGE_1G - 1));

	/* PDE 77 -> the directory itself: through it, PDE n is seen as the PTE of page n. */
	directory[77] = gpa_of(directory).value | P | RW | US;
	for (uint32_t i = 0; i < 16; i++) {
		linear_t as_page = linear_plus(gbyte, 77 * PAGE_2M + (400 + i) * PAGE_4K);
		linear_t as_table = linear_plus(gbyte, (400 + i) * PAGE_2M + i * PAGE_4K);
		gpa_t table = frame_alloc();
		uint64_t *entries = identity(table);

		entries[i] = leaf(filled_frame(300 + i));
		directory[400 + i] = table.value | P | RW | US;
		expect_read(read_access(as_table, 8), frame_word(300 + i));
		expect_read(as_user(read_access(linear_plus(as_page, i * 8), 8)), entries[i]);
		expect_as_modelled(
			write_access(linear_plus(as_page, i * 8), 8, leaf(filled_frame(400 + i))));
		invalidate(as_table, INVLPG);
		expect_read(as_user(fetch_access(as_table)), 400 + i);
		edit_entry(&page, PDPT, MOV_CR3, .set = 0);
		*(volatile uint64_t *)&directory[400 + i] = 0;
		invalidate(as_table, INVLPG);
		invalidate(as_page, INVLPG);
		expect_page_fault(read_access(as_table, 8), 0);
		expect_page_fault(read_access(as_page, 8), 0);
	}
}

/* All 512 entries by one instruction, then by 512, in both directions; every page is used before
 * and after. */
TEST(whole_tables_are_followed,
     "After a whole table was rewritten every one of its 512 translations is the new one", MANUAL,
     "")
{
	struct page page = map_page_at(PT, filled_frame(1), P | RW | US);
	linear_t base = LINEAR(page.linear.value & ~(PAGE_2M - 1));
	uint64_t *table = table_of(page.entry[PT]);
	struct page alias = map_page_at(PT, gpa_of(table), P | RW);
	volatile uint64_t *target = (volatile uint64_t *)(uintptr_t)alias.linear.value;
	uint64_t *image = identity(frame_alloc());
	gpa_t frames[16];

	for (uint32_t i = 0; i < COUNT_OF(frames); i++)
		frames[i] = filled_frame(500 + i);
	for (uint32_t round = 0; round < 6; round++) {
		const void *from = image;
		volatile void *to = target;
		unsigned long count = PAGE_4K;

		for (uint32_t i = 0; i < 512; i++)
			image[i] = leaf(frames[(i * 7 + round) % COUNT_OF(frames)]);
		if (round & 1)
			__asm__ volatile("rep movsb"
					 : "+S"(from), "+D"(to), "+c"(count)
					 :
					 : "memory");
		else
			for (int i = 511; i >= 0; i--)
				target[i] = image[i];
		invalidate(base, MOV_CR3);
		for (uint32_t i = 0; i < 512; i++)
			expect_read(read_access(linear_plus(base, i * PAGE_4K), 8),
				    frame_word(500 + (i * 7 + round) % COUNT_OF(frames)));
	}
}
