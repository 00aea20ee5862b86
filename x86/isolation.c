/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Two guests under one hypervisor: neither finds a word of the other's memory.
 *
 * Both run this image at the same time, at the same addresses, and fill all their memory with words
 * that name the guest and the page. Whatever a guest can map it then reads, looking for words that
 * name another guest: its RAM, what the machine gave it before it wrote, holes up to MAXPHYADDR;
 * and its own words must be its own last ones. A guest-physical address is one of this guest's
 * machine only; translations that a processor has cached are used for the guest that made them
 * (SDM Vol. 3, "VMX Support for Address Translation"; a processor for itself is what the guest is
 * promised: "4-Level Paging and 5-Level Paging").
 *
 * Caught here: translations cached by guest-physical address, root or ASID that another guest uses,
 * too; a shadow of another guest's table; frames that two guests got, or one got uncleared from the
 * other; frame addresses cut off, so that a hole shows the other's memory or takes a store to it.
 *
 * Not checked: whether the other guest was running all the while; devices; memory given back while
 * running.
 */
#include "test.h"

SUBJECT(isolation, "two guests at once, each looking for the other's memory");

#define MANUAL	    "SDM Vol. 3, \"4-Level Paging and 5-Level Paging\""
#define ALL	    (P | RW | US)
#define LOW	    0xffffffull /* of a word: the guest and the page; the rest follows from it */
#define FEWEST	    2
#define WORDS	    (PAGE_4K / 8)
#define MOST_PLACES 128
#define MOST_BYTES  (32 * MBYTE) /* that are filled */
#define MOST_PAGES  (1u << 14)	 /* of a range of RAM that are looked at */

/* The frames that are filled. */
static struct memory_range own;

static uint64_t word_with(uint64_t low)
{
	return ((low + 1) * 0x9e3779b97f4a7c15 & ~LOW) | low;
}

static uint64_t word_of(uint64_t address)
{
	return word_with((uint64_t)(run_guest() & 0xf) << 20 | (address / PAGE_4K & 0xfffff));
}

/* 0: no guest's word. */
static unsigned guest_of(uint64_t word)
{
	return word == word_with(word & LOW) ? word >> 20 & 0xf : 0;
}

static bool is_foreign(uint64_t word)
{
	return guest_of(word) != 0 && guest_of(word) != run_guest();
}

/* What can still be had once the case has mapped its pages; nothing is allocated later. */
static void begin(void)
{
	if (!run_guest())
		end_case_skipped("guests", "the command line does not say which guest this is");
	own.start = frame_alloc();
	own.bytes = (frames_left() + 1) * PAGE_4K;
	if (own.bytes > MOST_BYTES)
		own.bytes = MOST_BYTES;
}

static bool is_own(uint64_t address)
{
	return address >= own.start.value && address < own.start.value + own.bytes;
}

static void fill(void)
{
	for (uint64_t at = 0; at < own.bytes; at += PAGE_4K) {
		uint64_t address = own.start.value + at;
		volatile uint64_t *words = identity(GPA(address));

		progress("filled up to 0x%llx", (unsigned long long)address);
		for (unsigned n = 0; n < WORDS; n++)
			words[n] = word_of(address);
	}
}

/* Checks a page at any linear address; its content is known when it was filled. */
static void check_page(const volatile uint64_t *words, uint64_t address, bool filled)
{
	uint64_t wanted = word_of(address);

	for (unsigned n = 0; n < WORDS; n++) {
		uint64_t word = words[n];

		if (filled ? word == wanted : !is_foreign(word))
			continue;
		expect(!is_foreign(word), "0x%llx of guest %u at 0x%llx", (unsigned long long)word,
		       guest_of(word), (unsigned long long)(address + n * 8));
		expect(is_foreign(word), "0x%llx at 0x%llx, 0x%llx was stored",
		       (unsigned long long)word, (unsigned long long)(address + n * 8),
		       (unsigned long long)wanted);
		return;
	}
}

/* All RAM that the identity map reaches; of much RAM some. */
static void scan(bool filled)
{
	struct memory_range range;

	for (unsigned i = 0; ram_range(i, &range); i++) {
		uint64_t at = (range.start.value + PAGE_4K - 1) & ~(PAGE_4K - 1);
		uint64_t end = range.start.value + range.bytes;
		uint64_t step = (range.bytes / PAGE_4K / MOST_PAGES + 1) * PAGE_4K;

		for (at = at ? at : PAGE_4K; at + PAGE_4K <= end && at < IDENTITY_MAP_BYTES;
		     at += step) {
			progress("scanned up to 0x%llx", (unsigned long long)at);
			check_page(identity(GPA(at)), at, filled && is_own(at));
			count_check();
		}
	}
}

