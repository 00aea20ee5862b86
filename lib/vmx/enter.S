/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One VM entry and the VM exit that ends it. SDM Vol. 3, "VM Entries", "VM Exits": everything but the general
 * registers is loaded from and saved to the VMCS.
 *
 * enum vmx_result vmx_enter(struct general_registers *registers, bool launched)
 */
#include "cpu/registers.h"

#define HOST_RSP 0x6c14

	.text
	.global vmx_enter
vmx_enter:
	push_preserved
	push %rdi
	mov $HOST_RSP, %eax
	vmwrite %rsp, %rax
	test %sil, %sil			/* the flags stay until the branch below */
	mov 0(%rdi), %rax
	load_general_registers
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
	save_general_registers
	pop 40(%rdi)
	pop %rdi
	xor %eax, %eax
leave:	pop_preserved
	ret

	.section .note.GNU-stack, "", @progbits
