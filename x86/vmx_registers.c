/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Bits of CR0 and CR4 that L1 keeps for itself, and MSRs that VM exits exchange.
 *
 * A bit that is 1 in a guest/host mask is L1's: L2 reads the read shadow's, a write that agrees
 * with the shadow leaves the register's bit as it was, and one that does not is a VM exit; accesses
 * go by the register. The other bits are L2's own (SDM Vol. 3, "Guest/Host Masks and Read Shadows
 * for CR0 and CR4", "Changes to Instruction Behavior in VMX Non-Root Operation"). VM exits save and
 * load IA32_EFER and IA32_PAT as the controls say ("Saving MSRs", "Loading Host Control Registers,
 * Debug Registers, MSRs").
 *
 * Caught here: protection that follows the shadow, or a register that follows what L2 wrote: L2
 * could switch off the WP, SMEP or SMAP that its hypervisor wants (KS18, AC01), or lose it; an
 * EFER.NXE of L2 that the next VM entry forgets (R24, R40); memory types of L2 left to L1.
 * Hypervisors for nested guests compute each of these registers from three others.
 *
 * Not checked: LMSW, CLTS, and bits that VMX fixes.
 */
#include "test.h"

SUBJECT(vmx_registers, "masks and shadows of CR0 and CR4; IA32_EFER and IA32_PAT over VM exits");

#define MASKS		"SDM Vol. 3, \"Guest/Host Masks and Read Shadows for CR0 and CR4\""
#define NEEDS		"vmx vmx_allowed ept ept_4level invept"
#define FLAGS		(P | RW | A | D)
#define MSR_BITMAPS	(1u << 28) /* primary control */
#define EXIT_SAVE_PAT	(1u << 18)
#define EXIT_LOAD_PAT	(1u << 19)
#define ENTRY_LOAD_PAT	(1u << 14)
#define MSR_PAT		0x277u
#define PAT_OF_L1	0x0007040600070406ull
#define PAT_OF_L2	0x0606060606060606ull
#define PAT_WRITTEN	0x0004040404040406ull
#define BITMAPS_ADDRESS ((enum vmcs_field)0x2004)

/* A control register: its fields, a bit that decides on accesses, one that does not. */
struct control {
	enum vmcs_field guest, mask, shadow;
	uint64_t owned, other;
	unsigned exit_qualification;
	uint8_t code[11];
};

/* mov %crN, %rbx; mov %rax, %crN; mov %crN, %rcx; ud2 */
static const struct control cr0 = {
	VMCS_GUEST_CR0,
	VMCS_CR0_GUEST_HOST_MASK,
	VMCS_CR0_READ_SHADOW,
	CR0_WP,
	1ull << 18, /* AM */
	0,
	{0x0f, 0x20, 0xc3, 0x0f, 0x22, 0xc0, 0x0f, 0x20, 0xc1, 0x0f, 0x0b},
};
static const struct control cr4 = {
	VMCS_GUEST_CR4,
	VMCS_CR4_GUEST_HOST_MASK,
	VMCS_CR4_READ_SHADOW,
	0,
	1ull << 3, /* DE */
	4,
	{0x0f, 0x20, 0xe3, 0x0f, 0x22, 0xe0, 0x0f, 0x20, 0xe1, 0x0f, 0x0b},
};

struct guest {
	struct l2 *l2;
	struct l2_page code, page;
	struct l2_registers registers;
	struct l2_exit exit;
};

static struct guest start(uint64_t page_flags)
{
	struct guest guest = {.l2 = l2_start(L2_4LEVEL)};

	guest.code = l2_map(guest.l2, PT, FLAGS, 0);
	guest.page = l2_map(guest.l2, PT, page_flags | A | D, 51);
	return guest;
}

static void run(struct guest *guest, const uint8_t *code, unsigned bytes)
{
	guest->registers.rip = guest->code.linear.value;
	guest->registers.rflags = RFLAGS_FIXED;
	guest->l2->user = false;
	memcpy(identity(guest->code.frame), code, bytes);
	guest->l2->backend->enter(guest->l2, &guest->registers, &guest->exit);
}

static bool completed(const struct guest *guest)
{
	return guest->exit.kind == L2_EXCEPTION && guest->exit.vector == VECTOR_UD;
}

/* The register's bit is `real`, the shadow's `shown`; L2 flips a bit of its own, and the owned one
 * if it is to exit. */
static void try_write(struct guest *guest, const struct control *control, bool real, bool shown,
		      bool differs)
{
	uint64_t shadow = shown ? control->owned : 0;
	uint64_t before = (vmread(control->guest) & ~control->owned) | (real ? control->owned : 0);
	uint64_t read = (before & ~control->owned) | shadow;
	uint64_t written = read ^ control->other ^ (differs ? control->owned : 0);
	uint64_t after = differs ? before : before ^ control->other;

	vmwrite(control->guest, before);
	vmwrite(control->mask, control->owned);
	vmwrite(control->shadow, shadow | ~control->owned);
	guest->registers.rax = written;
	run(guest, control->code, sizeof(control->code));
	expect(guest->registers.rbx == read, "L2 read 0x%llx instead of 0x%llx",
	       (unsigned long long)guest->registers.rbx, (unsigned long long)read);
	if (differs) {
		expect(guest->exit.kind == L2_OTHER_EXIT &&
			       guest->exit.reason == EXIT_REASON_MOV_CR &&
			       (guest->exit.qualification & 0xf3f) == control->exit_qualification,
		       "exit kind %u, reason %llu, qualification 0x%llx", guest->exit.kind,
		       (unsigned long long)guest->exit.reason,
		       (unsigned long long)guest->exit.qualification);
	} else {
		expect(completed(guest) && guest->registers.rcx == written,
		       "exit kind %u, vector %u, L2 then read 0x%llx instead of 0x%llx",
		       guest->exit.kind, guest->exit.vector,
		       (unsigned long long)guest->registers.rcx, (unsigned long long)written);
	}
	expect(vmread(control->guest) == after, "the register is 0x%llx instead of 0x%llx",
	       (unsigned long long)vmread(control->guest), (unsigned long long)after);
}

/* After each write accesses are judged with the register's bit. */
static void try_bit(struct control control, uint64_t owned, uint64_t page_flags)
{
	struct guest guest = start(page_flags);
	uint64_t *judged = control.guest == VMCS_GUEST_CR0 ? &guest.l2->cr0 : &guest.l2->cr4;

	control.owned = owned;
	for (unsigned i = 0; i < 8; i++) {
		bool real = i & 1;

		progress("the bit is %u, its shadow %u, the write %s", real, i >> 1 & 1,
			 i & 4 ? "differs" : "agrees");
		*judged = (*judged & ~owned) | (real ? owned : 0);
		/* The mask is 0 for one entry: each entry goes by what the VMCS holds then. */
		vmwrite(control.mask, 0);
		l2_attempt(guest.l2, read_access(guest.code.linear, 1));
		try_write(&guest, &control, real, i & 2, i & 4);
		for (unsigned n = 0; n < ACCESS_WAYS; n++)
			expect_l2_as_modelled(guest.l2, nth_access(n, guest.page.linear));
	}
}

TEST(wp_of_the_host_stays, "CR0.WP in the guest/host mask: L2 reads the shadow and changes nothing",
     MASKS, NEEDS)
{
	try_bit(cr0, CR0_WP, P | US);
}

TEST(smep_of_the_host_stays,
     "CR4.SMEP in the guest/host mask: L2 reads the shadow and changes nothing", MASKS,
     NEEDS " smep")
{
	try_bit(cr4, CR4_SMEP, P | RW | US);
}

TEST(smap_of_the_host_stays,
     "CR4.SMAP in the guest/host mask: L2 reads the shadow and changes nothing", MASKS,
     NEEDS " smap")
{
	try_bit(cr4, CR4_SMAP, P | RW | US);
}

TEST(pge_of_the_host_stays,
     "CR4.PGE in the guest/host mask: L2 reads the shadow and changes nothing", MASKS, NEEDS " pge")
{
	try_bit(cr4, CR4_PGE, P | RW | US | G);
}

/* L2 executes WRMSR without a VM exit. */
static void write_msr_in_l2(struct guest *guest, uint32_t msr, uint64_t value)
{
	static const uint8_t code[] = {0x0f, 0x30, 0x0f, 0x0b}; /* wrmsr; ud2 */

	vmwrite(VMCS_PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) | MSR_BITMAPS);
	vmwrite(BITMAPS_ADDRESS, frame_alloc().value);
	guest->registers.rcx = msr;
	guest->registers.rax = (uint32_t)value;
	guest->registers.rdx = value >> 32;
	run(guest, code, sizeof(code));
	expect(completed(guest), "exit kind %u, reason %llu", guest->exit.kind,
	       (unsigned long long)guest->exit.reason);
}

