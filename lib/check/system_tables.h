/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The structures that the processor reads and writes by itself (GDT, LDT, IDT, TSS), moved to where
 * a case wants them. Before the case ends everything is the image's own again.
 */
#ifndef CHECK_SYSTEM_TABLES_H
#define CHECK_SYSTEM_TABLES_H

#include <stdbool.h>

#include "access/access.h"
#include "check/subject.h"
#include "mem/address.h"

#define GDT_ENTRIES	12 /* of a copy; the image's own come first */
#define GDT_SPARE_SEL	0x40
#define GDT_SYSTEM_SEL	0x50 /* two entries for a system descriptor */
#define IDT_SPARE	32   /* a vector beyond the exceptions */
#define IDT_GATES	(IDT_SPARE + 1)
#define TSS_SPARE_IST	3
#define TSS_IST3_OFFSET 52
#define TSS_BYTES	104

struct idt_gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};

/* What the image uses now. The spare gate may be used at CPL 3. */
void copy_gdt(uint64_t gdt[GDT_ENTRIES]);
void copy_idt(struct idt_gate idt[IDT_GATES]);
void copy_tss(uint8_t tss[TSS_BYTES]);

/* A 16-byte descriptor of an available TSS or of an LDT (SDM Vol. 3, "TSS Descriptor in 64-bit
 * mode"). */
#define DESCRIPTOR_LDT 0x82
#define DESCRIPTOR_TSS 0x89
void make_system_descriptor(uint64_t descriptor[2], unsigned type, linear_t base, uint64_t limit);

/* LGDT, LIDT, LLDT and LTR. The tables must hold what the image needs. */
void load_gdt(linear_t base, uint64_t bytes);
void load_idt(linear_t base, uint64_t bytes);
void load_ldtr(uint16_t selector);
void load_task_register(uint16_t selector);

/* The same for structures that are not under test, in memory that the identity map has: a copy of
 * these descriptors; the image's gates, the spare one with this stack and code segment; a TSS, by a
 * GDT that has its descriptor. */
void load_gdt_copy(const uint64_t gdt[GDT_ENTRIES]);
void load_spare_gate(unsigned ist, unsigned selector);
void load_tss(linear_t tss);

/* Writes a structure over both pages of a pair, with the byte at `offset` first in the second page.
 * Returns its linear address. */
linear_t place_across(const struct page_pair *pair, const void *structure, uint64_t bytes,
		      uint64_t offset);

/* Accesses to one operand that the processor makes itself, in supervisor mode whatever the CPL (SDM
 * Vol. 3, "Access Rights"). Reads come before writes. */
struct implicit_access {
	struct access access; /* the instruction, and where it is executed */
	linear_t linear;      /* of the structure, within one page */
	unsigned bytes;
	bool reads;
	enum certainty writes; /* MAYBE: the manuals leave it open */
	unsigned completed;    /* the vector that the attempt sees then, or NO_VECTOR */
};

/* Makes the access and judges outcome, error code, CR2 (anywhere in the operand), flags of all
 * entries, RIP, and that a fault left the operand as it was. */
#define expect_implicit(implicit) judge_implicit(__FILE__, __LINE__, implicit)
void judge_implicit(const char *file, int line, const struct implicit_access *implicit);

#endif
