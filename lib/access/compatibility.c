/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Accesses from 32-bit code segments (SDM Vol. 3, "Compatibility Mode").
 */
#include "access/attempt.h"
#include "cpu/descriptor.h"
#include "cpu/user.h"

#define UPPER_HALF 0xa5a5a5a500000000ull

extern const struct code access_code_compatibility[INSTRUCTION_COUNT];
extern const char _user[], access_compatibility_done[];

/* Compatibility mode looks at them, 64-bit mode does not. */
static void load_data_segments(unsigned selector)
{
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(selector));
}

static uint64_t place(const struct access *access, uint64_t address)
{
	return access->user ? address - (uintptr_t)_user + LOW_WINDOW : address;
}

/* Of the register with the address; it must not matter. Fetches have that of their value, so that
 * one defect does not hide others. */
static uint64_t upper_half(const struct access *access)
{
	if (access->instruction == INSTRUCTION_fetch)
		return access->value[0] & ~0xffffffffull;
	return UPPER_HALF;
}

/* The words of a filled frame end, as 32-bit code, with a JMP through ESP. */
uint64_t attempt_in_compatibility_mode(void (*run)(struct attempt *attempt),
				       struct attempt *attempt, const struct access *access)
{
	const struct code *code = &access_code_compatibility[access->instruction];

	attempt->entry = place(access, code->entry);
	attempt->done = place(access, (uintptr_t)access_compatibility_done);
	attempt->user_rsp = attempt->done;
	attempt->readable = place(access, (uintptr_t)access_readable);
	attempt->operand = (uint32_t)(access->linear.value - access->base) | upper_half(access);
	attempt->code_segment = access->user ? USER_CS_COMPATIBILITY : KERNEL_CS_COMPATIBILITY;
	attempt->stack_segment = access->user ? USER_DS : KERNEL_DS;
	load_data_segments(access->segment ? access->segment : USER_DS);
	run(attempt);
	load_data_segments(KERNEL_DS);
	attempt->value[0] = (uint32_t)attempt->value[0];
	return access->instruction == INSTRUCTION_fetch ? (uint32_t)access->linear.value
							: place(access, code->touch);
}
