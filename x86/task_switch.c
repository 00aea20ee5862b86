/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hardware task switches: another CR3, and the processor's own accesses to GDT and TSS.
 *
 * A task switch loads CR3 from the new TSS, and with it, under PAE paging, the PDPTE registers; if
 * that changes CR3 it drops every translation that is not global, and what is cached of upper
 * entries (SDM Vol. 3, "Task Switching", "Operations that Invalidate TLBs and Paging-Structure
 * Caches", "PDPTE Registers"). The accesses to descriptors and TSSs are supervisor-mode ones at any
 * CPL ("Determination of Access Rights"), set accessed and dirty flags as others do, and a page
 * fault of theirs before the switch is committed is the old task's.
 *
 * Caught here: a switch that leaves CR3, or what was cached under the old one, as it was (R30, R11,
 * BL01, V802); tables that were edited while the other task ran (KS34 and its like in pagers that
 * keep several roots); PDPTEs that are not loaded (KS37, HX01); accesses to the TSS with the rights
 * of user mode (XS08, KS19), or without A and D; a half-done switch after a fault. Hypervisors
 * emulate the whole switch in software, and emulators do by definition.
 *
 * Not checked: faults after the switch is committed; PDPTEs with reserved bits in a new CR3; nested
 * tasks by CALL; debug registers; limits and types of the descriptors.
 */
#include "test.h"

SUBJECT(task_switch, "hardware task switches: CR3, PDPTEs, accesses to TSSs and the GDT");
BUILT_FOR_32BIT;

#define MANUAL "SDM Vol. 3, \"Task Switching\""
#define DROPS  "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define RIGHTS "SDM Vol. 3, \"Determination of Access Rights\""
#define ROUNDS 20

struct two_roots {
	struct task_scene scene;
	struct legacy_page page;
	struct legacy_root other;
	uint32_t tag, other_tag;
};

static void make_two_roots(struct two_roots *two)
{
	two->tag = 1;
	two->other_tag = 2;
	two->page = legacy_map(PT, filled_frame(two->tag), P | RW | US);
	make_task_scene(&two->scene);
	two->other = make_legacy_root(&two->page, two->other_tag);
	set_task(&two->scene, two->other.address, two->page.linear);
}

static void expect_old_task(const struct two_roots *two)
{
	uint32_t word = (uint32_t)frame_word(two->tag);

	expect_read(read_access(two->page.linear, 4), word);
	expect_read(as_user(read_access(two->page.linear, 4)), word);
	expect_read(fetch_access(two->page.linear), two->tag);
}

/* To the task and back; both sides use the page. */
static void expect_switch(const struct two_roots *two, struct access access)
{
	uint32_t cr3 = (uint32_t)read_cr3(), runs = task_result()->runs;
	struct outcome outcome = switch_task(access);
	const struct task_result *found = task_result();

	expect(outcome.vector == NO_VECTOR, "INT 32: vector %u, error code 0x%llx, CR2 0x%llx",
	       outcome.vector, (unsigned long long)outcome.error_code,
	       (unsigned long long)outcome.cr2);
	expect(found->runs == runs + 1, "the task ran %u times", found->runs - runs);
	expect(found->cr3 == (uint32_t)two->other.address.value, "CR3 of the task is 0x%x",
	       found->cr3);
	expect(found->read == (uint32_t)frame_word(two->other_tag), "the task read 0x%x",
	       found->read);
	expect(found->fetched == two->other_tag, "the task executed the frame with tag %u",
	       found->fetched);
	expect(read_cr3() == cr3, "CR3 of the old task is 0x%x", (uint32_t)read_cr3());
	expect(selector_of_task() == 0x28, "TR is 0x%x", selector_of_task());
	expect_old_task(two);
}

static void try_switches(void)
{
	struct two_roots two;

	make_two_roots(&two);
	expect_old_task(&two);
	for (unsigned i = 0; i < ROUNDS; i++)
		expect_switch(&two, i & 1 ? as_user(switch_access()) : switch_access());
}

TEST(each_task_has_its_own_cr3, "A task switch uses the structures that CR3 of its TSS leads to",
     MANUAL, "")
{
	try_switches();
}

TEST(each_task_has_its_own_pdptes,
     "Under PAE paging a task switch uses the PDPTEs that CR3 of its TSS leads to",
     "SDM Vol. 3, \"PDPTE Registers\"", "pae")
{
	run_under_pae();
	try_switches();
}

/* The other task's PDPT at every place that CR3 can name, in a page that holds nothing else. */
TEST(pdpts_of_tasks_lie_anywhere,
     "Under PAE paging bits 11:5 of the CR3 that a task switch loads say where the PDPT lies",
     "SDM Vol. 3, \"PDPTE Registers\"", "pae")
{
	struct two_roots two;
	uint64_t pdptes[4];
	gpa_t page;

	run_under_pae();
	make_two_roots(&two);
	page = two.other.address;
	memcpy(pdptes, identity(page), sizeof(pdptes));
	for (uint32_t at = sizeof(pdptes); at < PAGE_4K; at *= 2) {
		memset(identity(page), 0, PAGE_4K);
		two.other.address = gpa_plus(page, at);
		memcpy(identity(two.other.address), pdptes, sizeof(pdptes));
		set_task(&two.scene, two.other.address, two.page.linear);
		expect_switch(&two, switch_access());
	}
}

/* Each side's entry is edited, without any invalidation, while the other side's root is loaded, or
 * before the switch away from it: either way CR3 changes twice before it is used again. */
/* The other task's page gets a page table of its own again, with another frame. */
static void replace_table(struct two_roots *two, uint64_t flags)
{
	gpa_t table = frame_alloc();
	uintptr_t entry = (uintptr_t)two->other.page.entry[PT];

	two->other.page.entry[PT] = (char *)identity(table) + (entry & 0xfff);
	legacy_write(&two->other.page, PT, filled_frame(two->other_tag).value | flags);
	legacy_write(&two->other.page, PD, table.value | P | RW | US);
}

static void try_edits(enum level level, uint64_t flags)
{
	struct two_roots two;

	make_two_roots(&two);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		expect_switch(&two, switch_access());
		two.other_tag = 100 + i;
		if (level == PT)
			legacy_write(&two.other.page, PT,
				     filled_frame(two.other_tag).value | flags);
		else
			replace_table(&two, flags);
		two.tag = 200 + i;
		legacy_write(&two.page, PT, filled_frame(two.tag).value | flags);
	}
}

