/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A linear address that leads to a device, then to a table in use, and back.
 *
 * After the invalidation an access uses the entry as it is (SDM Vol. 3, "Invalidation of TLBs and
 * Paging-Structure Caches"). A hypervisor emulates accesses to devices, and with shadow paging also
 * stores to tables in use; the emulator may know where an address led when it last met it.
 *
 * Caught here: such knowledge, kept by linear address, that survives INVLPG or MOV to CR3: the
 * store reaches the device instead of the table, or the table instead of the device (KS30's kind);
 * a shadow entry for a device that outlives its page-table entry.
 *
 * The device is the local APIC, whose task-priority register holds what is written. Not checked:
 * memory that is no table (physical_holes); what instructions other than these do to tables
 * (table_writes).
 */
#include "test.h"

SUBJECT(device_or_table, "a linear address that is a device's and a table's by turns");

#define MANUAL "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""
#define ALL    (P | RW | US)

enum { INDEX = APIC_PRIORITY / 8, OLD = 61 };

/* The page's entries are all at the register's offset in their tables. */
struct scene {
	struct page window, page;
	enum level level; /* of the table that the window shows */
};

static struct scene make_scene(enum level level)
{
	uint64_t linear = unused_linear().value;

	for (int at = PT; at <= PDPT; at++)
		linear |= (uint64_t)INDEX << paging_4level.level[at].shift;
	return (struct scene){
		.window = map_page(ALL),
		.page = map_page_at_linear(LINEAR(linear), PT, filled_frame(OLD), ALL),
		.level = level,
	};
}

/* Reads and writes the register through the window. */
static void use_device(const struct scene *scene, uint32_t priority, enum invalidation then)
{
	linear_t at = linear_plus(scene->window.linear, APIC_PRIORITY);
	uint64_t entry = *(volatile uint64_t *)scene->page.entry[scene->level];

	write_entry(&scene->window, PT, APIC_PAGE | ALL | PCD | A | D, then);
	expect(attempt(write_access(at, 4, priority)).vector == NO_VECTOR,
	       "the store to the device faulted");
	expect(*priority_register() == priority, "the register is 0x%x, not 0x%x",
	       *priority_register(), priority);
	expect((*(volatile uint64_t *)scene->page.entry[scene->level] | A) == (entry | A),
	       "a store to the device changed the table");
	expect_read(read_access(at, 4), priority);
}

/* Changes the entry through the window, in use before and after. The window is the last that has
 * been a device's, so the register is not looked at before the store. */
static void use_table(const struct scene *scene, uint64_t bits, enum store how, uint32_t priority,
		      enum invalidation then)
{
	volatile uint64_t *entry = (volatile uint64_t *)scene->page.entry[scene->level];
	uint64_t table = gpa_of(table_of(scene->page.entry[scene->level])).value;
	linear_t at = linear_plus(scene->window.linear, APIC_PRIORITY);
	uint64_t value;

	write_entry(&scene->window, PT, table | ALL | A | D, then);
	expect_as_modelled(as_user(write_access(scene->page.linear, 8, frame_word(OLD))));
	value = *entry ^ bits;
	store_by_method((volatile uint64_t *)(uintptr_t)at.value, value, &store_methods[how]);
	expect(*entry == value, "the entry is 0x%llx, not 0x%llx", (unsigned long long)*entry,
	       (unsigned long long)value);
	expect(*priority_register() == priority, "a store to the table reached the device");
	invalidate(scene->page.linear, then);
	expect_as_modelled(as_user(write_access(scene->page.linear, 8, frame_word(OLD))));
	expect_as_modelled(as_user(read_access(scene->page.linear, 8)));
}

static void try_turns(enum level level)
{
	static const enum store methods[] = {STORE_MOV8, STORE_MOV4, STORE_LOCK_XOR,
					     STORE_CMPXCHG8B};
	struct scene scene = make_scene(level);

	require_local_apic();
	for (uint32_t turn = 0; turn < 32; turn++) {
		enum invalidation then = turn & 1 ? INVLPG : MOV_CR3;
		uint32_t priority = turn * 16 & 0xf0;
		uint64_t bits = turn & 4 ? US : RW;

		use_device(&scene, priority, then);
		for (unsigned i = 0; i <= turn % 2; i++)
			use_table(&scene, bits, methods[turn / 8], priority, then);
	}
	*priority_register() = 0;
}

TEST(page_changes_between_a_device_and_a_page_table,
     "A store through a page that was a device's counts in the page table that it leads to now",
     MANUAL, "")
{
	try_turns(PT);
}

TEST(page_changes_between_a_device_and_a_page_directory,
     "A store through a page that was a device's counts in the page directory that it leads to now",
     MANUAL, "")
{
	try_turns(PD);
}

TEST(page_changes_between_a_device_and_a_pdpt,
     "A store through a page that was a device's counts in the PDPT that it leads to now", MANUAL,
     "")
{
	try_turns(PDPT);
}

/* The table through another window, whose linear address has the same lower half. */
static linear_t map_4_gbytes_away(const struct scene *scene)
{
	const struct page *window = &scene->window;
	gpa_t directory = frame_alloc(), table = frame_alloc();
	uint64_t linear = window->linear.value;

	*(uint64_t *)((char *)identity(directory) + (linear >> 21 & 511) * 8) = table.value | ALL;
	*(uint64_t *)((char *)identity(table) + (linear >> 12 & 511) * 8) =
		gpa_of(table_of(scene->page.entry[scene->level])).value | ALL | A | D;
	window->entry[PDPT][4] = directory.value | ALL;
	return linear_plus(window->linear, 4 * PAGE_1G);
}

TEST(table_4_gbytes_from_a_device_is_a_table,
     "A store to a table 4 GBytes from where a device is mapped counts in the table", MANUAL, "")
{
	for (int level = PT; level <= PDPT; level++) {
		struct scene scene = make_scene((enum level)level);
		linear_t away = map_4_gbytes_away(&scene);

		require_local_apic();
		for (uint32_t turn = 0; turn < 8; turn++) {
			volatile uint64_t *entry = (volatile uint64_t *)scene.page.entry[level];
			uint64_t value = *entry ^ US;

			expect_as_modelled(read_access(scene.page.linear, 8));
			use_device(&scene, turn * 16, INVLPG);
			expect(attempt(write_access(linear_plus(away, APIC_PRIORITY), 8, value))
					       .vector == NO_VECTOR,
			       "the store to the table faulted");
			expect((*entry | A | D) == (value | A | D),
			       "the entry is 0x%llx, not 0x%llx", (unsigned long long)*entry,
			       (unsigned long long)value);
			invalidate(scene.page.linear, INVLPG);
			expect_as_modelled(as_user(read_access(scene.page.linear, 8)));
		}
		*priority_register() = 0;
	}
}
