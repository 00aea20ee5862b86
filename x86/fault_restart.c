/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What an instruction has done when it faults, and what becomes of it when it is restarted.
 *
 * A page fault leaves the registers and RFLAGS as they were before the instruction; a repeated
 * string instruction stops between two elements, and its registers say which (SDM Vol. 3,
 * "Restarting of Programs or Tasks"; Vol. 2, "REP/REPE/REPZ/REPNE/REPNZ"; R19, P18). When the
 * handler has made the page usable and returns, the instruction does what it does otherwise.
 *
 * Here #PF has a handler of its own, on a stack of its own, which looks at the registers, repairs
 * the entry and returns. The reference is the same instruction where nothing is missing.
 *
 * Caught here, in emulators, those of hypervisors too: flags, stack pointer or string registers set
 * before the store is known to succeed (V805, XS09); faults not taken, or taken again (KN26).
 *
 * Not checked: RF of the saved RFLAGS; flags of repeated CMPS and SCAS; user mode.
 */
#include "test.h"

SUBJECT(fault_restart, "registers at a page fault, and the restart of the instruction");

#define MANUAL	 "SDM Vol. 3, \"Restarting of Programs or Tasks\""

#define CF	 0x001
#define AF	 0x010
#define OF	 0x800
#define ARITH	 0x8d5 /* and PF, ZF, SF */
#define LOGIC	 (ARITH & ~AF)
#define SHIFT_CL (ARITH & ~(AF | OF))

struct registers {
	uint64_t a, b, c, d, si, di, sp, flags;
};

/* R9 is where to go on when faults do not end, R8 the compiler's stack pointer. */
#define OPERATION(name, code)                                                                   \
	static void op_##name(struct registers *r)                                              \
	{                                                                                       \
		register uint64_t sp __asm__("r11") = r->sp;                                    \
		__asm__ volatile("mov %%rsp, %%r8; lea 1f(%%rip), %%r9; "                       \
				 "push %[flags]; popfq; mov %%r11, %%rsp; " code                \
				 "; 1: mov %%rsp, %%r11; mov %%r8, %%rsp; "                     \
				 "pushfq; pop %[flags]; cld"                                    \
				 : "+a"(r->a), "+b"(r->b), "+c"(r->c), "+d"(r->d), "+S"(r->si), \
				   "+D"(r->di), "+r"(sp), [flags] "+r"(r->flags)                \
				 :                                                              \
				 : "r8", "r9", "memory", "cc");                                 \
		r->sp = sp;                                                                     \
	}

/* Where the operand is: RDI or RSI leads to it, or it is what PUSH writes or POP reads. */
enum place { AT_RDI, AT_RSI, PUSHED, POPPED };

