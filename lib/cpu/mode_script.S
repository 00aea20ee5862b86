/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The interpreter of mode_script.h. It runs in a 32-bit code segment, which is compatibility mode while EFER.LMA = 1
 * and legacy mode while it is 0; each has an interrupt table of its own. ESI is the step.
 */
#include "cpu/descriptor.h"
#include "cpu/exception.h"
#include "cpu/mode_script.h"
#include "cpu/registers.h"

#define COMPATIBILITY_CS 0x18
#define CR0_PG (1 << 31)
#define CR4_PCIDE (1 << 17)
#define MSR_EFER 0xc0000080
#define EFER_LMA (1 << 10)
#define VECTORS 32

#define OPERAND 4
#define VALUE 8
#define RESULT 12
#define VECTOR 16
#define ERROR_CODE 20
#define CR0_AFTER 24
#define CR2_AFTER 28
#define CR3_AFTER 32
#define CR4_AFTER 36
#define EFER_AFTER 40

	.text
	.code64
	/* void mode_script_run(struct mode_step *steps) */
	.global mode_script_run
mode_script_run:
	push_preserved
	mov %rsp, saved_stack		/* upper halves of registers do not survive */
	sgdt saved_gdt
	sidt saved_idt
	mov %cr0, %rax
	mov %eax, saved_cr0
	mov %cr3, %rax
	mov %eax, saved_cr3
	mov %cr4, %rax
	mov %eax, saved_cr4
	mov $MSR_EFER, %ecx
	rdmsr
	mov %eax, saved_efer
	mov %edi, %esi
	lgdt script_gdt_pointer
	lidt mode_script_idt64_pointer
	mov $KERNEL_DS, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $script_stack_top, %esp
	push $COMPATIBILITY_CS
	push $this_step
	lretq

	.code32
	/* After a step, or its exception: what it left. Nothing here faults. */
next_step:
	mov $script_stack_top, %esp
	mov %cr0, %eax
	mov %eax, CR0_AFTER(%esi)
	mov %cr2, %eax
	mov %eax, CR2_AFTER(%esi)
	mov %cr3, %eax
	mov %eax, CR3_AFTER(%esi)
	mov %cr4, %eax
	mov %eax, CR4_AFTER(%esi)
	mov $MSR_EFER, %ecx
	rdmsr
	mov %eax, EFER_AFTER(%esi)
	test $EFER_LMA, %eax
	jz 1f
	lidt mode_script_idt64_pointer
	jmp 2f
1:	lidt mode_script_idt32_pointer
2:	add $MODE_SCRIPT_BYTES, %esi
this_step:
	movl $NO_VECTOR, VECTOR(%esi)
	movl $0, ERROR_CODE(%esi)
	mov OPERAND(%esi), %edi
	mov VALUE(%esi), %edx
	mov (%esi), %eax
	jmp *operations(,%eax,4)

set_cr0:
	mov %edx, %cr0
	jmp next_step
set_cr3:
	mov %edx, %cr3
	jmp next_step
set_cr4:
	mov %edx, %cr4
	jmp next_step
set_efer:
	mov $MSR_EFER, %ecx
	mov %edx, %eax
	xor %edx, %edx
	wrmsr
	jmp next_step
read_memory:
	mov (%edi), %eax
	jmp keep_result
write_memory:
	mov %edx, (%edi)
	jmp next_step
call_memory:
	call *%edi
keep_result:
	mov %eax, RESULT(%esi)
	jmp next_step
do_invlpg:
	invlpg (%edi)
	jmp next_step
do_invpcid:
	invpcid (%edi), %edx
	jmp next_step
do_rdpkru:
	xor %ecx, %ecx
	rdpkru
	jmp keep_result
do_wrpkru:
	mov %edx, %eax
	xor %edx, %edx
	xor %ecx, %ecx
	wrpkru
	jmp next_step

	/* From whatever mode the steps left, by way of none. */
end_of_script:
	mov %cr4, %eax
	and $~CR4_PCIDE, %eax
	mov %eax, %cr4
	mov %cr0, %eax
	and $~CR0_PG, %eax
	mov %eax, %cr0
	mov saved_cr4, %eax
	mov %eax, %cr4
	mov saved_cr3, %eax
	mov %eax, %cr3
	mov $MSR_EFER, %ecx
	xor %edx, %edx
	mov saved_efer, %eax
	wrmsr
	mov saved_cr0, %eax
	mov %eax, %cr0
	ljmp $KERNEL_CS, $3f
	.code64
3:	mov saved_stack, %rsp
	lgdt saved_gdt
	lidt saved_idt
	pop_preserved
	ret

	/* Exceptions of either mode. The next step follows without IRET, which some hypervisors cannot emulate. */
	.altmacro
	.macro entry bits vector
entry\bits\()_\vector:
	.if !((\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30))
	push $0
	.endif
	push $\vector
	jmp exception_\bits
	.endm
	.macro entries bits
	.set n, 0
	.rept VECTORS
	entry \bits %n
	.set n, n + 1
	.endr
	.endm

	.code32
	entries 32
exception_32:
	pop VECTOR(%esi)
	pop ERROR_CODE(%esi)
	jmp next_step

	.code64
	entries 64
exception_64:
	mov %esi, %esi			/* upper halves are undefined */
	pop %rax
	mov %eax, VECTOR(%rsi)
	pop %rax
	mov %eax, ERROR_CODE(%rsi)
	push $COMPATIBILITY_CS
	push $next_step
	lretq

	.section .rodata
	.balign 8
operations:
	.long end_of_script, set_cr0, set_cr3, set_cr4, set_efer, read_memory, write_memory, call_memory
	.long do_invlpg, do_invpcid, do_rdpkru, do_wrpkru
	.if . - operations != 4 * MODE_SCRIPT_OPS
	.error "operations and mode_script.h differ"
	.endif
	.balign 8
script_gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
script_gdt_pointer:
	.word . - script_gdt - 1
	.quad script_gdt

	.macro address bits vector
	.long entry\bits\()_\vector
	.endm
	.macro addresses bits
	.set n, 0
	.rept VECTORS
	address \bits %n
	.set n, n + 1
	.endr
	.endm
	.balign 4
	.global mode_script_entries32, mode_script_entries64
mode_script_entries32:
	addresses 32
mode_script_entries64:
	addresses 64

	.bss
	.balign 16
	.skip 2048
script_stack_top:
saved_stack: .skip 8
saved_gdt: .skip 10
saved_idt: .skip 10
	.balign 4
saved_cr0: .skip 4
saved_cr3: .skip 4
saved_cr4: .skip 4
saved_efer: .skip 4

	.section .note.GNU-stack, "", @progbits
