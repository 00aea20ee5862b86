/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/system_tables.h"

#include "check/state.h"
#include "cpu/descriptor.h"
#include "libc/string.h"
#include "mem/frames.h"

#define DESCRIPTOR_BUSY (1ull << 41)
#define GATE_DPL_3	0x60

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static struct table_pointer image_gdt, image_idt;

static void note_image_tables(void)
{
	if (image_gdt.base)
		return;
	__asm__ volatile("sgdt %0" : "=m"(image_gdt));
	__asm__ volatile("sidt %0" : "=m"(image_idt));
}

static uint64_t *image_tss_descriptor(void)
{
	note_image_tables();
	return (uint64_t *)(uintptr_t)image_gdt.base + TSS_SEL / 8;
}

static void load_image_segments(void)
{
	__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss; mov %1, %%fs; mov %1, %%gs"
			 :
			 : "r"(KERNEL_DS), "r"(0));
}

/* The segment registers too, which hold selectors of the table that goes away. */
static void restore_tables(void)
{
	__asm__ volatile("lgdt %0" : : "m"(image_gdt));
	__asm__ volatile("lidt %0" : : "m"(image_idt));
	__asm__ volatile("lldt %w0" : : "r"(0));
	*image_tss_descriptor() &= ~DESCRIPTOR_BUSY;
	__asm__ volatile("ltr %w0" : : "r"(TSS_SEL) : "memory");
	load_image_segments();
}

void copy_gdt(uint64_t gdt[GDT_ENTRIES])
{
	note_image_tables();
	memset(gdt, 0, GDT_ENTRIES * sizeof(gdt[0]));
	memcpy(gdt, (const void *)(uintptr_t)image_gdt.base, image_gdt.limit + 1u);
}

void copy_idt(struct idt_gate idt[IDT_GATES])
{
	note_image_tables();
	memcpy(idt, (const void *)(uintptr_t)image_idt.base, IDT_GATES * sizeof(idt[0]));
	idt[IDT_SPARE].type |= GATE_DPL_3;
}

void copy_tss(uint8_t tss[TSS_BYTES])
{
	const uint64_t *descriptor = image_tss_descriptor();
	uint64_t base = (descriptor[0] >> 16 & 0xffffff) | (descriptor[0] >> 56) << 24 |
			descriptor[1] << 32;

	memcpy(tss, (const void *)(uintptr_t)base, TSS_BYTES);
}

void make_system_descriptor(uint64_t descriptor[2], unsigned type, linear_t base, uint64_t limit)
{
	descriptor[0] = limit | (base.value & 0xffffff) << 16 | (uint64_t)type << 40 |
			(base.value >> 24 & 0xff) << 56;
	descriptor[1] = base.value >> 32;
}

void load_gdt(linear_t base, uint64_t bytes)
{
	struct table_pointer pointer = {(uint16_t)(bytes - 1), base.value};

	note_image_tables();
	at_case_end(restore_tables);
	__asm__ volatile("lgdt %0" : : "m"(pointer));
}

void load_idt(linear_t base, uint64_t bytes)
{
	struct table_pointer pointer = {(uint16_t)(bytes - 1), base.value};

	note_image_tables();
	at_case_end(restore_tables);
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void load_ldtr(uint16_t selector)
{
	__asm__ volatile("lldt %w0" : : "r"((unsigned)selector) : "memory");
}

void load_task_register(uint16_t selector)
{
	__asm__ volatile("ltr %w0" : : "r"((unsigned)selector) : "memory");
}

void load_gdt_copy(const uint64_t gdt[GDT_ENTRIES])
{
	gpa_t frame = frame_alloc();

	memcpy(identity(frame), gdt, GDT_ENTRIES * 8);
	load_gdt(LINEAR(frame.value), GDT_ENTRIES * 8);
}

void load_spare_gate(unsigned ist, unsigned selector)
{
	gpa_t frame = frame_alloc();
	struct idt_gate *idt = identity(frame);

	copy_idt(idt);
	idt[IDT_SPARE].ist = (uint8_t)ist;
	idt[IDT_SPARE].selector = (uint16_t)selector;
	load_idt(LINEAR(frame.value), IDT_GATES * sizeof(idt[0]));
}

void load_tss(linear_t tss)
{
	uint64_t gdt[GDT_ENTRIES];

	copy_gdt(gdt);
	make_system_descriptor(&gdt[GDT_SYSTEM_SEL / 8], DESCRIPTOR_TSS, tss, TSS_BYTES - 1);
	load_gdt_copy(gdt);
	load_task_register(GDT_SYSTEM_SEL);
}

linear_t place_across(const struct page_pair *pair, const void *structure, uint64_t bytes,
		      uint64_t offset)
{
	const uint8_t *from = structure;

	memcpy(identity(gpa_plus(pair->frame[0], PAGE_4K - offset)), from, offset);
	memcpy(identity(pair->frame[1]), from + offset, bytes - offset);
	return LINEAR(pair->border.value - offset);
}
