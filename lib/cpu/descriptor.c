/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/descriptor.h"

#include <stdint.h>

#include "cpu/exception.h"

#define IST_STACK_BYTES 16384

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

#define GATE_PRESENT_INTERRUPT 0x8e
#define IST_EXCEPTIONS	       1
#define IST_DOUBLE_FAULT       2

static struct tss tss;
static struct gate idt[EXCEPTION_VECTORS] __attribute__((aligned(16)));
static uint8_t exception_stack[IST_STACK_BYTES] __attribute__((aligned(16)));
static uint8_t double_fault_stack[IST_STACK_BYTES] __attribute__((aligned(16)));

/* Accessed bits are set, so that the processor never writes to the table. */
static uint64_t gdt[7] = {
	[KERNEL_CS / 8] = 0x00af9b000000ffff,
	[KERNEL_DS / 8] = 0x00cf93000000ffff,
	[USER_CS / 8] = 0x00affb000000ffff,
	[USER_DS / 8] = 0x00cff3000000ffff,
};

static void describe_tss(void)
{
	uint64_t base = (uintptr_t)&tss, limit = sizeof(tss) - 1;

	gdt[TSS_SEL / 8] =
		limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[TSS_SEL / 8 + 1] = base >> 32;
}

static void set_gate(unsigned vector, uintptr_t handler)
{
	idt[vector] = (struct gate){
		.offset_low = (uint16_t)handler,
		.offset_middle = (uint16_t)(handler >> 16),
		.offset_high = (uint32_t)((uint64_t)handler >> 32),
		.selector = KERNEL_CS,
		.ist = vector == VECTOR_DF ? IST_DOUBLE_FAULT : IST_EXCEPTIONS,
		.type = GATE_PRESENT_INTERRUPT,
	};
}

void descriptors_init(void)
{
	struct table_pointer gdtr = {sizeof(gdt) - 1, (uintptr_t)gdt};
	struct table_pointer idtr = {sizeof(idt) - 1, (uintptr_t)idt};

	tss.ist[IST_EXCEPTIONS - 1] = (uintptr_t)(exception_stack + IST_STACK_BYTES);
	tss.ist[IST_DOUBLE_FAULT - 1] = (uintptr_t)(double_fault_stack + IST_STACK_BYTES);
	tss.rsp[0] = tss.ist[0];
	tss.io_map = sizeof(tss);
	describe_tss();
	for (unsigned vector = 0; vector < EXCEPTION_VECTORS; vector++)
		set_gate(vector, exception_entries[vector]);
	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	__asm__ volatile("lidt %0" : : "m"(idtr));
	__asm__ volatile("ltr %w0" : : "r"(TSS_SEL));
}
