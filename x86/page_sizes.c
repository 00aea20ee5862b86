/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages of 4 KBytes, 2 MBytes and 1 GByte side by side, over each other and one after another.
 *
 * PS decides entry by entry whether a PDE or PDPTE maps a page; the page's offset then has 21 or 30
 * bits, and bit 12 is PAT, as bit 7 is in a PTE (SDM Vol. 3, "4-Level Paging and 5-Level Paging").
 * An entry may take turns as page and as reference to a table, when it is not present and
 * invalidated in between (SDM Vol. 3, "Recommended Invalidation"; P20).
 *
 * Caught here: a size that is taken from a neighbour, or from the last walk; offsets cut or carried
 * over at a page's first and last bytes, and by accesses that cross from one size into another;
 * rights, accessed and dirty flags of the other size; a child structure of a hypervisor's own that
 * serves on after its entry leads elsewhere, or turned from page to table over the very same frame
 * (KS28, KS29); level-1 PTEs with bit 7 taken for large pages (KS23).
 *
 * Not checked: reserved bits (reserved_bits); pieces of large pages and INVLPG
 * (invlpg_large_pages); changes of size without an invalidation.
 */
#include "test.h"

SUBJECT(page_sizes, "pages of all sizes side by side, over each other and one after another");

#define MANUAL	"SDM Vol. 3, \"4-Level Paging and 5-Level Paging\""
#define TURNING "SDM Vol. 3, \"Recommended Invalidation\""
#define ALL	(P | RW | US)
#define TABLE	512
#define PTE_PAT PS

enum { FIRST = 50, SECOND = 51, THIRD = 52 };

/* Judged by the model; the word at the address is another one afterwards. */
static void try_all_ways(linear_t linear)
{
	for (unsigned n = 0; n < ACCESS_WAYS; n++)
		expect_as_modelled(nth_access(n, linear));
}

static void expect_tag(linear_t linear, uint32_t tag)
{
	expect_read(read_access(linear, 8), frame_word(tag));
	expect_read(as_user(read_access(linear, 8)), frame_word(tag));
	expect_read(fetch_access(linear), tag);
	expect_read(as_user(fetch_access(linear)), tag);
}

static void set_pde(struct page *page, uint64_t value)
{
	write_entry(page, PD, 0, MOV_CR3);
	write_entry(page, PD, value, NO_FLUSH);
}

/* A large page of memory whose first and last 4 KBytes have the tag. */
static gpa_t large_memory(uint32_t tag)
{
	gpa_t memory = frames_alloc(PAGE_2M);

	frame_fill(memory, PAGE_4K, tag);
	frame_fill(gpa_plus(memory, PAGE_2M - PAGE_4K), PAGE_4K, tag);
	return memory;
}

/* A page table all of whose entries lead to one frame. */
static gpa_t small_pages(gpa_t frame, uint64_t flags)
{
	gpa_t table = frame_alloc();

	for (unsigned i = 0; i < TABLE; i++)
		((uint64_t *)identity(table))[i] = frame.value | flags;
	return table;
}

/* Eight PDEs in a row: large page, page table, large page ... each with a tag of its own. */
TEST(sizes_alternate_below_one_directory,
     "Each PDE is a page or a table by its own PS, in any neighbourhood", MANUAL, "")
{
	struct page page = map_page_at(PD, large_memory(100), ALL);
	linear_t first = page.linear;

	for (unsigned i = 1; i < 8; i++) {
		uint64_t tag = 100 + i;

		page.entry[PD][i] =
			i & 1 ? small_pages(filled_frame((uint32_t)tag), ALL).value | ALL
			      : large_memory((uint32_t)tag).value | ALL | PS;
	}
	invalidate(first, MOV_CR3);
	for (unsigned i = 0; i < 16; i++) {
		linear_t start = linear_plus(first, i % 8 * PAGE_2M);

		expect_tag(start, 100 + i % 8);
		expect_tag(linear_plus(start, PAGE_2M - 8), 100 + i % 8);
	}
	for (unsigned i = 0; i < 8; i++) {
		try_all_ways(linear_plus(first, i * PAGE_2M + PAGE_4K - 8));
		try_all_ways(linear_plus(first, i * PAGE_2M + PAGE_2M - PAGE_4K));
	}
}

/* The last bytes of one page and the first of the next, of the other size, by one access. */
TEST(accesses_cross_from_one_size_into_another,
     "An access over the border of two sizes takes each part from its own page", MANUAL, "")
{
	struct page page = map_page_at(PD, large_memory(FIRST), ALL);
	linear_t border = linear_plus(page.linear, PAGE_2M);
	const uint64_t low = frame_word(FIRST), middle = frame_word(SECOND);
	const uint64_t high = frame_word(THIRD);

	page.entry[PD][1] = small_pages(filled_frame(SECOND), ALL).value | ALL;
	page.entry[PD][2] = large_memory(THIRD).value | ALL | PS;
	for (unsigned bytes = 1; bytes < 8; bytes++) {
		linear_t at = LINEAR(border.value - bytes);
		unsigned bits = 8 * bytes;

		expect_read(read_access(at, 8), low >> (64 - bits) | middle << bits);
		at = linear_plus(at, PAGE_2M);
		expect_read(as_user(read_access(at, 8)), middle >> (64 - bits) | high << bits);
	}
}

