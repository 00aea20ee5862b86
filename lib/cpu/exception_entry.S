/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entry points of all vectors. An exception inside an attempt (access/attempt.S) goes back there with a handful of
 * instructions, since tests make millions of them; any other is handed to C with all registers. Application processors
 * have the same with their own state, through GS.base.
 */
#include "cpu/exception.h"
#include "cpu/per_processor.h"
#include "cpu/registers.h"

	.text
	.altmacro
	.macro entry vector, whose
entry_\vector\whose:
	.if !((\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30))
	push $0
	.endif
	push $\vector
	jmp exception_common\whose
	.endm

	.macro push_registers
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %rbp
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	cld
	and $~15, %rsp
	.endm

	.set n, 0
	.rept EXCEPTION_VECTORS
	entry %n
	entry %n, _of_processor
	.set n, n + 1
	.endr

exception_common:
	cmpb $0, attempt_armed
	jne attempt_exception
	push_registers
	call exception_unexpected
	ud2

exception_common_of_processor:
	cmpb $0, %gs:PER_PROCESSOR_ARMED
	jne attempt_exception_of_processor
	push_registers
	mov %gs:PER_PROCESSOR_SELF, %rsi
	call *%gs:PER_PROCESSOR_EXCEPTION
	ud2

	/* Another processor's interrupt; whatever ran before goes on. C code leaves XMM registers alone. */
	.global interrupt_of_processor
interrupt_of_processor:
	push_volatile
	cld
	mov %gs:PER_PROCESSOR_SELF, %rdi
	call *%gs:PER_PROCESSOR_INTERRUPT
	pop_volatile
	.global interrupt_ignored
interrupt_ignored:
	iretq

	.section .rodata
	.balign 8
	.macro address vector, whose
	.quad entry_\vector\whose
	.endm
	.global exception_entries, exception_entries_of_processor
exception_entries:
	.set n, 0
	.rept EXCEPTION_VECTORS
	address %n
	.set n, n + 1
	.endr
exception_entries_of_processor:
	.set n, 0
	.rept EXCEPTION_VECTORS
	address %n, _of_processor
	.set n, n + 1
	.endr

	.section .note.GNU-stack, "", @progbits
