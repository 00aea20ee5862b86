/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Live entries edited in part, across their border, and many at once.
 *
 * Software may store any bytes of a paging-structure entry, by any width and alignment; after the
 * invalidation the processor uses what memory holds (SDM Vol. 3, "Invalidation of TLBs and
 * Paging-Structure Caches").
 *
 * Caught here, in shadow pagers: a trapped store of which only the entry at its first byte is
 * zapped, or which counts only if it covers the low half of an entry (KS03, KS13, XS25); more
 * unsynchronised tables than one pass brings up to date (KS24); D and A that were cleared and are
 * taken for set (V803).
 *
 * A store changes one bit, so that half of it cannot be mistaken for all of it. Not checked: what
 * accesses do before the invalidation; stores by other instructions than MOV (table_writes).
 */
#include "test.h"

SUBJECT(table_edits, "entries in use edited in part, across borders and many at once");

#define MANUAL	     "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""
#define MANUAL_FLAGS "SDM Vol. 3, \"Accessed and Dirty Flags\""
#define ALL	     (P | RW | US)

enum { OLD = 61, NEW = 62, INDEX = 200, TABLES = 48, EDITS = 3 };

/* A linear address with the same index at every level below the root. */
static linear_t indexed_linear(void)
{
	uint64_t linear = unused_linear().value;

	for (int at = PT; at <= PDPT; at++)
		linear |= (uint64_t)INDEX << paging_4level.level[at].shift;
	return LINEAR(linear);
}

/* Bytes from the entry's first one that are stored at once. */
struct part {
	int at;
	unsigned size;
};

struct scene {
	struct page page;
	enum level level;
	uint64_t *entry; /* with two neighbours that are stored unchanged */
	uint64_t distance;
};

/* The entry leads to the first of two frames whose addresses differ in one bit; what is behind the
 * second ends in NEW. The entry before is in use, too, where no other page has it. */
static struct scene make_scene(enum level level, uint64_t distance)
{
	struct scene scene = {.level = level, .distance = distance};
	gpa_t both = frames_alloc(2 * distance), lower = filled_frame(NEW);
	uint64_t *second = identity(gpa_plus(both, distance));

	scene.page = map_page_at_linear(indexed_linear(), PT, filled_frame(OLD), ALL);
	scene.entry = scene.page.entry[level];
	memcpy(identity(both), identity(GPA(*scene.entry & ENTRY_ADDRESS)), PAGE_4K);
	memset(second, 0, PAGE_4K);
	for (int at = PT + 1; at < (int)level; at++) {
		uint64_t *table = identity(frame_alloc());

		memset(table, 0, PAGE_4K);
		table[INDEX] = lower.value | ALL;
		lower = gpa_of(table);
	}
	if (level == PT)
		frame_fill(gpa_of(second), PAGE_4K, NEW);
	else
		second[INDEX] = lower.value | ALL;
	*scene.entry = both.value | ALL;
	if (level != PML4)
		scene.entry[-1] = *scene.entry;
	invalidate(scene.page.linear, MOV_CR3);
	return scene;
}

static void store_bytes(void *to, const void *from, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, from, size < 8 ? size : 8);
	if (size == 1)
		__asm__ volatile("movb %b1, (%0)" : : "r"(to), "q"(value) : "memory");
	else if (size == 2)
		__asm__ volatile("movw %w1, (%0)" : : "r"(to), "r"(value) : "memory");
	else if (size == 4)
		__asm__ volatile("movl %k1, (%0)" : : "r"(to), "r"(value) : "memory");
	else
		__asm__ volatile("movq %1, (%0)" : : "r"(to), "r"(value) : "memory");
}

static void use(linear_t linear)
{
	attempt(read_access(linear, 8));
	attempt(as_user(write_access(linear, 1, 0xb8)));
	attempt(as_user(fetch_access(linear)));
}

