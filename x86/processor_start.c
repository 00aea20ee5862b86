/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Other processors: INIT, SIPI, real mode, paging again.
 *
 * INIT takes a processor out of any mode to CR0.PG = 0, CR4 = 0 and EFER = 0, but need not empty
 * its TLBs (SDM Vol. 3, "Processor State After Reset"). Whatever they hold, real-mode code runs in
 * physical memory, and after paging was turned on again with another CR3 no translation that is not
 * global may be of the old one.
 *
 * Caught here: paging roles that outlive INIT (KS36: a processor that starts in real mode over the
 * long mode's page tables), EFER that INIT leaves alone (QT21), translations tagged with a PCID
 * that come back; exceptions of one processor recorded for another.
 *
 * Not checked: global translations after INIT, which may live until CR4.PGE is changed.
 */
#include "test.h"

SUBJECT(processor_start, "processors started by INIT and SIPI, from every state of paging");

#define MANUAL "SDM Vol. 3, \"Multiple-Processor (MP) Initialization\""
#define INIT   "SDM Vol. 3, \"Processor State After Reset\""

static void tell_apic_id(unsigned self, void *argument)
{
	((volatile uint32_t *)argument)[self] = cpuid(1, 0).ebx >> 24;
}

TEST(listed_processors_start,
     "Every processor that ACPI lists starts, and has an APIC ID of its own", MANUAL,
     "two_processors")
{
	unsigned count = start_processors(MOST_PROCESSORS);
	volatile uint32_t ids[MOST_PROCESSORS];

	note("%u processors", count);
	run_on_all(count, tell_apic_id, (void *)ids);
	for (unsigned i = 0; i < count; i++)
		for (unsigned j = 0; j < i; j++)
			expect(ids[i] != ids[j], "processors %u and %u both have ID %u", j, i,
			       ids[i]);
}

TEST(each_processor_takes_its_own_faults,
     "A page fault is delivered on the processor that caused it, with its error code and CR2",
     "SDM Vol. 3, \"Page-Fault Exceptions\"", "two_processors")
{
	unsigned count = start_processors(MOST_PROCESSORS);
	struct page read_only = map_page(P | US), supervisor = map_page(P | RW);

	frame_fill(read_only.frame, PAGE_4K, 5);
	for (unsigned i = 0; i < count; i++) {
		struct outcome outcome = attempt_on(i, read_access(read_only.linear, 8));

		expect(outcome.vector == NO_VECTOR && outcome.value[0] == frame_word(5),
		       "processor %u: vector %u", i, outcome.vector);
		outcome = attempt_on(i, as_user(write_access(read_only.linear, 8, 1)));
		expect(outcome.vector == VECTOR_PF && outcome.error_code == (PF_P | PF_W | PF_U) &&
			       outcome.cr2 == read_only.linear.value,
		       "processor %u: vector %u, error code 0x%llx", i, outcome.vector,
		       (unsigned long long)outcome.error_code);
		outcome = attempt_on(i, as_user(read_access(supervisor.linear, 8)));
		expect(outcome.vector == VECTOR_PF && outcome.error_code == (PF_P | PF_U) &&
			       outcome.cr2 == supervisor.linear.value,
		       "processor %u: vector %u, error code 0x%llx", i, outcome.vector,
		       (unsigned long long)outcome.error_code);
	}
}

/* All others do this at once. */
static void count_up(void *argument)
{
	__atomic_fetch_add((uint64_t *)argument, 1, __ATOMIC_SEQ_CST);
}

static void interrupt_all(unsigned self, void *argument)
{
	for (unsigned n = 0; n < 100; n++)
		interrupt_others(self, count_up, argument);
}

TEST(interrupts_arrive_and_are_acknowledged,
     "An interrupt from processor to processor runs its handler before it is acknowledged",
     "SDM Vol. 3, \"Issuing Interprocessor Interrupts\"", "two_processors")
{
	unsigned count = start_processors(MOST_PROCESSORS);
	volatile uint64_t counter = 0;

	interrupt_all(0, (void *)&counter);
	expect(counter == 100ull * (count - 1), "%llu of %u interrupts",
	       (unsigned long long)counter, 100 * (count - 1));
}

/* A root under which the page where processors start, and the one behind it, lead to other frames;
 * other_tag is in the second one's. */
#define OTHER_TAG 0x77
#define LOW_TAG	  0x55

struct other_world {
	gpa_t root, low_page; /* the page behind the start page */
	struct outcome before;
	uint64_t controls;
};

static void make_other_world(struct other_world *world)
{
	uint64_t *root = identity(world->root = copy_root());
	uint64_t *pdpt = identity(frame_alloc()), *pd = identity(frame_alloc());
	uint64_t *pt = identity(frame_alloc()), *old_pdpt, *old_pd;

	old_pdpt = identity(GPA(root[0] & ENTRY_ADDRESS));
	old_pd = identity(GPA(old_pdpt[0] & ENTRY_ADDRESS));
	memcpy(pdpt, old_pdpt, PAGE_4K);
	memcpy(pd, old_pd, PAGE_4K);
	for (unsigned i = 0; i < 512; i++)
		pt[i] = (uint64_t)i * PAGE_4K | P | RW;
	pt[start_page().value / PAGE_4K] = filled_frame(1).value | P | RW;
	world->low_page = gpa_plus(start_page(), PAGE_4K);
	pt[world->low_page.value / PAGE_4K] = filled_frame(OTHER_TAG).value | P | RW;
	pd[0] = gpa_of(pt).value | P | RW;
	pdpt[0] = gpa_of(pd).value | P | RW;
	root[0] = gpa_of(pdpt).value | P | RW;
}

/* On the processor that INIT is for: in that world, with these controls and every translation
 * cached. */
static void live_in_other_world(unsigned self, void *argument)
{
	struct other_world *world = argument;

	write_cr3(world->root.value);
	write_cr4(read_cr4() | world->controls);
	if (has(FEATURE_nx))
		write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE);
	attempt_as(self, fetch_access(LINEAR(start_page().value)));
	world->before = attempt_as(self, read_access(LINEAR(world->low_page.value), 8));
}

