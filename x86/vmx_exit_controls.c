/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which page faults and loads of CR3 of L2 are VM exits, and what the others do.
 *
 * A #PF is a VM exit if bit 14 of the exception bitmap is what the comparison says of the error
 * code: that it agrees with the match in all bits of the mask (SDM Vol. 3, "Exceptions" in "Other
 * Causes of VM Exits", "Exception Bitmap"). With CR3-load exiting a MOV to CR3 is a VM exit but for
 * the CR3-target values ("CR3-Target Controls"); those load CR3 as ever, and drop what is not
 * global.
 *
 * Caught here: an error code compared in its lower bits, or before I/D is in it; mask and match
 * taken for each other, or the meaning of bit 14 not turned round; a CR3 that is let through and
 * drops nothing, or is compared with values beyond the count (R25, R40; KN09). Hypervisors ask all
 * this again in software for an L2, and load CR3 for it by another way. And events that an exit
 * gives or leaves to the next VM entry although there are none: L2 takes a fault twice.
 *
 * A #PF that is no exit finds no IDT, and what comes of that is one. Not checked: faults whose
 * error code has RSVD or PK.
 */
#include "test.h"

SUBJECT(vmx_exit_controls,
	"page-fault error-code mask and match; CR3-target values; events that exits give");

#define FAULTS		   "SDM Vol. 3, \"Other Causes of VM Exits\""
#define TARGETS		   "SDM Vol. 3, \"CR3-Target Controls\""
#define NEEDS		   "vmx vmx_allowed ept ept_4level invept"
#define FLAGS		   (P | RW | US | A | D)
#define INVLPG_EXITING	   (1u << 9)
#define CR3_LOAD_EXITING   (1u << 15)
#define EXIT_REASON_INVLPG 14
#define EVENT_VALID	   (1u << 31)
#define UNDEFINED	   (1u << 12) /* in IDT-vectoring information */
#define MISC_MSR	   0x485u /* IA32_VMX_MISC; bits 24:16: how many CR3 targets there are */

enum { MISSING, READ_ONLY, SUPERVISOR, NOT_EXECUTABLE, PAGES };

static const uint64_t page_flags[PAGES] = {RW | US, P | US, P | RW, P | RW | US | XD};

struct faults {
	struct l2 *l2;
	struct l2_page page[PAGES];
};

static struct faults make_faults(void)
{
	struct faults faults = {.l2 = l2_start(L2_4LEVEL)};

	faults.l2->cr0 |= CR0_WP;
	faults.l2->efer |= EFER_NXE;
	for (unsigned i = 0; i < PAGES; i++)
		faults.page[i] = l2_map(faults.l2, PT, page_flags[i], 21 + i);
	return faults;
}

/* The access, once as an exit for sure to learn its error code, which other images judge. */
static void try_fault(const struct faults *faults, struct access access, unsigned mask,
		      unsigned match, bool bit)
{
	struct l2_outcome outcome;
	unsigned code;
	bool exits;

	vmwrite(VMCS_EXCEPTION_BITMAP, 0xffffffff);
	vmwrite(VMCS_PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmwrite(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, 0);
	outcome = l2_attempt(faults->l2, access);
	if (outcome.exited || outcome.outcome.vector != VECTOR_PF)
		return; /* allowed */
	code = (unsigned)outcome.outcome.error_code;
	exits = bit == ((code & mask) == match);
	vmwrite(VMCS_EXCEPTION_BITMAP, bit ? 0xffffffff : 0xffffffff & ~(1u << VECTOR_PF));
	vmwrite(VMCS_PAGE_FAULT_ERROR_CODE_MASK, mask);
	vmwrite(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, match);
	outcome = l2_attempt(faults->l2, access);
	expect(!outcome.exited && (outcome.outcome.vector == VECTOR_PF) == exits,
	       "error code 0x%x, mask 0x%x, match 0x%x, bit 14 = %u: the exit is for %s", code,
	       mask, match, bit, vector_name(outcome.outcome.vector));
}

TEST(mask_and_match_choose_page_faults,
     "a #PF of L2 is a VM exit as bit 14, the error-code mask and the match say of its error code",
     FAULTS, NEEDS " nx")
{
	static const uint8_t masks[] = {
		0, PF_P, PF_W, PF_U, PF_ID, PF_P | PF_ID, PF_P | PF_W | PF_U, 0x1f};
	static const uint8_t matches[] = {0, PF_P, PF_W, PF_U, PF_ID, PF_P | PF_W | PF_U, 0x1f};
	struct faults faults = make_faults();

	for (unsigned i = 0; i < PAGES * ACCESS_WAYS; i++) {
		struct access access =
			nth_access(i % ACCESS_WAYS, faults.page[i / ACCESS_WAYS].linear);

		for (unsigned n = 0; n < 2 * COUNT_OF(masks) * COUNT_OF(matches); n++)
			try_fault(&faults, access, masks[n / 2 % COUNT_OF(masks)],
				  matches[n / 2 / COUNT_OF(masks)], n & 1);
	}
}

/* In L2: mov (%rdi), %rbx; mov %rdx, (%rsi); mov %rax, %cr3; mov (%rdi), %rcx; ud2 */
static const uint8_t program[] = {0x48, 0x8b, 0x1f, 0x48, 0x89, 0x16, 0x0f,
				  0x22, 0xd8, 0x48, 0x8b, 0x0f, 0x0f, 0x0b};

struct loading {
	struct l2 *l2;
	struct l2_registers registers;
	struct l2_exit exit;
};

/* L2 moves a page of its own, loads CR3, and reads it again. */
static struct loading load_cr3(unsigned count, unsigned target, uint64_t difference)
{
	struct loading loading = {.l2 = l2_start(L2_4LEVEL)};
	struct l2 *l2 = loading.l2;
	struct l2_page page = l2_map(l2, PT, FLAGS, 31), other = l2_map(l2, PT, FLAGS, 32);
	struct l2_page code = l2_map(l2, PT, FLAGS, 0), table = l2_map(l2, PT, FLAGS, 0);

	l2_write_entry(l2, &table, PT, page.table[PT].value | FLAGS);
	memcpy(identity(code.frame), program, sizeof(program));
	vmwrite(VMCS_PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) | CR3_LOAD_EXITING);
	vmwrite(VMCS_CR3_TARGET_COUNT, count);
	for (unsigned i = 0; i < 4; i++)
		vmwrite(VMCS_CR3_TARGET_VALUE0 + 2 * i,
			i == target ? l2->cr3 ^ difference : 0x1000 * (i + 1));
	loading.registers =
		(struct l2_registers){.rax = l2->cr3,
				      .rdx = other.gpa.value | FLAGS,
				      .rdi = page.linear.value,
				      .rsi = table.linear.value + page.entry_gpa[PT] % PAGE_4K,
				      .rip = code.linear.value,
				      .rflags = RFLAGS_FIXED};
	l2->backend->enter(l2, &loading.registers, &loading.exit);
	expect(loading.registers.rbx == frame_word(31), "L2 first read 0x%llx",
	       (unsigned long long)loading.registers.rbx);
	return loading;
}

static unsigned targets(void)
{
	unsigned count = (unsigned)(vmx_capability(MISC_MSR) >> 16 & 0x1ff);

	if (!count)
		end_case_skipped("cr3_targets", "not offered here: CR3-target values");
	return count < 4 ? count : 4;
}

TEST(a_load_of_a_target_value_drops_translations,
     "MOV to CR3 of a CR3-target value is no exit, and L2 then uses what is in its tables", TARGETS,
     NEEDS)
{
	for (unsigned target = 0; target < targets(); target++) {
		struct loading loading = load_cr3(target + 1, target, 0);

		expect(loading.exit.kind == L2_EXCEPTION && loading.exit.vector == VECTOR_UD,
		       "target %u: exit kind %u, reason %llu", target, loading.exit.kind,
		       (unsigned long long)loading.exit.reason);
		expect(loading.registers.rcx == frame_word(32), "target %u: L2 then read 0x%llx",
		       target, (unsigned long long)loading.registers.rcx);
	}
}

static void expect_cr3_exit(unsigned count, unsigned target, uint64_t difference)
{
	struct loading loading = load_cr3(count, target, difference);

	expect(loading.exit.kind == L2_OTHER_EXIT && loading.exit.reason == EXIT_REASON_MOV_CR,
	       "count %u, difference 0x%llx: exit kind %u, reason %llu", count,
	       (unsigned long long)difference, loading.exit.kind,
	       (unsigned long long)loading.exit.reason);
	expect((loading.exit.qualification & 0xf3f) == 3, "qualification 0x%llx",
	       (unsigned long long)loading.exit.qualification);
	expect(vmread(VMCS_GUEST_CR3) == loading.l2->cr3, "CR3 0x%llx",
	       (unsigned long long)vmread(VMCS_GUEST_CR3));
}

TEST(a_load_of_another_value_is_an_exit,
     "MOV to CR3 of a value that differs from the targets in any bit, or is beyond their count, "
     "is a VM exit",
     TARGETS, NEEDS)
{
	const uint64_t differences[] = {1ull << 3, 1ull << 12, 1ull << 31,
					1ull << (maxphyaddr() - 1)};

	for (unsigned target = 0; target < targets(); target++) {
		expect_cr3_exit(target, target, 0);
		for (unsigned i = 0; i < COUNT_OF(differences); i++)
			expect_cr3_exit(targets(), target, differences[i]);
	}
}

TEST(an_invlpg_exit_has_the_operands_address,
     "INVLPG under INVLPG exiting is a VM exit whose qualification is the linear address",
     "SDM Vol. 3, \"Exit Qualification\"", NEEDS)
{
	static const uint8_t code[] = {0x0f, 0x01, 0x3f}; /* invlpg (%rdi) */
	const uint64_t addresses[] = {0, 0x1000, 0x12345678, 0x00007fffffffffff, ~0ull};
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, FLAGS, 0);
	struct l2_registers registers = {.rip = page.linear.value, .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	memcpy(identity(page.frame), code, sizeof(code));
	vmwrite(VMCS_PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) | INVLPG_EXITING);
	for (unsigned i = 0; i < COUNT_OF(addresses); i++) {
		registers.rdi = addresses[i];
		l2->backend->enter(l2, &registers, &exit);
		expect(exit.reason == EXIT_REASON_INVLPG && exit.qualification == addresses[i],
		       "reason %llu, qualification 0x%llx instead of 0x%llx",
		       (unsigned long long)exit.reason, (unsigned long long)exit.qualification,
		       (unsigned long long)addresses[i]);
	}
}