TEST(a_vm_exit_saves_efer,
     "EFER.NXE that L2 has changed is saved by the VM exit and decides after the next VM entry",
     "SDM Vol. 3, \"Saving MSRs\"", NEEDS " nx")
{
	struct guest guest = start(P | RW | US | XD);
	uint64_t ours = read_msr(MSR_EFER);

	for (unsigned i = 0; i < 4; i++) {
		uint64_t written = guest.l2->efer ^ (i & 1 ? EFER_NXE : 0);

		l2_attempt(guest.l2, read_access(guest.code.linear, 1));
		write_msr_in_l2(&guest, MSR_EFER, written);
		expect(vmread(VMCS_GUEST_IA32_EFER) == written, "saved 0x%llx instead of 0x%llx",
		       (unsigned long long)vmread(VMCS_GUEST_IA32_EFER),
		       (unsigned long long)written);
		expect(read_msr(MSR_EFER) == ours, "L1's is 0x%llx",
		       (unsigned long long)read_msr(MSR_EFER));
		guest.l2->efer = written;
	}
}

static void use_pat_controls(void)
{
	uint64_t exit = vmx_capability(MSR_IA32_VMX_TRUE_EXIT_CTLS) >> 32;
	uint64_t entry = vmx_capability(MSR_IA32_VMX_TRUE_ENTRY_CTLS) >> 32;

	if (~exit & (EXIT_SAVE_PAT | EXIT_LOAD_PAT) || ~entry & ENTRY_LOAD_PAT)
		end_case_skipped("vmx_pat", "not offered here: controls for IA32_PAT");
	vmwrite(VMCS_VM_EXIT_CONTROLS,
		vmread(VMCS_VM_EXIT_CONTROLS) | EXIT_SAVE_PAT | EXIT_LOAD_PAT);
	vmwrite(VMCS_VM_ENTRY_CONTROLS, vmread(VMCS_VM_ENTRY_CONTROLS) | ENTRY_LOAD_PAT);
}

