/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random tables for as long as one likes: ./run -g soak --seconds N, two seconds otherwise.
 *
 * Agents that choose at random change entries of tables that reference each other, through several
 * aliases and by stores of every width, change the paging modes, or hand out frames anew; then
 * comes the required invalidation, and what a walk of memory gives is compared with real accesses
 * (SDM Vol. 3, "Invalidation of TLBs and Paging-Structure Caches"; R26, R27).
 *
 * Caught here: what table_graph catches, in shapes that are too rare for its few rounds; shadow
 * pages and reverse maps that go wrong after many thousands of changes. The seed of the run makes
 * each step repeatable, though not how many steps there are.
 */
#include "test.h"

SUBJECT(table_soak, "random tables, edited and compared for as long as told");

#define MANUAL		 "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""

#define SECONDS		 2
#define EDITS_OF_A_GRAPH 100
#define LEAST_GRAPHS	 2
#define MOST_GRAPHS	 10000000u

static struct table_graph graph;

static void soak(uint64_t salt, unsigned accesses)
{
	uint64_t end = read_tsc() + run_seconds(SECONDS) * tsc_per_second();

	watch_attempts();
	for (unsigned n = 0; n < MOST_GRAPHS && (n < LEAST_GRAPHS || read_tsc() < end); n++) {
		struct random random = random_start(salt + n);

		make_table_graph(&graph, salt + n);
		graph.any_store = random_below(&random, 2);
		graph.changes_modes = random_below(&random, 2);
		for (unsigned i = 0; i < EDITS_OF_A_GRAPH; i++) {
			progress("graph %u", n);
			use_table_graph(&graph, accesses);
			edit_table_graph(&graph);
		}
		set_cr0(CR0_WP);
		release_pages();
	}
}

TEST(random_tables_are_walked_as_they_are,
     "After any edits and the invalidation that they need, accesses follow the tables in memory",
     MANUAL, "")
{
	soak(1000000, 40);
}

TEST(random_tables_used_rarely_are_walked_as_they_are,
     "The same with few accesses between edits, so that most entries were never used", MANUAL, "")
{
	soak(2000000, 3);
}