TEST(an_exit_that_is_no_event_gives_none,
     "after an exit for an exception VM-exit interruption information is invalid for other exits",
     "SDM Vol. 3, \"Information for VM Exits Due to Vectored Events\"", NEEDS " vmx")
{
	static const uint8_t cpuid[] = {0x0f, 0xa2};
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, FLAGS, 0), code = l2_map(l2, PT, FLAGS, 0);

	memcpy(identity(code.frame), cpuid, sizeof(cpuid));
	for (unsigned i = 0; i < 3; i++) {
		struct l2_registers registers = {.rip = code.linear.value, .rflags = RFLAGS_FIXED};
		struct l2_exit exit;

		second_allow(&l2->second, page.gpa, PT, SECOND_ALL, SECOND_FLUSH);
		expect_l2_completes(l2, read_access(page.linear, 8)); /* it ends in an exception */
		if (i == 0)
			second_allow(&l2->second, page.gpa, PT, 0, SECOND_FLUSH);
		if (i == 1)
			second_edit(&l2->second, page.gpa, PT, SECOND_FLUSH, .clear = EPT_R);
		if (i == 2)
			l2->backend->enter(l2, &registers, &exit);
		else
			expect(l2_attempt(l2, read_access(page.linear, 8)).exited, "exit %u", i);
		expect(!(vmread(VMCS_VM_EXIT_INTERRUPTION_INFORMATION) & EVENT_VALID),
		       "exit %u for reason %llu: 0x%llx", i,
		       (unsigned long long)vmread(VMCS_EXIT_REASON),
		       (unsigned long long)vmread(VMCS_VM_EXIT_INTERRUPTION_INFORMATION));
	}
}

