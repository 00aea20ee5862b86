/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Large pages in which a page table lies.
 *
 * Each piece of a large page has the rights and flags of its own entry, whatever else leads to the
 * same memory, and a store through it to a table in use counts as any other (SDM Vol. 3,
 * "Determination of Access Rights", "Accessed and Dirty Flags").
 *
 * Caught here: a shadow pager has to watch the table, so it can map such a page only in pieces, by
 * a table of its own that no entry of the guest's stands behind. Such a table that serves two
 * entries although only one of them is dirty or allows the access (KS06, KS10 to KS12); pieces next
 * to a used one that have more rights than the page; a watch that a mapping of the whole page
 * escapes, made before it or after it (KS04, KS28).
 *
 * Not checked: 4-MByte pages (table_writes_32bit); several processors (table_write_race).
 */
#include "test.h"

SUBJECT(tables_in_large_pages, "large pages that a table in use lies in, used in all pieces");

#define MANUAL_RIGHTS "SDM Vol. 3, \"Determination of Access Rights\""
#define MANUAL_FLAGS  "SDM Vol. 3, \"Accessed and Dirty Flags\""
#define MANUAL_TABLES "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""
#define ALL	      (P | RW | US)

enum { PIECES = 16, TABLE_PIECE = 9, TAG = 140, OLD = 61, NEW = 62, WAYS = 2, ACCESSES = 6 };

/* Two large pages over the same memory, and a 4-KByte page whose page table is one of the pieces.
 */
struct scene {
	enum level level;
	gpa_t memory; /* PIECES pieces, filled, and one of them the table */
	struct page way[WAYS];
	uint64_t offset; /* of the memory in the large pages */
	struct page small;
	gpa_t frames;	 /* OLD and NEW of the small page */
	uint64_t *entry; /* its PTE, in the piece */
};

static void move_table(struct scene *scene)
{
	uint64_t *table = identity(gpa_plus(scene->memory, TABLE_PIECE * PAGE_4K));

	memset(table, 0, PAGE_4K);
	scene->entry = table + (scene->small.entry[PT] - table_of(scene->small.entry[PT]));
	*scene->entry = *scene->small.entry[PT];
	*scene->small.entry[PD] = gpa_of(table).value | ALL;
}

/* With the table in use only if `watched`. */
static struct scene make_scene(enum level level, const uint64_t *flags, bool watched)
{
	uint64_t bytes = level_bytes(current_format(), level);
	struct scene scene = {.level = level};

	scene.memory = frames_alloc(PAGE_2M);
	scene.offset = scene.memory.value & (bytes - 1);
	frame_fill(scene.memory, PIECES * PAGE_4K, TAG);
	for (unsigned i = 0; i < WAYS; i++)
		scene.way[i] = map_page_at(level, GPA(scene.memory.value - scene.offset), flags[i]);
	scene.frames = frames_alloc(2 * PAGE_4K);
	frame_fill(scene.frames, PAGE_4K, OLD);
	frame_fill(gpa_plus(scene.frames, PAGE_4K), PAGE_4K, NEW);
	scene.small = map_page_at(PT, scene.frames, ALL);
	move_table(&scene);
	invalidate(scene.small.linear, MOV_CR3);
	if (watched)
		expect_as_modelled(read_access(scene.small.linear, 8));
	return scene;
}

static linear_t at_piece(const struct scene *scene, unsigned way, unsigned piece)
{
	return linear_plus(scene->way[way].linear, scene->offset + piece * PAGE_4K);
}

static uint64_t rights_of(unsigned n)
{
	uint64_t rights = (n & 1 ? RW : 0) | (n & 2 ? US : 0) | (n & 4 ? XD : 0);

	return has(FEATURE_nx) ? rights : rights & ~XD;
}

/* All pieces but the table's, which holds no data. */
static void use_pieces(const struct scene *scene, unsigned way, unsigned first, unsigned access)
{
	for (unsigned i = 0; i < PIECES; i++) {
		unsigned piece = (first + i) % PIECES;

		if (piece != TABLE_PIECE)
			expect_as_modelled(nth_access(access, at_piece(scene, way, piece)));
	}
}

TEST(pieces_have_the_rights_and_flags_of_their_page,
     "Each piece of a page with a table in it is as the page's entry says, whatever came first",
     MANUAL_RIGHTS, "")
{
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	watch_attempts();
	for (int level = PD; level <= (int)largest_page(); level++) {
		for (unsigned n = 0; n < 8 * ACCESSES; n++) {
			const uint64_t flags[WAYS] = {P | rights_of(n) | (n & 16 ? A : 0),
						      P | rights_of(n / 8)};
			struct scene scene = make_scene((enum level)level, flags, true);
			unsigned access = n / 8 % ACCESSES, first = n % (TABLE_PIECE - 1);

			expect_as_modelled(nth_access(access, at_piece(&scene, 0, first)));
			use_pieces(&scene, 0, first + 1, (n + n / 8) % ACCESSES);
			use_pieces(&scene, 1, first, (access + 1 + n % 2) % ACCESSES);
			use_pieces(&scene, 0, first, (access + 3) % ACCESSES);
			release_pages();
		}
	}
}

