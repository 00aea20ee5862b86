/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An upper-level entry that maps a large page, references a table, and maps a page again, also with
 * the very same frame in it.
 *
 * PS decides what an entry is; after the required invalidation everything that it covers follows
 * its new meaning, what was used before and what was not (SDM Vol. 3, "4-Level Paging and 5-Level
 * Paging", "Invalidation of TLBs and Paging-Structure Caches").
 *
 * Caught here: a shadow of the large page, in small pieces, kept as if it were that of the table,
 * or the other way round, or kept for another frame (KS28, KS29: the child is found again by less
 * than frame, kind, rights and level); pieces that were used dropped, their neighbours not (QT22);
 * rights of the old entry in pieces made later (KS10).
 *
 * Not checked: accesses between the edit and the invalidation (P20); entries changed by devices.
 */
#include "test.h"

SUBJECT(page_or_table, "entries that map a large page and reference a table by turns");

#define MANUAL "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""

#define ALL    (P | RW | US)
#define PIECES 12 /* 4-KByte pages that are looked at */

enum { FIRST = 100, SECOND = 200, SMALL = 300 };

struct turning_entry {
	struct page page; /* a 2-MByte one over the first frame */
	gpa_t large[2], table, small[PIECES];
	uint64_t rights;
};

/* The table is the first 4 KBytes of the first frame, or elsewhere. */
static struct turning_entry make_entry(bool same_frame)
{
	struct turning_entry entry;

	for (unsigned i = 0; i < 2; i++) {
		entry.large[i] = frames_alloc(PAGE_2M);
		for (uint32_t n = 0; n < PIECES; n++)
			frame_fill(gpa_plus(entry.large[i], (n + 1) * PAGE_4K), PAGE_4K,
				   (i ? SECOND : FIRST) + n);
	}
	entry.table = same_frame ? entry.large[0] : frame_alloc();
	memset(identity(entry.table), 0, PAGE_4K);
	for (uint32_t n = 0; n < PIECES; n++)
		entry.small[n] = filled_frame(SMALL + n);
	entry.page = map_page_at(PD, entry.large[0], ALL);
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	return entry;
}

static uint64_t rights(unsigned n)
{
	return P | (n & 1 ? 0 : RW) | (n & 2 ? 0 : US) | ((n & 4) && has(FEATURE_nx) ? XD : 0);
}

static void fill_table(const struct turning_entry *entry, unsigned turn)
{
	volatile uint64_t *table = identity(entry->table);

	for (unsigned n = 0; n < PIECES; n++)
		table[n + 1] = entry->small[n].value | rights(turn + n);
}

/* The entry's three lives. */
static uint64_t value_of(const struct turning_entry *entry, unsigned life, unsigned turn)
{
	if (life == 1)
		return entry->table.value | rights(turn / 3);
	return entry->large[life / 2].value | rights(turn / 2) | PS;
}

/* One INVLPG of any piece drops all of a large page; invlpg_large_pages looks at fetches after it.
 */
static bool by_invlpg(unsigned life, unsigned turn)
{
	return turn % 3 == 0 && life == 1;
}

static void use_pieces(const struct turning_entry *entry, unsigned from, bool fetches,
		       unsigned turn)
{
	for (unsigned n = from; n < PIECES; n += 3) {
		linear_t linear = linear_plus(entry->page.linear, (n + 1) * PAGE_4K + 8 * n);

		for (unsigned i = 0; i < 3; i++) {
			struct access access = nth_access((turn + i * 4) % ACCESS_WAYS, linear);

			if (fetches || access.instruction != INSTRUCTION_fetch)
				expect_as_modelled(access);
		}
	}
}

static void change(const struct turning_entry *entry, unsigned life, unsigned turn)
{
	static const enum store stores[] = {STORE_MOV8, STORE_XCHG, STORE_MOV1, STORE_MOV4};
	linear_t piece = linear_plus(entry->page.linear, (turn % PIECES + 1) * PAGE_4K);

	if (life == 1)
		fill_table(entry, turn);
	store_methods[stores[turn % COUNT_OF(stores)]].store(entry->page.entry[PD],
							     value_of(entry, life, turn));
	invalidate(piece, by_invlpg(life, turn) ? INVLPG : turn % 3 == 2 ? CR4_PGE_TWICE : MOV_CR3);
}

/* Some pieces are used in each life, all in the next: each piece is once used and once not. */
static void try_turns(bool same_frame, const unsigned *lives, unsigned count)
{
	struct turning_entry entry = make_entry(same_frame);

	for (unsigned turn = 0; turn < 48; turn++) {
		bool fetches = !by_invlpg(lives[turn % count], turn);

		change(&entry, lives[turn % count], turn);
		use_pieces(&entry, turn % 3, fetches, turn);
		use_pieces(&entry, (turn + 1) % 3, fetches, turn + 1);
		if (turn & 4)
			use_pieces(&entry, (turn + 2) % 3, fetches, turn + 2);
	}
}

TEST(page_becomes_a_table_and_back,
     "A PDE that maps 2 MBytes and then references a page table gives what each of them says",
     MANUAL, "")
{
	static const unsigned lives[] = {0, 1};

	watch_attempts();
	try_turns(false, lives, COUNT_OF(lives));
}

TEST(page_becomes_a_table_in_the_same_frame_and_back,
     "A PDE whose PS alone changes maps 2 MBytes, or references the page table in their first 4 "
     "KBytes",
     MANUAL, "")
{
	static const unsigned lives[] = {0, 1};

	watch_attempts();
	try_turns(true, lives, COUNT_OF(lives));
}

TEST(page_becomes_another_page_and_a_table,
     "A PDE that maps one frame, another and a page table in turn is followed in all pieces",
     MANUAL, "")
{
	static const unsigned lives[] = {0, 2, 1, 2, 0, 1};

	watch_attempts();
	try_turns(false, lives, COUNT_OF(lives));
	try_turns(true, lives, COUNT_OF(lives));
}

/* From 1 GByte in one piece to a page directory with 2-MByte pages. */
TEST(large_page_becomes_a_directory_and_back,
     "A PDPTE that maps 1 GByte and then references a page directory gives what each of them says",
     MANUAL, "pages_1g")
{
	struct turning_entry entry = make_entry(false);
	gpa_t gbyte = GPA(entry.large[0].value & ~(PAGE_1G - 1));
	struct page page = map_page_at(PDPT, gbyte, ALL);
	uint64_t *directory = identity(frame_alloc());
	uint64_t offset = entry.large[0].value - gbyte.value;

	directory[offset / PAGE_2M] = entry.large[1].value | ALL | PS;
	for (unsigned turn = 0; turn < 24; turn++) {
		bool large = turn & 1;

		write_entry(&page, PDPT,
			    large ? gbyte.value | rights(turn / 2) | PS
				  : gpa_of(directory).value | rights(turn / 3),
			    turn & 2 ? MOV_CR3 : CR4_PGE_TWICE);
		for (unsigned n = turn % 2; n < PIECES; n += 1 + turn % 3)
			for (unsigned i = 0; i < 3; i++)
				expect_as_modelled(nth_access(
					(turn + i * 4) % ACCESS_WAYS,
					linear_plus(page.linear, offset + (n + 1) * PAGE_4K)));
	}
}
