/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages and tables above 4 GBytes.
 *
 * The frame address of an entry has MAXPHYADDR bits, for every page size and for tables as for
 * pages (SDM Vol. 3, "4-Level Paging and 5-Level Paging").
 *
 * Caught here: physical addresses truncated to 32 bits, in the page's address or in a table's
 * (QT08, HX02), or where what was made of a root is looked up by its address; memory below and
 * above the hole before 4 GBytes mixed up; flags set in the entry 4 GBytes below.
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

/* Tags written through 4-KByte pages at every power of two in the second GByte, read through one
 * page of it all. */
TEST(every_bit_of_the_offset_in_a_1_gbyte_page_counts,
     "Each offset in a 1-GByte page leads to the memory at that offset, and marks the page", MANUAL,
     "pages_1g ram_to_2g")
{
	struct page large = map_page_at(PDPT, GPA(PAGE_1G), P | RW | US);

	for (unsigned bit = 12; bit < 30; bit++) {
		linear_t small = map_covering_page(PT, GPA(PAGE_1G + (1ull << bit)));

		attempt(write_access(small, 8, frame_word(bit)));
		attempt(write_access(linear_plus(small, 0x7f8), 8, frame_word(100 + bit)));
	}
	for (unsigned bit = 12; bit < 30; bit++) {
		linear_t at = linear_plus(large.linear, 1ull << bit);

		expect_read(read_access(at, 8), frame_word(bit));
		expect_read(as_user(read_access(linear_plus(at, 0x7f8), 8)), frame_word(100 + bit));
		expect_read(fetch_access(at), bit);
	}
	for (unsigned bit = 12; bit < 30; bit++) {
		edit_entry(&large, PDPT, INVLPG, .clear = A | D);
		expect_read(read_access(linear_plus(large.linear, 1ull << bit), 8),
			    frame_word(bit));
		expect_flags(&large, PDPT, A | D, A);
		attempt(write_access(linear_plus(large.linear, 1ull << bit), 8, 1));
		expect_flags(&large, PDPT, A | D, A | D);
	}
}

/* Where there is no memory anything but other memory may be read, and a write is lost (P26). */
TEST(frames_beyond_memory_are_not_memory,
     "A store to a frame address with one bit beyond RAM set changes no RAM", MANUAL, "ram_at_96m")
{
	gpa_t low = GPA(FREE_FROM);
	volatile uint64_t *word = identity(low);
	const uint64_t here = frame_word(500);

	for (unsigned bit = 33; bit < maxphyaddr(); bit++) {
		gpa_t far = GPA(low.value | 1ull << bit);
		struct page page;

		if (is_ram(far, PAGE_4K))
			continue;
		page = map_page_at(PT, far, P | RW | US);
		*word = here;
		attempt(write_access(page.linear, 8, frame_word(600 + bit)));
		expect(*word == here, "a store to frame 0x%llx reached frame 0x%llx",
		       (unsigned long long)far.value, (unsigned long long)low.value);
		expect(attempt(read_access(page.linear, 8)).value[0] != here,
		       "a read of frame 0x%llx reached frame 0x%llx", (unsigned long long)far.value,
		       (unsigned long long)low.value);
	}
}

/* Writes 4 KBytes above 4 GBytes through a mapping. */
static void copy_to(linear_t linear, const uint64_t *words)
{
	for (unsigned i = 0; i < PAGE_4K / 8; i++)
		attempt(write_access(linear_plus(linear, i * 8ull), 8, words[i]));
}

/* N_CR3 or the EPT pointer leads to a root that is a copy of the one in use. */
static void move_second_level(struct l2 *l2, gpa_t root)
{
	struct second_level moved = l2->second;

	moved.model.root = root.value;
	if (has(FEATURE_svm))
		svm_guest(l2)->vmcb->control.n_cr3 = root.value;
	else
		vmwrite(VMCS_EPT_POINTER, eptp_of(&moved));
	second_invalidate(&l2->second, SECOND_FLUSH_ALL);
}

/* The frame 4 GBytes below the root holds an empty one. */
TEST(a_second_level_above_4_gbytes_is_not_the_one_below,
     "L2 runs by the EPT or nested tables whose root is above 4 GBytes",
     "SDM Vol. 3, \"Extended-Page-Table Pointer (EPTP)\"; APM Vol. 2, \"Enabling Nested Paging\"",
     "second_level ram_above_4g")
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 56);
	gpa_t root = GPA(4 * GBYTE + FREE_FROM);
	linear_t window = map_covering_page(PT, root);

	memset(identity(GPA(FREE_FROM)), 0, PAGE_4K);
	memcpy((void *)(uintptr_t)window.value, identity(GPA(l2->second.model.root)), PAGE_4K);
	expect_l2_read(l2, read_access(page.linear, 8), frame_word(56));
	move_second_level(l2, root);
	expect_l2_read(l2, read_access(page.linear, 8), frame_word(56));
	expect_l2_completes(l2, write_access(page.linear, 8, frame_word(57)));
	expect(*(volatile uint64_t *)identity(page.frame) == frame_word(57), "memory holds 0x%llx",
	       (unsigned long long)*(volatile uint64_t *)identity(page.frame));
}

/* The PML4 table itself above 4 GBytes; the frame below it holds one without the case's page, which
 * keeps the image alive where CR3 is cut off. */