static bool goes_on(uint64_t start, unsigned round)
{
	return round < FEWEST || read_tsc() - start < run_seconds(1) * tsc_per_second();
}

TEST(memory_shows_no_word_of_another_guest,
     "All memory holds what this guest stored last, and before that nothing of another guest",
     MANUAL, "")
{
	uint64_t start = read_tsc();
	unsigned round = 0;

	begin();
	scan(false);
	for (; goes_on(start, round); round++) {
		fill();
		scan(true);
	}
	note("guest %u: %u rounds over %llu KBytes", run_guest(), round,
	     (unsigned long long)own.bytes / KBYTE);
}

/* Each entry of a page table leads to one frame after the other, with and without INVLPG before the
 * page is used again; where a translation may be stale, the word is still this guest's. */
TEST(remapped_pages_show_no_word_of_another_guest,
     "Pages that are remapped all the time show this guest's words, and lead where the PTE says",
     MANUAL, "")
{
	struct litmus_window window = litmus_window(PT);
	struct random random = random_start(1);
	uint64_t start = read_tsc();
	unsigned round = 0;

	begin();
	fill();
	for (; goes_on(start, round); round++)
		for (unsigned i = 0; i < 512; i++) {
			volatile uint64_t *words = litmus_word(&window, i);
			uint64_t frame = own.start.value +
					 random_below(&random, own.bytes / PAGE_4K) * PAGE_4K;

			window.entries[i] = frame | ALL;
			if (round)
				expect(!is_foreign(words[0]),
				       "a word of guest %u by a remapped page", guest_of(words[0]));
			invalidate(LINEAR((uintptr_t)words), INVLPG);
			words[i] = word_of(frame);
			check_page(words, frame, true);
			progress("round %u", round);
		}
	scan(true);
}

/* Above 4 GBytes, where machines have no devices: this guest's frames with further address bits,
 * and the edge; below it what follows the RAM, up to where devices are. */
static unsigned find_places(uint64_t *places)
{
	uint64_t edge = 1ull << maxphyaddr();
	unsigned count = 0;

	places[count++] = edge - PAGE_2M;
	places[count++] = edge / 2 + PAGE_2M;
	for (unsigned bit = 32; bit < maxphyaddr(); bit++)
		places[count++] = own.start.value | 1ull << bit;
	for (uint64_t at = 4 * GBYTE; at < 20 * GBYTE && at < edge; at += GBYTE)
		places[count++] = at + (own.start.value & ~(PAGE_2M - 1));
	for (unsigned i = 0; i < 8; i++)
		places[count++] = own.start.value + own.bytes + (PAGE_2M << i);
	return count;
}

/* All ones, zeros, #MC, and a hypervisor that stops and says so are permitted (P26). */
static void try_hole(const struct page *page, uint64_t place)
{
	write_entry(page, PT, (place & ENTRY_ADDRESS) | ALL, INVLPG);
	for (unsigned n = 0; n < WORDS; n += 16) {
		linear_t linear = linear_plus(page->linear, 8 * n);
		struct outcome outcome = attempt(read_access(linear, 8));

		expect(outcome.vector != NO_VECTOR || !is_foreign(outcome.value[0]),
		       "0x%llx of guest %u in the hole at 0x%llx",
		       (unsigned long long)outcome.value[0], guest_of(outcome.value[0]),
		       (unsigned long long)place);
		if (place >= 4 * GBYTE)
			attempt(write_access(linear, 8, word_of(place)));
	}
}

TEST(holes_show_no_word_of_another_guest,
     "Loads from beyond memory show nothing of another guest, stores there reach none", MANUAL, "")
{
	struct page page = map_page(ALL);
	uint64_t places[MOST_PLACES];
	unsigned count;

	begin();
	fill();
	count = find_places(places);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < count; i++)
			if (!is_ram(GPA(places[i] & ENTRY_ADDRESS), PAGE_4K))
				try_hole(&page, places[i]);
		scan(true);
	}
}
