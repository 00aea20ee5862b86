/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Control registers, EFER and RFLAGS by the manuals' names (SDM Vol. 3, "Control Registers",
 * "Extended Feature Enable Register"), read and written raw. Tests use check/state.h instead, which
 * also undoes.
 */
#ifndef CPU_CONTROL_H
#define CPU_CONTROL_H

#include "cpu/sabotage.h"

#define CR0_PE		(1ull << 0)
#define CR0_WP		(1ull << 16)
#define CR0_AM		(1ull << 18)
#define CR0_NW		(1ull << 29)
#define CR0_CD		(1ull << 30)
#define CR0_PG		(1ull << 31)

#define CR3_PWT		(1ull << 3)
#define CR3_PCD		(1ull << 4)
#define CR3_NO_FLUSH	(1ull << 63)

#define CR4_PSE		(1ull << 4)
#define CR4_PAE		(1ull << 5)
#define CR4_PGE		(1ull << 7)
#define CR4_UMIP	(1ull << 11)
#define CR4_LA57	(1ull << 12)
#define CR4_VMXE	(1ull << 13)
#define CR4_PCIDE	(1ull << 17)
#define CR4_SMEP	(1ull << 20)
#define CR4_SMAP	(1ull << 21)
#define CR4_PKE		(1ull << 22)
#define CR4_CET		(1ull << 23)
#define CR4_PKS		(1ull << 24)

#define EFER_SCE	(1ull << 0)
#define EFER_LME	(1ull << 8)
#define EFER_LMA	(1ull << 10)
#define EFER_NXE	(1ull << 11)
#define EFER_SVME	(1ull << 12)

#define RFLAGS_FIXED	(1ull << 1)
#define RFLAGS_IF	(1ull << 9)
#define RFLAGS_IOPL	(3ull << 12)
#define RFLAGS_AC	(1ull << 18)

#define MSR_EFER	0xc0000080u
#define MSR_PKRS	0x6e1u
#define MSR_U_CET	0x6a0u
#define MSR_PL3_SSP	0x6a7u

#define CET_SH_STK_EN	(1ull << 0)
#define CET_WR_SHSTK_EN (1ull << 1)

#define CONTROL_REGISTER(name)                                                                 \
	static inline uint64_t read_##name(void)                                               \
	{                                                                                      \
		unsigned long value;                                                           \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value));                         \
		return value;                                                                  \
	}                                                                                      \
	static inline void write_##name(uint64_t value)                                        \
	{                                                                                      \
		__asm__ volatile("mov %0, %%" #name : : "r"((unsigned long)value) : "memory"); \
		processor_event(EVENT_##name, value, NULL);                                    \
	}

CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)

/* What was stored is executed from here on, even where the store and the fetch use two linear
 * addresses (SDM Vol. 3, "Self-Modifying Code"). A MOV to a control register is a serializing
 * instruction ("Serializing Instructions"), and one to CR2 changes nothing else and exits to no
 * hypervisor. */
static inline void serialize(void)
{
	unsigned long value;

	__asm__ volatile("mov %%cr2, %0; mov %0, %%cr2" : "=r"(value) : : "memory");
}

static inline uint64_t read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
	if (msr == MSR_EFER)
		processor_event(EVENT_EFER, value, NULL);
}

/* PKRU, which exists while CR4.PKE = 1 (SDM Vol. 3, "Protection Keys"). */
static inline uint32_t rdpkru(void)
{
	uint32_t value;

	__asm__ volatile("rdpkru" : "=a"(value) : "c"(0) : "edx");
	return value;
}

static inline void wrpkru(uint32_t value)
{
	__asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
	processor_event(EVENT_PKRU, value, NULL);
}

static inline uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline void invlpg(uint64_t linear)
{
	__asm__ volatile("invlpg (%0)" : : "r"((unsigned long)linear) : "memory");
	processor_event(EVENT_INVLPG, linear, NULL);
}

#endif
