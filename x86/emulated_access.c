/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every kind of read-modify-write on a page that is a paging structure in use, and what the
 * processor itself writes there.
 *
 * A paging structure is ordinary memory: an instruction does to it, to registers and to RFLAGS what
 * it does elsewhere (SDM Vol. 3, "Invalidation of TLBs and Paging-Structure Caches"; P29).
 * Descriptors' accessed and busy bits and the frames of events are stores like any other.
 *
 * Caught here: instruction emulators of hypervisors that write-protect tables: a wrong carry, a
 * flag that is lost, an operand size or a bit offset taken wrongly, a comparison that fails and
 * stores; the processor's own stores that such a hypervisor cannot complete (KS25).
 *
 * The reference is the same instruction on memory that is no table; flags that the manual leaves
 * undefined are not compared. table_writes follows the entries that such stores make,
 * forced_emulation the rights that emulated accesses have (KS18, KS26).
 */
#include "test.h"

SUBJECT(emulated_access, "instructions and the processor's own stores on tables in use");

#define MANUAL	 "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""

#define CF	 0x001
#define PF	 0x004
#define AF	 0x010
#define ZF	 0x040
#define SF	 0x080
#define OF	 0x800
#define ARITH	 (CF | PF | AF | ZF | SF | OF)
#define LOGIC	 (ARITH & ~AF)
#define SHIFT_CL (CF | PF | ZF | SF)
#define BIT_TEST (CF | ZF)

struct registers {
	uint64_t a, b, c, d, flags;
};

/* The instruction with its operand at RDI. */
#define OPERATION(name, code)                                                           \
	static void name(volatile uint64_t *memory, struct registers *r)                \
	{                                                                               \
		__asm__ volatile("push %[flags]; popfq; " code "; pushfq; pop %[flags]" \
				 : "+a"(r->a), "+d"(r->d), "+b"(r->b),                  \
				   "+c"(r->c), [flags] "+r"(r->flags)                   \
				 : "D"(memory)                                          \
				 : "memory", "cc");                                     \
	}

#define OPERATIONS(X)                                      \
	X(adc8, "adcq %%rdx, (%%rdi)", ARITH)              \
	X(adc4, "adcl %%edx, (%%rdi)", ARITH)              \
	X(adc1, "adcb %%dl, 3(%%rdi)", ARITH)              \
	X(sbb8, "sbbq %%rdx, (%%rdi)", ARITH)              \
	X(sbb2, "sbbw %%dx, 2(%%rdi)", ARITH)              \
	X(add4, "addl $-5, (%%rdi)", ARITH)                \
	X(sub1, "subb %%dh, 1(%%rdi)", ARITH)              \
	X(lock_sub8, "lock subq %%rdx, (%%rdi)", ARITH)    \
	X(and8, "andq $-256, (%%rdi)", LOGIC)              \
	X(or2, "orw %%dx, 6(%%rdi)", LOGIC)                \
	X(lock_xor4, "lock xorl %%edx, 4(%%rdi)", LOGIC)   \
	X(inc8, "incq (%%rdi)", ARITH)                     \
	X(dec1, "decb (%%rdi)", ARITH)                     \
	X(lock_dec4, "lock decl (%%rdi)", ARITH)           \
	X(not8, "notq (%%rdi)", ARITH)                     \
	X(neg4, "negl 4(%%rdi)", ARITH)                    \
	X(shl1, "shlq (%%rdi)", LOGIC)                     \
	X(sar_cl, "sarq %%cl, (%%rdi)", SHIFT_CL)          \
	X(shr_cl4, "shrl %%cl, (%%rdi)", SHIFT_CL)         \
	X(rol1, "rolq (%%rdi)", ARITH)                     \
	X(rcl1, "rclq (%%rdi)", ARITH)                     \
	X(rcr_cl, "rcrq %%cl, (%%rdi)", ARITH & ~OF)       \
	X(shld_cl, "shldq %%cl, %%rdx, (%%rdi)", SHIFT_CL) \
	X(shrd_cl, "shrdq %%cl, %%rdx, (%%rdi)", SHIFT_CL) \
	X(bts_near, "btsq $63, (%%rdi)", BIT_TEST)         \
	X(btr_far, "btrq %%rbx, (%%rdi)", BIT_TEST)        \
	X(btc_far, "lock btcq %%rbx, (%%rdi)", BIT_TEST)   \
	X(bts_far4, "btsl %%ebx, (%%rdi)", BIT_TEST)       \
	X(setc, "setc 5(%%rdi)", ARITH)                    \
	X(mov_imm, "movq $-2, (%%rdi)", ARITH)             \
	X(mov_ah, "movb %%ah, 7(%%rdi)", ARITH)            \
	X(mov_segment, "movw %%ds, (%%rdi)", ARITH)        \
	X(xchg1, "xchgb %%dl, 2(%%rdi)", ARITH)            \
	X(xchg4, "xchgl %%edx, (%%rdi)", ARITH)            \
	X(xadd8, "lock xaddq %%rdx, (%%rdi)", ARITH)       \
	X(xadd1, "xaddb %%dl, (%%rdi)", ARITH)             \
	X(cmpxchg8, "lock cmpxchgq %%rdx, (%%rdi)", ARITH) \
	X(cmpxchg4, "cmpxchgl %%edx, (%%rdi)", ARITH)      \
	X(cmpxchg1, "cmpxchgb %%dl, (%%rdi)", ARITH)       \
	X(cmpxchg8b, "lock cmpxchg8b (%%rdi)", ARITH)      \
	X(cmp8, "cmpq %%rdx, (%%rdi)", ARITH)              \
	X(test4, "testl %%edx, (%%rdi)", LOGIC)

