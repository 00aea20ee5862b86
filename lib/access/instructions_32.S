/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions of instructions.def for 32-bit images, in the manner of instructions.S. What is not here raises #UD,
 * which no expectation takes for success.
 *
 * In:  EDI the operand, EAX and EDX what is written, ESI readable data of 16 bytes, EBP where to go on.
 * Out: EAX (and XMM0) what was read. The stack pointer is left alone: at CPL 0 exceptions are taken on it.
 */
	.section .user.text, "ax"

	.macro simple name, code:vararg
access_\name:
access_\name\()_touch:
	\code
	jmp *%ebp
	.endm

	simple read1, movzbl (%edi), %eax
	simple read2, movzwl (%edi), %eax
	simple read4, movl (%edi), %eax
	simple read16, movdqu (%edi), %xmm0
	simple write1, movb %al, (%edi)
	simple write2, movw %ax, (%edi)
	simple write4, movl %eax, (%edi)
	simple write16, movdqu %xmm0, (%edi)
	simple neg1, negb (%edi)
	simple not4, notl (%edi)
	simple fetch, jmp *%edi
	simple invlpg, invlpg (%edi)
	simple mov_to_cr0, mov %eax, %cr0
	simple mov_to_cr3, mov %eax, %cr3
	simple mov_to_cr4, mov %eax, %cr4
	simple int32, int $32
	/* The operand is what IRET pops; does not come back. */
access_iret_32bit:
	mov %edi, %esp
access_iret_32bit_touch:
	iretl

	/* User mode ends here, in the user window: #UD from this address means that the access completed. */
	.globl access_user_done
access_user_done:
	ud2
missing:
	ud2

	/* struct code has members of 8 bytes. */
	.macro code name
	.ifdef access_\name
	.long access_\name, 0, access_\name\()_touch, 0
	.else
	.long missing, 0, missing, 0
	.endif
	.endm
	.section .rodata
	.balign 8
	.globl access_code
access_code:
#define INSTRUCTION(name, size, reads, writes, need, text) code name;
#include "access/instructions.def"

	.section .note.GNU-stack, "", @progbits
