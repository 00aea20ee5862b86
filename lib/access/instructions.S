/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The instructions of instructions.def, each once, run from here in supervisor mode and through the user window in
 * user mode: position-independent, and with no other access than the one that it is for.
 *
 * In:  RDI the operand, RAX and RDX what is written, RSI readable data of 16 bytes, R12 where to go on.
 * Out: RAX (and XMM0) what was read. Everything else may change; the stack pointer need not come back.
 */
#include "drivers/serial.h"

	.section .user.text, "ax"

	/* The code of one instruction; `touch` marks the instruction that makes the access. */
	.macro instruction name
	.globl access_\name, access_\name\()_touch
access_\name:
	.endm
	.macro touch name
access_\name\()_touch:
	.endm
	.macro done
	jmp *%r12
	.endm
	/* The common case: the access is the first instruction. */
	.macro simple name, code:vararg
	instruction \name
	touch \name
	\code
	done
	.endm

	simple read1, movzbl (%rdi), %eax
	simple read2, movzwl (%rdi), %eax
	simple read4, movl (%rdi), %eax
	simple read8, movq (%rdi), %rax
	simple read16, movdqu (%rdi), %xmm0
	simple write1, movb %al, (%rdi)
	simple write2, movw %ax, (%rdi)
	simple write4, movl %eax, (%rdi)
	simple write8, movq %rax, (%rdi)
	simple write16, movdqu %xmm0, (%rdi)

	instruction fetch
	touch fetch
	jmp *%rdi

	simple test, testq $-1, (%rdi)
	simple cmp, cmpq %rax, (%rdi)
	simple bt, btq $3, (%rdi)
	instruction lods
	mov %rdi, %rsi
	touch lods
	lodsq
	done
	simple scas, scasq
	instruction pop
	mov %rdi, %rsp
	touch pop
	pop %rax
	done
	instruction read_rbp
	mov %rdi, %rbp
	touch read_rbp
	mov (%rbp), %rax
	done

	simple or, orq %rax, (%rdi)
	simple lock_or, lock orq %rax, (%rdi)
	simple inc, incq (%rdi)
	simple neg1, negb (%rdi)
	simple not4, notl (%rdi)
	simple add2, addw %ax, (%rdi)
	simple shl, shlq $1, (%rdi)
	simple shld, shldq $4, %rax, (%rdi)
	simple xchg, xchgq %rax, (%rdi)
	simple xadd, lock xaddq %rax, (%rdi)
	/* RAX holds what memory is expected to hold, RDX the new value. */
	simple cmpxchg, lock cmpxchgq %rdx, (%rdi)
	instruction cmpxchg_fails
	not %rax
	touch cmpxchg_fails
	lock cmpxchgq %rdx, (%rdi)
	done
	instruction cmpxchg8b
	not %rax
	touch cmpxchg8b
	lock cmpxchg8b (%rdi)
	done
	instruction cmpxchg16b
	not %rax
	touch cmpxchg16b
	lock cmpxchg16b (%rdi)
	done
	simple bts, lock btsq $0, (%rdi)
	instruction bts_far
	mov $64 * 8, %eax
	sub $64, %rdi
	touch bts_far
	btsq %rax, (%rdi)
	done
	simple btr, btrq $0, (%rdi)
	instruction setcc
	test %edi, %edi
	touch setcc
	setnz (%rdi)
	done
	simple stos, stosq
	instruction rep_stos
	mov $8, %ecx
	touch rep_stos
	rep stosb
	done
	simple movs, movsq
	instruction rep_movs
	mov $2, %ecx
	touch rep_movs
	rep movsl
	done
	instruction push
	lea 8(%rdi), %rsp
	touch push
	push %rax
	done
	instruction pushf
	lea 8(%rdi), %rsp
	touch pushf
	pushfq
	done
	instruction call
	lea 8(%rdi), %rsp
	touch call
	call *%r12
	instruction pop_memory
	mov %rsi, %rsp
	touch pop_memory
	popq (%rdi)
	done
	simple movnti, movnti %rax, (%rdi)
	simple movaps, movaps %xmm0, (%rdi)
	simple movhps, movhps %xmm0, (%rdi)
	instruction fistp
	fninit
	fld1
	touch fistp
	fistpll (%rdi)
	fwait
	done
	simple fnstcw, fnstcw (%rdi)
	simple stmxcsr, stmxcsr (%rdi)
	simple sidt, sidt (%rdi)
	simple sgdt, sgdt (%rdi)
	simple sldt, sldt (%rdi)

	simple prefetch, prefetcht0 (%rdi)
	simple invlpg, invlpg (%rdi)
	simple mov_to_cr0, mov %rax, %cr0
	simple mov_to_cr3, mov %rax, %cr3
	simple mov_to_cr4, mov %rax, %cr4
	/* The operand is the number of the MSR. */
	instruction wrmsr
	mov %edi, %ecx
	mov %rax, %rdx
	shr $32, %rdx
	touch wrmsr
	wrmsr
	done
	/* The operand is the descriptor, the value the type. */
	simple invpcid, invpcid (%rdi), %rax
	/* The value is the selector. */
	simple mov_to_ds, mov %eax, %ds
	simple mov_to_fs, mov %eax, %fs
	simple ltr, ltr %ax
	/* Completes with this vector. */
	simple int32, int $32
	instruction rdmsr
	mov %edi, %ecx
	touch rdmsr
	rdmsr
	done
	instruction rdpkru
	xor %ecx, %ecx
	touch rdpkru
	rdpkru
	done
	instruction wrpkru
	xor %eax, %eax
	xor %ecx, %ecx
	xor %edx, %edx
	touch wrpkru
	wrpkru
	done
	simple stac, stac
	simple clac, clac
	simple rdfsbase, rdfsbase %rax
	instruction stac_read
	stac
	touch stac_read
	mov (%rdi), %rax
	done
	instruction clac_read
	clac
	touch clac_read
	mov (%rdi), %rax
	done
	instruction stac_write
	stac
	touch stac_write
	mov %rax, (%rdi)
	done
	instruction clac_write
	clac
	touch clac_write
	mov %rax, (%rdi)
	done
	/* The value is the mask of RFLAGS to flip; CPL and stack stay. */
	instruction iret_ac_read
	mov %rsp, %rdx
	mov %ss, %ecx
	push %rcx
	push %rdx
	pushfq
	xor %rax, (%rsp)
	mov %cs, %ecx
	push %rcx
	lea access_iret_ac_read_touch(%rip), %rcx
	push %rcx
	iretq
	touch iret_ac_read
	mov (%rdi), %rax
	done
	instruction popf_ac_read
	pushfq
	xor %rax, (%rsp)
	popfq
	touch popf_ac_read
	mov (%rdi), %rax
	done
	simple fxsave, fxsave64 (%rdi)
	simple fxrstor, fxrstor64 (%rdi)
	/* The value is the selector. */
	simple lar, lar %ax, %ecx
	simple lsl, lsl %ax, %ecx
	simple verr, verr %ax
	simple iret_32bit, ud2
	instruction rep_movs_from
	mov %rdi, %rsi
	lea -64(%rsp), %rdi
	mov %rax, (%rdi)			/* so that the stack is in use */
	mov $8, %ecx
	touch rep_movs_from
	rep movsb
	mov -64(%rsp), %rax
	done

	/* Input gives what is in the port, which is what was to be written. */
	.macro port_to_rdi
	mov $SERIAL_SCRATCH, %edx
	out %al, %dx
	.endm
	/* Completes with the last byte that came out. */
	.macro port_was_written
	in %dx, %al
	movzbl %al, %eax
	.endm
	instruction ins
	port_to_rdi
	touch ins
	insb
	done
	instruction outs
	mov %rdi, %rsi
	mov $SERIAL_SCRATCH, %edx
	touch outs
	outsb
	port_was_written
	done
	instruction rep_ins
	port_to_rdi
	mov $8, %ecx
	touch rep_ins
	rep insb
	done
	instruction rep_outs
	mov %rdi, %rsi
	mov $SERIAL_SCRATCH, %edx
	mov $8, %ecx
	touch rep_outs
	rep outsb
	port_was_written
	mov $0x0101010101010101, %rdx		/* as if all bytes had been like it */
	imul %rdx, %rax
	done

	simple movs4_to, movsl
	instruction movs4_from
	xchg %rsi, %rdi
	touch movs4_from
	movsl
	done

	simple read32, vmovdqu (%rdi), %ymm0
	simple write32, vmovdqu %ymm0, (%rdi)
	simple read64, vmovdqu64 (%rdi), %zmm0
	simple write64, vmovdqu64 %zmm0, (%rdi)

	simple wrss, wrssq %rax, (%rdi)
	simple wruss, wrussq %rax, (%rdi)
	instruction shadow_call
	touch shadow_call
	call 1f				/* with a displacement of 0 it would leave the shadow stack alone */
	ud2
1:	done
	instruction incssp
	mov $1, %eax
	touch incssp
	incsspq %rax
	done

	/* User mode ends here, in the user window: #UD from this address means that the access completed. */
	.globl access_user_done
access_user_done:
	ud2

	.section .rodata
	.balign 8
	.globl access_code
access_code:
#define INSTRUCTION(name, size, reads, writes, need, text) .quad access_##name, access_##name##_touch;
#include "access/instructions.def"

	.section .note.GNU-stack, "", @progbits
