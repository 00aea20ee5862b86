/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One access, one VM entry. Nothing but the access and the fetch of its instruction needs L2's
 * memory: a fetch is entered at its target, every exception is an exit, and the end is #UD.
 */
#include "nested/l2.h"

#include "check/report.h"
#include "cpu/control.h"
#include "cpu/features.h"
#include "paging/entry.h"

struct code {
	uint64_t entry, touch;
};

struct code_32 {
	enum instruction instruction;
	uint32_t entry, touch;
};

extern const struct code access_code[INSTRUCTION_COUNT];
extern const struct code_32 access_code_32[], access_code_32_end[];
extern const char _user[], access_user_done[];

const struct l2_hooks *l2_hooks;

static struct code code_of(const struct l2 *l2, enum instruction instruction)
{
	const struct code_32 *at = access_code_32;

	if (l2_is_64bit(l2) || instruction == INSTRUCTION_fetch)
		return access_code[instruction];
	while (at < access_code_32_end && at->instruction != instruction)
		at++;
	if (at == access_code_32_end)
		end_case_failed("this instruction has no 32-bit form in lib/nested");
	return (struct code){at->entry, at->touch};
}

uint64_t l2_code_address(const struct l2 *l2, bool user, const void *code)
{
	return l2->code[user].value + ((uintptr_t)code - (uintptr_t)_user);
}

uint64_t l2_end_of_code(const struct l2 *l2, bool user)
{
	return l2_code_address(l2, user, access_user_done);
}

static const void *pointer_to(uint64_t address)
{
	return (const void *)(uintptr_t)address;
}

linear_t l2_stub(const struct l2 *l2, const struct access *access)
{
	if (access->instruction == INSTRUCTION_fetch)
		return access->linear;
	return LINEAR(l2_code_address(l2, access->user,
				      pointer_to(code_of(l2, access->instruction).entry)));
}

struct model_processor l2_processor(const struct l2 *l2, linear_t linear)
{
	struct model_processor processor = {
		.format = l2_format(l2),
		.rules = {.maxphyaddr = maxphyaddr(),
			  .pages_1g = has(FEATURE_pages_1g),
			  .execute_disable = l2->efer & EFER_NXE,
			  .pse36 = has(FEATURE_pse36)},
		.root = l2->cr3 & ENTRY_ADDRESS,
		.wp = l2->cr0 & CR0_WP,
		.smep = l2->cr4 & CR4_SMEP,
		.smap = l2->cr4 & CR4_SMAP,
	};

	if (l2->mode == L2_PAE)
		processor.root = l2->pdpte[linear.value >> 30 & 3] & ENTRY_ADDRESS;
	return processor;
}

static void load_xmm0(const uint64_t value[2])
{
	__asm__ volatile("movdqu (%0), %%xmm0" : : "r"(value) : "memory");
}

static void save_xmm0(uint64_t value[2])
{
	__asm__ volatile("movdqu %%xmm0, (%0)" : : "r"(value) : "memory");
}

struct outcome l2_exception_outcome(const struct l2 *l2, const struct l2_exit *exit,
				    const struct l2_registers *registers)
{
	struct outcome outcome = {.vector = exit->vector,
				  .error_code = exit->error_code,
				  .cr2 = exit->linear,
				  .rip = exit->rip,
				  .value = {registers->rax}};

	if (exit->vector == VECTOR_UD && exit->rip == l2_end_of_code(l2, l2->user))
		outcome.vector = NO_VECTOR;
	return outcome;
}

struct l2_outcome l2_attempt_rightly(struct l2 *l2, struct access access)
{
	bool xmm = instruction_table[access.instruction].need == FEATURE_sse2;
	uint64_t done = l2_end_of_code(l2, access.user);
	struct l2_registers registers = {
		.rax = access.value[0],
		.rdx = access.value[1],
		.rdi = access.linear.value,
		.rsi = l2->code[access.user].value,
		.r12 = done, /* where 64-bit code goes on, and %esp where 32-bit code does */
		.rsp = done,
		.rip = l2_stub(l2, &access).value,
		.rflags = access_rflags(&access),
	};
	struct l2_outcome outcome = {0};

	l2->user = access.user;
	if (xmm)
		load_xmm0(access.value);
	l2->backend->enter(l2, &registers, &outcome.exit);
	outcome.exited = outcome.exit.kind != L2_EXCEPTION;
	if (outcome.exited)
		return outcome;
	outcome.outcome = l2_exception_outcome(l2, &outcome.exit, &registers);
	outcome.outcome.expected_rip =
		access.instruction == INSTRUCTION_fetch
			? access.linear.value
			: l2_code_address(l2, access.user,
					  pointer_to(code_of(l2, access.instruction).touch));
	if (xmm)
		save_xmm0(outcome.outcome.value);
	return outcome;
}

struct l2_outcome l2_attempt(struct l2 *l2, struct access access)
{
	if (__builtin_expect(!!l2_hooks, 0))
		return l2_hooks->attempt(l2, access);
	return l2_attempt_rightly(l2, access);
}
