/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/descriptor.h"

#include "cpu/exception.h"
#include "cpu/per_processor.h"
#include "libc/string.h"

#define IST_STACK_BYTES 16384

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
#define IST_PROCESSOR	       3

extern const char interrupt_of_processor[], interrupt_ignored[];

static struct tss tss;
static struct gate idt[EXCEPTION_VECTORS] __attribute__((aligned(16)));
static struct gate processor_idt[EXCEPTION_VECTORS] __attribute__((aligned(16)));
static uint8_t exception_stack[IST_STACK_BYTES] __attribute__((aligned(16)));
static uint8_t double_fault_stack[IST_STACK_BYTES] __attribute__((aligned(16)));

/* Accessed bits are set, so that the processor never writes to the table. */
static uint64_t gdt[GDT_LENGTH] = {
	[KERNEL_CS / 8] = 0x00af9b000000ffff,
	[KERNEL_DS / 8] = 0x00cf93000000ffff,
	[USER_CS / 8] = 0x00affb000000ffff,
	[USER_DS / 8] = 0x00cff3000000ffff,
	[KERNEL_CS_COMPATIBILITY / 8] = 0x00cf9b000000ffff,
	[USER_CS_COMPATIBILITY / 8] = 0x00cffb000000ffff,
};

static void describe_tss(uint64_t *in, const struct tss *of)
{
	uint64_t base = (uintptr_t)of, limit = sizeof(*of) - 1;

	in[TSS_SEL / 8] =
		limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	in[TSS_SEL / 8 + 1] = base >> 32;
}

static void set_gate(struct gate *gate, uintptr_t handler, unsigned ist)
{
	*gate = (struct gate){
		.offset_low = (uint16_t)handler,
		.offset_middle = (uint16_t)(handler >> 16),
		.offset_high = (uint32_t)((uint64_t)handler >> 32),
		.selector = KERNEL_CS,
		.ist = (uint8_t)ist,
		.type = GATE_PRESENT_INTERRUPT,
	};
}

static void set_gates(struct gate *gates, const uintptr_t *entries)
{
	for (unsigned vector = 0; vector < EXCEPTION_VECTORS; vector++)
		set_gate(&gates[vector], entries[vector],
			 vector == VECTOR_DF ? IST_DOUBLE_FAULT : IST_EXCEPTIONS);
}

static void load(const uint64_t *new_gdt, const struct gate *new_idt)
{
	struct table_pointer gdtr = {sizeof(gdt) - 1, (uintptr_t)new_gdt};
	struct table_pointer idtr = {sizeof(idt) - 1, (uintptr_t)new_idt};

	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	__asm__ volatile("lidt %0" : : "m"(idtr));
	__asm__ volatile("ltr %w0" : : "r"(TSS_SEL));
}

static void set_processor_gates(void)
{
	set_gates(processor_idt, exception_entries_of_processor);
	set_gate(&processor_idt[VECTOR_PROCESSOR], (uintptr_t)interrupt_of_processor,
		 IST_PROCESSOR);
	set_gate(&processor_idt[VECTOR_SPURIOUS], (uintptr_t)interrupt_ignored, IST_PROCESSOR);
}

void descriptors_init(void)
{
	tss.ist[IST_EXCEPTIONS - 1] = (uintptr_t)(exception_stack + IST_STACK_BYTES);
	tss.ist[IST_DOUBLE_FAULT - 1] = (uintptr_t)(double_fault_stack + IST_STACK_BYTES);
	tss.rsp[0] = tss.ist[0];
	tss.io_map = sizeof(tss);
	describe_tss(gdt, &tss);
	set_gates(idt, exception_entries);
	set_processor_gates();
	load(gdt, idt);
}

void load_processor_descriptors(struct processor_descriptors *descriptors, uintptr_t exceptions,
				uintptr_t double_faults, uintptr_t interrupts)
{
	struct tss *own = &descriptors->tss;

	memcpy(descriptors->gdt, gdt, sizeof(gdt));
	*own = (struct tss){.io_map = sizeof(*own)};
	own->ist[IST_EXCEPTIONS - 1] = own->rsp[0] = exceptions;
	own->ist[IST_DOUBLE_FAULT - 1] = double_faults;
	own->ist[IST_PROCESSOR - 1] = interrupts;
	describe_tss(descriptors->gdt, own);
	load(descriptors->gdt, processor_idt);
}