#define DEFINE(name, code, flags) OPERATION(op_##name, code)
OPERATIONS(DEFINE)

#define LIST(name, code, flags) {code, op_##name, flags},
static const struct {
	const char *text;
	void (*run)(volatile uint64_t *memory, struct registers *registers);
	uint64_t flags; /* that the manual defines */
} operations[] = {OPERATIONS(LIST)};

#define WORDS 9 /* around the operand, which is in the middle */
#define INDEX 200
#define SPARE 300 /* the operand's place in the table, far from entries in use */

/* A table of `level` in use, and a page elsewhere that maps it. */
struct target {
	struct page page;
	volatile uint64_t *words; /* of the table, from the first one around the operand */
};

static struct target make_target(enum level level)
{
	uint64_t linear = unused_linear().value;
	struct target target;
	struct page alias;

	for (int at = PT; at <= PDPT; at++)
		linear |= (uint64_t)INDEX << current_format()->level[at].shift;
	target.page = map_page_at_linear(LINEAR(linear), PT, filled_frame(1), P | RW | US);
	alias = map_page_at(PT, gpa_of(table_of(target.page.entry[level])), P | RW);
	target.words = (volatile uint64_t *)(uintptr_t)alias.linear.value + SPARE;
	return target;
}

static struct registers random_registers(struct random *random, uint64_t operand)
{
	struct registers r = {random_next(random), random_next(random),
			      random_next(random) % 31 + 1, random_next(random),
			      random_next(random) & ARITH};

	r.b = (uint64_t)((int64_t)(r.b % 256) - 128); /* a bit in the words around */
	if (r.flags & AF)			      /* comparisons succeed half the time */
		r.a = operand;
	if (r.flags & PF)
		r.d = operand >> 32;
	r.flags |= RFLAGS_FIXED;
	return r;
}

static void try_operation(const struct target *target, unsigned n, struct random *random)
{
	uint64_t twin[WORDS];
	struct registers here, there;
	bool same = true;

	for (unsigned i = 0; i < WORDS; i++)
		twin[i] = target->words[i] = random_next(random);
	here = there = random_registers(random, twin[WORDS / 2]);
	expect_read(read_access(target->page.linear, 8), frame_word(1));
	operations[n].run(&twin[WORDS / 2], &there);
	operations[n].run(&target->words[WORDS / 2], &here);
	for (unsigned i = 0; i < WORDS; i++)
		same &= twin[i] == target->words[i];
	expect(same, "%s left 0x%llx, not 0x%llx in the table, or changed words around it",
	       operations[n].text, (unsigned long long)target->words[WORDS / 2],
	       (unsigned long long)twin[WORDS / 2]);
	expect(here.a == there.a && here.b == there.b && here.c == there.c && here.d == there.d,
	       "%s: RAX 0x%llx, not 0x%llx, RDX 0x%llx, not 0x%llx", operations[n].text,
	       (unsigned long long)here.a, (unsigned long long)there.a, (unsigned long long)here.d,
	       (unsigned long long)there.d);
	expect(!((here.flags ^ there.flags) & operations[n].flags), "%s: RFLAGS 0x%llx, not 0x%llx",
	       operations[n].text, (unsigned long long)here.flags, (unsigned long long)there.flags);
}

static bool uses_carry_in_rotation(unsigned n)
{
	return !strncmp(operations[n].text, "rc", 2);
}

static void try_operations(bool rotations)
{
	struct random random = random_start(95);

	for (int level = PT; level <= PDPT; level++) {
		struct target target = make_target((enum level)level);

		for (unsigned n = 0; n < COUNT_OF(operations); n++)
			for (unsigned i = 0; i < 6 && uses_carry_in_rotation(n) == rotations; i++)
				try_operation(&target, n, &random);
		memset((void *)(uintptr_t)target.words, 0, WORDS * 8);
	}
}

