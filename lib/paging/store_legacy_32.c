/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/store_legacy_parts.h"

#include "cpu/sabotage.h"

static void mov4(word_ptr word, uint32_t value)
{
	__asm__ volatile("movl %1, %0" : "=m"(*word) : "r"(value));
}

static void mov2(word_ptr word, uint32_t value)
{
	volatile uint16_t *half = (volatile uint16_t *)word;

	__asm__ volatile("movw %1, %0" : "=m"(half[1]) : "r"((uint16_t)(value >> 16)));
	__asm__ volatile("movw %1, %0" : "=m"(half[0]) : "r"((uint16_t)value));
}

static void mov1(word_ptr word, uint32_t value)
{
	volatile uint8_t *byte = (volatile uint8_t *)word;

	for (int i = 3; i >= 0; i--)
		__asm__ volatile("movb %1, %0" : "=m"(byte[i]) : "q"((uint8_t)(value >> 8 * i)));
}

/* Two stores of 4 bytes, each with a half of a neighbour. */
static void mov4_crossing(word_ptr word, uint32_t value)
{
	volatile char *bytes = (volatile char *)word;
	uint32_t last = value >> 16 | word[1] << 16, first = word[-1] >> 16 | value << 16;

	__asm__ volatile("movl %0, 2(%1)" : : "r"(last), "r"(bytes) : "memory");
	__asm__ volatile("movl %0, -2(%1)" : : "r"(first), "r"(bytes) : "memory");
}

static void mov2_crossing(word_ptr word, uint32_t value)
{
	volatile char *bytes = (volatile char *)word;
	uint16_t last = (uint16_t)(value >> 24 | word[1] << 8);
	uint16_t first = (uint16_t)(word[-1] >> 24 | value << 8);

	__asm__ volatile("movw %0, 3(%1)" : : "r"(last), "r"(bytes) : "memory");
	__asm__ volatile("movw %0, 1(%1)" : : "r"((uint16_t)(value >> 8)), "r"(bytes) : "memory");
	__asm__ volatile("movw %0, -1(%1)" : : "r"(first), "r"(bytes) : "memory");
}

static void store_xchg(word_ptr word, uint32_t value)
{
	__asm__ volatile("xchgl %1, %0" : "+m"(*word), "+r"(value));
}

static void store_cmpxchg(word_ptr word, uint32_t value)
{
	uint32_t old = *word, wrong = ~old;

	__asm__ volatile("lock cmpxchgl %2, %0" : "+m"(*word), "+a"(wrong) : "r"(0) : "cc");
	__asm__ volatile("lock cmpxchgl %2, %0" : "+m"(*word), "+a"(old) : "r"(value) : "cc");
}

static void cmpxchg8b(entry_ptr entry, uint32_t low, uint32_t high)
{
	uint32_t old_low = ((word_ptr)entry)[0], old_high = ((word_ptr)entry)[1];

	__asm__ volatile("lock cmpxchg8b %0"
			 : "+m"(*entry), "+a"(old_low), "+d"(old_high)
			 : "b"(low), "c"(high)
			 : "cc");
}

static entry_ptr pair_of(word_ptr word)
{
	return (entry_ptr)((uintptr_t)word & ~7u);
}

/* With the other word of its 8 bytes. */
static void store_cmpxchg8b(word_ptr word, uint32_t value)
{
	word_ptr pair = (word_ptr)pair_of(word);

	cmpxchg8b(pair_of(word), word == pair ? value : pair[0], word == pair ? pair[1] : value);
}

static void store_cmpxchg8b_of_entry(entry_ptr entry, uint64_t value)
{
	cmpxchg8b(entry, (uint32_t)value, (uint32_t)(value >> 32));
}

static void store_lock_and_or(word_ptr word, uint32_t value)
{
	__asm__ volatile("lock andl %1, %0" : "+m"(*word) : "r"(value) : "cc");
	__asm__ volatile("lock orl %1, %0" : "+m"(*word) : "r"(value) : "cc");
}

static void store_lock_btc(word_ptr word, uint32_t value)
{
	for (uint32_t bit = 0; bit < 32; bit++)
		if ((*word ^ value) >> bit & 1)
			__asm__ volatile("lock btcl %1, %0" : "+m"(*word) : "r"(bit) : "cc");
}