TEST(a_switch_drops_translations,
     "After a switch to another CR3 no translation of either task is used that was edited since",
     DROPS, "")
{
	try_edits(PT, P | RW | US);
	try_edits(PD, P | RW | US);
}

TEST(a_switch_drops_translations_under_pae,
     "After a switch to another CR3 no translation of either task is used that was edited since",
     DROPS, "pae")
{
	run_under_pae();
	try_edits(PT, P | RW | US);
	try_edits(PD, P | RW | US);
}

TEST(g_is_ignored_by_switches_without_pge,
     "With CR4.PGE = 0 a switch to another CR3 drops translations with G = 1, too", DROPS, "pge")
{
	clear_cr4(CR4_PGE);
	try_edits(PT, P | RW | US | G);
}

static void expect_page_flags(const struct legacy_page *page, uint64_t must, const char *what)
{
	uint64_t entry = legacy_entry(page, PT);

	expect((entry & must) == must, "PTE of the %s is 0x%llx", what, (unsigned long long)entry);
	legacy_write(page, PT, entry & ~(A | D));
	invalidate(page->linear, INVLPG);
}

/* State is saved in the old TSS, the link goes to the new one, the busy flag to the GDT. */
TEST(switches_set_accessed_and_dirty_flags,
     "The processor's own accesses to GDT and TSSs set A and D of their pages",
     "SDM Vol. 3, \"Accessed and Dirty Flags\"", "")
{
	struct two_roots two;

	make_two_roots(&two);
	two.other_tag = two.tag;
	set_task(&two.scene, current_root(), two.page.linear);
	two.other.address = current_root();
	for (unsigned i = 0; i < ROUNDS; i++) {
		expect_switch(&two, i & 1 ? as_user(switch_access()) : switch_access());
		expect_page_flags(&two.scene.gdt, A | D, "GDT");
		expect_page_flags(&two.scene.old_tss, A | D, "old TSS");
		expect_page_flags(&two.scene.new_tss, A | D, "new TSS");
	}
}

/* Before the switch is committed: the fault is the old task's, and nothing has happened. W is left
 * open: the processor may look by way of a write. */
static void try_missing(struct two_roots *two, const struct legacy_page *page, const char *what,
			struct access access)
{
	uint64_t entry = legacy_entry(page, PT);
	uint32_t runs = task_result()->runs;
	struct outcome outcome;

	legacy_write(page, PT, entry & ~(P | A | D));
	invalidate(page->linear, INVLPG);
	outcome = switch_task(access);
	expect(outcome.vector == VECTOR_PF && !(outcome.error_code & ~PF_W),
	       "%s not present: vector %u, error code 0x%llx", what, outcome.vector,
	       (unsigned long long)outcome.error_code);
	expect(outcome.cr2 / PAGE_4K == page->linear.value / PAGE_4K, "%s not present: CR2 0x%llx",
	       what, (unsigned long long)outcome.cr2);
	expect(outcome.rip == outcome.expected_rip, "%s not present: EIP 0x%llx", what,
	       (unsigned long long)outcome.rip);
	expect(task_result()->runs == runs, "%s not present: the task ran", what);
	expect(selector_of_task() == 0x28, "%s not present: TR is 0x%x", what, selector_of_task());
	expect(!new_task_is_busy(&two->scene), "%s not present: the new task is busy", what);
	legacy_write(page, PT, entry);
	expect_switch(two, access);
}

TEST(a_missing_tss_faults_in_the_old_task,
     "When the new TSS is not present, INT through a task gate faults as the old task's", MANUAL,
     "")
{
	struct two_roots two;

	make_two_roots(&two);
	for (unsigned i = 0; i < 4; i++)
		try_missing(&two, &two.scene.new_tss, "new TSS", switch_access());
}

TEST(accesses_of_a_switch_are_supervisor_mode,
     "INT at CPL 3 uses a GDT and TSSs with U/S = 0; U/S is 0 in the fault when one is missing",
     RIGHTS, "")
{
	struct two_roots two;

	make_two_roots(&two);
	for (unsigned i = 0; i < 4; i++)
		try_missing(&two, &two.scene.new_tss, "new TSS", as_user(switch_access()));
}
