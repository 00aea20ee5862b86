/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One INVLPG drops all of a large page.
 *
 * INVLPG invalidates every cached translation of the page that contains its operand, however many
 * pieces of it are cached (SDM Vol. 3, "Operations that Invalidate TLBs and Paging-Structure
 * Caches"; APM Vol. 2, "TLB Management").
 *
 * Caught here: only the named 4 KBytes dropped (QT22): by every TLB or shadow pager that splinters
 * large pages, because the host backs them with small ones or because it caches small pieces; the
 * same for fetches alone, in emulators that cache where code is found apart from data; large pages
 * that are global, or that one kind of access alone has used, whose way through a pager decides on
 * the size that is remembered.
 *
 * Not checked: change of the page's size without a break in between (P20).
 */
#include "test.h"

SUBJECT(invlpg_large_pages, "one INVLPG drops every cached piece of a 2-MByte or 1-GByte page");

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""

enum { OLD = 41, NEW = 42 };

static uint64_t pointing_to(uint64_t entry, gpa_t frame)
{
	return (entry & ~ENTRY_ADDRESS) | frame.value;
}

/* Fills every cache that one address can be in for data, in both modes. */
static void use_everywhere(linear_t linear)
{
	attempt(read_access(linear, 8));
	attempt(as_user(read_access(linear, 8)));
	attempt(write_access(linear, 1, 0xb8)); /* the byte that is there */
	attempt(as_user(write_access(linear, 1, 0xb8)));
}

/* Every 4 KBytes of a 2-MByte page cached, the page moved, one INVLPG at `offset`. */
static void try_2_mbyte_page(uint64_t offset, uint64_t flags)
{
	gpa_t old = frames_alloc(PAGE_2M), new = frames_alloc(PAGE_2M);
	struct page page = map_page_at(PD, old, P | RW | US | flags);

	frame_fill(old, PAGE_2M, OLD);
	frame_fill(new, PAGE_2M, NEW);
	for (uint64_t at = 0; at < PAGE_2M; at += PAGE_4K)
		use_everywhere(linear_plus(page.linear, at));
	write_entry(&page, PD, pointing_to(*page.entry[PD], new), NO_FLUSH);
	invalidate(linear_plus(page.linear, offset), INVLPG);
	for (uint64_t at = 0; at < PAGE_2M; at += PAGE_4K) {
		expect_read(read_access(linear_plus(page.linear, at), 8), frame_word(NEW));
		expect_read(as_user(read_access(linear_plus(page.linear, at), 8)), frame_word(NEW));
	}
	for (uint64_t at = 8; at < PAGE_2M; at += 64 * PAGE_4K)
		expect_as_modelled(write_access(linear_plus(page.linear, at), 8, at));
}

TEST(one_invlpg_drops_all_of_a_2_mbyte_page,
     "One INVLPG at any offset drops every cached piece of a 2-MByte page for data accesses",
     MANUAL, "")
{
	static const uint64_t offsets[] = {0, 0x1000, 0xff234, 0x1fffff};

	for (unsigned i = 0; i < COUNT_OF(offsets); i++)
		try_2_mbyte_page(offsets[i], 0);
}

/* Fetches have a case of their own: emulators cache where code is found apart from data. */
TEST(one_invlpg_drops_all_of_a_2_mbyte_page_for_fetches,
     "One INVLPG at any offset drops every cached piece of a 2-MByte page for fetches", MANUAL, "")
{
	gpa_t old = frames_alloc(PAGE_2M), new = frames_alloc(PAGE_2M);
	struct page page = map_page_at(PD, old, P | RW | US);

	frame_fill(old, PAGE_2M, OLD);
	frame_fill(new, PAGE_2M, NEW);
	for (unsigned user = 0; user < 2; user++) {
		write_entry(&page, PD, pointing_to(*page.entry[PD], old), CR4_PGE_TWICE);
		for (uint64_t at = 0; at < PAGE_2M; at += 8 * PAGE_4K) {
			struct access fetch = fetch_access(linear_plus(page.linear, at));

			fetch.user = user;
			attempt(fetch);
		}
		write_entry(&page, PD, pointing_to(*page.entry[PD], new), NO_FLUSH);
		invalidate(linear_plus(page.linear, 0x1ff000), INVLPG);
		for (uint64_t at = 0; at < PAGE_2M; at += 8 * PAGE_4K) {
			struct access fetch = fetch_access(linear_plus(page.linear, at));

			fetch.user = user;
			expect_read(fetch, NEW);
		}
	}
}

/* A 1-GByte page over the low memory, of which the case owns some pieces; then a page directory in
 * its place, whose pages hold other data at the same offsets. */
#define PIECES 12

struct gbyte {
	struct page page;
	linear_t piece[PIECES];
	gpa_t directory;
	uint64_t large_entry;
};

static struct gbyte map_gbyte(uint64_t flags)
{
	struct gbyte gbyte;
	uint64_t *directory;

	gbyte.page = map_page_at(PDPT, GPA(0), P | RW | US | flags);
	gbyte.directory = frame_alloc();
	gbyte.large_entry = *gbyte.page.entry[PDPT];
	directory = identity(gbyte.directory);
	for (unsigned i = 0; i < PIECES; i++) {
		gpa_t old = frames_alloc(PAGE_2M), new = frames_alloc(PAGE_2M);

		uint64_t offset = i * 13 * PAGE_4K; /* so that pieces differ in many address bits */

		frame_fill(gpa_plus(old, offset), PAGE_4K, OLD);
		frame_fill(gpa_plus(new, offset), PAGE_4K, NEW);
		gbyte.piece[i] = linear_plus(gbyte.page.linear, old.value % PAGE_1G + offset);
		directory[old.value % PAGE_1G / PAGE_2M] = new.value | P | RW | US | PS;
	}
	return gbyte;
}

static void try_1_gbyte_page(uint64_t flags, uint64_t offset, bool fetches)
{
	struct gbyte gbyte = map_gbyte(flags);

	for (unsigned i = 0; i < PIECES; i++) {
		attempt(read_access(gbyte.piece[i], 8));
		attempt(as_user(read_access(gbyte.piece[i], 8)));
		if (fetches)
			attempt(fetch_access(gbyte.piece[i]));
	}
	write_entry(&gbyte.page, PDPT, gbyte.directory.value | P | RW | US, NO_FLUSH);
	invalidate(linear_plus(gbyte.page.linear, offset), INVLPG);
	for (unsigned i = 0; i < PIECES; i++) {
		if (fetches) {
			expect_read(fetch_access(gbyte.piece[i]), NEW);
			continue;
		}
		expect_read(read_access(gbyte.piece[i], 8), frame_word(NEW));
		expect_read(as_user(read_access(gbyte.piece[i], 8)), frame_word(NEW));
	}
}

TEST(one_invlpg_drops_all_of_a_1_gbyte_page,
     "One INVLPG at any offset drops every cached piece of a 1-GByte page for data accesses",
     MANUAL, "pages_1g")
{
	try_1_gbyte_page(0, 0, false);
	try_1_gbyte_page(0, 0x3fffffff, false);
	try_1_gbyte_page(0, 0x12345678, false);
}

TEST(one_invlpg_drops_all_of_a_1_gbyte_page_for_fetches,
     "One INVLPG at any offset drops every cached piece of a 1-GByte page for fetches", MANUAL,
     "pages_1g")
{
	try_1_gbyte_page(0, 0x3fffffff, true);
}

TEST(one_invlpg_drops_all_of_a_global_large_page,
     "One INVLPG drops every cached piece of a global 2-MByte or 1-GByte page", MANUAL, "pge")
{
	set_cr4(CR4_PGE);
	try_2_mbyte_page(0x54321, G);
	if (has(FEATURE_pages_1g))
		try_1_gbyte_page(G, 0x7654321, false);
}

/* Without any other access between two changes of the page. */
static void try_one_kind(const struct page *page, const gpa_t frame[2], unsigned way)
{
	for (unsigned i = 0; i < 4; i++) {
		gpa_t now = frame[~i & 1];

		for (uint64_t at = 0; at < PAGE_2M; at += 61 * PAGE_4K)
			attempt(nth_access(way, linear_plus(page->linear, at)));
		write_entry(page, PD, pointing_to(*page->entry[PD], now), NO_FLUSH);
		invalidate(linear_plus(page->linear, i * 0x7f123), INVLPG);
		for (uint64_t at = 0; at < PAGE_2M; at += 61 * PAGE_4K)
			expect_as_modelled(nth_access(way, linear_plus(page->linear, at)));
	}
}

TEST(one_invlpg_drops_a_large_page_that_one_kind_of_access_uses,
     "One INVLPG drops every piece of a 2-MByte page that only reads or only writes of one mode "
     "have used",
     MANUAL, "")
{
	gpa_t frame[2] = {frames_alloc(PAGE_2M), frames_alloc(PAGE_2M)};

	for (unsigned way = 0; way < ACCESS_WAYS; way++) {
		struct page page = map_page_at(PD, frame[0], P | RW | US);

		if (nth_access(way, page.linear).instruction == INSTRUCTION_fetch)
			continue;
		frame_fill(frame[0], PAGE_2M, OLD);
		frame_fill(frame[1], PAGE_2M, NEW);
		try_one_kind(&page, frame, way);
	}
}
