/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The general registers of 64-bit mode as entry code keeps them, and for assembly how they are put
 * away and taken back. Which registers a C function preserves stands in the System V ABI, "Register
 * Usage".
 */
#ifndef CPU_REGISTERS_H
#define CPU_REGISTERS_H

#ifndef __ASSEMBLER__
#include <stdint.h>

/* RSP is not among them: entry code needs it for itself. */
#define GENERAL_REGISTERS \
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15

struct general_registers {
	GENERAL_REGISTERS;
};

_Static_assert(__builtin_offsetof(struct general_registers, rdi) == 5 * 8,
	       "as the macros below have it");
_Static_assert(__builtin_offsetof(struct general_registers, r15) == 14 * 8,
	       "as the macros below have it");
#else
/* clang-format off */
	/* What a function owes to its caller. */
	.macro push_preserved
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	.endm

	.macro pop_preserved
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	.endm

	/* What a function that is called may change. */
	.macro push_volatile
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	.endm

	.macro pop_volatile
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	.endm

	/* From and to the struct general_registers at RDI; of RAX and RDI the caller takes care. */
	.macro load_general_registers
	mov 8(%rdi), %rbx
	mov 16(%rdi), %rcx
	mov 24(%rdi), %rdx
	mov 32(%rdi), %rsi
	mov 48(%rdi), %rbp
	mov 56(%rdi), %r8
	mov 64(%rdi), %r9
	mov 72(%rdi), %r10
	mov 80(%rdi), %r11
	mov 88(%rdi), %r12
	mov 96(%rdi), %r13
	mov 104(%rdi), %r14
	mov 112(%rdi), %r15
	.endm

	.macro save_general_registers
	mov %rbx, 8(%rdi)
	mov %rcx, 16(%rdi)
	mov %rdx, 24(%rdi)
	mov %rsi, 32(%rdi)
	mov %rbp, 48(%rdi)
	mov %r8, 56(%rdi)
	mov %r9, 64(%rdi)
	mov %r10, 72(%rdi)
	mov %r11, 80(%rdi)
	mov %r12, 88(%rdi)
	mov %r13, 96(%rdi)
	mov %r14, 104(%rdi)
	mov %r15, 112(%rdi)
	.endm
/* clang-format on */
#endif
#endif
