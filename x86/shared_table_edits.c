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
 * of the table, whose rights differ (KS01).
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
