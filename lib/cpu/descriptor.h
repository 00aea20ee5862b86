/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The image's GDT, TSS and IDT (SDM Vol. 3, "Protected-Mode Memory Management", "Interrupt and
 * Exception Handling").
 */
#ifndef CPU_DESCRIPTOR_H
#define CPU_DESCRIPTOR_H

#define KERNEL_CS		0x08
#define KERNEL_DS		0x10
#define USER_CS			0x1b
#define USER_DS			0x23
#define TSS_SEL			0x28
/* 64-bit images: 32-bit code segments, that is compatibility mode. */
#define KERNEL_CS_COMPATIBILITY 0x38
#define USER_CS_COMPATIBILITY	0x4b

#ifndef __ASSEMBLER__
#include <stdint.h>

/* Loads GDT, TSS and IDT. Every vector is taken on a stack of its own (IST1; #DF on IST2), so that
 * an access whose stack is the thing under test can fault. */
void descriptors_init(void);

#ifdef __x86_64__
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));

#define GDT_LENGTH 10

/* What an application processor has of its own; 64-bit images. */
struct processor_descriptors {
	uint64_t gdt[GDT_LENGTH];
	struct tss tss;
};

/* Loads GDT, TSS and an IDT whose entries find their processor through GS.base. Tops of stacks: for
 * exceptions, for #DF, for interrupts by other processors. */
void load_processor_descriptors(struct processor_descriptors *descriptors, uintptr_t exceptions,
				uintptr_t double_faults, uintptr_t interrupts);

#endif

#endif
#endif
