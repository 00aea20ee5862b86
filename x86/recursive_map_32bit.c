/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A page directory that is a page table, too: its view of each page table follows the PDEs.
 *
 * A PDE that references its own directory makes one part of the linear space show all page tables
 * of that directory. An entry of the directory is then a PDE and a PTE, and a store to it changes
 * both translations after the invalidation (SDM Vol. 3, "Invalidation of TLBs and Paging-Structure
 * Caches"; R27).
 *
 * Caught here: shadow pagers that bring one of the two roles up to date; with entries of 4 bytes,
 * those that take one half of the directory for the other, or for none (KS13): a shadow table has
 * room for half of a table of 1024 entries, and for a quarter of a directory.
 *
 * Not checked: instructions other than MOV (table_writes_32bit, table_writes_pae); several levels
 * at once under 4-level paging (table_shapes, table_graph).
 */
#include "test.h"

SUBJECT(recursive_map_32bit, "a page directory as a page table: its view of all page tables");
BUILT_FOR_32BIT;

#define MANUAL	     "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""
#define RECURSIVE_AT 0xa8000000u /* in none of the linear addresses that legacy_map() gives */
#define ALL	     (P | RW | US)

enum { OLD = 81, NEW = 82, INDEX = 201 };

struct scene {
	struct legacy_page page;
	uint64_t pde[2]; /* for the page's table, which leads to OLD, and one that leads to NEW */
	linear_t table_view; /* of the page's PTE */
	linear_t pde_view;   /* of its PDE */
};

static linear_t recursive(uint32_t pde_index, uint32_t offset)
{
	return LINEAR(RECURSIVE_AT + pde_index * (uint32_t)PAGE_4K + offset);
}

static void map_directory(void)
{
	struct legacy_page map = legacy_map_at(LINEAR(RECURSIVE_AT), PT, GPA(0), 0);
	uintptr_t directory = (uintptr_t)map.entry[PD] & ~(uintptr_t)(PAGE_4K - 1);

	legacy_write(&map, PD, directory | ALL);
	invalidate(LINEAR(RECURSIVE_AT), MOV_CR3);
}

static struct scene make_scene(uint32_t at)
{
	unsigned bytes = current_format()->entry_bytes;
	linear_t linear = LINEAR(at + INDEX * PAGE_4K);
	struct scene scene = {.page = legacy_map_at(linear, PT, filled_frame(OLD), ALL)};
	uint32_t pde = level_index(current_format(), PD, linear.value);
	uint32_t itself = level_index(current_format(), PD, RECURSIVE_AT);
	char *table = identity(frame_alloc());
	uint64_t entry = filled_frame(NEW).value | ALL;

	memset(table, 0, PAGE_4K);
	memcpy(table + INDEX * bytes, &entry, bytes);
	scene.pde[0] = legacy_entry(&scene.page, PD);
	scene.pde[1] = gpa_of(table).value | ALL;
	scene.table_view = recursive(pde, INDEX * bytes);
	scene.pde_view = recursive(itself, pde * bytes);
	return scene;
}

static void use(const struct scene *scene)
{
	expect_as_modelled(read_access(scene->table_view, 4));
	expect_as_modelled(read_access(scene->page.linear, 4));
	expect_as_modelled(as_user(write_access(scene->page.linear, 1, 0xb8)));
}

/* The PDE's address is in its lower half; the upper one of an entry of 8 bytes stays. */
static void switch_table(const struct scene *scene, unsigned n, enum invalidation then)
{
	if (n & 2)
		*(volatile uint32_t *)(uintptr_t)scene->pde_view.value =
			(uint32_t)scene->pde[n & 1];
	else
		legacy_write(&scene->page, PD, scene->pde[n & 1]);
	invalidate(scene->page.linear, then);
	if (then == INVLPG)
		invalidate(scene->table_view, then);
}

/* Each table by turns, and then a right taken from its PTE through the view, and given back. */
static void try_table(uint32_t at)
{
	struct scene scene = make_scene(at);
	volatile uint32_t *pte = (volatile uint32_t *)(uintptr_t)scene.table_view.value;

	for (unsigned n = 0; n < 16; n++) {
		enum invalidation then = n & 4 ? MOV_CR3 : INVLPG;

		use(&scene);
		switch_table(&scene, n, then);
		use(&scene);
		for (unsigned i = 0; i < 2; i++) {
			*pte ^= n & 8 ? US : RW;
			invalidate(scene.page.linear, then);
			use(&scene);
		}
	}
}

TEST(view_of_a_page_table_follows_its_pde,
     "32-bit paging: a page of the recursive map shows the page table that the PDE leads to now",
     MANUAL, "")
{
	map_directory();
	for (uint32_t at = 0x50000000; at < RECURSIVE_AT; at += 0x0e000000)
		try_table(at);
}

/* Of the page directory for one GByte. */
TEST(view_of_a_pae_page_table_follows_its_pde,
     "PAE paging: a page of the recursive map shows the page table that the PDE leads to now",
     MANUAL, "pae")
{
	run_under_pae();
	map_directory();
	for (uint32_t at = 0x84000000; at < RECURSIVE_AT; at += 0x09000000)
		try_table(at);
}
