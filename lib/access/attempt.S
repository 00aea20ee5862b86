/* SPDX-License-Identifier: BSD-2-Clause
 *
 * struct attempt's offsets are checked in access.c.
 */
#include "cpu/descriptor.h"
#include "cpu/exception.h"

#define ENTRY 0
#define OPERAND 8
#define DONE 16
#define READABLE 24
#define RFLAGS 32
#define USER_RSP 40
#define USER 48
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
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rdi, attempt_current
	mov %rsp, attempt_stack
	mov %rdi, %rbx
	mov VALUE(%rbx), %rax
	mov VALUE2(%rbx), %rdx
	mov OPERAND(%rbx), %rdi
	mov READABLE(%rbx), %rsi
	mov DONE(%rbx), %r12
	movb $1, attempt_armed
	cmpb $0, USER(%rbx)
	jne 1f
	push RFLAGS(%rbx)
	popfq
	jmp *ENTRY(%rbx)
1:	push $USER_DS
	push USER_RSP(%rbx)
	push RFLAGS(%rbx)
	push $USER_CS
	push ENTRY(%rbx)
	iretq

	/* Supervisor accesses come here when they completed. */
	.global attempt_completed
attempt_completed:
	mov attempt_current, %rbx
	mov %rax, VALUE(%rbx)
	movq $NO_VECTOR, VECTOR(%rbx)
	jmp attempt_leave

	/* From an exception's entry: vector and error code on the stack above the processor's frame. */
	.global attempt_exception
attempt_exception:
	mov attempt_current, %rbx
	mov %rax, VALUE(%rbx)
	pop %rcx
	pop ERROR_CODE(%rbx)
	pop %rdx
	mov %cr2, %rax
	mov %rax, CR2_VALUE(%rbx)
	mov %rdx, RIP(%rbx)
	cmp $VECTOR_UD, %ecx
	jne 2f
	cmp DONE(%rbx), %rdx
	jne 2f
	mov $NO_VECTOR, %ecx		/* user mode's own way to say that it completed */
2:	mov %rcx, VECTOR(%rbx)
	mov $KERNEL_DS, %ecx		/* null after an exception from user mode */
	mov %ecx, %ss

attempt_leave:
	movb $0, attempt_armed
	mov attempt_stack, %rsp
	push $2
	popfq
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.bss
	.balign 8
attempt_current: .skip 8
attempt_stack: .skip 8
	.global attempt_armed
attempt_armed: .skip 1

	.section .note.GNU-stack, "", @progbits