TEST(root_above_4_gbytes_is_not_the_one_below,
     "A PML4 table above 4 GBytes is read there, and its entries get their flags there", MANUAL,
     "ram_above_4g")
{
	gpa_t root = GPA(4 * GBYTE + FREE_FROM), decoy = GPA(FREE_FROM);
	struct page page = map_page_at(PT, filled_frame(1), P | RW | US);
	unsigned index = (unsigned)(page.entry[PML4] - table_of(page.entry[PML4]));
	linear_t mapped = map_covering_page(PT, root);
	linear_t entry = linear_plus(mapped, index * 8ull);
	uint64_t *words = identity(copy_root()), good = words[index] & ~A, marked;

	words[index] = good;
	copy_to(mapped, words);
	words[index] = 0;
	memcpy(identity(decoy), words, PAGE_4K);
	for (unsigned i = 0; i < 4; i++) {
		load_root(root);
		marked = attempt(read_access(entry, 8)).value[0];
		expect((marked | A) == (good | A) && (!i || marked & A), "the PML4E is 0x%llx",
		       (unsigned long long)marked); /* A may be early */
		expect_read(as_user(read_access(page.linear, 8)), frame_word(1));
		expect_read(fetch_access(page.linear), 1);
		expect_read(read_access(entry, 8), good | A);
		load_root(image_root());
		expect_read(read_access(page.linear, 8), frame_word(1));
	}
	expect(((volatile uint64_t *)identity(decoy))[index] == 0,
	       "the PML4E 4 GBytes below has changed");
}

/* Each table of the second level in turn, and the page, above 4 GBytes; the frame below is empty.
 */
TEST(entries_of_the_second_level_lead_above_4_gbytes,
     "Entries of EPT or nested tables lead to tables and pages above 4 GBytes",
     "SDM Vol. 3, \"EPT Translation Mechanism\"; APM Vol. 2, \"Nested Paging\"",
     "second_level ram_above_4g")
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 58);
	gpa_t high = GPA(4 * GBYTE + FREE_FROM);
	linear_t window = map_covering_page(PT, high);

	memset(identity(GPA(FREE_FROM)), 0, PAGE_4K);
	for (int level = PT; level <= PML4; level++) {
		volatile uint64_t *entry = second_entry(&l2->second, page.gpa, (enum level)level);
		uint64_t good = *entry;

		copy_to(window, identity(GPA(good & ENTRY_ADDRESS)));
		*entry = (good & ~ENTRY_ADDRESS) | high.value;
		second_invalidate(&l2->second, SECOND_FLUSH_ALL);
		expect_l2_read(l2, read_access(page.linear, 8), frame_word(58));
		expect_l2_read(l2, as_user(fetch_access(page.linear)), 58);
		expect_l2_completes(l2, write_access(page.linear, 8, frame_word(58)));
		*entry = good;
	}
	for (unsigned i = 0; i < PAGE_4K / 8; i++)
		expect(!((volatile uint64_t *)identity(GPA(FREE_FROM)))[i],
		       "the frame 4 GBytes below was written at 0x%x", 8 * i);
}

/* Both are in use by turns. They differ in one PML4E, which leads to frames filled with 1 and 2. */
TEST(roots_4_gbytes_apart_are_two_address_spaces,
     "MOV to CR3 of a root 4 GBytes above the current one, or below it, changes the address space",
     MANUAL, "ram_above_4g ram_at_96m")
{
	gpa_t high = GPA(4 * GBYTE + FREE_FROM), low = GPA(FREE_FROM);
	struct page page = map_page_at(PT, filled_frame(1), P | RW | US), other;
	unsigned index = (unsigned)(page.entry[PML4] - table_of(page.entry[PML4]));
	linear_t window = map_covering_page(PT, high);
	uint64_t *words;

	other = map_page_at_linear(LINEAR(page.linear.value ^ 1ull << 46), PT, filled_frame(2),
				   P | RW | US);
	words = identity(copy_root());
	memcpy(identity(low), words, PAGE_4K);
	words[index] = *other.entry[PML4];
	copy_to(window, words);
	for (unsigned i = 0; i < 6; i++) {
		load_root(i & 1 ? high : low);
		expect_read(read_access(page.linear, 8), frame_word(i & 1 ? 2 : 1));
		expect_read(as_user(fetch_access(page.linear)), i & 1 ? 2 : 1);
		if (i < 3)
			load_root(image_root());
	}
	load_root(image_root());
}

/* The tables that translate one L2-physical address, copied, with another page at their end. */
static uint64_t *copy_second_level(const struct l2 *l2, gpa_t gpa, gpa_t frame)
{
	uint64_t *upper = NULL, *root = NULL;

	for (int level = PML4; level >= PT; level--) {
		const uint64_t *entry = second_entry(&l2->second, gpa, (enum level)level);
		uint64_t *table = identity(frame_alloc());

		memcpy(table, table_of(entry), PAGE_4K);
		if (upper)
			*upper = (*upper & ~ENTRY_ADDRESS) | gpa_of(table).value;
		else
			root = table;
		upper = table + (entry - table_of(entry));
	}
	*upper = (*upper & ~ENTRY_ADDRESS) | frame.value;
	return root;
}

TEST(second_levels_4_gbytes_apart_are_two,
     "L2 runs by the EPT or nested tables that its entry names, though another's root lies 4 "
     "GBytes away",
     "SDM Vol. 3, \"Extended-Page-Table Pointer (EPTP)\"; APM Vol. 2, \"Enabling Nested Paging\"",
     "second_level ram_above_4g ram_at_96m")
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 61);
	gpa_t low = GPA(FREE_FROM), high = GPA(4 * GBYTE + FREE_FROM);
	linear_t window = map_covering_page(PT, high);

	copy_to(window, copy_second_level(l2, page.gpa, filled_frame(62)));
	memcpy(identity(low), identity(GPA(l2->second.model.root)), PAGE_4K);
	for (unsigned turn = 0; turn < 6; turn++) {
		move_second_level(l2, turn & 1 ? high : low);
		expect_l2_read(l2, read_access(page.linear, 8), frame_word(turn & 1 ? 62 : 61));
	}
}
