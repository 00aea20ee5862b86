/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Stores that begin in a table in use and end in the page behind it.
 *
 * Each byte of an operand needs the rights of its own page, and a store that faults changes nothing
 * (SDM Vol. 3, "Determination of Access Rights", "Restarting of Programs or Tasks").
 *
 * Caught here: a hypervisor that traps stores to tables emulates this one, and with it the part
 * that lies in the second page. An emulator that looks at the rights of the first page alone, or
 * makes the second part a supervisor's whatever the CPL is (KS18, XS09), writes where the guest may
 * not; one that checks page by page has changed the table when it raises the fault (XS09, V805).
 *
 * Not checked: two ordinary pages (page_crossing); two tables (table_shapes).
 */
#include "test.h"

SUBJECT(table_crossing, "stores from a table in use into a page of any rights");

#define MANUAL_RIGHTS  "SDM Vol. 3, \"Determination of Access Rights\""
#define MANUAL_RESTART "SDM Vol. 3, \"Restarting of Programs or Tasks\""
#define ALL	       (P | RW | US)

enum { OLD = 61, INDEX = 200, LAST = 511, BYTES = 8 };

/* The window shows a table of the page's, which is in use, and behind it another frame. */
struct scene {
	struct page page;
	struct page_pair window;
	uint64_t *table, *second;
};

static struct scene make_scene(enum level level)
{
	uint64_t linear = unused_linear().value;
	struct scene scene = {.window = map_page_pair(1, 2)};

	for (int at = PT; at <= PDPT; at++)
		linear |= (uint64_t)INDEX << paging_4level.level[at].shift;
	scene.page = map_page_at_linear(LINEAR(linear), PT, filled_frame(OLD), ALL);
	scene.table = table_of(scene.page.entry[level]);
	scene.second = identity(scene.window.frame[1]);
	return scene;
}

static void use(const struct scene *scene)
{
	expect_as_modelled(as_user(read_access(scene->page.linear, BYTES)));
	scene->table[LAST] = 0;
	scene->second[0] = frame_word(2);
}

static struct outcome store_across(const struct scene *scene, bool user, unsigned before)
{
	struct access store = write_access(LINEAR(scene->window.border.value - before), BYTES, 0);

	store.user = user;
	return attempt(store);
}

/* What the page behind says of a store there. */
static struct model_outcome wanted(const struct scene *scene, bool user)
{
	struct access store = write_access(scene->window.border, 1, 0);

	store.user = user;
	return modelled_outcome(store);
}

static void expect_fault(const struct scene *scene, bool user, unsigned before)
{
	struct model_outcome fault = wanted(scene, user);
	struct outcome outcome;

	use(scene);
	outcome = store_across(scene, user, before);
	expect(outcome.vector == fault.vector, "vector %u, not %u: %s", outcome.vector,
	       fault.vector, fault.why);
	if (fault.vector == NO_VECTOR)
		return;
	expect(outcome.error_code == fault.error_code, "error code 0x%llx, not 0x%llx",
	       (unsigned long long)outcome.error_code, (unsigned long long)fault.error_code);
	expect(outcome.cr2 / PAGE_4K == scene->window.border.value / PAGE_4K, "CR2 is 0x%llx",
	       (unsigned long long)outcome.cr2);
	expect(scene->second[0] == frame_word(2), "the page behind became 0x%llx",
	       (unsigned long long)scene->second[0]);
}

static void expect_table_unchanged(const struct scene *scene, bool user, unsigned before)
{
	if (wanted(scene, user).vector == NO_VECTOR)
		return;
	use(scene);
	scene->table[LAST] = ~1ull;
	store_across(scene, user, before);
	expect(scene->table[LAST] == ~1ull, "the table's last entry became 0x%llx",
	       (unsigned long long)scene->table[LAST]);
	scene->table[LAST] = 0;
}

static void try_rights(void (*check)(const struct scene *scene, bool user, unsigned before))
{
	static const uint64_t flags[] = {0, P, P | RW, P | US, ALL};

	watch_attempts();
	for (int level = PT; level <= PDPT; level++) {
		struct scene scene = make_scene((enum level)level);

		for (unsigned n = 0; n < 8 * COUNT_OF(flags); n++) {
			uint64_t second = flags[n / 8];

			set_page_pair(&scene.window, gpa_of(scene.table).value | ALL | A | D,
				      scene.window.frame[1].value | second | (second ? A | D : 0));
			(n & 4 ? clear_cr0 : set_cr0)(CR0_WP);
			check(&scene, n & 1, n & 2 ? 4 : 3);
		}
		set_cr0(CR0_WP);
	}
}

TEST(store_out_of_a_table_needs_the_rights_of_the_page_behind,
     "A store that ends in the page behind a table in use faults as one to that page does",
     MANUAL_RIGHTS, "")
{
	try_rights(expect_fault);
}

TEST(store_out_of_a_table_that_faults_leaves_the_table_alone,
     "A store that faults in the page behind a table in use has not changed the table",
     MANUAL_RESTART, "")
{
	try_rights(expect_table_unchanged);
}
