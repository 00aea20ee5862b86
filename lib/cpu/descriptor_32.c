/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The 32-bit image's GDT, TSS and IDT. There is no IST: an exception at CPL 0 is taken on the stack
 * that is in use, one at CPL 3 on the stack of TSS.ESP0. A #DF whose cause is the stack itself is
 * not survived.
 */
#include <stdint.h>

#include "cpu/descriptor.h"
#include "cpu/exception.h"

#define EXCEPTION_STACK_BYTES 16384

struct tss {
	uint32_t link, esp0, ss0, others[22];
	uint16_t trap, io_map;
};

struct gate {
	uint16_t offset_low, selector;
	uint8_t zero, type;
	uint16_t offset_high;
};

struct table_pointer {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

#define GATE_PRESENT_INTERRUPT 0x8e

static struct tss tss;
static struct gate idt[EXCEPTION_VECTORS] __attribute__((aligned(16)));
static uint8_t exception_stack[EXCEPTION_STACK_BYTES] __attribute__((aligned(16)));

/* Accessed bits are set, so that the processor never writes to the table. */
static uint64_t gdt[6] = {
	[KERNEL_CS / 8] = 0x00cf9b000000ffff,
	[KERNEL_DS / 8] = 0x00cf93000000ffff,
	[USER_CS / 8] = 0x00cffb000000ffff,
	[USER_DS / 8] = 0x00cff3000000ffff,
};

static void describe_tss(void)
{
	uint64_t base = (uintptr_t)&tss, limit = sizeof(tss) - 1;

	gdt[TSS_SEL / 8] =
		limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
}

static void set_gate(unsigned vector, uintptr_t handler)
{
	idt[vector] = (struct gate){
		.offset_low = (uint16_t)handler,
		.offset_high = (uint16_t)(handler >> 16),
		.selector = KERNEL_CS,
		.type = GATE_PRESENT_INTERRUPT,
	};
}

/* DS and ES are of DPL 3 for good: such segments stay loaded on the way to CPL 3 and back. */
static void load_segments(void)
{
	__asm__ volatile("ljmp %0, $1f\n"
			 "1:\tmov %1, %%ds\n\t"
			 "mov %1, %%es\n\t"
			 "mov %2, %%ss\n\t"
			 "mov %3, %%fs\n\t"
			 "mov %3, %%gs"
			 :
			 : "i"(KERNEL_CS), "r"(USER_DS), "r"(KERNEL_DS), "r"(0)
			 : "memory");
}

void descriptors_init(void)
{
	struct table_pointer gdtr = {sizeof(gdt) - 1, (uintptr_t)gdt};
	struct table_pointer idtr = {sizeof(idt) - 1, (uintptr_t)idt};

	tss.esp0 = (uintptr_t)(exception_stack + EXCEPTION_STACK_BYTES);
	tss.ss0 = KERNEL_DS;
	tss.io_map = sizeof(tss);
	describe_tss();
	for (unsigned vector = 0; vector < EXCEPTION_VECTORS; vector++)
		set_gate(vector, exception_entries[vector]);
	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	load_segments();
	__asm__ volatile("lidt %0" : : "m"(idtr));
	__asm__ volatile("ltr %w0" : : "r"(TSS_SEL));
}
