/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Tables in use that one instruction writes again and again, and many entries of one at a time.
 *
 * It does not matter by what, when and how often an entry was written before: after the
 * invalidation, or with none where P becomes 1, the processor uses what memory holds (SDM Vol. 3,
 * "Invalidation of TLBs and Paging-Structure Caches", "Optional Invalidation").
 *
 * Caught here, in shadow pagers that trap stores to upper tables: what is guessed from the past. A
 * store that is no usual one for tables is let through by giving up the shadow of the table, but
 * emulated when the same instruction traps there again, and then forgotten (KS25, KS28); a table
 * with many stores in a row is taken for data, its shadow kept (KS13, XS25). The shadow of a page
 * is taken for that of a table over the same frame (KS29).
 *
 * So nothing that an emulator may be needed for stands between two stores, not even a flush: the
 * first changes an ignored bit, which needs none. Not checked: other aliases, 16-byte stores and
 * those of vector registers (table_writes).
 */
#include "test.h"

SUBJECT(table_writes_again, "tables in use, written by one instruction again, and many at a time");

#define MANUAL	"SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""
#define ALL	(P | RW | US)
#define IGNORED (1ull << 9)

enum { FIRST = 81, SECOND = 82, THIRD = 83, VALUES = 3, INDEX = 200, ENTRIES = 8 };

/* Values of an entry at `level` that lead to frames filled with FIRST, SECOND, THIRD. */
struct scene {
	struct page page;
	enum level level;
	uint64_t value[VALUES];
	volatile uint64_t *alias; /* of the entry */
};

/* What an entry at `level` has to hold for a frame that is filled with the tag. */
static uint64_t way_to(enum level level, uint32_t tag)
{
	gpa_t lower = filled_frame(tag);

	for (int at = PT; at < (int)level; at++) {
		uint64_t *table = identity(frame_alloc());

		memset(table, 0, PAGE_4K);
		for (unsigned i = 0; i < 512; i++)
			table[i] = lower.value | ALL;
		lower = gpa_of(table);
	}
	return lower.value | ALL;
}

static struct scene make_scene(enum level level)
{
	struct scene scene = {.level = level};
	uint64_t linear = unused_linear().value;
	struct page alias;

	for (int at = PT; at <= PDPT; at++)
		linear |= (uint64_t)INDEX << paging_4level.level[at].shift;
	scene.page = map_page_at_linear(LINEAR(linear), PT, filled_frame(FIRST), ALL);
	for (unsigned i = 0; i < VALUES; i++)
		scene.value[i] = way_to(level, FIRST + i) | A;
	alias = map_page_at(PT, gpa_of(table_of(scene.page.entry[level])), P | RW | A | D);
	scene.alias = (volatile uint64_t *)(uintptr_t)alias.linear.value +
		      (scene.page.entry[level] - table_of(scene.page.entry[level]));
	return scene;
}

/* Not present; made present and used; in use, an ignored bit changed, used, and made another. */
static void store_again(const struct scene *scene, const struct store_method *method)
{
	struct access read = read_access(scene->page.linear, 8);

	store_by_method(scene->alias, scene->value[0] & ~P, method);
	invalidate(scene->page.linear, INVLPG);
	expect_as_modelled(read);
	for (unsigned i = 0; i < VALUES; i++) {
		store_by_method(scene->alias, scene->value[i], method);
		if (i)
			invalidate(scene->page.linear, i & 1 ? INVLPG : MOV_CR3);
		expect_read(read, frame_word(FIRST + i));
		store_by_method(scene->alias, scene->value[i] ^ IGNORED, method);
		expect_read(read, frame_word(FIRST + i));
		expect_as_modelled(write_access(scene->page.linear, 1, 0xb8));
	}
}

static void try_methods(enum store first, enum store last)
{
	for (int i = first; i <= (int)last; i++) {
		const struct store_method *method = &store_methods[i];

		for (int level = PT; level <= PML4; level++) {
			struct scene scene;

			if (!has(method->need) || (method->covers_line && level == PML4))
				continue;
			scene = make_scene((enum level)level);
			for (unsigned round = 0; round < 3; round++)
				store_again(&scene, method);
			release_pages();
		}
	}
}

/* Grouped as in table_writes. */
#define AGAIN(name, first, last, promise, needs) \
	TEST(name, promise, MANUAL, needs)       \
	{                                        \
		try_methods(first, last);        \
	}

AGAIN(same_move_again_is_followed, STORE_MOV8, STORE_MOV2_CROSSING,
      "An entry written by the same MOV again, used in between", "")
AGAIN(same_exchange_again_is_followed, STORE_XCHG, STORE_CMPXCHG8B,
      "An entry written by the same XCHG, CMPXCHG or CMPXCHG8B again, used in between", "")
AGAIN(same_locked_operation_again_is_followed, STORE_LOCK_AND_OR, STORE_LOCK_XOR,
      "An entry written by the same locked instruction again, used in between", "")
AGAIN(same_arithmetic_again_is_followed, STORE_ADD, STORE_NOT_NEG,
      "An entry written by the same ADD, INC, NOT or NEG again, used in between", "")
AGAIN(same_string_store_again_is_followed, STORE_REP_MOVSB, STORE_STOSQ,
      "An entry written by the same MOVS or STOS again, used in between", "")
AGAIN(same_non_temporal_store_again_is_followed, STORE_MOVNTI, STORE_MOVNTI,
      "An entry written by the same MOVNTI again, used in between", "sse2")
AGAIN(same_push_or_pop_again_is_followed, STORE_PUSH, STORE_POP,
      "An entry written by the same PUSH, PUSHF or POP again, used in between", "")
