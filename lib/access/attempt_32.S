/* SPDX-License-Identifier: BSD-2-Clause
 *
 * attempt.S for 32-bit images: the same struct attempt, of whose members the low halves are used. EBP takes the
 * place of R12.
 */
#include "cpu/descriptor.h"
#include "cpu/exception.h"

#define ENTRY 0
#define OPERAND 8
#define DONE 16
#define READABLE 24
#define RFLAGS 32
#define USER_RSP 40
#define CODE_SEGMENT 48
#define VALUE 56
#define VALUE2 64
#define VECTOR 72
#define ERROR_CODE 80
#define CR2_VALUE 88
#define RIP 96

	.text
	/* void attempt_run(struct attempt *attempt) */
	.global attempt_run
attempt_run:
	mov 4(%esp), %ecx
	push %ebx
	push %ebp
	push %esi
	push %edi
	mov %ecx, attempt_current
	mov %esp, attempt_stack
	mov %ecx, %ebx
	mov VALUE(%ebx), %eax
	mov VALUE2(%ebx), %edx
	mov OPERAND(%ebx), %edi
	mov READABLE(%ebx), %esi
	mov DONE(%ebx), %ebp
	movb $1, attempt_armed
	cmpl $0, CODE_SEGMENT(%ebx)
	jne 1f
	push RFLAGS(%ebx)
	popfl
	jmp *ENTRY(%ebx)
1:	push $USER_DS
	push USER_RSP(%ebx)
	push RFLAGS(%ebx)
	push $USER_CS
	push ENTRY(%ebx)
	iretl

	/* Supervisor accesses come here when they completed. */
	.global attempt_completed
attempt_completed:
	mov attempt_current, %ebx
	mov %eax, VALUE(%ebx)
	movl $NO_VECTOR, VECTOR(%ebx)
	jmp attempt_leave

	/* From an exception's entry: vector and error code on the stack above the processor's frame. */
	.global attempt_exception
attempt_exception:
	mov attempt_current, %ebx
	mov %eax, VALUE(%ebx)
	pop %ecx
	pop ERROR_CODE(%ebx)
	pop %edx
	mov %cr2, %eax
	mov %eax, CR2_VALUE(%ebx)
	mov %edx, RIP(%ebx)
	cmp $VECTOR_UD, %ecx
	jne 2f
	cmp DONE(%ebx), %edx
	jne 2f
	mov $NO_VECTOR, %ecx		/* user mode's own way to say that it completed */
2:	mov %ecx, VECTOR(%ebx)

attempt_leave:
	movb $0, attempt_armed
	mov attempt_stack, %esp
	push $2
	popfl
	pop %edi
	pop %esi
	pop %ebp
	pop %ebx
	ret

	.bss
	.balign 4
attempt_current: .skip 4
attempt_stack: .skip 4
	.global attempt_armed
attempt_armed: .skip 1

	.section .note.GNU-stack, "", @progbits