TEST(pat_is_no_address_bit, "Bit 7 of a PTE and bit 12 of larger pages are PAT, not address bits",
     MANUAL, "")
{
	struct subject small = map_subject(PT, ALL | PTE_PAT, FIRST);

	expect_tag(small.target, FIRST);
	try_all_ways(small.target);
	for (int level = PD; level <= (int)largest_page(); level++) {
		struct subject large =
			map_subject((enum level)level, ALL | PAT_OF_LARGE_PAGE, SECOND);

		expect_tag(large.target, SECOND);
		try_all_ways(large.target);
	}
}

/* An address near the end of the page, which differs from its beginning in every offset bit. */
TEST(large_page_moves_as_a_whole,
     "After its PDE leads to other memory no part of a page is where another one was touched",
     TURNING, "")
{
	gpa_t memory[3] = {frames_alloc(PAGE_2M), frames_alloc(PAGE_2M), frames_alloc(PAGE_2M)};
	struct page page = map_page_at(PD, memory[0], ALL);

	for (unsigned i = 0; i < COUNT_OF(memory); i++)
		frame_fill(memory[i], PAGE_2M, 60 + i);
	for (unsigned round = 0; round < 24; round++) {
		uint64_t touched = (round * 37 % TABLE) * PAGE_4K;
		uint64_t other = (round * 91 + 17) % TABLE * PAGE_4K;
		unsigned now = round % 3, next = (round + 1) % 3;

		expect_tag(linear_plus(page.linear, touched), 60 + now);
		try_all_ways(linear_plus(page.linear, touched));
		frame_fill(GPA(memory[now].value + touched), PAGE_4K, 60 + now);
		write_entry(&page, PD, memory[next].value | ALL | PS, round & 1 ? INVLPG : MOV_CR3);
		expect_tag(linear_plus(page.linear, other), 60 + next);
		expect_tag(linear_plus(page.linear, touched), 60 + next);
	}
}

/* The same frame is the page's first 4 KBytes and the page table: its first entry is a PTE, and the
 * rest of it as data is code like elsewhere. */
TEST(page_becomes_a_table_over_the_same_frame,
     "PS cleared and set again over the same address: the frame is page table and page by turns",
     TURNING, "")
{
	static const uint64_t rights[] = {RW | US, US, RW, 0};
	gpa_t memory = large_memory(FIRST), frame = filled_frame(SECOND);
	struct page page = map_page_at(PD, memory, ALL);
	uint64_t *table = identity(memory);
	linear_t tail = linear_plus(page.linear, PAGE_2M - 64);

	for (unsigned round = 0; round < 32; round++) {
		uint64_t now = rights[round % 4], then = rights[round / 4 % 4];

		for (unsigned i = 0; i < TABLE; i++)
			table[i] = frame.value | ALL;
		set_pde(&page, memory.value | P | now | PS);
		frame_fill(gpa_plus(memory, PAGE_2M - PAGE_4K), PAGE_4K, FIRST);
		expect_as_modelled(read_access(page.linear, 8));
		try_all_ways(tail);
		set_pde(&page, memory.value | P | then);
		frame_fill(frame, PAGE_4K, SECOND);
		expect_read(read_access(tail, 8), frame_word(SECOND));
		try_all_ways(tail);
		try_all_ways(page.linear);
	}
}

/* Each size at one linear address, in every order, with rights that differ. */
static void try_turns(enum level largest)
{
	struct subject large = map_subject(largest, ALL, FIRST);
	uint64_t *entry = large.page.entry[largest], page_value = *entry & ~(A | D);
	gpa_t table = frame_alloc(), below = small_pages(filled_frame(SECOND), ALL);
	unsigned index = level_index(current_format(), largest - 1, large.target.value);
	uint64_t reference = table.value | ALL;

	((uint64_t *)identity(table))[index] =
		largest == PD ? filled_frame(THIRD).value | ALL : below.value | ALL;
	for (unsigned round = 0; round < 12; round++) {
		uint64_t taken = round % 3 == 1 ? RW : round % 3 == 2 ? US : 0;

		write_entry(&large.page, largest, 0, round & 4 ? INVLPG : MOV_CR3);
		invalidate(large.target, INVLPG);
		expect_as_modelled(read_access(large.target, 8));
		write_entry(&large.page, largest, (round & 1 ? page_value : reference) & ~taken,
			    NO_FLUSH);
		try_all_ways(large.target);
		try_all_ways(large.target);
	}
}

TEST(two_mbyte_pages_and_tables_take_turns,
     "A PDE that was a page is a table after P = 0 and an invalidation, and the other way round",
     TURNING, "")
{
	try_turns(PD);
}

TEST(one_gbyte_pages_and_directories_take_turns,
     "A PDPTE that was a page is a table after P = 0 and an invalidation, and back", TURNING,
     "pages_1g")
{
	try_turns(PDPT);
}

/* The same memory by three sizes at once: what one writes the others read, and each has its own
 * dirty flag. */
TEST(sizes_share_their_memory, "Pages of different sizes over one frame show each other's stores",
     MANUAL, "")
{
	gpa_t frame = filled_frame(FIRST);
	linear_t view[3];
	unsigned count = 0;

	for (int level = PT; level <= (int)largest_page(); level++)
		view[count++] = map_covering_page((enum level)level, frame);
	for (uint32_t round = 0; round < 30; round++) {
		linear_t from = linear_plus(view[round % count], round * 8);

		expect_as_modelled(as_user(write_access(from, 8, frame_word(round))));
		for (unsigned i = 0; i < count; i++)
			expect_tag(linear_plus(view[i], round * 8), round);
	}
}
