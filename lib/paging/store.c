/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 64-bit mode. Each function is one kind of store; the entry's neighbours keep their values but
 * where store.h says.
 */
#include "paging/store.h"

#include "cpu/sabotage.h"
#include "paging/store_implicit.h"

static void mov8(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("movq %1, %0" : "=m"(*entry) : "r"(value));
}

static void mov4(entry_ptr entry, uint64_t value)
{
	volatile uint32_t *half = (volatile uint32_t *)entry;

	__asm__ volatile("movl %1, %0" : "=m"(half[0]) : "r"((uint32_t)value));
	__asm__ volatile("movl %1, %0" : "=m"(half[1]) : "r"((uint32_t)(value >> 32)));
}

static void mov4_high_first(entry_ptr entry, uint64_t value)
{
	volatile uint32_t *half = (volatile uint32_t *)entry;

	__asm__ volatile("movl %1, %0" : "=m"(half[1]) : "r"((uint32_t)(value >> 32)));
	__asm__ volatile("movl %1, %0" : "=m"(half[0]) : "r"((uint32_t)value));
}

static void mov2(entry_ptr entry, uint64_t value)
{
	volatile uint16_t *word = (volatile uint16_t *)entry;

	for (int i = 3; i >= 0; i--)
		__asm__ volatile("movw %1, %0" : "=m"(word[i]) : "r"((uint16_t)(value >> 16 * i)));
}

static void mov1(entry_ptr entry, uint64_t value)
{
	volatile uint8_t *byte = (volatile uint8_t *)entry;

	for (int i = 7; i >= 0; i--)
		__asm__ volatile("movb %1, %0" : "=m"(byte[i]) : "q"((uint8_t)(value >> 8 * i)));
}

/* The entry with `before` bytes of the one in front and the rest of the one behind, in two stores
 * of 8 bytes that straddle the entries' borders. */
static void mov8_crossing(entry_ptr entry, uint64_t value)
{
	uint64_t first = entry[-1] >> 32 | value << 32;
	uint64_t second = value >> 32 | entry[1] << 32;
	volatile char *bytes = (volatile char *)entry;

	__asm__ volatile("movq %0, -4(%1)" : : "r"(first), "r"(bytes) : "memory");
	__asm__ volatile("movq %0, 4(%1)" : : "r"(second), "r"(bytes) : "memory");
}

static void mov4_crossing(entry_ptr entry, uint64_t value)
{
	volatile char *bytes = (volatile char *)entry;
	uint32_t first = (uint32_t)(entry[-1] >> 48 | value << 16);
	uint32_t last = (uint32_t)((value >> 48 & 0xffff) | entry[1] << 16);

	__asm__ volatile("movl %0, 6(%1)" : : "r"(last), "r"(bytes) : "memory");
	__asm__ volatile("movl %0, 2(%1)" : : "r"((uint32_t)(value >> 16)), "r"(bytes) : "memory");
	__asm__ volatile("movl %0, -2(%1)" : : "r"(first), "r"(bytes) : "memory");
}

static void mov2_crossing(entry_ptr entry, uint64_t value)
{
	volatile char *bytes = (volatile char *)entry;
	uint16_t last = (uint16_t)((value >> 56 & 0xff) | entry[1] << 8);

	__asm__ volatile("movw %0, 7(%1)" : : "r"(last), "r"(bytes) : "memory");
	for (int i = 5; i >= 1; i -= 2)
		__asm__ volatile("movw %0, (%1)"
				 :
				 : "r"((uint16_t)(value >> 8 * i)), "r"(bytes + i)
				 : "memory");
	__asm__ volatile("movw %0, -1(%1)"
			 :
			 : "r"((uint16_t)((entry[-1] >> 56) | value << 8)), "r"(bytes)
			 : "memory");
}

static void store_xchg(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("xchgq %1, %0" : "+m"(*entry), "+r"(value));
}

/* Bytes 7 to 4, then two words; each of them locked. */
static void store_xchg_parts(entry_ptr entry, uint64_t value)
{
	for (int i = 7; i >= 4; i--) {
		volatile uint8_t *byte = (volatile uint8_t *)entry + i;
		uint8_t part = (uint8_t)(value >> 8 * i);

		__asm__ volatile("xchgb %1, %0" : "+m"(*byte), "+q"(part));
	}
	for (int i = 2; i >= 0; i -= 2) {
		volatile uint16_t *word = (volatile uint16_t *)((volatile uint8_t *)entry + i);
		uint16_t part = (uint16_t)(value >> 8 * i);

		__asm__ volatile("xchgw %1, %0" : "+m"(*word), "+r"(part));
	}
}