/* Accesses by either way, with CR0.WP set or clear, and now and then an edit of one entry. */
static void use_at_random(struct scene *scene, struct random *random)
{
	static const uint64_t bits[] = {D, D, RW, US, A, XD, A | D};

	for (unsigned n = 0; n < 40; n++) {
		unsigned way = (unsigned)random_below(random, WAYS);
		unsigned piece = (unsigned)random_below(random, TABLE_PIECE);

		if (!random_below(random, 5)) {
			uint64_t bit = bits[random_below(random, COUNT_OF(bits))];

			*(volatile uint64_t *)scene->way[way].entry[scene->level] ^=
				has(FEATURE_nx) ? bit : bit & ~XD;
			invalidate(scene->way[way].linear,
				   random_below(random, 2) ? INVLPG : MOV_CR3);
		}
		if (!random_below(random, 6))
			(read_cr0() & CR0_WP ? clear_cr0 : set_cr0)(CR0_WP);
		expect_as_modelled(nth_access((unsigned)random_below(random, ACCESSES),
					      at_piece(scene, way, piece)));
	}
}

TEST(two_pages_of_one_frame_keep_their_rights_and_flags,
     "Two large pages over one table: rights and D of each, CR0.WP set and clear, in any order",
     MANUAL_FLAGS, "")
{
	struct random random = random_start(140);

	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	watch_attempts();
	for (unsigned n = 0; n < 24; n++) {
		enum level level = n % 4 == 3 ? largest_page() : PD;
		uint64_t rights = rights_of((unsigned)random_below(&random, 8));
		const uint64_t flags[WAYS] = {
			P | rights,
			P | (n & 1 ? rights_of((unsigned)random_below(&random, 8)) : rights)};
		struct scene scene = make_scene(level, flags, true);

		use_at_random(&scene, &random);
		set_cr0(CR0_WP);
		release_pages();
	}
}

/* A read-only or a clean page, used by reads at both ways, then written by one and by the other. */
TEST(each_of_two_entries_gets_d_after_reads,
     "Two large pages over one table, read first: a write by each sets its own D", MANUAL_FLAGS, "")
{
	for (int level = PD; level <= (int)largest_page(); level++) {
		for (unsigned n = 0; n < 16; n++) {
			uint64_t rights = P | (n & 1 ? RW : 0) | (n & 2 ? US : 0);
			const uint64_t flags[WAYS] = {rights, rights};
			struct scene scene = make_scene((enum level)level, flags, true);
			unsigned one = n >> 2 & 1, piece = n & 8 ? 3 : 4;

			expect_as_modelled(read_access(at_piece(&scene, one, 3), 8));
			expect_as_modelled(read_access(at_piece(&scene, !one, 4), 8));
			clear_cr0(CR0_WP);
			expect_as_modelled(write_access(at_piece(&scene, one, piece), 8, 1));
			expect_as_modelled(write_access(at_piece(&scene, !one, piece), 8, 2));
			set_cr0(CR0_WP);
			expect_as_modelled(write_access(at_piece(&scene, !one, piece), 8, 3));
			expect_as_modelled(write_access(at_piece(&scene, one, piece), 8, 4));
			release_pages();
		}
	}
}

/* Stores through the large page to the table: another frame, no right to write, and back. */
static void edit_through(struct scene *scene, unsigned way, enum invalidation then)
{
	static const uint64_t bits[] = {PAGE_4K, RW, US, PAGE_4K | RW, US};
	volatile uint64_t *entry =
		(volatile uint64_t *)(uintptr_t)(at_piece(scene, way, TABLE_PIECE).value +
						 (uintptr_t)scene->entry % PAGE_4K);

	for (unsigned i = 0; i < COUNT_OF(bits); i++) {
		expect_as_modelled(as_user(read_access(scene->small.linear, 8)));
		*entry ^= bits[i];
		expect(*(volatile uint64_t *)scene->entry == *entry,
		       "the entry is 0x%llx there and 0x%llx here", (unsigned long long)*entry,
		       (unsigned long long)*scene->entry);
		invalidate(scene->small.linear, then);
		expect_as_modelled(as_user(read_access(scene->small.linear, 8)));
		expect_as_modelled(as_user(write_access(scene->small.linear, 1, 0xb8)));
		expect_as_modelled(read_access(at_piece(scene, way, TABLE_PIECE - 1), 8));
	}
}

TEST(stores_through_a_large_page_to_a_table_in_it_are_followed,
     "A page table in use is edited through large pages that were in use before it, or after",
     MANUAL_TABLES, "")
{
	static const uint64_t flags[WAYS] = {ALL, ALL};

	watch_attempts();
	for (int level = PD; level <= (int)largest_page(); level++) {
		for (unsigned n = 0; n < 8; n++) {
			struct scene scene = make_scene((enum level)level, flags, n & 1);

			for (unsigned way = 0; way < WAYS; way++)
				expect_as_modelled(write_access(
					at_piece(&scene, way, n & 2 ? TABLE_PIECE - 1 : 0), 8,
					frame_word(TAG)));
			for (unsigned i = 0; i < 2 * WAYS; i++)
				edit_through(&scene, i % WAYS, n & 4 ? MOV_CR3 : INVLPG);
			release_pages();
		}
	}
}
