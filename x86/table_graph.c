/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random paging structures: frames that are tables at several levels at once, tables of themselves,
 * data, parts of large pages, with random rights, edited at random through several aliases.
 *
 * However structures reference each other, a translation is what a walk of memory gives, with the
 * rights of its own way; nothing that a frame is elsewhere matters (SDM Vol. 3, "4-Level Paging and
 * 5-Level Paging", "Determination of Access Rights"; R26, R27).
 *
 * Caught here: shadow pages kept by too little: frame without level, rights, page size or paging
 * mode (KS01, KS09, KS10 to KS12, KS28, KS29); a store to a frame that brings one of its roles up
 * to date (KS13, XS41); a table inside a large page that it maps itself (KS25); A and D set in one
 * role only.
 *
 * The model walks memory before each access; what it says is compared with everything that can be
 * seen. Where events of paging are dear (check/effort.h) there are fewer graphs and edits, of every
 * kind still. Not checked: accesses between an edit and its invalidation; global pages.
 */
#include "test.h"

SUBJECT(table_graph, "random tables that reference each other at every level");

#define MANUAL "SDM Vol. 3, \"4-Level Paging and 5-Level Paging\""

static struct table_graph graph;

/* A hypervisor may build all of its tables anew after it. */
static void change_nxe_twice(void)
{
	set_efer(EFER_NXE);
	clear_efer(EFER_NXE);
	(void)*(volatile uint64_t *)identity(image_root());
}

/* Many graphs, so that many shapes are seen; the share of the effort is that of the rounds, so its
 * parts are taken from graphs first, then from the edits of each. */
static void try_graphs(unsigned graphs, unsigned edits, struct table_graph how)
{
	unsigned shares = how.changes_nxe ? effort_shares_with(change_nxe_twice, "changes of NXE")
					  : effort_shares();
	unsigned fewer_graphs = shares < 4 ? shares : 4;

	graphs /= fewer_graphs;
	edits /= shares / fewer_graphs;
	watch_attempts();
	for (unsigned n = 0; n < graphs; n++) {
		progress("graph %u of %u", n, graphs);
		make_table_graph(&graph, 80 + n);
		graph.any_store = how.any_store;
		graph.changes_modes = how.changes_modes;
		graph.changes_nxe = how.changes_nxe;
		for (unsigned i = 0; i < edits; i++) {
			use_table_graph(&graph, 24);
			edit_table_graph(&graph);
		}
		use_table_graph(&graph, 24);
		set_cr0(CR0_WP);
		release_pages();
	}
}

TEST(tables_of_each_other_are_walked_as_they_are,
     "Frames that are tables at several levels at once give each way what a walk of memory gives",
     MANUAL, "")
{
	try_graphs(60, 8, (struct table_graph){0});
}

TEST(stores_of_all_kinds_to_shared_tables_are_followed,
     "Entries of such frames count in all their roles, however and through what alias written",
     "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\"", "")
{
	try_graphs(20, 60, (struct table_graph){.any_store = true});
}

TEST(shared_tables_obey_the_modes_of_the_moment,
     "CR0.WP, CR4.SMEP and CR4.SMAP decide on each access to the same tables",
     "SDM Vol. 3, \"Determination of Access Rights\"", "")
{
	try_graphs(20, 60, (struct table_graph){.changes_modes = true});
}

TEST(shared_tables_obey_nxe_of_the_moment,
     "After EFER.NXE changed and a flush, XD of the same tables forbids fetches or is reserved",
     "SDM Vol. 3, \"Determination of Access Rights\"", "nx")
{
	try_graphs(20, 60, (struct table_graph){.changes_nxe = true});
}
