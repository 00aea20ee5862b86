/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/paging's formats, walker and descriptions against values worked out by hand from the manual's
 * tables of entry formats (SDM Vol. 3, "4-Level Paging and 5-Level Paging").
 */
#include "hosttest/expect.h"
#include "hosttest/world.h"
#include "libc/string.h"
#include "paging/describe.h"
#include "paging/entry.h"

static const struct paging_rules plain = {
	.maxphyaddr = 52, .pages_1g = true, .execute_disable = true};

HOST_TEST(linear_addresses_are_cut_up_as_the_manual_draws_it)
{
	uint64_t linear = 1ull << 48 | 2ull << 39 | 3ull << 30 | 4ull << 21 | 511ull << 12 | 0xfff;

	for (enum level level = PT; level <= PML5; level++)
		expect_equal(level_index(&paging_5level, level, linear),
			     level == PT ? 511 : 6u - level);
	for (enum level level = PT; level <= PML4; level++)
		expect_equal(level_index(&paging_4level, level, linear),
			     level_index(&paging_5level, level, linear));
	expect_equal(level_bytes(&paging_4level, PT), 4096);
	expect_equal(level_bytes(&paging_4level, PD), 0x200000);
	expect_equal(level_bytes(&paging_4level, PDPT), 0x40000000);
	expect_text(page_size_name(PT), "4-KByte");
	expect_text(page_size_name(PD), "2-MByte");
	expect_text(page_size_name(PDPT), "1-GByte");
}

HOST_TEST(canonical_addresses_end_where_the_manual_says)
{
	expect_that(is_canonical(&paging_4level, 0));
	expect_that(is_canonical(&paging_4level, 0x00007fffffffffff));
	expect_that(!is_canonical(&paging_4level, 0x0000800000000000));
	expect_that(!is_canonical(&paging_4level, 0xffff7fffffffffff));
	expect_that(is_canonical(&paging_4level, 0xffff800000000000));
	expect_that(!is_canonical(&paging_4level, 0x8000000000000000));
	expect_that(is_canonical(&paging_5level, 0x00ffffffffffffff));
	expect_that(!is_canonical(&paging_5level, 0x0100000000000000));
	expect_that(!is_canonical(&paging_5level, 0xfeffffffffffffff));
	expect_that(is_canonical(&paging_5level, 0xff00000000000000));
}

HOST_TEST(only_the_right_entries_map_pages)
{
	struct paging_rules small = plain;

	small.pages_1g = false;
	expect_that(maps_page(&paging_4level, &plain, PT, P));
	expect_that(maps_page(&paging_4level, &plain, PT, P | PS));
	expect_that(!maps_page(&paging_4level, &plain, PD, P));
	expect_that(maps_page(&paging_4level, &plain, PD, P | PS));
	expect_that(maps_page(&paging_4level, &plain, PDPT, P | PS));
	expect_that(!maps_page(&paging_4level, &small, PDPT, P | PS));
	expect_that(maps_page(&paging_4level, &small, PD, P | PS));
	expect_that(!maps_page(&paging_4level, &plain, PML4, P | PS));
	expect_that(!maps_page(&paging_5level, &plain, PML5, P | PS));
}

/* All bits of an entry that are not ignored. */
static uint64_t reserved(const struct paging_rules *rules, enum level level, uint64_t entry)
{
	return reserved_bits_set(&paging_5level, rules, level, entry);
}

HOST_TEST(reserved_bits_are_those_of_the_tables)
{
	struct paging_rules rules = {.maxphyaddr = 40, .pages_1g = false};

	expect_equal(reserved(&plain, PT, ~0ull), 0);
	expect_equal(reserved(&plain, PD, ~0ull), 0x1fe000);
	expect_equal(reserved(&plain, PD, ~0ull & ~PS), 0);
	expect_equal(reserved(&plain, PDPT, ~0ull), 0x3fffe000);
	expect_equal(reserved(&plain, PDPT, ~0ull & ~PS), 0);
	expect_equal(reserved(&plain, PML4, ~0ull), 0x80);
	expect_equal(reserved(&plain, PML5, ~0ull), 0x80);
	expect_equal(reserved(&rules, PT, ~0ull), 0x800fff0000000000);
	expect_equal(reserved(&rules, PDPT, ~0ull), 0x800fff0000000080);
	expect_equal(reserved(&rules, PML4, 1ull << 39), 0);
	expect_equal(reserved(&rules, PML4, 1ull << 40), 1ull << 40);
	expect_equal(reserved(&rules, PD, 1ull << 52 | 1ull << 62), 0);
}

static struct world world;

HOST_TEST(walks_stop_where_they_must)
{
	struct walk walk;
	uint64_t linear = 0x1234; /* index 0 at every level but the last, there 1 */

	for (unsigned i = 0; i < 4; i++)
		world.frame[i][i == 3] = world_frame(i + 1) | P | RW | US;
	walk_linear(&walk, &paging_4level, &plain, world_frame(0), linear, read_world, &world);
	expect_equal(walk.end, WALK_MAPPED);
	expect_equal(walk.count, 4);
	expect_equal(walk.physical, world_frame(4) + 0x234);
	expect_equal(walk.page_bytes, 4096);
	expect_equal(walk.step[3].address, world_frame(3) + 8);
	expect_equal(walk.step[3].level, PT);
	world.frame[2][0] &= ~P;
	walk_linear(&walk, &paging_4level, &plain, world_frame(0), linear, read_world, &world);
	expect_equal(walk.end, WALK_NOT_PRESENT);
	expect_equal(walk.count, 3);
	world.frame[2][0] = P | PS | PAT_OF_LARGE_PAGE | 0x200000;
	walk_linear(&walk, &paging_4level, &plain, world_frame(0), linear, read_world, &world);
	expect_equal(walk.end, WALK_MAPPED);
	expect_equal(walk.physical, 0x201234);
	expect_equal(walk.page_bytes, 0x200000);
	world.frame[1][0] |= PS;
	walk_linear(&walk, &paging_4level, &plain, world_frame(0), linear, read_world, &world);
	expect_equal(walk.end, WALK_RESERVED);
	expect_equal(walk.count, 2);
}

static const char *flags_of(enum level level, uint64_t entry)
{
	static char buffer[64];
	struct text text = TEXT(buffer);

	text_flags(&text, &paging_4level, level, entry);
	return buffer;
}

HOST_TEST(flags_are_described_by_name)
{
	expect_text(flags_of(PT, P | RW | US | A | D), "P RW US A D");
	expect_text(flags_of(PT, P | PS | G | XD), "P PAT G XD");
	expect_text(flags_of(PD, P | PS | PWT | PCD), "P PWT PCD PS");
	expect_text(flags_of(PD, RW), "not-present RW");
	expect_text(flags_of(PML4, 0), "not-present");
}

HOST_TEST(walks_are_described_line_by_line)
{
	char buffer[512];
	struct text text = TEXT(buffer);
	struct walk walk = {.format = &paging_4level,
			    .count = 2,
			    .end = WALK_MAPPED,
			    .physical = 0x40001234,
			    .page_bytes = 0x40000000};

	walk.step[0] = (struct walk_step){PML4, 0x1000, 0x2000 | P | RW};
	walk.step[1] = (struct walk_step){PDPT, 0x2008, 0x40000000 | P | PS};
	text_walk(&text, &walk);
	expect_text(buffer, "PML4E 0x0000000000001000 = 0x0000000000002003 P RW\n"
			    "PDPTE 0x0000000000002008 = 0x0000000040000081 P PS\n"
			    "-> physical 0x40001234 in a page of 0x40000000 bytes\n");
}
