/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Stores by instructions that do more than to write an operand: strings, SSE, the stack, x87.
 */
#include "paging/store_legacy_parts.h"

static void copy(volatile void *to, const void *from, uint32_t bytes)
{
	__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(bytes) : : "memory");
}

static void store_rep_movsb(word_ptr word, uint32_t value)
{
	copy(word, &value, 4);
}

/* Three words; those around keep their values. */
static void store_rep_movsd(word_ptr word, uint32_t value)
{
	uint32_t image[3] = {word[-1], value, word[1]}, count = 3;
	const void *from = image;
	volatile void *to = word - 1;

	__asm__ volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

static void store_rep_movsd_backwards(word_ptr word, uint32_t value)
{
	uint32_t image[3] = {word[-1], value, word[1]}, count = 3;
	const void *from = image + 2;
	volatile void *to = word + 1;

	__asm__ volatile("std\n\trep movsl\n\tcld"
			 : "+S"(from), "+D"(to), "+c"(count)
			 :
			 : "memory");
}

static void store_stosd(word_ptr word, uint32_t value)
{
	volatile void *to = word;

	__asm__ volatile("stosl" : "+D"(to) : "a"(value) : "memory");
}

static void store_movsd_of_entry(entry_ptr entry, uint64_t value)
{
	const void *from = &value;
	volatile void *to = entry;
	uint32_t count = 2;

	__asm__ volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

#define IMAGE_BYTES 16

/* XMM0 with the 16 bytes around, aligned, of which `bytes` at `at` are replaced. */
static volatile void *load_around(volatile void *at, const void *value, uint32_t bytes)
{
	volatile char *base = (volatile char *)((uintptr_t)at & ~(IMAGE_BYTES - 1u));
	char image[IMAGE_BYTES];

	for (unsigned i = 0; i < IMAGE_BYTES; i++)
		image[i] = base[i];
	copy(image + ((volatile char *)at - base), value, bytes);
	__asm__ volatile("movdqu (%0), %%xmm0" : : "r"(image), "m"(image));
	return base;
}

static void store_movd(word_ptr word, uint32_t value)
{
	__asm__ volatile("movd %1, %%xmm0\n\tmovd %%xmm0, %0" : "=m"(*word) : "r"(value));
}

static void store_movdqa(word_ptr word, uint32_t value)
{
	__asm__ volatile("movdqa %%xmm0, (%0)" : : "r"(load_around(word, &value, 4)) : "memory");
}

static void store_movnti(word_ptr word, uint32_t value)
{
	__asm__ volatile("movnti %1, %0\n\tsfence" : "=m"(*word) : "r"(value));
}

static void store_movq_of_entry(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("movq %1, %%xmm0\n\tmovq %%xmm0, %0" : "=m"(*entry) : "m"(value));
}

static void store_movhps_of_entry(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("movhps %1, %%xmm0\n\tmovhps %%xmm0, %0" : "=m"(*entry) : "m"(value));
}

static void store_movntdq_of_entry(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("movntdq %%xmm0, (%0)\n\tsfence"
			 :
			 : "r"(load_around(entry, &value, 8))
			 : "memory");
}

/* The stack pointer goes behind the word; nothing else is pushed there, as interrupts are off. */
static void store_push(word_ptr word, uint32_t value)
{
	uint32_t saved;

	__asm__ volatile("mov %%esp, %0\n\t"
			 "mov %1, %%esp\n\t"
			 "push %2\n\t"
			 "mov %0, %%esp"
			 : "=&r"(saved)
			 : "r"(word + 1), "r"(value)
			 : "memory");
}

/* The flags, then the value over them. */
static void store_pushf_push(word_ptr word, uint32_t value)
{
	uint32_t saved;

	__asm__ volatile("mov %%esp, %0\n\t"
			 "mov %1, %%esp\n\t"
			 "pushfl\n\t"
			 "mov %1, %%esp\n\t"
			 "push %2\n\t"
			 "mov %0, %%esp"
			 : "=&r"(saved)
			 : "r"(word + 1), "r"(value)
			 : "memory");
}

static void store_pop(word_ptr word, uint32_t value)
{
	__asm__ volatile("push %1\n\tpopl (%0)" : : "r"(word), "r"(value) : "memory");
}

static void store_push_of_entry(entry_ptr entry, uint64_t value)
{
	store_push((word_ptr)entry + 1, (uint32_t)(value >> 32));
	store_push((word_ptr)entry, (uint32_t)value);
}

/* Exact for every value of these sizes. */
static void store_fistp(word_ptr word, uint32_t value)
{
	__asm__ volatile("fninit\n\tfildl %1\n\tfistpl %0\n\tfwait" : "=m"(*word) : "m"(value));
}

static void store_fistp_of_entry(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("fninit\n\tfildll %1\n\tfistpll %0\n\tfwait" : "=m"(*entry) : "m"(value));
}

const struct legacy_store legacy_string_stores[] = {
	{"rep movsb", store_rep_movsb, NULL, ALWAYS, STORE_REP_MOVSB},
	{"rep movsd over three words", store_rep_movsd, NULL, ALWAYS, STORE_REP_MOVSQ},
	{"rep movsd backwards over three words", store_rep_movsd_backwards, NULL, ALWAYS,
	 STORE_REP_MOVSQ_BACKWARDS},
	{"rep movsd of 8 bytes", NULL, store_movsd_of_entry, ALWAYS, STORE_REP_MOVSQ},
	{"stosd", store_stosd, NULL, ALWAYS, STORE_STOSQ},
	{0},
};

const struct legacy_store legacy_vector_stores[] = {
	{"movd from an XMM register", store_movd, NULL, FEATURE_sse2, STORE_MOVQ},
	{"movdqa", store_movdqa, NULL, FEATURE_sse2, STORE_MOVDQA},
	{"movnti", store_movnti, NULL, FEATURE_sse2, STORE_MOVNTI},
	{"movq from an XMM register", NULL, store_movq_of_entry, FEATURE_sse2, STORE_MOVQ},
	{"movhps", NULL, store_movhps_of_entry, FEATURE_sse2, STORE_MOVHPS},
	{"movntdq", NULL, store_movntdq_of_entry, FEATURE_sse2, STORE_MOVNTDQ},
	{0},
};

const struct legacy_store legacy_stack_stores[] = {
	{"push", store_push, NULL, ALWAYS, STORE_PUSH},
	{"pushf, push", store_pushf_push, NULL, ALWAYS, STORE_PUSHF_PUSH},
	{"pop to memory", store_pop, NULL, ALWAYS, STORE_POP},
	{"two pushes", NULL, store_push_of_entry, ALWAYS, STORE_PUSH},
	{0},
};

const struct legacy_store legacy_x87_stores[] = {
	{"fistp of 4 bytes", store_fistp, NULL, ALWAYS, STORE_FXSAVE},
	{"fistp of 8 bytes", NULL, store_fistp_of_entry, ALWAYS, STORE_FXSAVE},
	{0},
};