/* L2 without an IDT, and a page that EPT does not let be read where it looks for one. */
TEST(an_injected_event_that_is_lost_is_given_back_once,
     "after an EPT violation or misconfiguration while an injected event is delivered the exit "
     "gives the event, and its valid bit is clear for the next VM entry",
     "SDM Vol. 3, \"Event Injection\"; \"Information for VM Exits That Occur During Event "
     "Delivery\"",
     NEEDS)
{
	static const uint32_t events[] = {0x80000300 | VECTOR_UD, 0x80000b00 | VECTOR_PF,
					  0x80000b00 | VECTOR_GP, 0x80000030};
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page idt = l2_map(l2, PT, P | RW | A | D, 0);

	vmwrite(VMCS_GUEST_IDTR_BASE, idt.linear.value);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, PAGE_4K - 1);
	for (unsigned i = 0; i < 2 * COUNT_OF(events); i++) {
		struct l2_registers registers = {.rip = idt.linear.value,
						 .rflags = RFLAGS_FIXED | RFLAGS_IF};
		uint32_t event = events[i / 2];
		struct l2_exit exit;

		second_edit(&l2->second, idt.gpa, PT, SECOND_FLUSH, .clear = EPT_RWX,
			    .set = i & 1 ? EPT_W : 0);
		vmwrite(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE, PF_W);
		vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFORMATION, event);
		l2->backend->enter(l2, &registers, &exit);
		expect(exit.kind == (i & 1 ? L2_MISCONFIGURATION : L2_VIOLATION),
		       "event 0x%x: exit kind %u, reason 0x%llx", event, exit.kind,
		       (unsigned long long)exit.reason);
		expect((vmread(VMCS_IDT_VECTORING_INFORMATION) & ~(uint64_t)UNDEFINED) == event,
		       "event 0x%llx instead of 0x%x",
		       (unsigned long long)vmread(VMCS_IDT_VECTORING_INFORMATION), event);
		expect(!(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFORMATION) & EVENT_VALID),
		       "event 0x%x is still to be injected", event);
	}
}
