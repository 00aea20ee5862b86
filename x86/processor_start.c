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

static void count_up(void *argument)
{
	++*(volatile uint64_t *)argument;
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
