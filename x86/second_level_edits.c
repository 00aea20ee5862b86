/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Stores to EPT and nested tables that lie among other memory of L1's.
 *
 * The structures of the second level are memory: a store to an entry counts after the invalidation,
 * wherever the structure lies and by whatever page L1 stores (SDM Vol. 3, "Caching Translation
 * Information", "Invalidation of Cached Translations"; APM Vol. 2, "TLB Flush"; R37, R39).
 *
 * Caught here: a hypervisor below L1 keeps a shadow of these structures, and has to notice L1's
 * stores. It maps L1's memory by large pages, of which the one with a structure must be split or
 * kept from being written; where a second structure near by has seen to that, one forgotten does
 * not show (KS04's and KN05's kind). Here a single structure of each level lies in 2 MBytes of
 * plain memory, which L1 has just stored to.
 *
 * Not checked: the root; stores by other instructions than MOV; changes without invalidation.
 */
#include "test.h"

SUBJECT(second_level_edits, "stores to a structure of the second level that lies alone in memory");

#define NEEDS  "second_level"
#define MANUAL "SDM Vol. 3, \"Caching Translation Information\"; APM Vol. 2, \"TLB Flush\""
#define ALL    (P | RW | US | A | D)

enum { OLD = 71, NEW = 72, ROUNDS = 6 };

/* The entry at `level` that leads one L2-physical address to this frame by tables of its own. */
static uint64_t way_to(const struct l2 *l2, gpa_t gpa, enum level level, gpa_t frame)
{
	const uint64_t *entry = second_entry(&l2->second, gpa, PT);
	uint64_t value = (*entry & ~ENTRY_ADDRESS) | frame.value;

	for (int at = PT; at < (int)level; at++) {
		uint64_t *table = identity(frame_alloc());

		memcpy(table, table_of(entry), PAGE_4K);
		table[entry - table_of(entry)] = value;
		entry = second_entry(&l2->second, gpa, (enum level)(at + 1));
		value = (*entry & ~ENTRY_ADDRESS) | gpa_of(table).value;
	}
	return value;
}

/* The structure at `level` moves into a block of memory, `offset` bytes from its start. */
static volatile uint64_t *move_structure(struct l2 *l2, gpa_t gpa, enum level level, gpa_t block,
					 unsigned offset)
{
	uint64_t *entry = second_entry(&l2->second, gpa, level);
	uint64_t *upper = second_entry(&l2->second, gpa, (enum level)(level + 1));
	uint64_t *table = identity(gpa_plus(block, offset));

	memcpy(table, table_of(entry), PAGE_4K);
	*upper = (*upper & ~ENTRY_ADDRESS) | gpa_of(table).value;
	second_invalidate(&l2->second, SECOND_FLUSH);
	return table + (entry - table_of(entry));
}

static void try_edits(struct l2 *l2, const struct l2_page *page, enum level level, gpa_t block,
		      unsigned offset)
{
	const uint64_t value[] = {way_to(l2, page->gpa, level, filled_frame(OLD)),
				  way_to(l2, page->gpa, level, filled_frame(NEW))};
	volatile uint64_t *entry = move_structure(l2, page->gpa, level, block, offset);
	volatile uint64_t *beside = identity(gpa_plus(block, (offset + PAGE_4K) % PAGE_2M));

	for (unsigned round = 0; round < ROUNDS; round++) {
		*beside = round;
		*entry = value[round & 1];
		second_invalidate(&l2->second, SECOND_FLUSH);
		expect_l2_read(l2, read_access(page->linear, 8), frame_word(round & 1 ? NEW : OLD));
		*beside = ~round;
		second_allow(&l2->second, page->gpa, level, SECOND_ALL & ~SECOND_WRITE,
			     SECOND_FLUSH);
		expect_l2_violation(l2, write_access(page->linear, 8, 0), page->gpa);
		second_allow(&l2->second, page->gpa, level, SECOND_ALL, SECOND_FLUSH);
		expect_l2_as_modelled(l2, write_access(page->linear, 1, 0xb8));
	}
}

static void try_level(enum level level)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .alone = ALONE_PAGE);
	struct l2_page page = l2_map(l2, PT, ALL, OLD);
	gpa_t block = frames_alloc(PAGE_2M);
	uint64_t *upper = second_entry(&l2->second, page.gpa, (enum level)(level + 1));
	const uint64_t good = *upper;

	memset(identity(block), 0, PAGE_2M);
	for (unsigned n = 1; n <= 4; n++) { /* the first frame last: it may stand for the block */
		try_edits(l2, &page, level, block, n % 4 * (PAGE_2M / 4 + PAGE_4K));
		*upper = good;
		second_invalidate(&l2->second, SECOND_FLUSH);
		expect_l2_completes(l2, read_access(page.linear, 8));
	}
}

TEST(stores_to_a_table_of_pages_are_followed,
     "An entry that maps a page, in a table alone in 2 MBytes, is as it was stored last", MANUAL,
     NEEDS)
{
	try_level(PT);
}

TEST(stores_to_a_directory_are_followed,
     "An entry that leads to a table of pages, alone in 2 MBytes, is as it was stored last", MANUAL,
     NEEDS)
{
	try_level(PD);
}

TEST(stores_to_a_table_of_directories_are_followed,
     "An entry that leads to a directory, alone in 2 MBytes, is as it was stored last", MANUAL,
     NEEDS)
{
	try_level(PDPT);
}