AGAIN(same_call_again_is_followed, STORE_CALL, STORE_CALL,
      "An entry written by the same CALL again, used in between", "")
AGAIN(same_sgdt_again_is_followed, STORE_SGDT, STORE_SGDT,
      "An entry written by the same SGDT again, used in between", "")
AGAIN(same_fxsave_again_is_followed, STORE_FXSAVE, STORE_FXSAVE,
      "An entry written by the same FXSAVE again, used in between", "fxsr")

/* In use, then changed by an instruction that trapped there before; the next access is to a page
 * beside, not used so far. The entry behind leads to the first table, too. */
static void try_page_beside(enum level level, bool rights)
{
	const struct store_method *sgdt = &store_methods[STORE_SGDT];
	struct scene scene = make_scene(level);
	linear_t linear = scene.page.linear, beside = linear_plus(linear, PAGE_4K);
	uint64_t value = rights ? scene.value[0] & ~RW : scene.value[1];

	scene.alias[1] = scene.value[0];
	store_by_method(scene.alias, scene.value[0], sgdt);
	invalidate(linear, MOV_CR3);
	for (unsigned i = 0; i < 2; i++) {
		expect_as_modelled(write_access(linear, 1, 0xb8));
		store_by_method(scene.alias, i ? value : scene.value[0] ^ IGNORED, sgdt);
	}
	invalidate(linear, MOV_CR3);
	expect_read(read_access(beside, 8), frame_word(rights ? FIRST : SECOND));
	expect_as_modelled(write_access(linear, 1, 0xb8));
	beside = linear_plus(beside, level_bytes(current_format(), level));
	expect_read(read_access(beside, 8), frame_word(FIRST));
	expect_as_modelled(write_access(beside, 1, 0xb8));
}

/* A shadow pager that has missed the store learns of it by this fault. */
TEST(page_beside_one_under_an_entry_written_again_is_followed,
     "An entry written by the same SGDT again: a page under it that is used first is as it says",
     MANUAL, "")
{
	for (int level = PD; level <= PDPT; level++) {
		try_page_beside((enum level)level, false);
		try_page_beside((enum level)level, true);
	}
}

/* The entry leads to a 2-MByte page with FIRST, or to a table in that page's first frame, whose
 * pages hold SECOND: used as one, then changed to the other by an instruction that trapped there
 * before. */
static void try_in_place(uint64_t page, uint64_t table, struct scene *scene, unsigned turn)
{
	const struct store_method *sgdt = &store_methods[STORE_SGDT];
	const bool to_table = turn & 1;
	linear_t linear = scene->page.linear;
	linear_t beside = linear_plus(linear, (turn + 1) * 16 * PAGE_4K); /* not used so far */
	uint64_t from = to_table ? page : table, to = to_table ? table : page;

	store_by_method(scene->alias, from, sgdt);
	invalidate(linear, MOV_CR3);
	for (unsigned i = 0; i < 2; i++) {
		expect_as_modelled(write_access(linear, 1, 0xb8));
		store_by_method(scene->alias, i ? to : from ^ IGNORED, sgdt);
	}
	invalidate(linear, MOV_CR3);
	expect_read(read_access(beside, 8), frame_word(to_table ? SECOND : FIRST));
	expect_read(read_access(linear, 8), frame_word(to_table ? SECOND : FIRST));
	expect_as_modelled(write_access(linear, 1, 0xb8));
}

TEST(page_and_table_over_one_frame_written_again_are_followed,
     "An entry that the same SGDT makes a table over its page's frame, or a page: all is as it "
     "says",
     MANUAL, "")
{
	struct scene scene = make_scene(PD);
	gpa_t block = frames_alloc(PAGE_2M), pages = GPA(scene.value[1] & ENTRY_ADDRESS);
	const uint64_t table = block.value | ALL | A | D, page = table | PS;

	memcpy(identity(block), identity(pages), PAGE_4K);
	frame_fill(gpa_plus(block, INDEX * PAGE_4K), 128 * PAGE_4K, FIRST);
	for (unsigned turn = 0; turn < 4; turn++)
		try_in_place(page, table, &scene, turn);
}

/* Entries in a row, each for a way of its own; the first `count` of them are edited. */
static void edit_in_a_row(const linear_t *linear, volatile uint64_t *entry, uint64_t bits,
			  unsigned count)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		expect_as_modelled(as_user(write_access(linear[i], 1, 0xb8)));
	for (unsigned i = 0; i < count; i++)
		entry[i] ^= bits;
	invalidate(linear[0], MOV_CR3);
	for (unsigned n = 0; n < ENTRIES; n++) {
		unsigned i = (n + count / 2) % ENTRIES;

		expect_as_modelled(as_user(write_access(linear[i], 1, 0xb8)));
		expect_as_modelled(read_access(linear[i], 8));
	}
}

TEST(several_stores_to_one_table_in_a_row_are_followed,
     "1 to 8 entries of a table in use edited in a row: after MOV to CR3 each is as in memory",
     MANUAL, "")
{
	static const uint64_t bits[] = {RW, US, P};

	for (int level = PT; level <= PDPT; level++) {
		struct scene scene = make_scene((enum level)level);
		linear_t linear[ENTRIES];

		for (unsigned i = 0; i < ENTRIES; i++) {
			linear[i] =
				linear_plus(scene.page.linear,
					    i * level_bytes(current_format(), (enum level)level));
			scene.alias[i] = way_to((enum level)level, FIRST + i);
		}
		invalidate(linear[0], MOV_CR3);
		for (unsigned n = 0; n < ENTRIES * COUNT_OF(bits); n++)
			edit_in_a_row(linear, scene.alias, bits[n % COUNT_OF(bits)],
				      1 + n / COUNT_OF(bits));
	}
}
