/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A list of steps made outside 64-bit mode: in compatibility mode, without paging, under 32-bit and
 * PAE paging. run_mode_script() leaves 64-bit mode for it and comes back whatever the steps did. An
 * exception belongs to the step that raised it, and the next step follows.
 *
 * All addresses are below 4 GBytes. Each root that a step puts under paging must map the image,
 * which is below 8 MBytes, to itself; its tables may be anywhere.
 */
#ifndef CPU_MODE_SCRIPT_H
#define CPU_MODE_SCRIPT_H

#define MODE_SCRIPT_END	     0
#define MODE_SCRIPT_CR0	     1 /* MOV to CR0 of `value`; CR3, CR4 and WRMSR of EFER alike */
#define MODE_SCRIPT_CR3	     2
#define MODE_SCRIPT_CR4	     3
#define MODE_SCRIPT_EFER     4
#define MODE_SCRIPT_READ     5 /* 4 bytes at `operand` */
#define MODE_SCRIPT_WRITE    6
#define MODE_SCRIPT_CALL     7 /* code there, which answers in EAX and returns */
#define MODE_SCRIPT_INVLPG   8
#define MODE_SCRIPT_INVPCID  9 /* `operand` the descriptor, `value` the type */
#define MODE_SCRIPT_RDPKRU   10
#define MODE_SCRIPT_WRPKRU   11
#define MODE_SCRIPT_OPS	     12

#define MODE_SCRIPT_BYTES    44 /* of a step */
#define MODE_SCRIPT_IMAGE_TO 0x800000

#ifndef __ASSEMBLER__
#include <stdint.h>

struct mode_step {
	uint32_t op, operand, value;
	/* What became of it: what was read; the vector (NO_VECTOR without one) and its error code;
	 * the registers afterwards. */
	uint32_t result, vector, error_code;
	uint32_t cr0, cr2, cr3, cr4, efer;
};

/* The steps end with MODE_SCRIPT_END. CR4.PCIDE is 0 and interrupts are off. */
void run_mode_script(struct mode_step *steps);
#endif
#endif
