/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One VM entry and the VM exit that ends it. SDM Vol. 3, "VM Entries", "VM Exits": everything but the general
 * registers is loaded from and saved to the VMCS.
 *
 * enum vmx_result vmx_enter(struct vmx_registers *registers, bool launched)
 */
#define HOST_RSP 0x6c14

	.text
	.global vmx_enter
vmx_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi
	mov $HOST_RSP, %eax
	vmwrite %rsp, %rax
	test %sil, %sil			/* the flags stay until the branch below */
	mov 0(%rdi), %rax
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
	mov 40(%rdi), %rdi
	jnz 1f
	vmlaunch
	jmp 2f
1:	vmresume
2:	mov $1, %eax			/* still here: VMfailInvalid or VMfailValid */
	mov $2, %ecx
	cmovz %ecx, %eax
	pop %rdi
	jmp leave

	/* The VMCS's host RIP; RSP is as it was at the VM entry. */
	.global vmx_exit
vmx_exit:
	push %rdi
	mov 8(%rsp), %rdi
	mov %rax, 0(%rdi)
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
	pop 40(%rdi)
	pop %rdi
	xor %eax, %eax
leave:	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.section .note.GNU-stack, "", @progbits
