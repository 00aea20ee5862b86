/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Frames that change their role: paging structure, root, page table under another parent, data, and
 * back, thousands of times, and more structures than any cache of them holds.
 *
 * A frame is a paging structure while an entry or CR3 references it, and nothing else makes it one:
 * unlinked and invalidated it is plain memory, in which the processor sets no flags, and linked
 * again it is what memory holds now (SDM Vol. 3, "Invalidation of TLBs and Paging-Structure
 * Caches"; R26, R28).
 *
 * Caught here: shadow pages found again by their frame although the frame has been something else
 * in between, or that keep a frame write-protected, or marked, after it stopped being a table;
 * shadow pages reclaimed while in use, or not reclaimed when their root went (KS28's kind).
 *
 * Not checked: what accesses do between an edit and its invalidation, where P was 1.
 */
#include "test.h"

SUBJECT(table_reuse, "frames that are tables, roots and data by turns; very many address spaces");

#define MANUAL	  "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""

#define ALL	  (P | RW | US)
#define TURNS	  200
#define ENTRIES	  512
#define TOP_INDEX 200 /* at every level below the top */

/* A linear address with one index at every level below the top. */
static linear_t indexed_linear(void)
{
	uint64_t linear = unused_linear().value;

	for (int level = PT; level <= PDPT; level++)
		linear |= (uint64_t)TOP_INDEX << current_format()->level[level].shift;
	return LINEAR(linear);
}

/* What an entry of `level` may lead to: a chain of tables to a frame with this tag. */
static gpa_t make_chain(enum level level, uint32_t tag)
{
	gpa_t lower = filled_frame(tag);

	for (int at = PT; at < (int)level; at++) {
		gpa_t table = frame_alloc();

		((uint64_t *)identity(table))[TOP_INDEX] = lower.value | ALL;
		lower = table;
	}
	return lower;
}

/* Words that would be present entries, were the frame a table. */
static uint64_t data_word(unsigned turn, unsigned i)
{
	return 0x200000ull + (uint64_t)(turn % 64) * PAGE_2M + i * PAGE_4K + ALL;
}

static void expect_data(const volatile uint64_t *words, unsigned turn)
{
	count_check();
	for (unsigned i = 0; i < ENTRIES; i++)
		if (words[i] != data_word(turn, i)) {
			expect(words[i] == data_word(turn, i),
			       "turn %u: word %u of a frame that was a table is 0x%llx, not 0x%llx",
			       turn, i, (unsigned long long)words[i],
			       (unsigned long long)data_word(turn, i));
			return;
		}
}

/* The frame that turns, its window, and what leads to it. */
struct turning {
	struct page page; /* the chain above */
	enum level level; /* of the frame while it is a table */
	volatile uint64_t *link, *memory, *window;
	gpa_t frame, chain[2];
};

static struct turning make_turning(enum level level)
{
	struct turning turning = {.level = level, .frame = frame_alloc()};
	struct page window = map_page_at(PT, turning.frame, ALL);

	turning.page = map_page_at_linear(indexed_linear(), PT, frame_alloc(), ALL);
	turning.link = turning.page.entry[level + 1];
	turning.memory = identity(turning.frame);
	turning.window = (volatile uint64_t *)(uintptr_t)window.linear.value;
	turning.chain[0] = make_chain(level, 1);
	turning.chain[1] = make_chain(level, 2);
	*turning.link = 0;
	invalidate(turning.page.linear, MOV_CR3);
	return turning;
}

static void use_as_table(const struct turning *turning, unsigned turn)
{
	linear_t linear = turning->page.linear;
	volatile uint64_t *memory = turn & 1 ? turning->window : turning->memory;

	for (unsigned i = 0; i < ENTRIES; i++)
		memory[i] = 0;
	memory[TOP_INDEX] = turning->chain[turn / 2 & 1].value | ALL;
	*turning->link = turning->frame.value | ALL; /* P from 0 to 1: no invalidation */
	expect_read(read_access(linear, 8), frame_word(1 + (turn / 2 & 1)));
	expect_as_modelled(as_user(fetch_access(linear)));
	/* the other chain, while it is a table in use */
	memory[TOP_INDEX] = turning->chain[!(turn / 2 & 1)].value | ALL;
	invalidate(linear, turn & 4 ? MOV_CR3 : INVLPG);
	expect_read(as_user(read_access(linear, 8)), frame_word(1 + !(turn / 2 & 1)));
	*turning->link = 0;
	invalidate(linear, turn & 8 ? MOV_CR3 : INVLPG);
}

static void use_as_data(const struct turning *turning, unsigned turn)
{
	linear_t linear = turning->page.linear;
	volatile uint64_t *memory = turn & 2 ? turning->window : turning->memory;

	expect_page_fault(read_access(linear, 8), 0);
	for (unsigned i = 0; i < ENTRIES; i++)
		memory[i] = data_word(turn, i);
	attempt(as_user(write_access(LINEAR((uintptr_t)&turning->window[turn % ENTRIES]), 8,
				     data_word(turn, turn % ENTRIES))));
	expect_page_fault(as_user(write_access(linear, 8, 0)), PF_W | PF_U);
	expect_data(turning->memory, turn);
	expect_data(turning->window, turn);
}

TEST(frame_is_table_and_data_by_turns,
     "A frame that is unlinked is plain memory, and a table again as soon as it is linked", MANUAL,
     "")
{
	for (int level = PT; level <= PDPT; level++) {
		struct turning turning = make_turning((enum level)level);

		for (unsigned turn = 0; turn < TURNS; turn++) {
			progress("level %d, turn %u of %u", level, turn, TURNS);
			use_as_table(&turning, turn);
			use_as_data(&turning, turn);
		}
		release_pages();
	}
}

#define POOL	    12
#define POOL_TABLES 4
#define POOL_ROUNDS 400

/* Shuffles the pool: its first frames are PML4, PDPT, PD and PT, the others data. */
static void deal(gpa_t pool[POOL], struct random *random)
{
	for (unsigned i = POOL - 1; i > 0; i--) {
		unsigned other = (unsigned)random_below(random, i + 1);
		gpa_t frame = pool[i];

		pool[i] = pool[other];
		pool[other] = frame;
	}
}

static void build_from_pool(const gpa_t pool[POOL], linear_t linear, uint32_t tag)
{
	memcpy(identity(pool[0]), identity(image_root()), PAGE_4K);
	for (unsigned i = 1; i < POOL_TABLES; i++)
		memset(identity(pool[i]), 0, PAGE_4K);
	for (unsigned i = 0; i < POOL_TABLES - 1; i++) {
		uint64_t *table = identity(pool[i]);

		table[level_index(&paging_4level, (enum level)(PML4 - i), linear.value)] =
			pool[i + 1].value | ALL;
	}
	for (uint32_t i = POOL_TABLES; i < POOL; i++) {
		uint64_t *table = identity(pool[POOL_TABLES - 1]);

		frame_fill(pool[i], PAGE_4K, tag + i);
		table[TOP_INDEX + i] = pool[i].value | ALL;
	}
}

TEST(frames_of_a_pool_take_random_roles,
     "Frames that are dealt out anew as root, table or data of each address space are just that",
     MANUAL, "")
{
	struct random random = random_start(71);
	linear_t linear = indexed_linear();
	gpa_t pool[POOL];

	for (unsigned i = 0; i < POOL; i++)
		pool[i] = frame_alloc();
	for (uint32_t round = 0; round < POOL_ROUNDS; round++) {
		load_root(image_root());
		deal(pool, &random);
		build_from_pool(pool, linear, round * POOL);
		load_root(pool[0]);
		for (uint32_t i = POOL_TABLES; i < POOL; i++) {
			linear_t at = linear_plus(linear, i * PAGE_4K);

			expect_read(as_user(read_access(at, 8)), frame_word(round * POOL + i));
			expect_read(fetch_access(at), round * POOL + i);
			if (i & 1)
				expect_as_modelled(as_user(write_access(at, 8, frame_word(i))));
		}
	}
}

#define MOST_SPACES    2000
#define FRAMES_A_SPACE 5

struct space {
	gpa_t root, frame;
	volatile uint64_t *leaf;
	uint32_t tag;
};

static struct space spaces[MOST_SPACES];

static struct space make_space(linear_t linear, uint32_t tag)
{
	struct space space = {.root = copy_root(), .frame = filled_frame(tag), .tag = tag};
	gpa_t table = space.root;

	for (int level = PML4; level > PT; level--) {
		uint64_t *entries = identity(table);

		table = frame_alloc();
		entries[level_index(&paging_4level, (enum level)level, linear.value)] =
			table.value | ALL;
	}
	space.leaf = (uint64_t *)identity(table) + TOP_INDEX;
	*space.leaf = space.frame.value | ALL;
	return space;
}

static void visit(const struct space *space, linear_t linear, unsigned n)
{
	load_root(space->root);
	expect_read(as_user(read_access(linear, 8)), frame_word(space->tag));
	if (n & 1)
		expect_read(fetch_access(linear_plus(linear, 8)), space->tag);
	else
		expect_as_modelled(write_access(linear_plus(linear, 16), 8, frame_word(n)));
}

/* Two spaces change frames with each other, while neither is loaded. */
static void swap_frames(struct space *a, struct space *b)
{
	gpa_t frame = a->frame;
	uint32_t tag = a->tag;

	a->frame = b->frame;
	a->tag = b->tag;
	b->frame = frame;
	b->tag = tag;
	*a->leaf = a->frame.value | ALL;
	*b->leaf = b->frame.value | ALL;
}

TEST(thousands_of_address_spaces_are_kept_apart,
     "With more roots and tables than any cache holds, each root leads to its own frame", MANUAL,
     "")
{
	uint64_t fit = frames_left() / (FRAMES_A_SPACE + 1);
	unsigned count = fit < MOST_SPACES ? (unsigned)fit : MOST_SPACES;
	struct random random = random_start(72);
	linear_t linear = indexed_linear();

	for (unsigned i = 0; i < count; i++)
		spaces[i] = make_space(linear, i + 1);
	for (unsigned i = 0; i < count; i++)
		visit(&spaces[i], linear, i);
	for (unsigned i = 0; i < 2 * count; i++) {
		struct space *space = &spaces[random_below(&random, count)];

		progress("visit %u of %u", i, 2 * count);
		if (i % 3 == 0) {
			load_root(image_root());
			swap_frames(space, &spaces[random_below(&random, count)]);
		}
		visit(space, linear, i);
	}
	load_root(image_root());
	for (unsigned i = 0; i < count; i++) {
		const uint64_t *words = identity(spaces[i].frame);
		unsigned wrong = 0;

		for (unsigned at = 3; at < PAGE_4K / 8; at++)
			wrong += words[at] != frame_word(spaces[i].tag);
		expect(!wrong, "%u words of the frame of space %u changed", wrong, i);
	}
}
