/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/timer.h"

#include "cpu/control.h"
#include "cpu/features.h"
#include "cpu/io.h"

#define PIT_HZ		  1193182
#define PIT_CHANNEL_0	  0x40
#define PIT_COMMAND	  0x43
#define PIT_ONE_SHOT	  0x30 /* channel 0, both bytes, mode 0 */
#define PIT_LATCH	  0x00 /* channel 0 */
#define PIT_MOST	  0xffff
#define PARTS_OF_A_SECOND 200
#define MEASUREMENTS	  4
#define MOST_POLLS	  200000u

#define CPUID_TSC	  0x15
#define CPUID_HYPERVISOR  0x40000000
#define CPUID_TSC_KHZ	  0x40000010
#define GUESS		  1000000000ull

static uint16_t pit_count(void)
{
	uint8_t low;

	out8(PIT_COMMAND, PIT_LATCH);
	low = in8(PIT_CHANNEL_0);
	return (uint16_t)(low | in8(PIT_CHANNEL_0) << 8);
}

/* A part of a second in TSC ticks, or more: the host may have other things to do meanwhile. 0:
 * there is no such timer, or it does not count. */
static uint64_t measure_once(void)
{
	uint64_t start = read_tsc();

	out8(PIT_COMMAND, PIT_ONE_SHOT);
	out8(PIT_CHANNEL_0, PIT_MOST & 0xff);
	out8(PIT_CHANNEL_0, PIT_MOST >> 8);
	for (unsigned polls = 0; polls < MOST_POLLS; polls++)
		if (PIT_MOST - pit_count() >= PIT_HZ / PARTS_OF_A_SECOND)
			return read_tsc() - start;
	return 0;
}

static uint64_t measure(void)
{
	uint64_t least = measure_once();

	for (unsigned i = 1; i < MEASUREMENTS && least; i++) {
		uint64_t ticks = measure_once();

		if (ticks < least)
			least = ticks;
	}
	return least * PARTS_OF_A_SECOND;
}

static uint64_t told_by_cpuid(void)
{
	struct cpuid tsc = cpuid(0, 0);

	if (tsc.eax >= CPUID_TSC) {
		tsc = cpuid(CPUID_TSC, 0);
		if (tsc.eax && tsc.ebx && tsc.ecx)
			return (uint64_t)tsc.ecx * tsc.ebx / tsc.eax;
	}
	if (has(FEATURE_hypervisor) && cpuid(CPUID_HYPERVISOR, 0).eax >= CPUID_TSC_KHZ)
		return cpuid(CPUID_TSC_KHZ, 0).eax * 1000ull;
	return 0;
}

uint64_t tsc_per_second(void)
{
	static uint64_t per_second;

	if (!per_second)
		per_second = measure();
	if (!per_second)
		per_second = told_by_cpuid();
	if (!per_second)
		per_second = GUESS;
	return per_second;
}
