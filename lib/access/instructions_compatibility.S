/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions of instructions.def as 32-bit code for compatibility mode, in the manner of instructions.S; operands of
 * 8 bytes have 4 here. What is missing raises #UD elsewhere than where an access has completed.
 *
 * In:  EDI the operand, EAX and EDX what is written, ESI readable data of 16 bytes, ESP where to go on.
 * Out: EAX (and XMM0) what was read.
 */
	.section .user.text, "ax"
	.code32

	.macro instruction name
access32_\name:
	.endm
	.macro touch name
access32_\name\()_touch:
	.endm
	.macro done
	jmp access_compatibility_done
	.endm
	.macro simple name, code:vararg
	instruction \name
	touch \name
	\code
	done
	.endm

	simple read1, movzbl (%edi), %eax
	simple read2, movzwl (%edi), %eax
	simple read4, movl (%edi), %eax
	simple read16, movdqu (%edi), %xmm0
	simple write1, movb %al, (%edi)
	simple write2, movw %ax, (%edi)
	simple write4, movl %eax, (%edi)
	simple write16, movdqu %xmm0, (%edi)
	simple fetch, jmp *%edi
	simple test, testl $-1, (%edi)
	simple bt, btl $3, (%edi)
	instruction lods
	mov %edi, %esi
	touch lods
	lodsl
	done
	simple scas, scasl
	instruction pop
	mov %edi, %esp
	touch pop
	pop %eax
	done
	simple or, orl %eax, (%edi)
	simple lock_or, lock orl %eax, (%edi)
	simple inc, incl (%edi)
	simple neg1, negb (%edi)
	simple add2, addw %ax, (%edi)
	simple xchg, xchgl %eax, (%edi)
	simple xadd, lock xaddl %eax, (%edi)
	instruction cmpxchg_fails
	not %eax
	touch cmpxchg_fails
	lock cmpxchgl %edx, (%edi)
	done
	instruction cmpxchg8b
	not %eax
	touch cmpxchg8b
	lock cmpxchg8b (%edi)
	done
	simple bts, lock btsl $0, (%edi)
	simple stos, stosl
	simple movs, movsl
	instruction rep_movs
	mov $2, %ecx
	touch rep_movs
	rep movsl
	done
	instruction push
	lea 4(%edi), %esp
	touch push
	push %eax
	done
	instruction call
	lea 4(%edi), %esp
	touch call
	call access_compatibility_done
	simple movhps, movhps %xmm0, (%edi)
	simple stmxcsr, stmxcsr (%edi)
	simple invlpg, invlpg (%edi)

	/* #UD from this address means that the access completed. */
	.globl access_compatibility_done
access_compatibility_done:
	ud2
missing32:
	ud2

	.macro code name
	.ifdef access32_\name
	.quad access32_\name, access32_\name\()_touch
	.else
	.quad missing32, missing32
	.endif
	.endm
	.section .rodata
	.balign 8
	.globl access_code_compatibility
access_code_compatibility:
#define INSTRUCTION(name, size, reads, writes, need, text) code name;
#include "access/instructions.def"

	.section .note.GNU-stack, "", @progbits
