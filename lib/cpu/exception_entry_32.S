/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entry points of all vectors of 32-bit images, as exception_entry.S has them for 64-bit ones.
 */
#include "cpu/descriptor.h"
#include "cpu/exception.h"

	.text
	.altmacro
	.macro entry vector
entry_\vector:
	.if !((\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30))
	push $0
	.endif
	push $\vector
	jmp exception_arrived
	.endm

	.set n, 0
	.rept EXCEPTION_VECTORS
	entry %n
	.set n, n + 1
	.endr

exception_arrived:
	push %eax
	mov $USER_DS, %eax		/* null after an exception from virtual-8086 mode */
	mov %eax, %ds
	mov %eax, %es
	pop %eax
	cmpb $0, attempt_armed
	jne attempt_exception
	pushal
	mov %esp, %eax
	cld
	and $~15, %esp
	sub $12, %esp
	push %eax
	call exception_unexpected_32
	ud2

	.section .rodata
	.balign 4
	.macro address vector
	.long entry_\vector
	.endm
	.global exception_entries
exception_entries:
	.set n, 0
	.rept EXCEPTION_VECTORS
	address %n
	.set n, n + 1
	.endr

	.section .note.GNU-stack, "", @progbits
