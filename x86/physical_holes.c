/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entries that lead where there is no memory: holes, the edge of the physical address space,
 * devices.
 *
 * What a load from unbacked memory gives is open: all ones, zeros, a machine check; a store is
 * lost; a hypervisor may also stop and say so (P26). But no other memory may appear there, none may
 * be changed through it, and the processor goes on. A translation that leads from memory to a
 * device, or back, is one like any other (SDM Vol. 3, "Invalidation of TLBs and Paging-Structure
 * Caches").
 *
 * Caught here: an access to a hole that ends the machine (BH01); frame addresses cut off, so that a
 * hole is an alias of memory (QT08, HX02); a hypervisor's entry for memory that survives a change
 * to a device, or the other way round (KS30); structures in holes that translate by what a failed
 * read left behind.
 *
 * Not checked: that a store to a hole is lost for good; fetches from holes, at which many stop.
 */
#include "test.h"

SUBJECT(physical_holes, "entries that lead to holes, beyond memory, and to devices");

#define MANUAL	      "SDM Vol. 3, \"4-Level Paging and 5-Level Paging\""
#define MANUAL_CHANGE "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""

#define ALL	      (P | RW | US)
#define TAGGED	      64 /* frames of which none may show up anywhere */
#define TAG	      7000
#define MOST_PLACES   64

static gpa_t tagged[TAGGED];

static void tag_frames(void)
{
	for (uint32_t i = 0; i < TAGGED; i++)
		tagged[i] = filled_frame(TAG + i);
}

static void expect_tags(const char *after, gpa_t place)
{
	count_check();
	for (uint32_t i = 0; i < TAGGED; i++) {
		const volatile uint64_t *words = identity(tagged[i]);

		for (unsigned n = 0; n < PAGE_4K / 8; n++)
			if (words[n] != frame_word(TAG + i)) {
				expect(words[n] == frame_word(TAG + i),
				       "%s 0x%llx changed memory at 0x%llx to 0x%llx", after,
				       (unsigned long long)place.value,
				       (unsigned long long)gpa_of(&words[n]).value,
				       (unsigned long long)words[n]);
				return;
			}
	}
}

/* Whether bytes that were read are part of a tagged frame; one byte tells too little. */
static bool is_tag(uint64_t value, unsigned bytes)
{
	uint64_t mask = bytes == 8 ? ~0ull : (1ull << 8 * bytes) - 1;

	for (uint32_t i = 0; bytes >= 4 && i < TAGGED; i++)
		if (!((value ^ frame_word(TAG + i)) & mask))
			return true;
	return false;
}

/* Above 4 GBytes, where machines have no devices: the edge, and every bit beyond memory. */
static unsigned find_places(gpa_t *places)
{
	uint64_t edge = 1ull << maxphyaddr();
	unsigned count = 0;

	places[count++] = GPA(edge - PAGE_4K);
	places[count++] = GPA(edge / 2 + PAGE_2M);
	for (unsigned bit = 33; bit < maxphyaddr() && count < MOST_PLACES; bit++) {
		gpa_t place = GPA(tagged[bit % TAGGED].value | 1ull << bit);

		if (!is_ram(place, PAGE_4K))
			places[count++] = place;
	}
	return count;
}

/* Permitted are completion and #MC. */
static bool completes(struct access access, gpa_t place, struct outcome *outcome)
{
	*outcome = attempt(access);
	expect(outcome->vector == NO_VECTOR || outcome->vector == VECTOR_MC,
	       "an access to the hole at 0x%llx raised vector %u, error code 0x%llx",
	       (unsigned long long)place.value, outcome->vector,
	       (unsigned long long)outcome->error_code);
	return outcome->vector == NO_VECTOR;
}

static void load_from(const struct page *page, gpa_t place)
{
	struct outcome outcome;

	for (unsigned i = 0; i < 8; i++) {
		unsigned bytes = 1u << i % 4;
		struct access access = read_access(linear_plus(page->linear, 8 * i), bytes);

		access.user = i & 4;
		if (!completes(access, place, &outcome))
			continue;
		expect(!is_tag(outcome.value[0], bytes), "the hole at 0x%llx shows memory: 0x%llx",
		       (unsigned long long)place.value, (unsigned long long)outcome.value[0]);
		expect_flags(page, page->level, A | D, A);
	}
}

TEST(loads_from_holes_show_no_memory,
     "A load through an entry that leads beyond memory completes, sets A, and shows no other "
     "memory",
     MANUAL, "")
{
	gpa_t places[MOST_PLACES];
	unsigned count;

	tag_frames();
	count = find_places(places);
	for (unsigned i = 0; i < count; i++) {
		struct page page = map_page_at(PT, places[i], ALL);
		uint64_t large = places[i].value & ~(PAGE_2M - 1);

		load_from(&page, places[i]);
		if (!is_ram(GPA(large), PAGE_2M)) {
			page = map_page_at(PD, GPA(large), ALL);
			load_from(&page, GPA(large));
		}
	}
}

static void store_to(const struct page *page, gpa_t place, enum instruction first,
		     enum instruction last)
{
	struct outcome outcome;

	for (int i = first; i <= (int)last; i++) {
		struct access access =
			instruction_access((enum instruction)i, page->linear, 0x5a5a5a5a5a5a5a5a);

		access.user = i & 1;
		completes(access, place, &outcome);
	}
	expect_tags("a store to the hole at", place);
	expect_flags(page, page->level, A | D, A | D);
}

static void try_stores(enum instruction first, enum instruction last)
{
	gpa_t places[MOST_PLACES];
	unsigned count;

	tag_frames();
	count = find_places(places);
	for (unsigned i = 0; i < count; i++) {
		struct page page = map_page_at(PT, places[i], ALL);

		store_to(&page, places[i], first, last);
	}
}

TEST(stores_to_holes_change_no_memory,
     "A store through an entry that leads beyond memory completes, sets D, and changes no memory",
     MANUAL, "")
{
	try_stores(INSTRUCTION_write1, INSTRUCTION_write8);
}

TEST(locked_accesses_to_holes_change_no_memory,
     "A locked read-modify-write of a hole completes and changes no memory", MANUAL, "")
{
	try_stores(INSTRUCTION_lock_or, INSTRUCTION_lock_or);
	try_stores(INSTRUCTION_xchg, INSTRUCTION_xadd);
}

/* What stands there is all ones or zeros or nothing; no such entry leads to a page. */
static void try_table_in_hole(enum level level)
{
	gpa_t places[MOST_PLACES];
	unsigned count;

	tag_frames();
	count = find_places(places);
	for (unsigned i = 0; i < count; i++) {
		struct page page = map_page_at(PT, tagged[0], ALL);
		uint64_t good = *page.entry[level + 1];
		struct outcome outcome;

		expect_as_modelled(read_access(page.linear, 8));
		write_entry(&page, level + 1, places[i].value | ALL, MOV_CR3);
		for (unsigned n = 0; n < 4; n++) {
			struct access access = n & 1 ? write_access(page.linear, 8, 1)
						     : read_access(page.linear, 8);

			access.user = n & 2;
			outcome = attempt(access);
			expect(outcome.vector == VECTOR_PF || outcome.vector == VECTOR_MC,
			       "a table at 0x%llx translates: vector %u, value 0x%llx",
			       (unsigned long long)places[i].value, outcome.vector,
			       (unsigned long long)outcome.value[0]);
		}
		expect_tags("a walk through the hole at", places[i]);
		write_entry(&page, level + 1, good, MOV_CR3);
		expect_as_modelled(as_user(read_access(page.linear, 8)));
	}
}

#define TABLE_IN_HOLE(name, level, entry)                                                      \
	TEST(name, "A " entry " that leads beyond memory makes accesses fault, none complete", \
	     MANUAL, "")                                                                       \
	{                                                                                      \
		try_table_in_hole(level);                                                      \
	}

TABLE_IN_HOLE(page_table_in_a_hole_maps_nothing, PT, "PDE")
TABLE_IN_HOLE(page_directory_in_a_hole_maps_nothing, PD, "PDPTE")
TABLE_IN_HOLE(pdpt_in_a_hole_maps_nothing, PDPT, "PML4E")

#define APIC_VERSION 0x30

/* Two registers that any local APIC has: one that never changes, and one that holds what is
 * written, bits 7:0. The same offsets of a frame hold other values. */
static void try_device(const struct page *page, gpa_t frame, unsigned turn)
{
	volatile uint32_t *registers = identity(GPA(APIC_PAGE));
	volatile uint32_t *memory = identity(frame);
	uint32_t version = registers[APIC_VERSION / 4], priority = turn * 16 & 0xf0;
	struct access read = read_access(linear_plus(page->linear, APIC_VERSION), 4);
	struct access write = write_access(linear_plus(page->linear, APIC_PRIORITY), 4, priority);
	enum invalidation then = turn & 1 ? INVLPG : MOV_CR3;
	const uint64_t flags = ALL | (turn & 8 ? A | D : 0); /* of an entry in use before */

	read.user = turn & 2;
	write.user = turn & 4;
	memory[APIC_VERSION / 4] = ~version;
	memory[APIC_PRIORITY / 4] = 0x12345678;
	write_entry(page, PT, frame.value | flags, then);
	expect_read(read, (uint32_t)~version);
	write_entry(page, PT, APIC_PAGE | flags | PCD, then);
	expect_read(read, version);
	expect(attempt(write).vector == NO_VECTOR, "the store to the device faulted");
	expect(registers[APIC_PRIORITY / 4] == priority, "the device's register is 0x%x, not 0x%x",
	       registers[APIC_PRIORITY / 4], priority);
	expect(memory[APIC_PRIORITY / 4] == 0x12345678, "memory became 0x%x",
	       memory[APIC_PRIORITY / 4]);
	write_entry(page, PT, frame.value | flags, then);
	expect_read(read, (uint32_t)~version);
	write.value[0] = 0xabcd;
	expect_as_modelled(write);
	expect(registers[APIC_PRIORITY / 4] == priority, "a store to memory reached the device");
}

TEST(page_changes_between_memory_and_a_device,
     "A PTE that is changed from memory to device memory and back, and invalidated, is followed",
     MANUAL_CHANGE, "")
{
	struct page page = map_page(ALL);

	require_local_apic();
	for (unsigned turn = 0; turn < 64; turn++)
		try_device(&page, page.frame, turn);
	*priority_register() = 0;
}