/* name, code, bytes of the operand, of them in an element, place, writes, flags that are defined */
#define OPERATIONS(X)                                                            \
	X(adc4, "adcl %%edx, (%%rdi)", 4, 0, AT_RDI, ALWAYS, ARITH)              \
	X(inc8, "incq (%%rdi)", 8, 0, AT_RDI, ALWAYS, ARITH)                     \
	X(shld_cl, "shldq %%cl, %%rdx, (%%rdi)", 8, 0, AT_RDI, ALWAYS, SHIFT_CL) \
	X(bts, "btsq $63, (%%rdi)", 8, 0, AT_RDI, ALWAYS, CF)                    \
	X(xchg8, "xchgq %%rdx, (%%rdi)", 8, 0, AT_RDI, ALWAYS, ARITH)            \
	X(xadd8, "lock xaddq %%rdx, (%%rdi)", 8, 0, AT_RDI, ALWAYS, ARITH)       \
	X(cmpxchg8, "lock cmpxchgq %%rdx, (%%rdi)", 8, 0, AT_RDI, MAYBE, ARITH)  \
	X(cmpxchg8b, "lock cmpxchg8b (%%rdi)", 8, 0, AT_RDI, MAYBE, ARITH)       \
	X(lock_xor4, "lock xorl %%edx, (%%rdi)", 4, 0, AT_RDI, ALWAYS, LOGIC)    \
	X(rcl1, "rclq (%%rdi)", 8, 0, AT_RDI, ALWAYS, ARITH)                     \
	X(rcr_cl, "rcrl %%cl, (%%rdi)", 4, 0, AT_RDI, ALWAYS, ARITH & ~OF)       \
	X(add_load, "addq (%%rdi), %%rdx", 8, 0, AT_RDI, NEVER, ARITH)           \
	X(load_base, "movq (%%rdi), %%rdi", 8, 0, AT_RDI, NEVER, ARITH)          \
	X(push8, "push %%rdx", 8, 0, PUSHED, ALWAYS, ARITH)                      \
	X(push_memory, "pushq (%%rdi)", 8, 0, AT_RDI, NEVER, ARITH)              \
	X(call, "call 2f; 2:", 8, 0, PUSHED, ALWAYS, ARITH)                      \
	X(pop8, "pop %%rdx", 8, 0, POPPED, NEVER, ARITH)                         \
	X(pop_stack, "pop %%rsp", 8, 0, POPPED, NEVER, ARITH)                    \
	X(pop_memory, "popq (%%rdi)", 8, 0, AT_RDI, ALWAYS, ARITH)               \
	X(stos8, "stosq", 8, 0, AT_RDI, ALWAYS, ARITH)                           \
	X(movs8_from, "movsq", 8, 0, AT_RSI, NEVER, ARITH)                       \
	X(lods8, "lodsq", 8, 0, AT_RSI, NEVER, ARITH)                            \
	X(cmps2, "cmpsw", 2, 0, AT_RSI, NEVER, ARITH)                            \
	X(scas4, "scasl", 4, 0, AT_RDI, NEVER, ARITH)                            \
	X(rep_stos1, "rep stosb", 29, 1, AT_RDI, ALWAYS, ARITH)                  \
	X(rep_stos8, "rep stosq", 56, 8, AT_RDI, ALWAYS, ARITH)                  \
	X(rep_movs8, "rep movsq", 48, 8, AT_RDI, ALWAYS, ARITH)                  \
	X(rep_movs4_from, "rep movsl", 36, 4, AT_RSI, NEVER, ARITH)

#define DEFINE(name, code, bytes, element, place, writes, flags) OPERATION(name, code)
OPERATIONS(DEFINE)

