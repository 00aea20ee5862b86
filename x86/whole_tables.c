/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Page tables with all 512 entries in use, all of them edited.
 *
 * However many entries were edited, the required invalidation makes each of them count: frame,
 * rights, accessed and dirty flags. Under an entry that was not present the table counts at once,
 * since nothing can be cached of that way (SDM Vol. 3, "Invalidation of TLBs and Paging-Structure
 * Caches", "Optional Invalidation"; R28).
 *
 * Caught here: shadow pages that fall out of step on purpose and are brought up to date in part, by
 * entry, by right or by flag, or not at all where they are linked to a new parent (KS03); entries
 * that were made present in advance with the rights, A or D of their neighbours (KS38, KS14's
 * family).
 *
 * Page tables at both ends of a directory, and of a PDPT, have a case too: lists of what fell out
 * of step have ends of their own. Not checked: accesses between the edits and the invalidation.
 */
#include "test.h"

SUBJECT(whole_tables, "page tables with 512 entries in use, edited from end to end");

#define MANUAL	"SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""

#define ALL	(P | RW | US)
#define ENTRIES 512
#define INDEX	200 /* at every level below the top */

static uint64_t random_entry(struct random *random, const gpa_t *frames, unsigned count)
{
	uint64_t entry = frames[random_below(random, count)].value | P | A;
	uint64_t bits = random_next(random);

	if (bits % 8 == 0)
		entry &= ~P;
	if (bits >> 3 & 3)
		entry |= RW;
	if (bits >> 5 & 3)
		entry |= US;
	if (bits >> 7 & 1)
		entry |= D;
	if (!(bits >> 8 & 3))
		entry &= ~A;
	if (!(bits >> 10 & 3) && has(FEATURE_nx))
		entry |= XD;
	return entry | (bits & (IGNORED_9_11 | PCD));
}

#define TABLE_ROUNDS 10

struct edited_table {
	struct page page;
	linear_t way[2]; /* the first bytes of what two PDEs map by the table */
	volatile uint64_t *second_link, *entries;
	gpa_t frames[8];
};

static struct edited_table make_edited_table(void)
{
	uint64_t linear = unused_linear().value;
	struct edited_table table;

	for (uint32_t i = 0; i < COUNT_OF(table.frames); i++)
		table.frames[i] = filled_frame(600 + i);
	for (int level = PT; level <= PDPT; level++)
		linear |= (uint64_t)INDEX << current_format()->level[level].shift;
	table.page = map_page_at_linear(LINEAR(linear), PT, table.frames[0], ALL);
	table.entries = table_of(table.page.entry[PT]);
	table.second_link = table.page.entry[PD] + 1;
	table.way[0] = LINEAR(table.page.linear.value & ~(PAGE_2M - 1));
	table.way[1] = linear_plus(table.way[0], PAGE_2M);
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	return table;
}

static void use_all(linear_t base)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		attempt(nth_access(i % ACCESS_WAYS, linear_plus(base, i * PAGE_4K)));
}

static void edit_all(const struct edited_table *table, struct random *random)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		table->entries[i] = random_entry(random, table->frames, COUNT_OF(table->frames));
}

static void expect_all(linear_t base, unsigned round)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		expect_as_modelled(
			nth_access((i + round) % ACCESS_WAYS, linear_plus(base, i * PAGE_4K)));
}

TEST(whole_table_edited_at_random_is_current_after_a_flush,
     "After MOV to CR3 each of 512 edited entries has its own frame, rights and flags", MANUAL, "")
{
	struct edited_table table = make_edited_table();
	struct random random = random_start(73);

	for (unsigned round = 0; round < TABLE_ROUNDS; round++) {
		progress("round %u of %u", round, TABLE_ROUNDS);
		use_all(table.way[0]);
		edit_all(&table, &random);
		if (round % 3 == 0) {
			for (unsigned i = 0; i < ENTRIES; i++)
				invalidate(linear_plus(table.way[0], i * PAGE_4K), INVLPG);
		} else {
			invalidate(table.way[0], round % 3 == 1 ? MOV_CR3 : CR4_PGE_TWICE);
		}
		expect_all(table.way[0], round);
	}
}