static void expect_followed(linear_t linear)
{
	expect_as_modelled(as_user(read_access(linear, 8)));
	expect_as_modelled(read_access(linear, 8));
	expect_as_modelled(as_user(fetch_access(linear)));
	expect_as_modelled(as_user(write_access(linear, 1, 0xb8)));
	expect_as_modelled(write_access(linear, 1, 0xb8));
}

/* Stores the part's bytes of the entry with `bits` changed, and of its neighbours as they are. */
static bool store_part(const struct scene *scene, struct part part, uint64_t bits)
{
	uint64_t image[3], old = *(volatile uint64_t *)scene->entry;

	memcpy(image, scene->entry - 1, sizeof(image));
	image[1] ^= bits;
	store_bytes((char *)scene->entry + part.at, (char *)&image[1] + part.at, part.size);
	return (*(volatile uint64_t *)scene->entry ^ old) == bits;
}

/* There and back, each time in use before. Returns without a check where the part lacks the bits.
 */
static void try_part(const struct scene *scene, struct part part, uint64_t bits,
		     enum invalidation then)
{
	linear_t linear = scene->page.linear;
	linear_t before = LINEAR(linear.value - level_bytes(current_format(), scene->level));

	for (unsigned i = 0; i < 2; i++) {
		use(linear);
		if (scene->level != PML4)
			use(before);
		if (!store_part(scene, part, bits))
			return;
		invalidate(linear, then);
		expect_followed(linear);
		if (scene->level != PML4)
			expect_followed(before);
	}
}

static void try_parts(const struct part *parts, unsigned count)
{
	static const uint64_t distances[] = {PAGE_4K, 16 * PAGE_4K};

	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	for (int level = PT; level <= PML4; level++) {
		for (unsigned n = 0; n < 2 * count; n++) {
			struct scene scene = make_scene((enum level)level, distances[n & 1]);
			const uint64_t changes[] = {RW, US, P, distances[n & 1], XD};

			for (unsigned i = 0; i < COUNT_OF(changes) - !has(FEATURE_nx); i++) {
				try_part(&scene, parts[n / 2], changes[i], INVLPG);
				try_part(&scene, parts[n / 2], changes[i], MOV_CR3);
			}
			release_pages();
		}
	}
}

TEST(stores_of_part_of_an_entry_are_followed,
     "Rights and frames changed by one store of 1, 2 or 4 bytes of an entry in use", MANUAL, "")
{
	static const struct part parts[] = {{4, 4}, {0, 4}, {0, 1}, {7, 1}, {1, 1},
					    {2, 1}, {6, 2}, {0, 2}, {2, 2}, {1, 4}};

	try_parts(parts, COUNT_OF(parts));
}

TEST(stores_across_two_entries_are_followed_in_the_one_that_changes,
     "One misaligned store over two entries that changes rights or frame of one of them", MANUAL,
     "")
{
	static const struct part parts[] = {{-4, 8}, {4, 8}, {-1, 2}, {7, 2}, {-1, 8}, {-7, 8}};

	try_parts(parts, COUNT_OF(parts));
}

/* Apart, for shadow pagers that take 4 bytes for half of the entry at the first of them. */
TEST(stores_of_4_bytes_across_two_entries_are_followed,
     "One store of 4 bytes over two entries that changes rights or frame of the second", MANUAL, "")
{
	static const struct part parts[] = {{-2, 4}, {-3, 4}, {-1, 4}};

	try_parts(parts, COUNT_OF(parts));
}

