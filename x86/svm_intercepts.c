/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The instructions that change L2's translation, and the intercepts that tell L1 of them.
 *
 * A hypervisor with shadow paging lives on the intercepts of MOV to and from CR0, CR3 and CR4, of
 * INVLPG, and of RDMSR and WRMSR of EFER: each bit of the VMCB stands for one instruction and no
 * other (APM Vol. 2, "Intercept Operation", "Instruction Intercepts", "MSR Intercepts"). An exit
 * leaves the instruction undone, and names it; without the bit L2 executes it.
 *
 * Caught here: bits for reads taken as those for writes; intercepts that are forgotten with nested
 * paging on, where many hypervisors need none; MSR permissions looked up at the wrong bit (KN06,
 * KN09).
 *
 * Not checked: intercepts that have nothing to do with memory; L2's string I/O (l2_string_io).
 */
#include "test.h"

SUBJECT(svm_intercepts, "intercepts of CR0, CR3, CR4, INVLPG and EFER, one by one");

#define MANUAL	"APM Vol. 2, \"Instruction Intercepts\""
#define NEEDS	"svm svm_allowed svm_nested_paging"
#define FLAGS	(P | RW | US | A | D)
#define TAG	52
#define CR0_ET	(1ull << 4) /* which is always 1 */
#define MSR_MAP (1u << 28)  /* of the third vector of intercepts */

static struct scene {
	struct l2 *l2;
	struct l2_page page;
	struct vmcb_control *control;
} scene;

static void make_scene(void)
{
	scene.l2 = l2_start(L2_4LEVEL);
	scene.page = l2_map(scene.l2, PT, FLAGS, TAG);
	scene.control = &svm_guest(scene.l2)->vmcb->control;
}

static struct access move_to(unsigned number)
{
	switch (number) {
	case 0:
		return instruction_access(INSTRUCTION_mov_to_cr0, scene.page.linear, scene.l2->cr0);
	case 3:
		return instruction_access(INSTRUCTION_mov_to_cr3, scene.page.linear, scene.l2->cr3);
	default:
		return instruction_access(INSTRUCTION_mov_to_cr4, scene.page.linear, scene.l2->cr4);
	}
}

static void expect_exit(struct access access, uint64_t reason)
{
	struct l2_outcome outcome = l2_attempt(scene.l2, access);

	expect(outcome.exited && outcome.exit.kind == L2_OTHER_EXIT &&
		       outcome.exit.reason == reason,
	       "exited %u, reason 0x%llx instead of 0x%llx", outcome.exited,
	       (unsigned long long)outcome.exit.reason, (unsigned long long)reason);
}

static void expect_exit_or_not(struct access access, bool intercepted, uint64_t reason)
{
	if (intercepted)
		expect_exit(access, reason);
	else
		expect_l2_completes(scene.l2, access);
}

/* All other intercepts of the same kind are the opposite. */
TEST(writes_of_control_registers_are_intercepted_one_by_one,
     "MOV to CR0, CR3 or CR4 exits with its own intercept of writes, and with no other", MANUAL,
     NEEDS)
{
	static const uint8_t numbers[] = {0, 3, 4};

	make_scene();
	for (unsigned i = 0; i < COUNT_OF(numbers); i++) {
		uint16_t bit = (uint16_t)(1u << numbers[i]), all = 1 << 0 | 1 << 3 | 1 << 4;
		uint64_t reason = VMEXIT_CR_WRITE + numbers[i];

		scene.control->intercept_cr_writes = bit;
		scene.control->intercept_cr_reads = all & (uint16_t)~bit;
		expect_exit_or_not(move_to(numbers[i]), true, reason);
		scene.control->intercept_cr_writes = all & (uint16_t)~bit;
		scene.control->intercept_cr_reads = bit;
		expect_exit_or_not(move_to(numbers[i]), false, reason);
	}
}