static void store_cmpxchg(entry_ptr entry, uint64_t value)
{
	uint64_t old = *entry;

	__asm__ volatile("lock cmpxchgq %2, %0" : "+m"(*entry), "+a"(old) : "r"(value) : "cc");
}

/* The comparison fails, the entry must stay; then it succeeds. */
static void store_cmpxchg_failing_first(entry_ptr entry, uint64_t value)
{
	uint64_t old = ~*entry;

	__asm__ volatile("lock cmpxchgq %2, %0" : "+m"(*entry), "+a"(old) : "r"(0ull) : "cc");
	__asm__ volatile("lock cmpxchgq %2, %0" : "+m"(*entry), "+a"(old) : "r"(value) : "cc");
}

static void store_cmpxchg8b(entry_ptr entry, uint64_t value)
{
	uint64_t old = *entry;
	uint32_t low = (uint32_t)old, high = (uint32_t)(old >> 32);

	__asm__ volatile("lock cmpxchg8b %0"
			 : "+m"(*entry), "+a"(low), "+d"(high)
			 : "b"((uint32_t)value), "c"((uint32_t)(value >> 32))
			 : "cc");
}

/* The pair of entries that holds it, aligned 16. */
static void store_cmpxchg16b(entry_ptr entry, uint64_t value)
{
	entry_ptr pair = (entry_ptr)((uintptr_t)entry & ~15ul);
	uint64_t low = pair[0], high = pair[1];
	uint64_t new_low = entry == pair ? value : low, new_high = entry == pair ? high : value;

	__asm__ volatile("lock cmpxchg16b %0"
			 : "+m"(*(volatile __uint128_t *)pair), "+a"(low), "+d"(high)
			 : "b"(new_low), "c"(new_high)
			 : "cc");
}

static void store_lock_and_or(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("lock andq %1, %0" : "+m"(*entry) : "r"(value) : "cc");
	__asm__ volatile("lock orq %1, %0" : "+m"(*entry) : "r"(value) : "cc");
}

static void store_lock_bts_btr(entry_ptr entry, uint64_t value)
{
	for (uint64_t bit = 0; bit < 64; bit++) {
		if ((*entry ^ value) >> bit & 1) {
			if (value >> bit & 1)
				__asm__ volatile("lock btsq %1, %0"
						 : "+m"(*entry)
						 : "r"(bit)
						 : "cc");
			else
				__asm__ volatile("lock btrq %1, %0"
						 : "+m"(*entry)
						 : "r"(bit)
						 : "cc");
		}
	}
}

static void store_lock_btc(entry_ptr entry, uint64_t value)
{
	for (uint64_t bit = 0; bit < 64; bit++)
		if ((*entry ^ value) >> bit & 1)
			__asm__ volatile("lock btcq %1, %0" : "+m"(*entry) : "r"(bit) : "cc");
}

static void store_lock_xadd(entry_ptr entry, uint64_t value)
{
	uint64_t difference = value - *entry;

	__asm__ volatile("lock xaddq %1, %0" : "+m"(*entry), "+r"(difference) : : "cc");
}

static void store_lock_xor(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("lock xorq %1, %0" : "+m"(*entry) : "r"(*entry ^ value) : "cc");
}

static void store_add(entry_ptr entry, uint64_t value)
{
	__asm__ volatile("addq %1, %0" : "+m"(*entry) : "r"(value - *entry) : "cc");
}

static void store_inc(entry_ptr entry, uint64_t value)
{
	mov8(entry, value - 1);
	__asm__ volatile("incq %0" : "+m"(*entry) : : "cc");
}

static void store_not_neg(entry_ptr entry, uint64_t value)
{
	mov8(entry, value - 1);
	__asm__ volatile("notq %0" : "+m"(*entry)); /* ~(value - 1) = -value */
	__asm__ volatile("negq %0" : "+m"(*entry) : : "cc");
}

#define ALWAYS FEATURE_long_mode

