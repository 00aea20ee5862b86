/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A timer interrupt in the middle of an attempt: the attempt goes on, or is given up as if the interrupt were an
 * exception of its own.
 */
#include "cpu/exception.h"
#include "cpu/registers.h"

	.text
	/* For an interrupt gate; asks bool attempt_is_stuck(void). */
	.global attempt_watch_entry
attempt_watch_entry:
	push %rbp
	mov %rsp, %rbp
	push_volatile
	push $0				/* nine registers and this: as far from a multiple of 16 as at the entry */
	cld
	call attempt_is_stuck
	test %al, %al
	lea -72(%rbp), %rsp
	pop_volatile
	pop %rbp
	jnz 1f
	iretq
1:	push $0
	push $VECTOR_WATCHDOG
	jmp attempt_exception

	.section .note.GNU-stack, "", @progbits
