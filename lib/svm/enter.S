/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One world switch to the guest and back. APM Vol. 2, "VMRUN Instruction", "VMSAVE and VMLOAD Instructions",
 * "Global Interrupt Flag, STGI and CLGI Instructions": VMRUN keeps of the host's state what it needs to come back; FS, GS,
 * TR, LDTR and the MSRs of system calls are kept by VMSAVE in a page of their own. RAX and RSP are in the VMCB.
 *
 * void svm_switch(struct general_registers *registers, uint64_t vmcb, uint64_t host_vmcb)
 */
#include "cpu/registers.h"

	.text
	.global svm_switch
svm_switch:
	push_preserved
	push %rdx
	push %rsi
	push %rdi
	clgi
	mov %rdx, %rax
	vmsave %rax
	mov %rsi, %rax
	vmload %rax
	load_general_registers
	mov 40(%rdi), %rdi
	vmrun %rax

	/* RAX and RSP are the host's again, everything else is still the guest's. */
	push %rdi
	mov 8(%rsp), %rdi
	save_general_registers
	pop 40(%rdi)
	add $8, %rsp
	pop %rax
	vmsave %rax
	pop %rax
	vmload %rax
	stgi
	pop_preserved
	ret

	.section .note.GNU-stack, "", @progbits
