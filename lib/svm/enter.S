/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One world switch to the guest and back. APM Vol. 2, "VMRUN Instruction", "VMSAVE and VMLOAD Instructions",
 * "Global Interrupt Flag, STGI and CLGI Instructions": VMRUN keeps of the host's state what it needs to come back; FS, GS,
 * TR, LDTR and the MSRs of system calls are kept by VMSAVE in a page of their own. RAX and RSP are in the VMCB.
 *
 * void svm_switch(struct svm_registers *registers, uint64_t vmcb, uint64_t host_vmcb)
 */
	.text
	.global svm_switch
svm_switch:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdx
	push %rsi
	push %rdi
	clgi
	mov %rdx, %rax
	vmsave %rax
	mov %rsi, %rax
	vmload %rax
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
	vmrun %rax

	/* RAX and RSP are the host's again, everything else is still the guest's. */
	push %rdi
	mov 8(%rsp), %rdi
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
	add $8, %rsp
	pop %rax
	vmsave %rax
	pop %rax
	vmload %rax
	stgi
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.section .note.GNU-stack, "", @progbits
