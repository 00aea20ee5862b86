/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From the loader's 32-bit protected mode to long mode on the image's own stack, tables and descriptors.
 * Nothing is believed of the loader but EAX and EBX: .bss is zeroed here.
 *
 * Identity map: linear 0 to 4 GBytes in 2-MByte supervisor pages, under one PML4E. The rest of the linear space is free.
 */
#define CR0_PG (1 << 31)
#define CR0_WP (1 << 16)
#define CR0_EM (1 << 2)
#define CR0_TS (1 << 3)
#define CR0_MP (1 << 1)
#define CR4_PAE (1 << 5)
#define CR4_OSFXSR (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define P_RW 3
#define P_RW_PS 0x83
#define COM1 0x3f8
#define BOOT_STACK_SIZE 32768

	.section .text.start, "ax"
	.code32
	.global start
start:
	cli
	cld
	mov %eax, %ebp
	mov %ebx, %esi
	mov $_edata, %edi		/* zero from the end of the file's content to the end of the image */
	mov $_end, %ecx
	sub %edi, %ecx
	shr $2, %ecx		/* both are aligned; emulators take a step for each element */
	xor %eax, %eax
	rep stosl
	mov $boot_stack_top, %esp
	mov %ebp, boot_magic
	mov %esi, boot_info_address

	mov $0x80000000, %eax
	cpuid
	cmp $0x80000001, %eax
	jb no_long_mode
	mov $0x80000001, %eax
	cpuid
	bt $29, %edx
	jnc no_long_mode

	movl $identity_pdpt + P_RW, identity_pml4
	mov $identity_pd + P_RW, %eax
	mov $identity_pdpt, %edi
1:	mov %eax, (%edi)
	add $4096, %eax
	add $8, %edi
	cmp $identity_pdpt + 4 * 8, %edi
	jb 1b
	mov $P_RW_PS, %eax
	mov $identity_pd, %edi
	mov $4 * 512, %ecx
2:	mov %eax, (%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 2b

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
	lgdt boot_gdt_pointer
	ljmp $8, $start64

/* A processor without long mode: say so in the report's own words and end. */
no_long_mode:
	mov $no_long_mode_text, %esi
3:	lodsb
	test %al, %al
	jz 4f
	mov $COM1, %dx
	out %al, %dx
	out %al, $0xe9
	jmp 3b
4:	mov $38, %eax
	out %eax, $0xf4
5:	hlt
	jmp 5b

	.code64
start64:
	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $boot_stack_top, %rsp
	xor %ebp, %ebp			/* the end of every backtrace */
	mov boot_magic, %edi
	mov boot_info_address, %esi
	call boot_main
6:	hlt
	jmp 6b

	.section .rodata
no_long_mode_text:
	.ascii "TAP version 14\r\n1..0 # SKIP needs 64bit: the processor has no long mode\r\n"
	.asciz "# end passed=0 failed=0 skipped=0 checks=0\r\n"
	.balign 8
boot_gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_pointer:
	.word . - boot_gdt - 1
	.quad boot_gdt

	.bss
	.balign 4096
	.global identity_pml4
identity_pml4:	.skip 4096
identity_pdpt:	.skip 4096
identity_pd:	.skip 4 * 4096
	.global boot_stack, boot_stack_top
boot_stack:	.skip BOOT_STACK_SIZE
boot_stack_top:
boot_magic:	.skip 4
boot_info_address: .skip 4

	.section .note.GNU-stack, "", @progbits