/* Many page tables: under one page directory, or each under structures of its own. */
static void make_pages(struct page *pages, bool together)
{
	for (unsigned i = 0; i < TABLES; i++) {
		uint64_t *table;
		gpa_t frames;

		pages[i] = together && i ? pages[0]
					 : map_page_at_linear(indexed_linear(), PT,
							      filled_frame(OLD), ALL);
		if (together && i) {
			table = identity(frame_alloc());
			memset(table, 0, PAGE_4K);
			pages[i].entry[PD] = pages[0].entry[PD] + i;
			pages[i].entry[PT] = table + INDEX;
			pages[i].linear = linear_plus(pages[0].linear, i * PAGE_2M);
			*pages[i].entry[PD] = gpa_of(table).value | ALL;
		}
		frames = frames_alloc(8 * PAGE_4K);
		for (unsigned n = 0; n < 2 * EDITS; n++)
			frame_fill(gpa_plus(frames, n * PAGE_4K), PAGE_4K, OLD + n);
		for (unsigned n = 0; n < EDITS; n++)
			pages[i].entry[PT][n] = (frames.value + 2 * n * PAGE_4K) | ALL;
	}
	invalidate(pages[0].linear, MOV_CR3);
}

/* All in use; then `edits` PTEs of each table change; then the invalidation, and all are used. */
static void edit_all(const struct page *pages, uint64_t bits, unsigned edits,
		     enum invalidation then)
{
	for (unsigned i = 0; i < TABLES * EDITS; i++)
		use(linear_plus(pages[i % TABLES].linear, i / TABLES * PAGE_4K));
	for (unsigned i = 0; i < TABLES * edits; i++)
		*(volatile uint64_t *)&pages[i % TABLES].entry[PT][i / TABLES] ^= bits;
	if (then == MOV_CR3)
		invalidate(pages[0].linear, MOV_CR3);
	for (unsigned i = 0; i < TABLES * EDITS; i++) {
		linear_t linear = linear_plus(pages[i % TABLES].linear, i / TABLES * PAGE_4K);

		if (then == INVLPG)
			invalidate(linear, INVLPG);
		expect_followed(linear);
	}
}

static void try_many(enum invalidation then)
{
	static struct page pages[TABLES];

	for (unsigned together = 0; together < 2; together++) {
		for (unsigned edits = 1; edits <= EDITS; edits += EDITS - 1) {
			make_pages(pages, together);
			for (unsigned i = 0; i < 2; i++) {
				edit_all(pages, RW, edits, then);
				edit_all(pages, P, edits, then);
				edit_all(pages, PAGE_4K, edits, then);
			}
			release_pages();
		}
	}
}

TEST(mov_to_cr3_brings_many_edited_tables_up_to_date,
     "PTEs edited in 48 page tables in use: after one MOV to CR3 each is as in memory", MANUAL, "")
{
	try_many(MOV_CR3);
}

TEST(invlpg_brings_each_of_many_edited_tables_up_to_date,
     "PTEs edited in 48 page tables in use: after INVLPG of each page each is as in memory", MANUAL,
     "")
{
	try_many(INVLPG);
}

TEST(flags_cleared_through_an_alias_return_after_mov_to_cr3,
     "A and D cleared through another mapping of the table are set again after MOV to CR3",
     MANUAL_FLAGS, "")
{
	/* D alone, too: a shadow pager drops what it has of an entry whose A is cleared. */
	static const uint64_t cleared[] = {A | D, A, D};

	for (int level = PT; level <= PML4; level++) {
		struct page page = map_page_at(PT, filled_frame(OLD), ALL);
		uint64_t *table = table_of(page.entry[level]);
		struct page alias = map_page_at(PT, gpa_of(table), P | RW);
		volatile uint64_t *entry = (volatile uint64_t *)(uintptr_t)alias.linear.value +
					   (page.entry[level] - table);

		for (unsigned i = 0; i < 4 * COUNT_OF(cleared); i++) {
			struct access write = write_access(page.linear, 8, frame_word(OLD));

			expect_as_modelled(i & 1 ? as_user(write) : write);
			*entry &= ~cleared[i / 4];
			invalidate(page.linear, MOV_CR3);
			if (i & 2)
				expect_as_modelled(read_access(page.linear, 8));
			expect_as_modelled(i & 1 ? write : as_user(write));
		}
	}
}
