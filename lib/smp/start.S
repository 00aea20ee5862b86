/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An application processor's way from SIPI to 64-bit mode. The real-mode part is copied to a page below 1 MByte and
 * finds its data by its own CS. It notes first what INIT left and one word of memory, as physical memory has it.
 */
#include "cpu/descriptor.h"

#define CR0_PE (1 << 0)
#define CR0_MP (1 << 1)
#define CR0_EM (1 << 2)
#define CR0_TS (1 << 3)
#define CR0_WP (1 << 16)
#define CR0_NW (1 << 29)
#define CR0_CD (1 << 30)
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define CR4_OSFXSR (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define START_CS_32 0x18
#define AT(label) (label - processor_trampoline)

	.section .rodata
	.balign 16
	.code16
	.global processor_trampoline, processor_trampoline_end, processor_found, processor_word_segment
processor_trampoline:
	cli
	cld
	mov %cs, %ax
	mov %ax, %ds
	mov %cr0, %eax
	mov %eax, AT(processor_found)
	mov %cr3, %eax
	mov %eax, AT(processor_found) + 4
	mov %cr4, %eax
	mov %eax, AT(processor_found) + 8
	mov $MSR_EFER, %ecx
	rdmsr
	mov %eax, AT(processor_found) + 12
	mov AT(processor_word_segment), %ax
	mov %ax, %es
	mov %es:0, %eax
	mov %eax, AT(processor_found) + 16
	lgdtl AT(start_gdt_pointer)
	mov %cr0, %eax
	and $~(CR0_CD | CR0_NW), %eax
	or $CR0_PE, %eax
	mov %eax, %cr0
	ljmpl $START_CS_32, $processor_start_32
	.balign 4
start_gdt_pointer:
	.word 4 * 8 - 1
	.long start_gdt
	.balign 4
processor_found: .skip 20
processor_word_segment: .word 0
processor_trampoline_end:

	.balign 8
start_gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff

	.text
	.code32
processor_start_32:
	mov $KERNEL_DS, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $1, %ebx
	lock xadd %ebx, processor_next	/* which one is this? */
	cmp processor_limit, %ebx
	jae 1f
	mov $identity_pml4, %eax
	mov %eax, %cr3
	mov $CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT, %eax
	mov %eax, %cr4
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_LME, %eax
	wrmsr
	mov %cr0, %eax
	and $~(CR0_EM | CR0_TS), %eax
	or $CR0_PG | CR0_WP | CR0_MP, %eax
	mov %eax, %cr0
	ljmp $KERNEL_CS, $processor_start_64
1:	cli				/* one more than the case wants */
	hlt
	jmp 1b

	.code64
processor_start_64:
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov processor_stacks(,%rbx,8), %rsp
	xor %ebp, %ebp
	mov %ebx, %edi
	call processor_main
2:	hlt
	jmp 2b

	.bss
	.balign 8
	.global processor_next, processor_limit, processor_stacks
processor_stacks: .skip 8 * 8
processor_next: .skip 4
processor_limit: .skip 4

	.section .note.GNU-stack, "", @progbits
