/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A page becomes a paging structure while another processor stores into it.
 *
 * A store to an entry is a store like any other, by whatever translation it is made and by
 * whichever processor: after it is visible and the translation was invalidated where it is used,
 * the new entry counts (SDM Vol. 3, "Propagation of Paging-Structure Changes to Multiple
 * Processors"). Setting A and D is the only other change.
 *
 * Caught here: a shadow pager that write-protects what became a table and leaves a writable
 * translation with another processor, whose stores then pass by it (KS04, XS30); emulated stores of
 * two processors to one table of which the later one, or a neighbour, ends up with the older value
 * in the shadow or is lost (KS24).
 *
 * Not checked: what a walk finds while stores are made (any entry that was ever there); which of
 * two stores to one entry is the later one.
 */
#include "test.h"

SUBJECT(table_write_race, "stores to paging structures by another processor");

#define MANUAL	 "SDM Vol. 3, \"Propagation of Paging-Structure Changes to Multiple Processors\""
#define SLOTS	 8 /* entries of a structure that are used */
#define TABLES	 4
#define SLICE_MS 25
#define FEWEST	 6
#define IGNORED	 (0x15ull << 52) /* so that the upper half of an entry matters, too */

/* The first WHOLE of them never leave an entry with a part of an address. */
static const enum store methods[] = {STORE_MOV8,	STORE_MOV4,	 STORE_XCHG,
				     STORE_CMPXCHG,	STORE_LOCK_XADD, STORE_MOV1,
				     STORE_LOCK_AND_OR, STORE_REP_MOVSB};
#define WHOLE 5

static struct scene {
	struct page page;
	enum level leaf;
	uint64_t frame[SLOTS]; /* entries' values: frame and flags */
	gpa_t table[TABLES];   /* what the entry above leads to by turns */
	volatile uint64_t
		*hot[TABLES]; /* the used entries of each, by a linear address of processor 1 */
	linear_t first;	      /* the linear address of the first used entry */
	unsigned method;

	/* Of a round: processor 1 makes `passes` stores to each entry of a table. */
	volatile uint64_t go, finished, stop;
	unsigned current, passes;
} scene;

static unsigned first_index(void)
{
	return level_index(current_format(), scene.leaf, scene.first.value);
}

static linear_t linear_of(unsigned slot)
{
	return linear_plus(scene.first, slot * scene.page.bytes);
}

/* What pass `pass` of a round stores into an entry. */
static uint64_t value_of(uint64_t round, unsigned pass, unsigned slot)
{
	return scene.frame[(round + pass + slot) % SLOTS] | (pass & 1 ? IGNORED : 0);
}

static void begin(enum level leaf, enum level hot_level)
{
	memset(&scene, 0, sizeof(scene));
	scene.leaf = leaf;
	scene.page = map_page_at(leaf, frames_alloc(leaf == PD ? PAGE_2M : PAGE_4K), P | RW | US);
	scene.first = LINEAR(scene.page.linear.value & ~(SLOTS * scene.page.bytes - 1));
	for (unsigned i = 0; i < SLOTS; i++) {
		gpa_t frame = frames_alloc(scene.page.bytes);

		frame_fill(frame, PAGE_4K, i + 1);
		scene.frame[i] = frame.value | P | RW | US | (leaf == PD ? PS : 0);
	}
	for (unsigned i = 0; i < TABLES; i++) {
		struct page hot = map_page_at(
			hot_level, frames_alloc(hot_level == PD ? PAGE_2M : PAGE_4K), P | RW | US);

		scene.table[i] = hot.frame;
		memset(identity(hot.frame), 0, PAGE_4K);
		scene.hot[i] = (volatile uint64_t *)(uintptr_t)hot.linear.value + first_index();
		for (unsigned slot = 0; slot < SLOTS; slot++)
			((uint64_t *)identity(hot.frame))[first_index() + slot] = scene.frame[slot];
	}
}

/* CMPXCHG fails where A or D was set in between. */
static void store(unsigned method, unsigned table, unsigned slot, uint64_t value)
{
	volatile uint64_t *entry = &scene.hot[table][slot];

	for (unsigned tries = 0; tries < 100; tries++) {
		store_by_method(entry, value, &store_methods[methods[method % COUNT_OF(methods)]]);
		if ((*entry & ~(A | D)) == value)
			return;
	}
}

static void store_passes(uint64_t round)
{
	for (unsigned pass = 0; pass < scene.passes; pass++)
		for (unsigned slot = 0; slot < SLOTS; slot++)
			store(scene.method, scene.current, slot, value_of(round, pass, slot));
}

static void keep_storing(unsigned self, void *argument)
{
	uint64_t round = scene.finished;

	(void)argument;
	for (;;) {
		wait_for_word(self, &scene.go, ++round, "the next round");
		if (scene.stop)
			return;
		store_passes(round);
		__atomic_store_n(&scene.finished, round, __ATOMIC_SEQ_CST);
	}
}

/* Every entry is what was stored last, but for A and D, and every address leads where it says. */
static void expect_entries(uint64_t round)
{
	volatile uint64_t *entries =
		(uint64_t *)identity(scene.table[scene.current]) + first_index();

	for (unsigned slot = 0; slot < SLOTS; slot++) {
		uint64_t wanted = value_of(round, scene.passes - 1, slot);
		uint64_t tag = (round + scene.passes - 1 + slot) % SLOTS + 1;

		expect((entries[slot] & ~(A | D)) == wanted,
		       "entry %u is 0x%llx after 0x%llx was stored by %s", slot,
		       (unsigned long long)entries[slot], (unsigned long long)wanted,
		       store_methods[methods[scene.method]].name);
		expect_read(read_access(linear_of(slot), 8), frame_word((uint32_t)tag));
	}
}

static void forget(uint64_t round)
{
	if (round & 1)
		invalidate(scene.first, MOV_CR3);
	else
		for (unsigned slot = 0; slot < SLOTS; slot++)
			invalidate(linear_of(slot), INVLPG);
}

/* While stores are made: reads, and fetches and writes beside the tag if no entry can be half
 * stored. */
static struct access early_access(unsigned slot)
{
	unsigned way = scene.method < WHOLE ? slot % 6 : slot % 2 * 3;

	return nth_access(way, linear_plus(linear_of(slot), way % 3 == 1 ? 64 : 0));
}

/* Lets processor 1 store; `use`: meanwhile the page becomes a table and is used as one. */
static void play_round(uint64_t round, struct random *random, bool use)
{
	scene.passes = 1 + (unsigned)random_below(random, use ? 24 : 2);
	__atomic_store_n(&scene.go, round, __ATOMIC_SEQ_CST);
	if (use) {
		for (uint64_t n = random_below(random, 200); n; n--)
			__asm__ volatile("" : : : "memory");
		*scene.page.entry[scene.leaf + 1] = scene.table[scene.current].value | P | RW | US;
		invalidate(scene.first, INVLPG);
		for (unsigned slot = 0; slot < SLOTS; slot++)
			attempt(early_access(slot));
	}
	wait_for_word(0, &scene.finished, round, "stores to a table");
	forget(round);
	expect_entries(round);
}

/* A page is stored to, becomes a table under the stores, is stored to as a table, and is a page
 * again. */
static void promote_under_stores(enum level leaf, enum level hot_level)
{
	struct random random = random_start(leaf * 8 + hot_level);
	uint64_t round = 0;

	begin(leaf, hot_level);
	start_processors(2);
	for (scene.method = 0; scene.method < COUNT_OF(methods); scene.method++) {
		uint64_t start = read_tsc(), first = round;

		scene.stop = 0;
		start_work(1, keep_storing, NULL);
		while (round < first + FEWEST || read_tsc() - start < time_to_try(SLICE_MS)) {
			scene.current = (scene.current + 1) % TABLES;
			play_round(++round, &random, true);
			for (uint64_t n = random_below(&random, 4); n; n--)
				play_round(++round, &random, false);
		}
		scene.stop = 1;
		scene.go = round + 1;
		finish_work(1);
		scene.go = round;
	}
	note("%llu rounds", (unsigned long long)round);
}

TEST(page_becomes_a_page_table_under_stores,
     "Stores of another processor to a page that becomes a page table change what it translates",
     MANUAL, "two_processors")
{
	promote_under_stores(PT, PT);
}

TEST(page_becomes_a_page_directory_under_stores,
     "Stores of another processor to a page that becomes a page directory of 2-MByte pages count",
     MANUAL, "two_processors")
{
	promote_under_stores(PD, PT);
}

TEST(part_of_a_large_page_becomes_a_page_table_under_stores,
     "Stores through a 2-MByte page to a page table in it change what the table translates", MANUAL,
     "two_processors")
{
	promote_under_stores(PT, PD);
}

/* Two processors store to entries of one table in turn, each to its own, and use them. */
struct neighbours {
	struct barrier barrier;
	uint64_t last[2][SLOTS], wrong[2], found[2];
	unsigned rounds;
};

static void store_and_use(unsigned self, void *argument)
{
	struct neighbours *neighbours = argument;

	for (unsigned n = 0; n < neighbours->rounds; n++) {
		unsigned slot = 2 * (n % (SLOTS / 2)) + self;
		uint64_t value = value_of(n, n / SLOTS, slot);
		struct outcome outcome;

		store(scene.method + self, 0, slot, value);
		neighbours->last[self][slot] = value;
		invalidate(linear_of(slot), INVLPG);
		outcome = attempt_as(self, read_access(linear_of(slot), 8));
		if (outcome.value[0] != frame_word((n + n / SLOTS + slot) % SLOTS + 1)) {
			neighbours->wrong[self]++;
			neighbours->found[self] = outcome.value[0];
		}
		if (n % 16 == 0)
			pause();
	}
	barrier_wait(&neighbours->barrier, self);
	invalidate(scene.first, MOV_CR3);
}

static void judge_neighbours(const struct neighbours *neighbours, unsigned slot)
{
	volatile uint64_t *entries = (uint64_t *)identity(scene.table[0]) + first_index();
	uint64_t wanted = neighbours->last[slot & 1][slot], word;

	if (!wanted)
		return;
	expect((entries[slot] & ~(A | D)) == wanted, "entry %u is 0x%llx, 0x%llx was stored", slot,
	       (unsigned long long)entries[slot], (unsigned long long)wanted);
	word = *(uint64_t *)identity(GPA(wanted & ENTRY_ADDRESS));
	for (unsigned i = 0; i < 2; i++) {
		struct outcome outcome = attempt_on(i, read_access(linear_of(slot), 8));

		expect(outcome.vector == NO_VECTOR && outcome.value[0] == word,
		       "entry %u, processor %u: vector %u, value 0x%llx", slot, i, outcome.vector,
		       (unsigned long long)outcome.value[0]);
	}
}

TEST(neighbouring_entries_are_stored_by_two_processors,
     "Two processors store to entries of one table; each entry counts as it was stored last",
     MANUAL, "two_processors")
{
	begin(PT, PT);
	*scene.page.entry[PD] = scene.table[0].value | P | RW | US;
	start_processors(2);
	for (scene.method = 0; scene.method < COUNT_OF(methods); scene.method++) {
		struct neighbours neighbours = {.barrier = {.count = 2}, .rounds = 400};

		run_on_all(2, store_and_use, &neighbours);
		for (unsigned i = 0; i < 2; i++)
			expect(!neighbours.wrong[i],
			       "processor %u: %llu times another frame than its own entry says, "
			       "value 0x%llx",
			       i, (unsigned long long)neighbours.wrong[i],
			       (unsigned long long)neighbours.found[i]);
		for (unsigned slot = 0; slot < SLOTS; slot++)
			judge_neighbours(&neighbours, slot);
	}
}