TEST(whole_table_edited_and_linked_elsewhere_is_current,
     "A table whose 512 entries were edited in use is current under an entry that was not present",
     "SDM Vol. 3, \"Optional Invalidation\"", "")
{
	struct edited_table table = make_edited_table();
	struct random random = random_start(74);

	for (unsigned round = 0; round < TABLE_ROUNDS; round++) {
		progress("round %u of %u", round, TABLE_ROUNDS);
		use_all(table.way[0]);
		edit_all(&table, &random);
		*table.second_link = gpa_of(table.entries).value | P | (round & 1 ? RW : 0) |
				     (round & 2 ? US : 0);
		expect_all(table.way[1], round);
		*table.second_link = 0;
		invalidate(table.way[0], MOV_CR3);
		expect_page_fault(read_access(table.way[1], 8), 0);
		expect_all(table.way[0], round);
	}
}

/* What leads to a table of its own at each of these indexes of one upper table. */
static const unsigned ends[] = {0, 1, 63, 64, 255, 256, 447, 448, 510, 511};

struct end {
	linear_t linear;
	volatile uint64_t *pte;
};

/* A page table of its own for each, and a directory where `upper` is a PDPT. */
static void make_ends(struct end made[COUNT_OF(ends)], enum level level)
{
	linear_t slot = unused_linear();
	struct page page = map_page_at_linear(slot, PT, filled_frame(1), ALL);
	uint64_t *upper = table_of(page.entry[level]);

	for (unsigned i = 0; i < COUNT_OF(ends); i++) {
		gpa_t table = frame_alloc(), below = table;

		if (level == PDPT) {
			below = frame_alloc();
			*(uint64_t *)identity(below) = table.value | ALL;
		}
		upper[ends[i]] = below.value | ALL;
		made[i].linear = linear_plus(slot, ends[i] * level_bytes(current_format(), level));
		made[i].pte = identity(table);
	}
	invalidate(slot, MOV_CR3);
}

static void try_ends(enum level level)
{
	struct end made[COUNT_OF(ends)];
	uint32_t tag = 3000;

	make_ends(made, level);
	for (unsigned round = 0; round < 5; round++) {
		gpa_t frame = filled_frame(++tag);

		for (unsigned i = 0; i < COUNT_OF(ends); i++)
			*made[i].pte = frame.value | ALL;
		invalidate(LINEAR(0), round & 1 ? CR4_PGE_TWICE : MOV_CR3);
		for (unsigned i = 0; i < COUNT_OF(ends); i++) {
			expect_as_modelled(as_user(read_access(made[i].linear, 8)));
			expect_read(read_access(made[i].linear, 8), frame_word(tag));
		}
	}
}

TEST(tables_at_each_end_of_an_upper_table_are_current_after_a_flush,
     "Edited tables are followed after a flush wherever in its table their own entry stands",
     MANUAL, "")
{
	for (int level = PD; level <= PDPT; level++)
		try_ends((enum level)level);
}

#define MANY 400
#define OF_WHICH                                                                          \
	20 /* frames, one is a table: a hypervisor that finds tables by lists of them has \
	    * some in the same list */

TEST(each_of_many_tables_is_current_after_a_flush,
     "Of hundreds of page tables in use, scattered over memory, each is followed when edited",
     MANUAL, "")
{
	struct page page = map_page_at_linear(unused_linear(), PT, filled_frame(1), ALL);
	gpa_t pool = frames_alloc(32ull << 20), frames[2] = {filled_frame(61), filled_frame(62)};
	uint64_t *directory = table_of(page.entry[PD]);
	static volatile uint64_t *tables[MANY];
	struct random random = random_start(93);

	for (unsigned i = 0; i < MANY; i++) {
		uint64_t number = i * OF_WHICH + random_below(&random, OF_WHICH);

		tables[i] = identity(gpa_plus(pool, number * PAGE_4K));
		memset((void *)(uintptr_t)tables[i], 0, PAGE_4K);
		directory[i] = gpa_plus(pool, number * PAGE_4K).value | ALL;
	}
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < MANY; i++)
			*tables[i] = frames[round & 1].value | ALL;
		invalidate(page.linear, MOV_CR3);
		for (unsigned i = 0; i < MANY; i++)
			expect_read(read_access(linear_plus(page.linear, i * PAGE_2M), 8),
				    frame_word(61 + (round & 1)));
	}
}