const struct store_method store_methods[STORE_METHODS] = {
	[STORE_MOV8] = {"mov of 8 bytes", mov8, ALWAYS},
	[STORE_MOV4] = {"mov of 2 x 4 bytes, low half first", mov4, ALWAYS},
	[STORE_MOV4_HIGH_FIRST] = {"mov of 2 x 4 bytes, high half first", mov4_high_first, ALWAYS},
	[STORE_MOV2] = {"mov of 4 x 2 bytes", mov2, ALWAYS},
	[STORE_MOV1] = {"mov of 8 x 1 byte", mov1, ALWAYS},
	[STORE_MOV8_CROSSING] = {"mov of 8 bytes across entries", mov8_crossing, ALWAYS,
				 .crosses = true},
	[STORE_MOV4_CROSSING] = {"mov of 4 bytes across entries", mov4_crossing, ALWAYS,
				 .crosses = true},
	[STORE_MOV2_CROSSING] = {"mov of 2 bytes across entries", mov2_crossing, ALWAYS,
				 .crosses = true},
	[STORE_XCHG] = {"xchg", store_xchg, ALWAYS},
	[STORE_XCHG_PARTS] = {"xchg of 4 x 1 byte and 2 x 2 bytes", store_xchg_parts, ALWAYS},
	[STORE_CMPXCHG] = {"lock cmpxchg", store_cmpxchg, ALWAYS},
	[STORE_CMPXCHG_FAILING_FIRST] = {"lock cmpxchg that fails, then one that succeeds",
					 store_cmpxchg_failing_first, ALWAYS},
	[STORE_CMPXCHG8B] = {"lock cmpxchg8b", store_cmpxchg8b, FEATURE_cmpxchg8b},
	[STORE_CMPXCHG16B] = {"lock cmpxchg16b", store_cmpxchg16b, FEATURE_cmpxchg16b},
	[STORE_LOCK_AND_OR] = {"lock and, lock or", store_lock_and_or, ALWAYS},
	[STORE_LOCK_BTS_BTR] = {"lock bts, lock btr", store_lock_bts_btr, ALWAYS},
	[STORE_LOCK_BTC] = {"lock btc", store_lock_btc, ALWAYS},
	[STORE_LOCK_XADD] = {"lock xadd", store_lock_xadd, ALWAYS},
	[STORE_LOCK_XOR] = {"lock xor", store_lock_xor, ALWAYS},
	[STORE_ADD] = {"add", store_add, ALWAYS},
	[STORE_INC] = {"inc", store_inc, ALWAYS},
	[STORE_NOT_NEG] = {"not, neg", store_not_neg, ALWAYS},
	[STORE_REP_MOVSB] = {"rep movsb", store_rep_movsb, ALWAYS},
	[STORE_REP_MOVSQ] = {"rep movsq over three entries", store_rep_movsq, ALWAYS,
			     .crosses = true},
	[STORE_REP_MOVSQ_BACKWARDS] = {"rep movsq backwards over three entries",
				       store_rep_movsq_backwards, ALWAYS, .crosses = true},
	[STORE_REP_STOSD] = {"rep stosd", store_rep_stosd, ALWAYS},
	[STORE_STOSQ] = {"stosq", store_stosq, ALWAYS},
	[STORE_MOVDQA] = {"movdqa", store_movdqa, FEATURE_sse2},
	[STORE_MOVDQU] = {"movdqu", store_movdqu, FEATURE_sse2, .crosses = true},
	[STORE_MOVQ] = {"movq from an XMM register", store_movq, FEATURE_sse2},
	[STORE_MOVHPS] = {"movhps", store_movhps, FEATURE_sse2},
	[STORE_MOVNTI] = {"movnti", store_movnti, FEATURE_sse2},
	[STORE_MOVNTDQ] = {"movntdq", store_movntdq, FEATURE_sse2},
	[STORE_PUSH] = {"push", store_push, ALWAYS},
	[STORE_PUSHF_PUSH] = {"pushf, push", store_pushf_push, ALWAYS},
	[STORE_POP] = {"pop", store_pop, ALWAYS},
	[STORE_CALL] = {"call", store_call, ALWAYS, .executes = true},
	[STORE_SGDT] = {"sgdt", store_sgdt, ALWAYS, .crosses = true},
	[STORE_FXSAVE] = {"fxsave", store_fxsave, FEATURE_fxsr, .covers_line = true},
};

void store_by_method(volatile uint64_t *entry, uint64_t value, const struct store_method *method)
{
	method->store(entry, value);
	processor_event(EVENT_STORE, (uintptr_t)entry, &(uint64_t){method - store_methods});
}
