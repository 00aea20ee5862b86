/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 64-bit mode. Stores by instructions that do more than to write an operand: strings, SSE, the
 * stack, the system's own tables. As in store.c the entry's neighbours keep their values but where
 * store.h says.
 */
#include "paging/store_implicit.h"

#include "libc/string.h"

void store_rep_movsb(entry_ptr entry, uint64_t value)
{
	const void *from = &value;
	volatile void *to = entry;
	unsigned long count = 8;

	__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

void store_rep_movsq(entry_ptr entry, uint64_t value)
{
	uint64_t image[3] = {entry[-1], value, entry[1]};
	const void *from = image;
	volatile void *to = entry - 1;
	unsigned long count = 3;

	__asm__ volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

void store_rep_movsq_backwards(entry_ptr entry, uint64_t value)
{
	uint64_t image[3] = {entry[-1], value, entry[1]};
	const void *from = image + 2;
	volatile void *to = entry + 1;
	unsigned long count = 3;

	__asm__ volatile("std\n\trep movsq\n\tcld"
			 : "+S"(from), "+D"(to), "+c"(count)
			 :
			 : "memory");
}

/* Both halves get the low half, then a store mends the high one. */
void store_rep_stosd(entry_ptr entry, uint64_t value)
{
	volatile void *to = entry;
	unsigned long count = 2;

	__asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"((uint32_t)value) : "memory");
	to = (volatile uint32_t *)entry + 1;
	count = 1;
	__asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(value >> 32) : "memory");
}

void store_stosq(entry_ptr entry, uint64_t value)
{
	volatile void *to = entry;

	__asm__ volatile("stosq" : "+D"(to) : "a"(value) : "memory");
}

/* Loads XMM0 with the aligned pair of entries, the entry's half replaced; returns the pair. */
static entry_ptr load_pair(entry_ptr entry, uint64_t value)
{
	entry_ptr pair = (entry_ptr)((uintptr_t)entry & ~15ul);
	uint64_t image[2] __attribute__((aligned(16))) = {pair[0], pair[1]};

	image[entry - pair] = value;
	__asm__ volatile("movdqa %0, %%xmm0" : : "m"(*(const __uint128_t *)image));
	return pair;
}

void store_movdqa(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("movdqa %%xmm0, (%0)" : : "r"(load_pair(entry, value)) : "memory");
}

void store_movdqu(entry_ptr entry, uint64_t value)
{
	uint64_t image[2] = {value, entry[1]};

	__asm__ volatile("movdqu (%0), %%xmm0" : : "r"(image), "m"(image));
	__asm__ volatile("movdqu %%xmm0, (%0)" : : "r"(entry) : "memory");
}

void store_movq(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("movq %1, %%xmm0\n\tmovq %%xmm0, %0" : "=m"(*entry) : "r"(value));
}

void store_movhps(entry_ptr entry, uint64_t value)
{
	uint64_t image[2] = {0, value};

	__asm__ volatile("movdqu (%0), %%xmm0" : : "r"(image), "m"(image));
	__asm__ volatile("movhps %%xmm0, %0" : "=m"(*entry));
}

void store_movnti(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("movnti %1, %0\n\tsfence" : "=m"(*entry) : "r"(value));
}

void store_movntdq(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("movntdq %%xmm0, (%0)\n\tsfence"
			 :
			 : "r"(load_pair(entry, value))
			 : "memory");
}

/* The stack pointer goes to the entry; exceptions have stacks of their own, so nothing else is
 * pushed there. */
void store_push(entry_ptr entry, uint64_t value)
{
	uint64_t saved;

	__asm__ volatile("mov %%rsp, %0\n\t"
			 "mov %1, %%rsp\n\t"
			 "push %2\n\t"
			 "mov %0, %%rsp"
			 : "=&r"(saved)
			 : "r"(entry + 1), "r"(value)
			 : "memory");
}

/* PUSHF writes the flags there, PUSH the value over them. */
void store_pushf_push(entry_ptr entry, uint64_t value)
{
	uint64_t saved;

	__asm__ volatile("mov %%rsp, %0\n\t"
			 "mov %1, %%rsp\n\t"
			 "pushf\n\t"
			 "mov %1, %%rsp\n\t"
			 "push %2\n\t"
			 "mov %0, %%rsp"
			 : "=&r"(saved)
			 : "r"(entry + 1), "r"(value)
			 : "memory");
}

void store_pop(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("push %1\n\tpop (%0)" : : "r"(entry), "r"(value) : "memory");
}

/* CALL stores its return address: the call stands in the frame that the value names, right before
 * the offset that the value's flags make, so that the address behind it *is* the value. */
void store_call(entry_ptr entry, uint64_t value)
{
	/* call *%rax, and where it returns to: nothing comes back there, the callee takes RSP from
	 * RBX. */
	uint8_t *code = (uint8_t *)(uintptr_t)(value - 2);

	memcpy(code, "\xff\xd0", 2);
	__asm__ volatile("mov %%rsp, %%rbx\n\t"
			 "lea 1f(%%rip), %%rax\n\t"
			 "mov %0, %%rsp\n\t"
			 "jmp *%1\n"
			 "1:\tmov %%rbx, %%rsp"
			 :
			 : "r"(entry + 1), "r"(code)
			 : "rax", "rbx", "memory");
}

struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* The base is the value; the limit becomes the top of the entry before. No segment is loaded
 * meanwhile. */
void store_sgdt(entry_ptr entry, uint64_t value)
{
	struct table_register saved, bait = {(uint16_t)(entry[-1] >> 48), value};

	__asm__ volatile("sgdt %0" : "=m"(saved));
	__asm__ volatile("lgdt %0\n\tsgdt -2(%1)\n\tlgdt %2"
			 :
			 : "m"(bait), "r"(entry), "m"(saved)
			 : "memory");
}

/* XMM0 stands 160 bytes into the area. */
void store_fxsave(entry_ptr entry, uint64_t value)
{
	uint64_t image[2] = {value, entry[1]};

	__asm__ volatile("movdqu (%0), %%xmm0" : : "r"(image), "m"(image));
	__asm__ volatile("fxsave (%0)" : : "r"((volatile char *)entry - 160) : "memory");
}