TEST(read_modify_writes_do_to_tables_what_they_do_elsewhere,
     "Arithmetic, shifts, bit tests and exchanges leave the same memory, registers and flags",
     MANUAL, "cmpxchg8b")
{
	try_operations(false);
}

/* Apart: a processor whose faulting RCL has changed CF has the emulator continue from there. */
TEST(rotations_through_carry_do_to_tables_what_they_do_elsewhere,
     "RCL and RCR leave the same memory and flags, so a store that traps has not changed CF",
     MANUAL, "")
{
	try_operations(true);
}

/* Descriptors in the upper part of a table in use. */
TEST(descriptors_in_a_table_get_their_flags,
     "Loads of segment registers and LTR set accessed and busy bits in a page that is a table",
     "SDM Vol. 3, \"Code- and Data-Segment Descriptor Types\"", "")
{
	const uint64_t data = 0x00cff2000000ffffull, busy = 1ull << 41;

	for (int level = PT; level <= PDPT; level++) {
		struct target target = make_target((enum level)level);
		uint64_t gdt[GDT_ENTRIES];
		gpa_t tss = frame_alloc();

		copy_gdt(gdt);
		copy_tss(identity(tss));
		gdt[GDT_SPARE_SEL / 8] = data;
		make_system_descriptor(&gdt[GDT_SYSTEM_SEL / 8], DESCRIPTOR_TSS, LINEAR(tss.value),
				       TSS_BYTES - 1);
		for (unsigned i = 0; i < GDT_ENTRIES; i++)
			target.words[i] = gdt[i];
		load_gdt(LINEAR((uintptr_t)target.words), sizeof(gdt));
		expect_read(read_access(target.page.linear, 8), frame_word(1));
		for (unsigned user = 0; user < 2; user++) {
			struct access load =
				instruction_access(INSTRUCTION_mov_to_fs, LINEAR(0), GDT_SPARE_SEL);

			load.user = user;
			expect(attempt(load).vector == NO_VECTOR, "MOV to FS faulted");
		}
		expect((target.words[GDT_SPARE_SEL / 8] | 1ull << 40) == (data | 1ull << 40),
		       "the data descriptor is 0x%llx",
		       (unsigned long long)target.words[GDT_SPARE_SEL / 8]);
		load_task_register(GDT_SYSTEM_SEL);
		expect(target.words[GDT_SYSTEM_SEL / 8] == (gdt[GDT_SYSTEM_SEL / 8] | busy),
		       "the TSS descriptor is 0x%llx",
		       (unsigned long long)target.words[GDT_SYSTEM_SEL / 8]);
		expect_as_modelled(as_user(read_access(target.page.linear, 8)));
	}
}

#define FRAME_WORDS 5

static void try_event_frames(enum level first, enum level last)
{
	for (int level = first; level <= (int)last; level++) {
		struct target target = make_target((enum level)level);
		uint64_t top = ((uintptr_t)target.words + 0x200) & ~15ull;
		const volatile uint64_t *frame = (const volatile uint64_t *)top - FRAME_WORDS;
		gpa_t tss = frame_alloc();

		copy_tss(identity(tss));
		memcpy((uint8_t *)identity(tss) + TSS_IST3_OFFSET, &top, 8);
		load_tss(LINEAR(tss.value));
		load_spare_gate(TSS_SPARE_IST, 0x08);
		for (unsigned user = 0; user < 2; user++) {
			struct access access = instruction_access(INSTRUCTION_int32, LINEAR(0), 0);
			struct outcome outcome;

			access.user = user;
			expect_read(read_access(target.page.linear, 8), frame_word(1));
			outcome = attempt(access);
			expect(outcome.vector == IDT_SPARE, "vector %u", outcome.vector);
			expect(frame[0] == outcome.rip && (frame[1] & 3) == (user ? 3 : 0) &&
				       (frame[2] & RFLAGS_FIXED) &&
				       (frame[4] & 3) == (user ? 3 : 0),
			       "the frame holds RIP 0x%llx, CS 0x%llx, RFLAGS 0x%llx, SS 0x%llx",
			       (unsigned long long)frame[0], (unsigned long long)frame[1],
			       (unsigned long long)frame[2], (unsigned long long)frame[4]);
		}
		expect_as_modelled(as_user(read_access(target.page.linear, 8)));
	}
}

#define MANUAL_FRAMES "SDM Vol. 3, \"Exception- and Interrupt-Handler Procedures\""

TEST(event_frames_are_pushed_to_a_page_table,
     "The frame of an event whose stack is a page table in use is complete, from either mode",
     MANUAL_FRAMES, "")
{
	try_event_frames(PT, PT);
}

TEST(event_frames_are_pushed_to_an_upper_table,
     "The frame of an event whose stack is a page directory or PDPT in use is complete",
     MANUAL_FRAMES, "")
{
	try_event_frames(PD, PDPT);
}