/* mov %crN, %rcx; ud2 */
static void try_read(unsigned number, bool intercepted)
{
	const uint8_t code[] = {0x0f, 0x20, (uint8_t)(0xc1 | number << 3), 0x0f, 0x0b};
	const uint64_t values[] = {scene.l2->cr0, 0, 0, scene.l2->cr3, scene.l2->cr4};
	struct l2_registers registers = {.rip = scene.page.linear.value, .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	memcpy(identity(scene.page.frame), code, sizeof(code));
	registers.rip &= ~(PAGE_4K - 1);
	scene.l2->user = false;
	scene.l2->backend->enter(scene.l2, &registers, &exit);
	if (intercepted)
		expect(exit.kind == L2_OTHER_EXIT && exit.reason == number,
		       "CR%u: exit reason 0x%llx", number, (unsigned long long)exit.reason);
	else
		expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD &&
			       !((registers.rcx ^ values[number]) & ~CR0_ET),
		       "CR%u: exit reason 0x%llx, read 0x%llx", number,
		       (unsigned long long)exit.reason, (unsigned long long)registers.rcx);
}

TEST(reads_of_control_registers_are_intercepted_one_by_one,
     "MOV from CR0, CR3 or CR4 exits with its own intercept of reads, and with no other", MANUAL,
     NEEDS)
{
	static const uint8_t numbers[] = {0, 3, 4};

	make_scene();
	for (unsigned i = 0; i < COUNT_OF(numbers); i++) {
		uint16_t bit = (uint16_t)(1u << numbers[i]), all = 1 << 0 | 1 << 3 | 1 << 4;

		scene.control->intercept_cr_reads = bit;
		scene.control->intercept_cr_writes = all & (uint16_t)~bit;
		try_read(numbers[i], true);
		scene.control->intercept_cr_reads = all & (uint16_t)~bit;
		scene.control->intercept_cr_writes = bit;
		try_read(numbers[i], false);
	}
}

TEST(invlpg_is_intercepted_by_its_bit, "INVLPG exits with its intercept, not with INVLPGA's",
     MANUAL, NEEDS)
{
	struct access access;

	make_scene();
	access = instruction_access(INSTRUCTION_invlpg, scene.page.linear, 0);
	for (unsigned n = 0; n < 4; n++) {
		scene.control->intercept_3 &= ~(VMCB_INTERCEPT_3_INVLPG | VMCB_INTERCEPT_3_INVLPGA);
		scene.control->intercept_3 |=
			n & 1 ? VMCB_INTERCEPT_3_INVLPG : VMCB_INTERCEPT_3_INVLPGA;
		expect_exit_or_not(access, n & 1, VMEXIT_INVLPG);
	}
}

/* Two bits for each MSR, of reads and of writes; those of EFER among the opposite. */
TEST(accesses_to_efer_are_intercepted_by_their_bits,
     "WRMSR of EFER exits by its bit of the MSR permission map, not by those of RDMSR or others",
     "APM Vol. 2, \"MSR Intercepts\"", NEEDS)
{
	const unsigned at = 0x800 + (MSR_EFER & 0x1fff) / 4, shift = (MSR_EFER & 3) * 2;
	gpa_t map = frames_alloc(2 * PAGE_4K);
	uint8_t *bytes = identity(map);
	struct access access;

	make_scene();
	access =
		instruction_access(INSTRUCTION_wrmsr, LINEAR(MSR_EFER), scene.l2->efer | EFER_SVME);
	scene.control->msrpm_base_pa = map.value;
	scene.control->intercept_3 |= MSR_MAP;
	for (unsigned n = 0; n < 4; n++) {
		bool writes = n & 1;

		memset(bytes, writes ? 0 : 0xff, 2 * PAGE_4K);
		bytes[at] = (uint8_t)(bytes[at] ^ 2u << shift);
		expect_exit_or_not(access, writes, 0x7c);
	}
}

TEST(exits_save_the_privilege_level, "VMCB.CPL holds L2's privilege level after #VMEXIT",
     "APM Vol. 2, \"#VMEXIT\"", NEEDS)
{
	struct vmcb_state *state;

	make_scene();
	state = &svm_guest(scene.l2)->vmcb->state;
	for (unsigned n = 0; n < 4; n++) {
		struct access read = read_access(scene.page.linear, 8);

		read.user = n & 1;
		expect_l2_read(scene.l2, read, frame_word(TAG));
		expect(state->cpl == (read.user ? 3 : 0), "CPL %u", state->cpl);
	}
}
