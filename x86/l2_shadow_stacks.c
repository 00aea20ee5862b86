/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Supervisor shadow stacks, written to by L2.
 *
 * A shadow-stack access of supervisor mode (WRSS at CPL 0) needs a page that is a shadow stack (R/W
 * = 0 and D = 1 in the last entry, R/W = 1 above) with U/S = 0; one of user mode (WRUSS, at CPL 0,
 * too) a shadow stack with U/S = 1. Everything else is a page fault with SS and W set, and U/S as
 * the access's mode (SDM Vol. 3, "Determination of Access Rights", "Page-Fault Exceptions"; Vol. 1,
 * "Shadow Stacks"). SMAP does not matter to them.
 *
 * Caught here: shadow stacks of user mode that the supervisor may write to, which is how a kernel
 * is misled, or the reverse; a mode taken from CPL where the instruction decides. L2 has no
 * exceptions of its own, so that it may have no valid shadow stack: in L1 each fault would need
 * one.
 *
 * Not checked: CALL, RET and tokens; shadow_stack has WRUSS and user mode in L1.
 */
#include "test.h"

SUBJECT(l2_shadow_stacks, "WRSS and WRUSS of a supervisor against pages of each kind, in L2");

#define MANUAL	       "SDM Vol. 3, \"Determination of Access Rights\""
#define NEEDS	       "vmx vmx_allowed ept ept_4level invept cet_ss"
#define CR4_CET_BIT    (1ull << 23)
#define ENTRY_LOAD_CET (1u << 20)
#define EXIT_LOAD_CET  (1u << 28)
#define S_CET_WRSS     3 /* SH_STK_EN, WR_SHSTK_EN */
#define CR4_FIXED1     0x489u
#define GUEST_S_CET    ((enum vmcs_field)0x6828)
#define HOST_S_CET     ((enum vmcs_field)0x6c18)
#define VALUE	       0x1122334455667788ull
#define LENGTH	       6

struct instruction_code {
	const char *name;
	uint8_t code[LENGTH + 2];
	bool user;
};

static const struct instruction_code codes[] = {
	/* nop; wrss %rax, (%rdi); ud2 */
	{"WRSS", {0x90, 0x48, 0x0f, 0x38, 0xf6, 0x07, 0x0f, 0x0b}, false},
	/* wruss %rax, (%rdi); ud2 */
	{"WRUSS", {0x66, 0x48, 0x0f, 0x38, 0xf5, 0x07, 0x0f, 0x0b}, true},
};

static void check_controls(void)
{
	uint64_t entry = vmx_capability(MSR_IA32_VMX_TRUE_ENTRY_CTLS) >> 32;
	uint64_t exit = vmx_capability(MSR_IA32_VMX_TRUE_EXIT_CTLS) >> 32;

	if (!(entry & ENTRY_LOAD_CET) || !(exit & EXIT_LOAD_CET) ||
	    !(vmx_capability(CR4_FIXED1) & CR4_CET_BIT))
		end_case_skipped("vmx_cet", "not offered here: CET for guests of VMX");
}

static struct l2 *start(struct l2_page *code)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);

	check_controls();
	*code = l2_map(l2, PT, P | RW | A | D, 0);
	l2->cr0 |= CR0_WP;
	l2->cr4 |= CR4_CET_BIT;
	l2_attempt(l2, read_access(code->linear, 8));
	for (unsigned i = 0; i < 6; i += 2) { /* S_CET, SSP, IA32_INTERRUPT_SSP_TABLE_ADDR */
		vmwrite(GUEST_S_CET + i, i ? 0 : S_CET_WRSS);
		vmwrite(HOST_S_CET + i, 0);
	}
	vmwrite(VMCS_VM_ENTRY_CONTROLS, vmread(VMCS_VM_ENTRY_CONTROLS) | ENTRY_LOAD_CET);
	vmwrite(VMCS_VM_EXIT_CONTROLS, vmread(VMCS_VM_EXIT_CONTROLS) | EXIT_LOAD_CET);
	return l2;
}

/* One write to a page whose last entry has these flags. */
static void try_write(struct l2 *l2, const struct l2_page *code,
		      const struct instruction_code *instruction, uint64_t flags)
{
	struct l2_page page = l2_map(l2, PT, flags, 64);
	volatile uint64_t *memory = identity(page.frame);
	bool stack = (flags & (P | RW | D)) == (P | D);
	bool allowed = stack && !(flags & US) == !instruction->user;
	uint64_t error = (flags & P ? PF_P : 0) | PF_W | PF_SS | (instruction->user ? PF_U : 0);
	struct l2_registers registers = {.rax = VALUE,
					 .rdi = page.linear.value,
					 .rip = code->linear.value,
					 .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	memcpy(identity(code->frame), instruction->code, sizeof(instruction->code));
	vmwrite(GUEST_S_CET, S_CET_WRSS);
	l2->backend->enter(l2, &registers, &exit);
	if (allowed)
		expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD &&
			       exit.rip == code->linear.value + LENGTH && *memory == VALUE,
		       "%s, flags 0x%llx: vector %u, error code 0x%llx, memory 0x%llx",
		       instruction->name, (unsigned long long)flags, exit.vector,
		       (unsigned long long)exit.error_code, (unsigned long long)*memory);
	else
		expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_PF &&
			       exit.error_code == error && exit.linear == page.linear.value &&
			       *memory == frame_word(64),
		       "%s, flags 0x%llx: vector %u, error code 0x%llx instead of 0x%llx",
		       instruction->name, (unsigned long long)flags, exit.vector,
		       (unsigned long long)exit.error_code, (unsigned long long)error);
}

static void try_pages(struct l2 *l2, const struct l2_page *code)
{
	static const uint16_t flags[] = {P | D, P | US | D, P | RW | D, P | RW | US | D, P, P | US,
					 D,	US | D,	    P | RW,	P | RW | US};

	for (unsigned i = 0; i < COUNT_OF(codes) * COUNT_OF(flags); i++)
		try_write(l2, code, &codes[i / COUNT_OF(flags)], flags[i % COUNT_OF(flags)] | A);
}

TEST(a_supervisor_writes_to_its_own_shadow_stacks,
     "WRSS at CPL 0 needs a shadow stack with U/S = 0, WRUSS one with U/S = 1", MANUAL, NEEDS)
{
	struct l2_page code;
	struct l2 *l2 = start(&code);

	try_pages(l2, &code);
}
