/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CR4.LA57 can change only while paging is off, and paging cannot be turned off in 64-bit mode (SDM Vol. 3,
 * "Paging-Mode Enabling", "Switching Out of IA-32e Mode Operation"): 64-bit mode, compatibility mode, paging off,
 * and the same way back. All of it is identity-mapped. Between the far jumps nothing in memory is used.
 */
#include "cpu/descriptor.h"
#include "cpu/registers.h"

#define COMPATIBILITY_CS 0x18
#define CR0_PG (1 << 31)

	.text
	.code64
	/* void paging_switch(uint64_t cr3, uint64_t cr4); both below 4 GBytes */
	.global paging_switch
paging_switch:
	push_preserved
	mov %rsp, switch_stack		/* upper halves of registers do not survive */
	sgdt switch_old_gdt
	lgdt switch_gdt_pointer
	mov $KERNEL_DS, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	push $COMPATIBILITY_CS
	push $paging_switch_32
	lretq

	.code32
paging_switch_32:
	mov %cr0, %ecx
	mov %ecx, %eax
	and $~CR0_PG, %eax
	mov %eax, %cr0
	mov %esi, %cr4
	mov %edi, %cr3
	mov %ecx, %cr0
	ljmp $KERNEL_CS, $paging_switch_64

	.code64
paging_switch_64:
	mov switch_stack, %rsp
	lgdt switch_old_gdt
	pop_preserved
	ret

	.section .rodata
	.balign 8
switch_gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
switch_gdt_pointer:
	.word . - switch_gdt - 1
	.quad switch_gdt

	.bss
	.balign 8
switch_stack: .skip 8
switch_old_gdt: .skip 10

	.section .note.GNU-stack, "", @progbits
