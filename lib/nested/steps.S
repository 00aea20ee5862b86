/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From one instruction of access/instructions.S to the next, in L2. They use RAX, RDX, RDI and RSI, and go on at R12,
 * which is access_next_step.
 *
 * R15: the step, of 64 bytes: RAX, RDX, RDI, RSI, RIP, what came out in RAX
 */
	.section .user.text, "ax"

	.globl access_next_step, access_first_step
access_next_step:
	mov %rax, 40(%r15)
	add $64, %r15
access_first_step:
	mov 0(%r15), %rax
	mov 8(%r15), %rdx
	mov 16(%r15), %rdi
	mov 24(%r15), %rsi
	jmp *32(%r15)
