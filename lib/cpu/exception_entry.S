/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entry points of all vectors. An exception inside an attempt (access/attempt.S) goes back there with a handful of
 * instructions, since tests make millions of them; any other is handed to C with all registers.
 */
#include "cpu/exception.h"

	.text
	.altmacro
	.macro entry vector
entry_\vector:
	.if !((\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30))
	push $0
	.endif
	push $\vector
	jmp exception_common
	.endm

	.set n, 0
	.rept EXCEPTION_VECTORS
	entry %n
	.set n, n + 1
	.endr

exception_common:
	cmpb $0, attempt_armed
	jne attempt_exception
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
	call exception_unexpected
	ud2

	.section .rodata
	.balign 8
	.macro address vector
	.quad entry_\vector
	.endm
	.global exception_entries
exception_entries:
	.set n, 0
	.rept EXCEPTION_VECTORS
	address %n
	.set n, n + 1
	.endr

	.section .note.GNU-stack, "", @progbits
