/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/local_apic.h"

#include "cpu/control.h"
#include "cpu/features.h"
#include "cpu/io.h"
#include "drivers/acpi.h"
#include "drivers/timer.h"

#define MSR_APIC_BASE	     0x1bu
#define APIC_BASE_X2APIC     (1ull << 10)
#define APIC_BASE_ENABLE     (1ull << 11)
#define APIC_BASE_ADDRESS    0x000ffffffffff000ull
#define MSR_X2APIC	     0x800u

/* Registers, by their offset in memory; the x2APIC has them as MSRs, sixteen bytes apart. */
#define REGISTER_ID	     0x20
#define REGISTER_EOI	     0xb0
#define REGISTER_SPURIOUS    0xf0
#define REGISTER_COMMAND     0x300
#define REGISTER_DESTINATION 0x310
#define REGISTER_TIMER	     0x320
#define REGISTER_COUNT	     0x380
#define REGISTER_COUNT_NOW   0x390
#define REGISTER_DIVIDE	     0x3e0

#define SPURIOUS_ENABLE	     0x1ff /* vector 0xff */
#define COMMAND_INIT	     0x4500u
#define COMMAND_STARTUP	     0x4600u
#define COMMAND_FIXED	     0x4000u
#define COMMAND_OTHERS	     0xc0000u
#define COMMAND_PENDING	     0x1000u
#define MOST_POLLS	     1000000
#define TIMER_PERIODIC	     0x20000u
#define TIMER_MASKED	     0x10000u
#define TIMER_MOST	     0xffffffffu
#define PARTS_OF_A_SECOND    200
#define MEASUREMENTS	     4
#define FRACTION	     4 /* of a second, between two interrupts */
#define DIVIDE_BY_1	     0xb
#define PIC_MASK	     0x21
#define SECOND_PIC_MASK	     0xa1

static unsigned listed;

void processors_collect(uint64_t rsdp)
{
	listed = acpi_count_processors(rsdp);
}

bool processors_are_listed(void)
{
	return listed;
}

/* SDM Vol. 2, CPUID, leaf 1: the number of addressable logical processors in the package. */
unsigned processors_expected(void)
{
	struct cpuid leaf = cpuid(1, 0);

	if (!local_apic_is_usable())
		return 1;
	if (listed)
		return listed;
	return leaf.edx >> 28 & 1 && leaf.ebx >> 16 & 0xff ? leaf.ebx >> 16 & 0xff : 1;
}

bool local_apic_is_usable(void)
{
	return cpuid(1, 0).edx >> 9 & 1 && local_apic_mode() & APIC_BASE_ENABLE;
}

uint64_t local_apic_mode(void)
{
	return read_msr(MSR_APIC_BASE) & (APIC_BASE_X2APIC | APIC_BASE_ENABLE);
}

static bool is_x2apic(void)
{
	return local_apic_mode() & APIC_BASE_X2APIC;
}

static uint64_t base_address(void)
{
	return read_msr(MSR_APIC_BASE) & APIC_BASE_ADDRESS;
}

uint64_t local_apic_page(void)
{
	return local_apic_is_usable() && !is_x2apic() ? base_address() : 0;
}

static volatile uint32_t *in_memory(unsigned offset)
{
	return (volatile uint32_t *)(uintptr_t)(base_address() + offset);
}

static uint32_t read_register(unsigned offset)
{
	return is_x2apic() ? (uint32_t)read_msr(MSR_X2APIC + offset / 16) : *in_memory(offset);
}

static void write_register(unsigned offset, uint32_t value)
{
	if (is_x2apic())
		write_msr(MSR_X2APIC + offset / 16, value);
	else
		*in_memory(offset) = value;
}

void local_apic_enable(uint64_t like_starter)
{
	uint64_t base = read_msr(MSR_APIC_BASE);

	if (like_starter & ~base)
		write_msr(MSR_APIC_BASE, base | like_starter);
	write_register(REGISTER_SPURIOUS, SPURIOUS_ENABLE);
}

uint32_t local_apic_id(void)
{
	uint32_t id = read_register(REGISTER_ID);

	return is_x2apic() ? id : id >> 24;
}

static bool send(uint32_t apic_id, uint32_t command)
{
	if (is_x2apic()) {
		__asm__ volatile("mfence" : : : "memory"); /* WRMSR to the x2APIC does not wait */
		write_msr(MSR_X2APIC + REGISTER_COMMAND / 16, (uint64_t)apic_id << 32 | command);
		return true;
	}
	*in_memory(REGISTER_DESTINATION) = apic_id << 24;
	*in_memory(REGISTER_COMMAND) = command;
	for (unsigned polls = 0; polls < MOST_POLLS; polls++)
		if (!(*in_memory(REGISTER_COMMAND) & COMMAND_PENDING))
			return true;
	return false;
}

bool send_init(uint32_t apic_id)
{
	return send(apic_id, COMMAND_INIT);
}

bool send_startup(uint32_t apic_id, uint32_t start)
{
	return send(apic_id, COMMAND_STARTUP | start >> 12);
}

bool send_init_to_others(void)
{
	return send(0, COMMAND_INIT | COMMAND_OTHERS);
}

bool send_startup_to_others(uint32_t start)
{
	return send(0, COMMAND_STARTUP | COMMAND_OTHERS | start >> 12);
}

bool send_interrupt(uint32_t apic_id, unsigned vector)
{
	return send(apic_id, COMMAND_FIXED | vector);
}

void end_of_interrupt(void)
{
	write_register(REGISTER_EOI, 0);
}

/* Timer ticks in a part of a second, or more. */
static uint32_t timer_ticks(void)
{
	uint64_t wait = tsc_per_second() / PARTS_OF_A_SECOND, start;

	write_register(REGISTER_COUNT, TIMER_MOST);
	start = read_tsc();
	while (read_tsc() - start < wait)
		pause();
	return TIMER_MOST - read_register(REGISTER_COUNT_NOW);
}

/* The timer counts at a rate of its own, which is looked up against the TSC once. */
static uint32_t timer_count(void)
{
	static uint32_t least;

	if (least)
		return least;
	write_register(REGISTER_TIMER, TIMER_MASKED);
	least = timer_ticks();
	for (unsigned i = 1; i < MEASUREMENTS; i++) {
		uint32_t ticks = timer_ticks();

		if (ticks < least)
			least = ticks;
	}
	if (least > TIMER_MOST / PARTS_OF_A_SECOND)
		least = TIMER_MOST / PARTS_OF_A_SECOND;
	least = least * (PARTS_OF_A_SECOND / FRACTION) + 1;
	return least;
}

void local_apic_timer_start(unsigned vector)
{
	uint32_t count;

	out8(PIC_MASK, 0xff);
	out8(SECOND_PIC_MASK, 0xff);
	write_register(REGISTER_DIVIDE, DIVIDE_BY_1);
	count = timer_count();
	write_register(REGISTER_TIMER, vector | TIMER_PERIODIC);
	write_register(REGISTER_COUNT, count);
}

void local_apic_timer_stop(void)
{
	write_register(REGISTER_COUNT, 0);
	write_register(REGISTER_TIMER, TIMER_MASKED);
}
