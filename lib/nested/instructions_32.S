/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions of access/instructions.def for L2 guests in 32-bit modes, in the same pages and the same manner. ESP takes
 * the place of R12: the code that frame_fill() writes is `mov $tag, %eax; inc %ecx; jmp *%esp` to a 32-bit processor.
 *
 * In: EDI the operand, EAX what is written, ESI readable data, ESP where to go on. Out: EAX what was read.
 */
	.section .user.text, "ax"
	.code32

	.macro simple name, code:vararg
access_32_\name:
	\code
	jmp *%esp
	.endm

	simple read1, movzbl (%edi), %eax
	simple read2, movzwl (%edi), %eax
	simple read4, movl (%edi), %eax
	simple write1, movb %al, (%edi)
	simple write2, movw %ax, (%edi)
	simple write4, movl %eax, (%edi)
	.code64

	/* struct code_32: INSTRUCTION(...) numbers are those of the enum. */
	.set number, 0
#define INSTRUCTION(name, size, reads, writes, need, text) .set number_##name, number; .set number, number + 1;
#include "access/instructions.def"

	.section .rodata
	.balign 8
	.macro code name
	.long number_\name, access_32_\name, access_32_\name
	.endm
	.globl access_code_32, access_code_32_end
access_code_32:
	code read1
	code read2
	code read4
	code write1
	code write2
	code write4
access_code_32_end:

	.section .note.GNU-stack, "", @progbits