static void init_in_other_world(unsigned count, uint64_t controls)
{
	struct other_world world = {.controls = controls};
	const struct found_at_start *found = found_at_start();
	struct outcome after;

	make_other_world(&world);
	frame_fill(world.low_page, PAGE_4K, LOW_TAG);
	read_when_starting(world.low_page);
	for (unsigned i = 1; i < count; i++) {
		run_on(i, live_in_other_world, &world);
		expect(world.before.value[0] == frame_word(OTHER_TAG), "value 0x%llx",
		       (unsigned long long)world.before.value[0]);
		restart_processor(i);
		expect(found->word == (uint32_t)frame_word(LOW_TAG),
		       "real-mode code of processor %u read 0x%x", i, found->word);
		expect(!(found->cr0 & (CR0_PG | CR0_PE | CR0_WP)) && !found->cr4 && !found->cr3 &&
			       !found->efer,
		       "processor %u: CR0 0x%x, CR3 0x%x, CR4 0x%x, EFER 0x%x", i, found->cr0,
		       found->cr3, found->cr4, found->efer);
		after = attempt_on(i, read_access(LINEAR(world.low_page.value), 8));
		expect(after.vector == NO_VECTOR && after.value[0] == frame_word(LOW_TAG),
		       "after paging was turned on again processor %u read 0x%llx", i,
		       (unsigned long long)after.value[0]);
	}
}

TEST(init_leaves_paging,
     "After INIT and SIPI from 64-bit mode, code runs in physical memory with CR0.PG, CR4 and EFER "
     "0",
     INIT, "two_processors")
{
	unsigned count = start_processors(3);

	for (unsigned n = 0; n < 10; n++)
		init_in_other_world(count, 0);
}

/* Also for those who have no PCIDs. */
TEST(init_leaves_paging_with_smep_and_smap,
     "The same from 64-bit mode with global pages, SMEP and SMAP", INIT, "two_processors")
{
	unsigned count = start_processors(3);
	uint64_t controls = CR4_PGE;

	if (has(FEATURE_smep))
		controls |= CR4_SMEP;
	if (has(FEATURE_smap))
		controls |= CR4_SMAP;
	for (unsigned n = 0; n < 3; n++)
		init_in_other_world(count, controls);
}

TEST(init_leaves_paging_with_pcids,
     "The same from 64-bit mode with PCIDs and global pages, SMEP and SMAP", INIT,
     "two_processors pcid")
{
	unsigned count = start_processors(3);
	uint64_t controls = CR4_PCIDE | CR4_PGE;

	if (has(FEATURE_smep))
		controls |= CR4_SMEP;
	if (has(FEATURE_smap))
		controls |= CR4_SMAP;
	for (unsigned n = 0; n < 10; n++)
		init_in_other_world(count, controls);
}
