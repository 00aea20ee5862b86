/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages and tables above 4 GBytes.
 *
 * The frame address of an entry has MAXPHYADDR bits, for every page size and for tables as for
 * pages (SDM Vol. 3, "4-Level Paging and 5-Level Paging").
 *
 * Caught here: physical addresses truncated to 32 bits, in the page's address or in a table's
 * (QT08, HX02); memory below and above the hole before 4 GBytes mixed up; flags set in the entry 4
 * GBytes below.
 */
#include "test.h"

SUBJECT(high_memory, "pages and tables above 4 GBytes are not those below");

#define MANUAL	  "SDM Vol. 3, \"4-Level Paging and 5-Level Paging\""
#define FREE_FROM (96 * MBYTE)

TEST(frames_above_4_gbytes_are_not_those_below,
     "A frame above 4 GBytes keeps its content when the one 4 GBytes below is written", MANUAL,
     "ram_above_4g")
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		linear_t high = map_covering_page((enum level)level, GPA(4 * GBYTE + FREE_FROM));
		linear_t low = map_covering_page((enum level)level, GPA(FREE_FROM));

		for (uint32_t i = 0; i < 4; i++) {
			expect_as_modelled(write_access(high, 8, frame_word(300 + i)));
			expect_as_modelled(as_user(write_access(low, 8, frame_word(400 + i))));
			expect_read(read_access(high, 8), frame_word(300 + i));
			expect_read(as_user(fetch_access(high)), 300 + i);
			expect_read(read_access(low, 8), frame_word(400 + i));
		}
	}
}

/* The page table itself above 4 GBytes, written through a mapping; the frame below it holds another
 * table. */
TEST(table_above_4_gbytes_is_not_the_one_below,
     "A page table above 4 GBytes is read there, and its entries get their flags there", MANUAL,
     "ram_above_4g")
{
	gpa_t table = GPA(4 * GBYTE + FREE_FROM), decoy = GPA(FREE_FROM);
	struct page page = map_page(P | RW | US);
	unsigned index = (unsigned)(page.entry[PT] - table_of(page.entry[PT]));
	linear_t entry = linear_plus(map_covering_page(PT, table), index * 8ull);
	uint64_t *decoy_entry = (uint64_t *)identity(decoy) + index;
	gpa_t frame = filled_frame(1), wrong = filled_frame(2);

	attempt(write_access(entry, 8, frame.value | P | RW | US));
	*(volatile uint64_t *)decoy_entry = wrong.value | P | RW | US;
	write_entry(&page, PD, table.value | P | RW | US, MOV_CR3);
	expect_read(read_access(page.linear, 8), frame_word(1));
	expect_read(as_user(fetch_access(page.linear)), 1);
	expect_read(read_access(entry, 8), frame.value | P | RW | US | A);
	attempt(as_user(write_access(page.linear, 8, frame_word(1))));
	expect_read(read_access(entry, 8), frame.value | P | RW | US | A | D);
	expect(*(volatile uint64_t *)decoy_entry == (wrong.value | P | RW | US),
	       "the entry 4 GBytes below became 0x%llx", (unsigned long long)*decoy_entry);
}
