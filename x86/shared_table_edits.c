/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A page table that several ways and several roots lead to, edited while all of them are in use.
 *
 * INVLPG makes an edit count for the address that it names, by whatever way the table is reached;
 * MOV to CR3 does so for all addresses of the root that it loads (SDM Vol. 3, "Operations that
 * Invalidate TLBs and Paging-Structure Caches").
 *
 * Caught here, in shadow pagers that let page tables fall out of step until the next invalidation:
 * one that notes it in one of the structures above the table and finds nothing to do when it comes
 * by another way, or from another root (KS03, KS24); one that notes it for one of several shadows
 * of the table, whose rights differ (KS01). Stores to tables come through pages that must trap
 * again once the table is in step; forgotten are a page of another table that is out of step itself
 * (KS04's kind), and one that got its table's frame together with the right to write (KS28's).
 *
 * Not checked: the table under an entry that was not present (optional_invalidation, whole_tables);
 * roots with structures of their own (mov_to_cr3).
 */
#include "test.h"

SUBJECT(shared_table_edits, "a page table of several ways and roots, edited while all are in use");

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define ALL    (P | RW | US)

enum { WAYS = 3, ROOTS = 2, INDEX = 200, OLD = 61 };

/* Way 1 has another PDE than way 0, way 2 another page directory. */
struct scene {
	linear_t way[WAYS];
	volatile uint64_t *entry; /* through a page of its own */
	gpa_t root[ROOTS];
};

static linear_t indexed_linear(void)
{
	uint64_t linear = unused_linear().value;

	for (int at = PT; at <= PDPT; at++)
		linear |= (uint64_t)INDEX << paging_4level.level[at].shift;
	return LINEAR(linear);
}

/* `rights` of the PDEs of ways 1 and 2 are what way 0 has too, or not. */
static struct scene make_scene(uint64_t rights)
{
	gpa_t frames = frames_alloc(2 * PAGE_4K);
	struct page page = map_page_at_linear(indexed_linear(), PT, frames, ALL);
	struct page other = map_page_at_linear(indexed_linear(), PT, frames, ALL);
	struct page alias = map_page_at(PT, gpa_of(table_of(page.entry[PT])), P | RW);
	uint64_t pde = *page.entry[PD];

	frame_fill(frames, 2 * PAGE_4K, OLD);
	page.entry[PD][1] = pde & ~(ALL & ~rights);
	*other.entry[PD] = pde & ~(ALL & ~rights);
	invalidate(page.linear, MOV_CR3);
	return (struct scene){
		.way = {page.linear, linear_plus(page.linear, PAGE_2M), other.linear},
		.entry = (volatile uint64_t *)(uintptr_t)alias.linear.value + INDEX,
		.root = {current_root(), copy_root()},
	};
}

static void use(linear_t linear)
{
	expect_as_modelled(as_user(write_access(linear, 1, 0xb8)));
	expect_as_modelled(read_access(linear, 8));
	expect_as_modelled(write_access(linear, 1, 0xb8));
}

static uint64_t nth_edit(unsigned n)
{
	static const uint64_t bits[] = {RW, US, PAGE_4K, P, D, A | D};

	return bits[n / 2 % COUNT_OF(bits)];
}

/* The invalidations in turn, beginning with another way each time. */
static void try_invlpg(uint64_t rights)
{
	struct scene scene = make_scene(rights);

	for (unsigned n = 0; n < 12 * WAYS; n++) {
		for (unsigned i = 0; i < WAYS; i++)
			use(scene.way[(n + i) % WAYS]);
		*scene.entry ^= nth_edit(n);
		for (unsigned i = 0; i < WAYS; i++) {
			linear_t way = scene.way[(n / 12 + i) % WAYS];

			invalidate(way, INVLPG);
			use(way);
		}
	}
}

TEST(invlpg_by_each_way_brings_a_shared_table_up_to_date,
     "A PTE of a page table with three PDEs was edited: INVLPG makes it count by each way", MANUAL,
     "")
{
	try_invlpg(ALL);
	try_invlpg(P | US);
	try_invlpg(P | RW);
}

/* Used under both roots, edited under one, used under the other, and under the one again. */
static void use_under_roots(uint64_t rights)
{
	struct scene scene = make_scene(rights);

	for (unsigned n = 0; n < 24; n++) {
		for (unsigned i = 0; i < ROOTS; i++) {
			load_root(scene.root[(n + i) % ROOTS]);
			use(scene.way[n % WAYS]);
			use(scene.way[(n + 1) % WAYS]);
		}
		*scene.entry ^= nth_edit(n);
		for (unsigned i = 0; i < ROOTS; i++) {
			load_root(scene.root[(n / 2 + i) % ROOTS]);
			for (unsigned way = 0; way < WAYS; way++)
				use(scene.way[way]);
		}
	}
	load_root(scene.root[0]);
}

TEST(mov_to_cr3_brings_a_shared_table_up_to_date_under_each_root,
     "A PTE of a page table that two roots lead to was edited: it counts under each that is loaded",
     MANUAL, "")
{
	use_under_roots(ALL);
	use_under_roots(P | US);
	use_under_roots(P | RW);
}

/* Two page tables; a page of each is for the other one. */
struct pair {
	linear_t page[2];
	volatile uint64_t *entry[2]; /* of the pages, each through the other table's */
};

static struct pair make_pair(void)
{
	gpa_t frames = frames_alloc(2 * PAGE_4K);
	struct page page[2];
	struct pair pair;

	for (unsigned i = 0; i < 2; i++) {
		frame_fill(gpa_plus(frames, i * PAGE_4K), PAGE_4K, OLD + i);
		page[i] = map_page_at_linear(indexed_linear(), PT, frames, ALL | A | D);
		pair.page[i] = page[i].linear;
	}
	for (unsigned i = 0; i < 2; i++) {
		linear_t alias = linear_plus(page[i].linear, PAGE_4K);

		page[i].entry[PT][1] = gpa_of(table_of(page[!i].entry[PT])).value | P | RW | A | D;
		pair.entry[!i] = (volatile uint64_t *)(uintptr_t)alias.value + INDEX;
	}
	return pair;
}

/* Both tables are out of step at the MOV to CR3, in step after it, and edited again: three edits,
 * so that every other one takes rights away. */
TEST(tables_edited_through_each_other_are_followed,
     "Two page tables that map each other, both edited, MOV to CR3, edited again: both as in "
     "memory",
     MANUAL, "")
{
	struct pair pair = make_pair();

	for (unsigned n = 0; n < 48; n++) {
		for (unsigned i = 0; i < 6; i++) {
			unsigned table = (n + i) & 1;

			use(pair.page[table]);
			*pair.entry[table] ^= nth_edit(n);
			if (i & 1)
				invalidate(pair.page[0], MOV_CR3);
		}
		for (unsigned i = 0; i < 2; i++)
			use(pair.page[i]);
	}
}

/* A read-only page gets the frame of the table at `level`, and R/W = 1; no store can use what is
 * cached, though it may fault once. Then the frame becomes the table, and is edited there. */
static void edit_through_page_with_new_frame(enum level level, uint64_t edit)
{
	struct page window = map_page_at(PT, filled_frame(OLD), P | A);
	struct page page = map_page_at_linear(indexed_linear(), PT, filled_frame(OLD), ALL | A | D);
	uint64_t *above = page.entry[level + 1], value = *page.entry[level] ^ edit;
	struct access access = write_access(
		linear_plus(window.linear, ((uintptr_t)page.entry[level] & (PAGE_4K - 1)) + 16), 8,
		0);

	*above &= ~(uint64_t)P;
	invalidate(page.linear, INVLPG);
	expect_as_modelled(read_access(window.linear, 8));
	*(volatile uint64_t *)window.entry[PT] =
		gpa_of(table_of(page.entry[level])).value | P | RW | A | D;
	if (attempt(access).vector == VECTOR_PF)
		expect(attempt(access).vector == NO_VECTOR, "a second fault of one store");
	*(volatile uint64_t *)above |= P;
	use(page.linear);
	access.linear = linear_plus(access.linear, -16);
	access.value[0] = value;
	expect(attempt(access).vector == NO_VECTOR, "the store to the table faulted");
	expect((*(volatile uint64_t *)page.entry[level] | A) == (value | A), "the store is lost");
	invalidate(page.linear, INVLPG);
	use(page.linear);
}

TEST(stores_through_a_page_that_got_its_frame_and_rw_at_once_are_followed,
     "A page that got another frame and R/W = 1 with no INVLPG edits a table that the frame "
     "becomes",
     MANUAL, "")
{
	static const uint64_t edits[] = {RW, US, P};

	set_cr0(CR0_WP);
	for (unsigned i = 0; i < COUNT_OF(edits); i++) {
		for (int level = PT; level <= PDPT; level++)
			edit_through_page_with_new_frame((enum level)level, edits[i]);
		release_pages();
	}
}
