/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 32-bit images: from the loader's protected mode to C on the image's own stack, still without paging, which
 * spaces_init() turns on. Nothing is believed of the loader but EAX and EBX and that its segments are flat.
 */
#define CR0_WP (1 << 16)
#define CR0_EM (1 << 2)
#define CR0_TS (1 << 3)
#define CR0_MP (1 << 1)
#define CR4_OSFXSR (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
#define CPUID_SSE (1 << 25)
#define BOOT_STACK_SIZE 32768

	.section .text.start, "ax"
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
	mov %cr0, %eax
	and $~(CR0_EM | CR0_TS), %eax
	or $CR0_WP | CR0_MP, %eax
	mov %eax, %cr0
	mov $1, %eax
	cpuid				/* writes EBX, which is safe in ESI */
	test $CPUID_SSE, %edx		/* a processor that is older refuses these bits */
	jz 1f
	mov $CR4_OSFXSR | CR4_OSXMMEXCPT, %eax
	mov %eax, %cr4
1:
	sub $8, %esp
	push %esi			/* boot_main(magic, address) */
	push %ebp
	xor %ebp, %ebp			/* the end of every backtrace */
	call boot_main
1:	hlt
	jmp 1b

	.bss
	.balign 16
	.skip BOOT_STACK_SIZE
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
