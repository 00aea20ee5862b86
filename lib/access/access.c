/* SPDX-License-Identifier: BSD-2-Clause */
#include "access/access.h"

#include "access/attempt.h"
#include "cpu/control.h"
#include "cpu/descriptor.h"
#include "cpu/user.h"
#include "mem/frames.h"

extern const struct code access_code[INSTRUCTION_COUNT];
extern const char _user[], access_user_done[];

/* attempt.S, for the processor that booted and for the others. */
extern const char attempt_completed[], attempt_completed_of_processor[];
void attempt_run_of_processor(struct attempt *attempt);

const struct instruction_entry instruction_table[INSTRUCTION_COUNT] = {
#define INSTRUCTION(name, size, reads, writes, need, text) \
	{text, size, reads, writes, FEATURE_##need},
#include "access/instructions.def"
#undef INSTRUCTION
};

/* What instructions with a second operand in memory read. Not const: a stack pointer may stand on
 * it. */
uint64_t access_readable[2] __attribute__((section(".user.data"), aligned(16))) = {
	0x1111111111111111, 0x2222222222222222};

static uint64_t in_window(uint64_t address)
{
	return address - (uintptr_t)_user + USER_WINDOW;
}

static void load_xmm0(const uint64_t value[2])
{
	__asm__ volatile("movdqu (%0), %%xmm0" : : "r"(value) : "memory");
}

static void save_xmm0(uint64_t value[2])
{
	__asm__ volatile("movdqu %%xmm0, (%0)" : : "r"(value) : "memory");
}

uint64_t access_rflags(const struct access *access)
{
	bool port = access->user && is_port_instruction(access->instruction);

	return RFLAGS_FIXED | (access->ac ? RFLAGS_AC : 0) | (port ? RFLAGS_IOPL : 0);
}

static inline __attribute__((always_inline)) struct attempt
prepare(uintptr_t completed, uint64_t rflags, const struct access *access)
{
	const struct code *code = &access_code[access->instruction];
	struct attempt run = {
		.entry = code->entry,
		.operand = access->linear.value,
		.done = completed,
		.readable = (uintptr_t)access_readable,
		.rflags = rflags | access_rflags(access),
		.value = {access->value[0], access->value[1]},
		.expected_rip = code->touch,
	};

	if (access->user) {
		run.code_segment = USER_CS;
		run.stack_segment = USER_DS;
		run.entry = in_window(run.entry);
		run.done = in_window((uintptr_t)access_user_done);
		run.readable = in_window(run.readable);
		run.user_rsp = USER_WINDOW + USER_STACK + USER_STACK_BYTES;
		run.expected_rip = in_window(run.expected_rip);
	}
	if (access->instruction == INSTRUCTION_fetch)
		run.expected_rip = access->linear.value;
	return run;
}

struct attempt prepare_attempt(const struct access *access)
{
	return prepare((uintptr_t)attempt_completed, RFLAGS_FIXED, access);
}

struct outcome attempt_outcome(const struct attempt *run)
{
	return (struct outcome){
		.vector = (unsigned)run->vector,
		.error_code = run->error_code,
		.cr2 = run->cr2,
		.rip = run->rip,
		.expected_rip = run->expected_rip,
		.value = {run->value[0]},
	};
}

/* Inlined, since tests make millions of attempts on one processor. */
static inline __attribute__((always_inline)) struct outcome
attempt_by(void (*run_attempt)(struct attempt *attempt), uintptr_t completed, uint64_t rflags,
	   struct access access)
{
	bool xmm = instruction_table[access.instruction].need == FEATURE_sse2;
	struct attempt run = prepare(completed, rflags, &access);
	struct outcome outcome;

	if (xmm)
		load_xmm0(access.value);
	if (access.instruction == INSTRUCTION_fetch)
		serialize();
	if (sizeof(void *) == 8 && access.compatibility)
		run.expected_rip = attempt_in_compatibility_mode(run_attempt, &run, &access);
	else
		run_attempt(&run);
	outcome = attempt_outcome(&run);
	if (xmm)
		save_xmm0(outcome.value);
	return outcome;
}

static uint64_t attempt_rflags = RFLAGS_FIXED;
volatile uint64_t attempts_made;
struct outcome (*attempt_hook)(struct access access);

void attempts_are_interruptible(bool interruptible)
{
	attempt_rflags = RFLAGS_FIXED | (interruptible ? RFLAGS_IF : 0);
}

struct outcome attempt_rightly(struct access access)
{
	return attempt_by(attempt_run, (uintptr_t)attempt_completed, attempt_rflags, access);
}

struct outcome attempt(struct access access)
{
	attempts_made++;
	if (__builtin_expect(!!attempt_hook, 0))
		return attempt_hook(access);
	return attempt_by(attempt_run, (uintptr_t)attempt_completed, attempt_rflags, access);
}

static void attempt_by_hook(struct attempt *attempt, struct access access)
{
	struct outcome outcome = attempt_hook(access);

	attempt->vector = outcome.vector;
	attempt->error_code = outcome.error_code;
	attempt->cr2 = outcome.cr2;
	attempt->rip = outcome.rip;
	if (outcome.vector == NO_VECTOR)
		attempt->value[0] = outcome.value[0];
}

void attempt_prepared(struct attempt *attempt, struct access access)
{
	attempts_made++;
	/* An access does not say where a second operand is: no bug is played where it is elsewhere.
	 */
	if (__builtin_expect(!!attempt_hook, 0) &&
	    attempt->readable == prepare_attempt(&access).readable)
		attempt_by_hook(attempt, access);
	else
		attempt_run(attempt);
}

#ifdef __x86_64__
struct outcome attempt_of_processor(struct access access)
{
	struct outcome outcome;
	uint64_t rflags;

	__asm__ volatile("pushfq; pop %0" : "=r"(rflags));
	rflags = RFLAGS_FIXED | (rflags & RFLAGS_IF);
	outcome = attempt_by(attempt_run_of_processor, (uintptr_t)attempt_completed_of_processor,
			     rflags, access);
	if (rflags & RFLAGS_IF)
		__asm__ volatile("sti");
	return outcome;
}

/* Left as user mode is, by #UD, but everything is where supervisor mode has it. */
struct outcome attempt_at_level(struct access access, uint16_t code_segment, uint16_t stack_segment,
				linear_t stack)
{
	struct attempt run;

	access.user = false;
	run = prepare((uintptr_t)access_user_done, attempt_rflags, &access);
	run.code_segment = code_segment;
	run.stack_segment = stack_segment;
	run.user_rsp = stack.value;
	attempts_made++;
	serialize();
	attempt_run(&run);
	return attempt_outcome(&run);
}
#endif

static enum instruction by_size(enum instruction first, unsigned size)
{
	return first + (unsigned)__builtin_ctz(size);
}

struct access read_access(linear_t linear, unsigned size)
{
	return (struct access){by_size(INSTRUCTION_read1, size), .linear = linear};
}

struct access write_access(linear_t linear, unsigned size, uint64_t value)
{
	return (struct access){by_size(INSTRUCTION_write1, size), .linear = linear,
			       .value = {value, ~value}};
}

struct access fetch_access(linear_t linear)
{
	return (struct access){INSTRUCTION_fetch, .linear = linear};
}

struct access instruction_access(enum instruction instruction, linear_t linear, uint64_t value)
{
	return (struct access){instruction, .linear = linear, .value = {value, ~value}};
}

struct access as_user(struct access access)
{
	access.user = true;
	return access;
}

struct access with_ac(struct access access)
{
	access.ac = true;
	return access;
}

struct access in_compatibility_mode(struct access access)
{
	access.compatibility = true;
	return access;
}

struct access nth_access(unsigned n, linear_t linear)
{
	struct access access = n % 3 == 0   ? read_access(linear, 8)
			       : n % 3 == 1 ? write_access(linear, 8, frame_word(77))
					    : fetch_access(linear);

	access.user = n / 3 == 0;
	access.ac = n / 3 == 2;
	return access;
}

/* mov $tag, %eax; jmp *%r12, or in 32-bit images jmp *%ebp; nop */
uint64_t frame_word(uint32_t tag)
{
	uint64_t code = sizeof(void *) == 8 ? 0xe4ff4100000000b8 : 0x90e5ff00000000b8;

	return code | (uint64_t)tag << 8;
}

void frame_fill(gpa_t frame, uint64_t bytes, uint32_t tag)
{
	uint64_t *word = identity(frame), value = frame_word(tag);

	for (uint64_t i = 0; i < bytes / 8; i++)
		word[i] = value;
}

gpa_t filled_frame(uint32_t tag)
{
	gpa_t frame = frame_alloc();

	frame_fill(frame, PAGE_4K, tag);
	return frame;
}

void text_access(struct text *text, const struct access *access)
{
	const struct instruction_entry *entry = &instruction_table[access->instruction];
	const char *kind = access->instruction == INSTRUCTION_fetch ? "fetch"
			   : entry->writes == NEVER		    ? "read"
			   : entry->reads			    ? "read-modify-write"
								    : "write";

	text_add(text, "%s%s %s of %u bytes (%s)%s at linear 0x%016llx",
		 access->compatibility ? "compatibility-mode " : "",
		 access->user ? "user" : "supervisor", kind, entry->size, entry->text,
		 access->ac ? " with EFLAGS.AC" : "", (unsigned long long)access->linear.value);
}

void text_outcome(struct text *text, const struct outcome *outcome)
{
	if (outcome->vector == NO_VECTOR) {
		text_add(text, "completed, value 0x%llx", (unsigned long long)outcome->value[0]);
		return;
	}
	if (outcome->vector == VECTOR_WATCHDOG) {
		text_add(text, "no progress: given up by a timer interrupt, RIP 0x%llx",
			 (unsigned long long)outcome->rip);
		return;
	}
	text_exception(text, outcome->vector, outcome->error_code);
	text_add(text, ", CR2 0x%llx, RIP 0x%llx", (unsigned long long)outcome->cr2,
		 (unsigned long long)outcome->rip);
}
