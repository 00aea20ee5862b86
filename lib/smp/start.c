/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Starting processors and what each does first.
 *
 *   one block of BLOCK_BYTES for each:  | exceptions | #DF | interrupts | the stack that it works
 * on |
 */
#include "check/report.h"
#include "check/state.h"
#include "cpu/io.h"
#include "drivers/local_apic.h"
#include "libc/string.h"
#include "mem/frames.h"
#include "smp/patience.h"
#include "smp/processor.h"

#define BLOCK_BYTES	 (32 * KBYTE)
#define EXCEPTIONS_TOP	 (8 * KBYTE)
#define DOUBLE_FAULT_TOP (12 * KBYTE)
#define INTERRUPTS_TOP	 (16 * KBYTE)
#define LOW_MEMORY_END	 0xa0000
#define ALL_TRIES	 2     /* the manual's algorithm sends SIPI twice */
#define LEAST_TURNS	 20000 /* of waiting: on a busy host nobody runs for a while */

extern const char processor_trampoline[], processor_trampoline_end[], processor_found[],
	processor_word_segment[];
extern uint64_t processor_stacks[MOST_PROCESSORS];
extern volatile uint32_t processor_next, processor_limit;
_Noreturn void processor_main(unsigned index);

static uint8_t *blocks;
static uint64_t start_at;

/* What processor 0 had when it started the others. */
static struct {
	uint64_t cr0, cr3, cr4, efer, apic;
} starter;

static void adopt_starters_state(void)
{
	if (read_msr(MSR_EFER) != starter.efer)
		write_msr(MSR_EFER, starter.efer);
	write_cr4(starter.cr4);
	write_cr3(starter.cr3);
	write_cr0(starter.cr0);
}

_Noreturn void processor_main(unsigned index)
{
	struct processor *self = &processors[index];
	uintptr_t block = (uintptr_t)blocks + index * BLOCK_BYTES;

	write_msr(MSR_GS_BASE, (uintptr_t)self);
	load_processor_descriptors(&self->descriptors, block + EXCEPTIONS_TOP,
				   block + DOUBLE_FAULT_TOP, block + INTERRUPTS_TOP);
	adopt_starters_state();
	local_apic_enable(starter.apic);
	self->apic_id = local_apic_id();
	processor_serve(self);
}

static void *in_start_page(const char *at)
{
	return identity(GPA(start_at + (uintptr_t)(at - processor_trampoline)));
}

const struct found_at_start *found_at_start(void)
{
	return in_start_page(processor_found);
}

void read_when_starting(gpa_t below_1_mbyte)
{
	*(volatile uint16_t *)in_start_page(processor_word_segment) =
		(uint16_t)(below_1_mbyte.value >> 4);
}

gpa_t start_page(void)
{
	return GPA(start_at);
}

/* Memory that stays: processors may run in it until they are sent INIT. */
static void prepare_memory(void)
{
	if (!blocks)
		blocks = identity(frames_keep(MOST_PROCESSORS * BLOCK_BYTES));
	if (!start_at)
		for (uint64_t page = 8 * PAGE_4K; page < LOW_MEMORY_END && !start_at;
		     page += PAGE_4K)
			if (is_ram(GPA(page), 2 * PAGE_4K))
				start_at = page;
	if (!start_at)
		end_case_skipped("low_memory", "no RAM below 1 MByte, where processors start");
	memcpy(identity(GPA(start_at)), processor_trampoline,
	       (size_t)(processor_trampoline_end - processor_trampoline));
	for (unsigned i = 0; i < MOST_PROCESSORS; i++)
		processor_stacks[i] = (uintptr_t)blocks + (i + 1) * BLOCK_BYTES;
}

static void prepare_processor(unsigned index)
{
	struct processor *processor = &processors[index];

	memset(processor, 0, sizeof(*processor));
	processor->own.self = &processor->own;
	processor->own.interrupt = processor_interrupted;
	processor->own.exception = processor_died;
	processor->index = index;
	processor->at = NO_ATTEMPT;
}

static unsigned arrived(unsigned wanted)
{
	unsigned number = 1;

	for (unsigned i = 1; i < wanted; i++)
		number += __atomic_load_n(&processors[i].state, __ATOMIC_ACQUIRE) != NOT_STARTED;
	return number;
}

/* Until all have arrived, or it took so long, of which this processor ran a part. */
static bool wait_for_arrivals(unsigned wanted, unsigned ms)
{
	uint64_t start = read_tsc();

	for (unsigned turns = 0; arrived(wanted) < wanted; turns++) {
		pause();
		if (turns >= LEAST_TURNS && read_tsc() - start > milliseconds(ms))
			return false;
	}
	return true;
}

/* INIT may take a moment to arrive, and what it ends must not run on when memory is used again. */
static void let_init_arrive(void)
{
	uint64_t start = read_tsc();

	while (read_tsc() - start < milliseconds(1))
		pause();
}

static void stop_processors(void)
{
	set_processor_count(0);
	send_init_to_others();
	let_init_arrive();
}

static void note_starter(void)
{
	starter.cr0 = read_cr0();
	starter.cr3 = read_cr3();
	starter.cr4 = read_cr4();
	starter.efer = read_msr(MSR_EFER) & ~EFER_LMA;
	starter.apic = local_apic_mode();
}

/* A processor that ACPI lists and that does not come is a defect; one that CPUID has room for
 * may not exist. */
static void judge_arrivals(unsigned wanted)
{
	if (processors_are_listed())
		fail_with_processors("a processor that ACPI lists does not start", arrived(wanted));
	set_processor_count(arrived(wanted));
	if (processor_count() == 1)
		end_case_skipped("two_processors", "INIT and SIPI start no other processor");
}

unsigned start_processors(unsigned most)
{
	unsigned wanted = processors_expected() < most ? processors_expected() : most;

	if (wanted > MOST_PROCESSORS)
		wanted = MOST_PROCESSORS;
	if (wanted < 2)
		end_case_skipped("two_processors", "there is one processor");
	prepare_memory();
	note_starter();
	for (unsigned i = 0; i < MOST_PROCESSORS; i++)
		prepare_processor(i);
	processor_next = 1;
	processor_limit = wanted;
	set_processor_count(wanted);
	at_case_end(stop_processors);
	local_apic_enable(starter.apic);
	send_init_to_others();
	let_init_arrive();
	for (unsigned try = 1; try <= ALL_TRIES; try++) {
		send_startup_to_others((uint32_t)start_at);
		if (wait_for_arrivals(wanted, try == 1 ? 200 : 10000))
			return processor_count();
		if (!processors_are_listed())
			break;
	}
	judge_arrivals(wanted);
	return processor_count();
}

void restart_processor(unsigned processor)
{
	uint32_t apic_id = processors[processor].apic_id;

	note_starter();
	send_init(apic_id);
	let_init_arrive();
	prepare_processor(processor);
	processor_next = processor;
	processor_limit = processor + 1;
	for (unsigned try = 1; try <= ALL_TRIES; try++) {
		send_startup(apic_id, (uint32_t)start_at);
		if (wait_for_arrivals(processor_count(), try == 1 ? 200 : 10000))
			return;
	}
	fail_with_processors("a processor does not start again after INIT and SIPI", processor);
}