/* The operand is the word in front: the bit offset leads beyond it. */
static void store_lock_btc_far(word_ptr word, uint32_t value)
{
	for (uint32_t bit = 0; bit < 32; bit++)
		if ((*word ^ value) >> bit & 1)
			__asm__ volatile("lock btcl %0, (%1)"
					 :
					 : "r"(bit + 32), "r"(word - 1)
					 : "cc", "memory");
}

static void store_lock_xadd(word_ptr word, uint32_t value)
{
	uint32_t difference = value - *word;

	__asm__ volatile("lock xaddl %1, %0" : "+m"(*word), "+r"(difference) : : "cc");
}

static void store_xor(word_ptr word, uint32_t value)
{
	__asm__ volatile("xorl %1, %0" : "+m"(*word) : "r"(*word ^ value) : "cc");
}

static void store_sub(word_ptr word, uint32_t value)
{
	__asm__ volatile("subl %1, %0" : "+m"(*word) : "r"(*word - value) : "cc");
}

static const struct legacy_store moves[] = {
	{"mov of 4 bytes", mov4, NULL, ALWAYS, STORE_MOV4},
	{"mov of 2 bytes", mov2, NULL, ALWAYS, STORE_MOV2},
	{"mov of 1 byte", mov1, NULL, ALWAYS, STORE_MOV1},
	{"xor", store_xor, NULL, ALWAYS, STORE_ADD},
	{"sub", store_sub, NULL, ALWAYS, STORE_ADD},
	{0},
};

static const struct legacy_store crossing[] = {
	{"mov of 4 bytes across words", mov4_crossing, NULL, ALWAYS, STORE_MOV4_CROSSING},
	{"mov of 2 bytes across words", mov2_crossing, NULL, ALWAYS, STORE_MOV2_CROSSING},
	{0},
};

static const struct legacy_store locked[] = {
	{"xchg", store_xchg, NULL, ALWAYS, STORE_XCHG},
	{"lock cmpxchg that fails, then one that succeeds", store_cmpxchg, NULL, ALWAYS,
	 STORE_CMPXCHG},
	{"lock cmpxchg8b of two words", store_cmpxchg8b, NULL, FEATURE_cmpxchg8b, STORE_CMPXCHG8B},
	{"lock cmpxchg8b", NULL, store_cmpxchg8b_of_entry, FEATURE_cmpxchg8b, STORE_CMPXCHG8B},
	{"lock and, lock or", store_lock_and_or, NULL, ALWAYS, STORE_LOCK_AND_OR},
	{"lock btc", store_lock_btc, NULL, ALWAYS, STORE_LOCK_BTC},
	{"lock btc with a bit offset beyond the operand", store_lock_btc_far, NULL, ALWAYS,
	 STORE_LOCK_BTC},
	{"lock xadd", store_lock_xadd, NULL, ALWAYS, STORE_LOCK_XADD},
	{0},
};

const struct legacy_store *const legacy_stores[LEGACY_STORE_GROUPS] = {
	[LEGACY_MOVES] = moves,
	[LEGACY_CROSSING] = crossing,
	[LEGACY_LOCKED] = locked,
	[LEGACY_STRINGS] = legacy_string_stores,
	[LEGACY_VECTORS] = legacy_vector_stores,
	[LEGACY_STACK] = legacy_stack_stores,
	[LEGACY_X87] = legacy_x87_stores,
};

bool legacy_store(const struct legacy_store *method, volatile void *entry, unsigned bytes,
		  uint64_t value)
{
	if (method->need != ALWAYS && !has(method->need))
		return false;
	if (method->store_entry && bytes != 8)
		return false;
	if (method->store_entry) {
		method->store_entry(entry, value);
	} else {
		if (bytes == 8)
			method->store_word((word_ptr)entry + 1, (uint32_t)(value >> 32));
		method->store_word(entry, (uint32_t)value);
	}
	processor_event(EVENT_STORE, (uintptr_t)entry, &(uint64_t){method->like});
	return true;
}