#define LIST(name, code, bytes, element, place, writes, flags) \
	{#name, op_##name, bytes, element, place, writes, flags},
static const struct operation {
	const char *text;
	void (*run)(struct registers *registers);
	unsigned bytes, element; /* 0: is not repeated */
	enum place place;
	enum certainty writes;
	uint64_t flags;
} operations[] = {OPERATIONS(LIST)};

#define NUMBER(name, ...) NTH_##name,
enum { OPERATIONS(NUMBER) };

static struct page_pair pair;
static volatile unsigned faults;
static struct exception_frame first_fault;

extern const char restart_entry[];

__asm__(".text; .balign 16; restart_entry: push $14; push %rax; push %rbx; push %rcx; push %rdx; "
	"push %rsi; push %rdi; push %rbp; push %r8; push %r9; push %r10; push %r11; push %r12; "
	"push %r13; push %r14; push %r15; mov %rsp, %rdi; cld; call restart_page_fault; "
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8; pop %rbp; "
	"pop %rdi; pop %rsi; pop %rdx; pop %rcx; pop %rbx; pop %rax; add $16, %rsp; iretq");

static __attribute__((used)) void restart_page_fault(struct exception_frame *frame)
{
	if (!faults++)
		first_fault = *frame;
	set_page_pair(&pair, pair.good[0], pair.good[1]);
	if (faults > 3)
		frame->rip = frame->r9;
}

/* A gate with a stack of its own, since RSP may lead to the page that is missing. */
static void take_page_faults(void)
{
	gpa_t tss = frame_alloc(), table = frame_alloc();
	struct idt_gate *idt = identity(table), *gate = &idt[VECTOR_PF];
	uint64_t top = frame_alloc().value + PAGE_4K, entry = (uintptr_t)restart_entry;

	copy_tss(identity(tss));
	memcpy((uint8_t *)identity(tss) + TSS_IST3_OFFSET, &top, 8);
	load_tss(LINEAR(tss.value));
	copy_idt(idt);
	gate->offset_low = (uint16_t)entry;
	gate->offset_middle = (uint16_t)(entry >> 16);
	gate->offset_high = (uint32_t)(entry >> 32);
	gate->ist = TSS_SPARE_IST;
	load_idt(LINEAR(table.value), IDT_GATES * sizeof(idt[0]));
}

#define AROUND 64 /* bytes of each page that operands may be in */

struct trial {
	const struct operation *operation;
	unsigned before; /* bytes of the operand in front of the border */
	struct registers start;
	uint8_t memory[2 * AROUND]; /* around the border */
};

/* What a string's other operand and the stack are in. */
static uint8_t scratch[2 * AROUND] __attribute__((aligned(16)));

static struct trial new_trial(const struct operation *operation, unsigned before,
			      struct random *random)
{
	struct trial trial = {.operation = operation, .before = before};
	struct registers *r = &trial.start;
	uint64_t operand = pair.border.value - before;

	for (unsigned i = 0; i < sizeof(trial.memory); i++)
		trial.memory[i] = (uint8_t)random_next(random);
	*r = (struct registers){.a = random_next(random),
				.b = random_next(random),
				.c = random_next(random) % 31 + 1,
				.d = random_next(random)};
	r->flags = (random_next(random) & ARITH) | RFLAGS_FIXED;
	if (r->flags & AF) /* comparisons succeed half the time */
		memcpy(&r->a, trial.memory + AROUND - before, 8);
	if (operation->element)
		r->c = operation->bytes / operation->element;
	r->di = operation->place == AT_RDI ? operand : (uintptr_t)scratch;
	r->si = operation->place == AT_RSI ? operand : (uintptr_t)scratch;
	r->sp = operation->place == PUSHED   ? operand + operation->bytes
		: operation->place == POPPED ? operand
					     : (uintptr_t)scratch + AROUND;
	return trial;
}

/* Sets the PTEs before it and leaves in `memory` what both pages and the scratch hold then. */
static struct registers run_trial(const struct trial *trial, const uint64_t ptes[2],
				  uint8_t memory[4 * AROUND])
{
	uint8_t *first = identity(gpa_plus(pair.frame[0], PAGE_4K - AROUND));
	uint8_t *second = identity(pair.frame[1]);
	struct registers r = trial->start;

	memset(scratch, 0x5a, sizeof(scratch));
	memcpy(first, trial->memory, AROUND);
	memcpy(second, trial->memory + AROUND, AROUND);
	set_page_pair(&pair, ptes[0], ptes[1]);
	faults = 0;
	trial->operation->run(&r);
	memcpy(memory, first, AROUND);
	memcpy(memory + AROUND, second, AROUND);
	memcpy(memory + 2 * AROUND, scratch, sizeof(scratch));
	return r;
}

static void same(const struct operation *operation, const char *what, uint64_t is, uint64_t wanted)
{
	expect(is == wanted, "%s: %s 0x%llx, not 0x%llx", operation->text, what,
	       (unsigned long long)is, (unsigned long long)wanted);
}

/* RFLAGS and all registers as before the instruction, but for a string's, which agree on how many
 * elements are done. */
static void check_fault(const struct operation *operation, const struct registers *r)
{
	const struct exception_frame *at = &first_fault;
	uint64_t done = (r->c - at->rcx) * operation->element;
	bool loads = !strncmp(operation->text, "rep_movs", 8);

	expect(operation->element ? done <= operation->bytes : at->rcx == r->c,
	       "%s: RCX 0x%llx at the fault", operation->text, (unsigned long long)at->rcx);
	same(operation, "RDI at the fault", at->rdi, r->di + done);
	same(operation, "RSI at the fault", at->rsi, r->si + (loads ? done : 0));
	same(operation, "RAX at the fault", at->rax, r->a);
	same(operation, "RDX at the fault", at->rdx, r->d);
	same(operation, "RSP at the fault", at->rsp, r->sp);
	same(operation, "flags at the fault", at->rflags & ARITH, r->flags & ARITH);
}

static void check_result(const struct operation *operation, const struct registers *r,
			 const struct registers *wanted)
{
	same(operation, "RAX after the restart", r->a, wanted->a);
	same(operation, "RCX after the restart", r->c, wanted->c);
	same(operation, "RDX after the restart", r->d, wanted->d);
	same(operation, "RSI after the restart", r->si, wanted->si);
	same(operation, "RDI after the restart", r->di, wanted->di);
	same(operation, "RSP after the restart", r->sp, wanted->sp);
	same(operation, "flags after the restart", r->flags & operation->flags,
	     wanted->flags & operation->flags);
}

static void try_bad(const struct trial *trial, unsigned bad, uint64_t taken)
{
	const struct operation *operation = trial->operation;
	enum certainty fault = taken == P ? ALWAYS : operation->writes;
	uint64_t ptes[2] = {pair.good[0], pair.good[1]};
	uint8_t memory[2][4 * AROUND];
	struct registers r, wanted = run_trial(trial, ptes, memory[0]);

	ptes[bad] &= ~taken;
	r = run_trial(trial, ptes, memory[1]);
	expect(fault == MAYBE ? faults <= 1 : faults == (fault == ALWAYS),
	       "%s with %u bytes in the first page, page %u bad: %u faults", operation->text,
	       trial->before, bad, faults);
	if (faults)
		check_fault(operation, &trial->start);
	check_result(operation, &r, &wanted);
	expect(!memcmp(memory[0], memory[1], sizeof(memory[0])),
	       "%s with %u bytes in the first page left other memory after its restart",
	       operation->text, trial->before);
}

static void try_operation(const struct operation *operation, struct random *random)
{
	for (unsigned i = 0; i < 4; i++) {
		struct trial whole = new_trial(operation, AROUND, random);
		struct trial parts = new_trial(operation, operation->bytes / 2, random);

		try_bad(&whole, 0, P);
		try_bad(&whole, 0, RW);
		for (unsigned bad = 0; bad < 2 && operation->bytes > 1; bad++) {
			try_bad(&parts, bad, P);
			try_bad(&parts, bad, RW);
		}
	}
}

static void try_operations(unsigned first, unsigned last)
{
	struct random random = random_start(96);

	pair = map_page_pair(0, 0);
	take_page_faults();
	for (unsigned i = first; i <= last; i++)
		try_operation(&operations[i], &random);
}

#define RESTARTS(name, first, last, promise, needs)      \
	TEST(name, promise, MANUAL, needs)               \
	{                                                \
		try_operations(NTH_##first, NTH_##last); \
	}

RESTARTS(read_modify_writes_are_restarted, adc4, bts,
	 "Arithmetic and bit tests leave registers and RFLAGS alone when they fault", "")
/* Both apart: an emulator of instructions may compute flags before it stores. */
RESTARTS(locked_operations_are_restarted, xchg8, lock_xor4,
	 "Locked instructions leave registers and RFLAGS alone when they fault", "cmpxchg8b")
RESTARTS(rotations_through_carry_are_restarted, rcl1, rcr_cl,
	 "RCL and RCR leave CF alone when they fault, and use it when they are restarted", "")
RESTARTS(loads_and_stack_accesses_are_restarted, add_load, pop_memory,
	 "Loads, PUSH, POP and CALL leave registers, RSP too, alone when they fault", "")
RESTARTS(strings_are_restarted, stos8, scas4,
	 "String instructions leave RSI, RDI and RFLAGS alone when they fault", "")
RESTARTS(repeated_strings_go_on, rep_stos1, rep_movs4_from,
	 "At a fault RCX, RSI and RDI of a repeated string instruction name the same element", "")
