/* SPDX-License-Identifier: BSD-2-Clause
 *
 * struct attempt's offsets are checked in access.c. All of this stands twice: for the processor that booted, and for
 * application processors, whose variables are found through GS.base.
 */
#include "cpu/descriptor.h"
#include "cpu/exception.h"
#include "cpu/per_processor.h"
#include "cpu/registers.h"

#define ENTRY 0
#define OPERAND 8
#define DONE 16
#define READABLE 24
#define RFLAGS 32
#define USER_RSP 40
#define CODE_SEGMENT 48
#define STACK_SEGMENT 52
#define VALUE 56
#define VALUE2 64
#define VECTOR 72
#define ERROR_CODE 80
#define CR2_VALUE 88
#define RIP 96

	.text
	.macro attempts whose, current, stack, armed
	/* void attempt_run(struct attempt *attempt) */
	.global attempt_run\whose
attempt_run\whose:
	push_preserved
	mov %rdi, \current
	mov %rsp, \stack
	mov %rdi, %rbx
	mov VALUE(%rbx), %rax
	mov VALUE2(%rbx), %rdx
	mov OPERAND(%rbx), %rdi
	mov READABLE(%rbx), %rsi
	mov DONE(%rbx), %r12
	movb $1, \armed
	cmpl $0, CODE_SEGMENT(%rbx)
	jne 1f
	push RFLAGS(%rbx)
	popfq
	jmp *ENTRY(%rbx)
1:	mov STACK_SEGMENT(%rbx), %ecx
	push %rcx
	push USER_RSP(%rbx)
	push RFLAGS(%rbx)
	mov CODE_SEGMENT(%rbx), %ecx
	push %rcx
	push ENTRY(%rbx)
	iretq

	/* Supervisor accesses come here when they completed. */
	.global attempt_completed\whose
attempt_completed\whose:
	mov \current, %rbx
	mov %rax, VALUE(%rbx)
	movq $NO_VECTOR, VECTOR(%rbx)
	jmp attempt_leave\whose

	/* From an exception's entry: vector and error code on the stack above the processor's frame. */
	.global attempt_exception\whose
attempt_exception\whose:
	mov \current, %rbx
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
	mov $NO_VECTOR, %ecx		/* the way of user mode and compatibility mode to complete */
2:	mov %rcx, VECTOR(%rbx)
	mov $KERNEL_DS, %ecx		/* null after an exception from user mode */
	mov %ecx, %ss

attempt_leave\whose:
	movb $0, \armed
	mov \stack, %rsp
	push $2
	popfq
	pop_preserved
	ret
	.endm

	attempts , attempt_current, attempt_stack, attempt_armed
	attempts _of_processor, %gs:PER_PROCESSOR_ATTEMPT, %gs:PER_PROCESSOR_STACK, %gs:PER_PROCESSOR_ARMED

	.bss
	.balign 8
attempt_current: .skip 8
attempt_stack: .skip 8
	.global attempt_armed
attempt_armed: .skip 1

	.section .note.GNU-stack, "", @progbits