TEST(each_side_has_its_own_pat,
     "VM entry and VM exit load IA32_PAT, and VM exit saves what L2 has written",
     "SDM Vol. 3, \"Saving MSRs\", \"Loading Host Control Registers, Debug Registers, MSRs\"",
     NEEDS)
{
	static const uint8_t read_code[] = {0x0f, 0x32, 0x0f, 0x0b}; /* rdmsr; ud2 */
	struct guest guest = start(P | RW);

	write_msr_until_end(MSR_PAT, PAT_OF_L1);
	l2_attempt(guest.l2, read_access(guest.page.linear, 8));
	use_pat_controls();
	vmwrite(VMCS_HOST_IA32_PAT, PAT_OF_L1);
	vmwrite(VMCS_GUEST_IA32_PAT, PAT_OF_L2);
	write_msr_in_l2(&guest, MSR_PAT, PAT_WRITTEN);
	expect(vmread(VMCS_GUEST_IA32_PAT) == PAT_WRITTEN, "saved 0x%llx",
	       (unsigned long long)vmread(VMCS_GUEST_IA32_PAT));
	expect(read_msr(MSR_PAT) == PAT_OF_L1, "L1's is 0x%llx",
	       (unsigned long long)read_msr(MSR_PAT));
	vmwrite(VMCS_GUEST_IA32_PAT, PAT_OF_L2);
	guest.registers.rcx = MSR_PAT;
	run(&guest, read_code, sizeof(read_code));
	expect((guest.registers.rdx << 32 | (uint32_t)guest.registers.rax) == PAT_OF_L2,
	       "L2 read 0x%llx",
	       (unsigned long long)(guest.registers.rdx << 32 | (uint32_t)guest.registers.rax));
}
