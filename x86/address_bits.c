/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every bit of linear and of physical addresses counts.
 *
 * Two linear addresses that differ in one bit are translated apart, whatever is cached of the
 * other; an entry's frame address reaches memory with all its bits, for every page size (SDM Vol.
 * 3, "4-Level Paging and 5-Level Paging").
 *
 * Caught here: caches that compare a part of the linear address, or shadow tables indexed by one
 * (KS13); frame addresses truncated to 32 bits or to a table's width (QT08, HX02); offsets in large
 * pages that lose bits; memory below and above the hole before 4 GBytes mixed up; entries of tables
 * above 4 GBytes read from below.
 *
 * Not checked: addresses that are no RAM.
 */
#include "test.h"

SUBJECT(address_bits, "every bit of linear and physical addresses counts, cached or not");

#define MANUAL	  "SDM Vol. 3, \"4-Level Paging and 5-Level Paging\""

#define FIRST_BIT 12
#define LAST_BIT  47
#define FREE_FROM (96 * MBYTE)

/* Links the page at `linear` into structures that may exist already. */
static void link_page(uint64_t linear, gpa_t frame)
{
	uint64_t *table = identity(image_root());

	for (int level = PML4; level > PT; level--) {
		uint64_t *entry = &table[level_index(&paging_4level, (enum level)level, linear)];

		if (!(*entry & P))
			*entry = frame_alloc().value | P | RW | US;
		table = identity(GPA(*entry & ENTRY_ADDRESS));
	}
	table[level_index(&paging_4level, PT, linear)] = frame.value | P | RW | US;
}

/* A base address and every address that differs from it in one bit. The base lies in a PML4E of
 * pages; so must all its neighbours: bits that would lead to the identity map or the user window
 * are left out. */
static bool is_free(uint64_t linear)
{
	uint64_t slot = linear >> 39 & 511;

	return (slot >= 1 && slot < 240) || slot >= 256;
}

/* The address that differs from the base in one bit; bit 47 is followed by those above it. */
static uint64_t neighbour(uint64_t base, unsigned bit)
{
	uint64_t other = base ^ 1ull << bit;

	return (uint64_t)((int64_t)(other << 16) >> 16);
}

TEST(addresses_that_differ_in_one_linear_bit_are_kept_apart,
     "Pages whose linear addresses differ in one bit are translated each by its own entry", MANUAL,
     "")
{
	uint64_t base = 0x0000155555555000;
	uint32_t tags = 0;

	for (unsigned slot = 1; slot < 240; slot++)
		unused_linear(); /* all of them are this case's */
	link_page(base, filled_frame(1));
	for (unsigned bit = FIRST_BIT; bit <= LAST_BIT; bit++)
		if (is_free(neighbour(base, bit)))
			link_page(neighbour(base, bit), filled_frame(2 + bit));
	invalidate(LINEAR(base), MOV_CR3);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned bit = FIRST_BIT; bit <= LAST_BIT; bit++) {
			uint64_t other = neighbour(base, bit);
			struct access reads[] = {read_access(LINEAR(base), 8),
						 read_access(LINEAR(other), 8)};

			if (!is_free(other))
				continue;
			reads[0].user = reads[1].user = round & 1;
			expect_read(reads[0], frame_word(1));
			expect_read(reads[1], frame_word(2 + bit));
			expect_read(fetch_access(LINEAR(base)), 1);
			expect_read(fetch_access(LINEAR(other)), 2 + bit);
			tags++;
		}
	}
	expect(tags > 4 * 30, "only %u pairs were compared", tags);
}

/* One frame for each bit of physical addresses that RAM reaches: at that bit alone where this is
 * RAM that the case may have, otherwise behind an offset. */
struct frames {
	gpa_t at[52];
	unsigned count;
};

static bool take(struct frames *frames, uint64_t address)
{
	if (address < FREE_FROM || !is_ram(GPA(address), PAGE_4K))
		return false;
	for (unsigned i = 0; i < frames->count; i++)
		if (frames->at[i].value == address)
			return false;
	frames->at[frames->count++] = GPA(address);
	return true;
}

static struct frames find_frames(void)
{
	struct frames frames = {.count = 0};

	take(&frames, FREE_FROM);
	for (unsigned bit = FIRST_BIT; bit < maxphyaddr() && frames.count < 52; bit++)
		if (!take(&frames, 1ull << bit))
			take(&frames, FREE_FROM ^ 1ull << bit);
	if (!frames.count)
		end_case_skipped("memory", "there is no memory beyond what other cases use");
	return frames;
}

/* Written through pages of one size, read through pages of another. */
static void try_sizes(enum level written, enum level read)
{
	struct frames frames = find_frames();
	linear_t linear[COUNT_OF(frames.at)];

	for (unsigned i = 0; i < frames.count; i++)
		linear[i] = map_covering_page(written, frames.at[i]);
	for (unsigned i = 0; i < frames.count; i++) {
		expect(attempt(write_access(linear[i], 8, frame_word(100 + i))).vector == NO_VECTOR,
		       "the write faulted");
		attempt(as_user(
			write_access(linear_plus(linear[i], PAGE_4K - 8), 8, frame_word(200 + i))));
	}
	for (unsigned i = 0; i < frames.count; i++) {
		linear_t again = map_covering_page(read, frames.at[i]);

		expect_read(read_access(again, 8), frame_word(100 + i));
		expect_read(as_user(read_access(linear_plus(again, PAGE_4K - 8), 8)),
			    frame_word(200 + i));
		expect_read(fetch_access(again), 100 + i);
	}
	release_pages();
}

TEST(frames_that_differ_in_one_physical_bit_are_kept_apart,
     "What is written to a frame through pages of one size is found there through another", MANUAL,
     "")
{
	for (int written = PT; written <= (int)largest_page(); written++)
		for (int read = PT; read <= (int)largest_page(); read++)
			try_sizes((enum level)written, (enum level)read);
}
