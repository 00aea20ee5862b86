/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Accesses that the processor makes itself: to GDT, LDT, IDT and TSS, and to the stack of an event.
 *
 * Loading a segment register reads a descriptor and may set its accessed bit; LTR sets the busy
 * bit; the delivery of an event reads a gate, a code descriptor and the TSS, and pushes. All are
 * supervisor-mode accesses whatever the CPL: they reach supervisor-mode pages from CPL 3, their
 * faults have U/S = 0, they obey CR0.WP. To structures that are not the program's own EFLAGS.AC
 * does not matter: SMAP denies them on user-mode pages (SDM Vol. 3, "Determination of Access
 * Rights", implicit supervisor-mode accesses; R4, R18). A fault comes before anything is changed.
 *
 * Caught here: such accesses made with the rights of user mode, or with U in the error code (XS08);
 * AC honoured by them (KS19, QT17); the write of an accessed or busy bit that ignores R/W, or is
 * refused with CR0.WP = 0 (E801); flags of the page not set by them; the descriptor marked although
 * the load faulted. Instruction emulators make these accesses by functions of their own.
 *
 * Each structure runs across two pages: what the image needs stands in the first, what is tested
 * first in the second. Not checked: stacks on user-mode pages with AC = 1, which the manual does
 * not call implicit; P in the error code of reserved-bit faults (reserved_bits does); far calls.
 */
#include "test.h"

SUBJECT(implicit_accesses, "descriptor tables, TSS and event stacks, used from CPL 0 and CPL 3");

#define MANUAL		 "SDM Vol. 3, \"Determination of Access Rights\""

#define DATA_DESCRIPTOR	 0x00cff2000000ffffull /* writable, DPL 3, not accessed */
#define CODE_DESCRIPTOR	 0x00af9a000000ffffull /* 64-bit, DPL 0, not accessed */
#define SEGMENT_ACCESSED (1ull << 40)
#define ACCESSED_DATA	 (DATA_DESCRIPTOR | SEGMENT_ACCESSED)
#define FRAME_BYTES	 40 /* that a delivery without error code pushes */
#define STACK_OFFSET	 0x800

/* One kind of access: the instruction, and what it uses of the pair's second page. */
struct trial {
	struct page_pair pair;
	struct implicit_access implicit;
	uint64_t content[2]; /* what stands there before each access */
};

static struct trial new_trial(enum instruction instruction, uint64_t value, unsigned bytes)
{
	struct trial trial = {.pair = map_page_pair(0, 0)};

	trial.implicit.access = instruction_access(instruction, LINEAR(0), value);
	trial.implicit.linear = trial.pair.border;
	trial.implicit.bytes = bytes;
	trial.implicit.reads = true;
	trial.implicit.completed = instruction == INSTRUCTION_int32 ? IDT_SPARE : NO_VECTOR;
	set_page_pair(&trial.pair, trial.pair.good[0] & ~US, trial.pair.good[1] & ~US);
	return trial;
}

static bool is_intel(void)
{
	return !strcmp(cpu_vendor(), "GenuineIntel");
}

/* In 64-bit mode AMD's manual has the accessed bit ignored: then it may be written or not. */
static enum certainty marks(uint64_t descriptor)
{
	if (descriptor & SEGMENT_ACCESSED)
		return NEVER;
	return is_intel() ? ALWAYS : MAYBE;
}

static struct trial gdt_descriptor(enum instruction instruction, uint64_t descriptor)
{
	struct trial trial = new_trial(instruction, GDT_SPARE_SEL, 8);
	uint64_t gdt[GDT_ENTRIES];

	copy_gdt(gdt);
	gdt[GDT_SPARE_SEL / 8] = descriptor;
	load_gdt(place_across(&trial.pair, gdt, sizeof(gdt), GDT_SPARE_SEL), sizeof(gdt));
	trial.implicit.writes = marks(descriptor);
	return trial;
}

static struct trial ldt_descriptor(enum instruction instruction, uint64_t descriptor)
{
	struct trial trial = new_trial(instruction, 4, 8); /* TI = 1, the first one */
	uint64_t gdt[GDT_ENTRIES];

	copy_gdt(gdt);
	make_system_descriptor(&gdt[GDT_SYSTEM_SEL / 8], DESCRIPTOR_LDT, trial.pair.border, 7);
	load_gdt_copy(gdt);
	load_ldtr(GDT_SYSTEM_SEL);
	place_across(&trial.pair, &descriptor, 8, 0);
	trial.implicit.writes = marks(descriptor);
	return trial;
}

static struct trial task_register(void)
{
	struct trial trial = new_trial(INSTRUCTION_ltr, GDT_SPARE_SEL, 16);
	uint64_t gdt[GDT_ENTRIES];
	gpa_t tss = frame_alloc();

	copy_gdt(gdt);
	copy_tss(identity(tss));
	make_system_descriptor(&gdt[GDT_SPARE_SEL / 8], DESCRIPTOR_TSS, LINEAR(tss.value),
			       TSS_BYTES - 1);
	load_gdt(place_across(&trial.pair, gdt, sizeof(gdt), GDT_SPARE_SEL), sizeof(gdt));
	trial.implicit.writes = ALWAYS;
	return trial;
}

static struct trial gate(void)
{
	struct trial trial = new_trial(INSTRUCTION_int32, 0, 16);
	struct idt_gate idt[IDT_GATES];

	copy_idt(idt);
	load_idt(place_across(&trial.pair, idt, sizeof(idt), IDT_SPARE * sizeof(idt[0])),
		 sizeof(idt));
	return trial;
}

static struct trial code_descriptor(uint64_t descriptor)
{
	struct trial trial = gdt_descriptor(INSTRUCTION_int32, descriptor);

	load_spare_gate(1, GDT_SPARE_SEL);
	return trial;
}

static struct trial tss_stack_pointer(void)
{
	struct trial trial = new_trial(INSTRUCTION_int32, 0, 8);
	uint64_t top = frame_alloc().value + PAGE_4K;
	uint8_t tss[TSS_BYTES];

	copy_tss(tss);
	memcpy(tss + TSS_IST3_OFFSET, &top, 8);
	load_tss(place_across(&trial.pair, tss, TSS_BYTES, TSS_IST3_OFFSET));
	load_spare_gate(TSS_SPARE_IST, 0x08);
	return trial;
}

static struct trial event_stack(void)
{
	struct trial trial = new_trial(INSTRUCTION_int32, 0, FRAME_BYTES);
	uint64_t top = trial.pair.border.value + STACK_OFFSET;
	gpa_t tss = frame_alloc();

	copy_tss(identity(tss));
	memcpy((uint8_t *)identity(tss) + TSS_IST3_OFFSET, &top, 8);
	load_tss(LINEAR(tss.value));
	load_spare_gate(TSS_SPARE_IST, 0x08);
	trial.implicit.linear = LINEAR(top - FRAME_BYTES);
	trial.implicit.reads = false;
	trial.implicit.writes = ALWAYS;
	return trial;
}

/* The second page's entry in each state; the last has a reserved bit, since EFER.NXE is 0. */
static const uint64_t states[] = {0, RW | US, P, P | RW, P | US, P | RW | US, P | RW | XD};

static void try_states(struct trial *trial, bool user, bool ac)
{
	gpa_t frame = trial->pair.frame[1];

	trial->implicit.access.user = user;
	trial->implicit.access.ac = ac;
	for (unsigned i = 0; i < COUNT_OF(states) * 4; i++) {
		if (((i & 1) && !has(FEATURE_smap)) || ((states[i / 4] & XD) && !has(FEATURE_nx)))
			continue;
		(i & 1) ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
		(i & 2) ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
		memcpy(identity(frame), trial->content, sizeof(trial->content));
		set_page_pair(&trial->pair, trial->pair.good[0] & ~US, frame.value | states[i / 4]);
		expect_implicit(&trial->implicit);
	}
}

enum at { CPL_0 = 1, CPL_3 = 2, BOTH = 3 };

static void try_trial(struct trial trial, enum at at, bool ac)
{
	memcpy(trial.content, identity(trial.pair.frame[1]), sizeof(trial.content));
	if (has(FEATURE_nx))
		clear_efer(EFER_NXE);
	if (at & CPL_0)
		try_states(&trial, false, ac);
	if (at & CPL_3)
		try_states(&trial, true, ac);
}

TEST(loads_from_the_gdt_are_supervisor_accesses,
     "MOV to DS or FS reads its descriptor with supervisor rights, and writes its accessed bit",
     MANUAL, "")
{
	try_trial(gdt_descriptor(INSTRUCTION_mov_to_ds, DATA_DESCRIPTOR), BOTH, false);
	try_trial(gdt_descriptor(INSTRUCTION_mov_to_fs, DATA_DESCRIPTOR), BOTH, false);
	try_trial(gdt_descriptor(INSTRUCTION_mov_to_fs, ACCESSED_DATA), BOTH, false);
}

TEST(loads_from_the_ldt_are_supervisor_accesses,
     "A descriptor of the LDT is read and marked as one of the GDT is", MANUAL, "")
{
	try_trial(ldt_descriptor(INSTRUCTION_mov_to_ds, DATA_DESCRIPTOR), BOTH, false);
	try_trial(ldt_descriptor(INSTRUCTION_mov_to_fs, ACCESSED_DATA), BOTH, false);
}

TEST(ltr_writes_the_busy_bit, "LTR reads a TSS descriptor, then writes its busy bit", MANUAL, "")
{
	try_trial(task_register(), CPL_0, false);
}

TEST(gates_are_read_with_supervisor_rights,
     "INT n reads its gate from the IDT with supervisor rights, also at CPL 3", MANUAL, "")
{
	try_trial(gate(), BOTH, false);
}

TEST(event_delivery_loads_its_code_descriptor,
     "The descriptor of a gate's code segment is read with supervisor rights", MANUAL, "")
{
	try_trial(code_descriptor(CODE_DESCRIPTOR | SEGMENT_ACCESSED), BOTH, false);
}

/* Apart, since an emulator that never does so has no other fault. */
TEST(event_delivery_marks_its_code_descriptor,
     "The accessed bit of a gate's code segment is written with supervisor rights",
     "SDM Vol. 3, \"Code- and Data-Segment Descriptor Types\"", "")
{
	if (!is_intel())
		end_case_skipped("intel", "AMD's manual has the accessed bit ignored");
	try_trial(code_descriptor(CODE_DESCRIPTOR), BOTH, false);
}

TEST(event_delivery_reads_the_tss,
     "The stack pointer of an event is read from the TSS with supervisor rights", MANUAL, "")
{
	try_trial(tss_stack_pointer(), BOTH, false);
}

TEST(event_delivery_pushes_with_supervisor_rights,
     "The pushes of an event are supervisor writes, also from CPL 3", MANUAL, "")
{
	try_trial(event_stack(), BOTH, false);
}

static void try_all_with_ac(enum at at)
{
	try_trial(gdt_descriptor(INSTRUCTION_mov_to_fs, DATA_DESCRIPTOR), at, true);
	try_trial(ldt_descriptor(INSTRUCTION_mov_to_ds, DATA_DESCRIPTOR), at, true);
	try_trial(gate(), at, true);
	try_trial(code_descriptor(CODE_DESCRIPTOR | SEGMENT_ACCESSED), at, true);
	try_trial(tss_stack_pointer(), at, true);
	if (at == CPL_0)
		try_trial(task_register(), at, true);
}

TEST(ac_does_not_lift_smap_at_cpl_0,
     "With SMAP, structures on user-mode pages fault at CPL 0 whatever EFLAGS.AC says", MANUAL,
     "smap")
{
	try_all_with_ac(CPL_0);
}

TEST(ac_does_not_lift_smap_at_cpl_3,
     "With SMAP, structures on user-mode pages fault at CPL 3 whatever EFLAGS.AC says", MANUAL,
     "smap")
{
	try_all_with_ac(CPL_3);
}

/* The gates up to 13 are in the first page, that of #PF in the second. */
TEST(page_fault_at_the_gate_of_page_faults_is_a_double_fault,
     "A page fault in the delivery of a page fault is #DF with error code 0",
     "SDM Vol. 3, \"Interrupt 8 - Double Fault Exception (#DF)\"", "")
{
	struct page_pair pair = map_page_pair(0, 0);
	linear_t missing = unused_linear();
	struct idt_gate idt[IDT_GATES];

	copy_idt(idt);
	set_page_pair(&pair, pair.good[0] & ~US, 0);
	load_idt(place_across(&pair, idt, sizeof(idt), VECTOR_PF * sizeof(idt[0])), sizeof(idt));
	for (unsigned user = 0; user < 2; user++) {
		struct access access = read_access(missing, 8);
		struct outcome outcome = attempt(user ? as_user(access) : access);

		expect(outcome.vector == VECTOR_DF && outcome.error_code == 0,
		       "vector %u, error code 0x%llx", outcome.vector,
		       (unsigned long long)outcome.error_code);
	}
}
