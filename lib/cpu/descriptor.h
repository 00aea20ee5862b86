/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The image's GDT, TSS and IDT (SDM Vol. 3, "Protected-Mode Memory Management", "Interrupt and
 * Exception Handling").
 */
#ifndef CPU_DESCRIPTOR_H
#define CPU_DESCRIPTOR_H

#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define USER_CS	  0x1b
#define USER_DS	  0x23
#define TSS_SEL	  0x28

#ifndef __ASSEMBLER__

/* Loads GDT, TSS and IDT. Every vector is taken on a stack of its own (IST1; #DF on IST2), so that
 * an access whose stack is the thing under test can fault. */
void descriptors_init(void);

#endif
#endif
