/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/mode_script.h"

#include "cpu/descriptor.h"

#define VECTORS		       32
#define GATE_PRESENT_INTERRUPT 0x8e

/* The first half is a whole gate of legacy mode (SDM Vol. 3, "64-Bit Mode IDT"). */
struct half_gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern const uint32_t mode_script_entries32[VECTORS], mode_script_entries64[VECTORS];
extern struct table_pointer mode_script_idt32_pointer, mode_script_idt64_pointer;
void mode_script_run(struct mode_step *steps);

static struct half_gate idt32[VECTORS], idt64[VECTORS][2];

struct table_pointer mode_script_idt32_pointer, mode_script_idt64_pointer;

_Static_assert(sizeof(struct mode_step) == MODE_SCRIPT_BYTES, "as in mode_script.S");

#define SCRIPT_CS 0x18

static struct half_gate gate_to(uint32_t entry, uint16_t selector)
{
	return (struct half_gate){
		.offset_low = (uint16_t)entry,
		.offset_middle = (uint16_t)(entry >> 16),
		.selector = selector,
		.type = GATE_PRESENT_INTERRUPT,
	};
}

void run_mode_script(struct mode_step *steps)
{
	for (unsigned vector = 0; vector < VECTORS; vector++) {
		idt32[vector] = gate_to(mode_script_entries32[vector], SCRIPT_CS);
		idt64[vector][0] = gate_to(mode_script_entries64[vector], KERNEL_CS);
	}
	mode_script_idt32_pointer = (struct table_pointer){sizeof(idt32) - 1, (uintptr_t)idt32};
	mode_script_idt64_pointer = (struct table_pointer){sizeof(idt64) - 1, (uintptr_t)idt64};
	mode_script_run(steps);
}
