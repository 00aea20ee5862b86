/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMRUN refuses illegal guest state: one condition at a time.
 *
 * After loading the guest's state VMRUN checks it; where a combination is illegal, the guest never
 * runs and #VMEXIT has EXITCODE = VMEXIT_INVALID (APM Vol. 2, "Canonicalization and Consistency
 * Checks"; for nested paging "Enabling Nested Paging"). Of those conditions the ones that have to
 * do with paging and with ASIDs are tried here, each by one field that is changed in a VMCB that
 * runs; after each the good VMCB has to run again, and the host's control registers are what they
 * were.
 *
 * Caught here: states that are passed on unchecked to a processor that then refuses the
 * hypervisor's own VMRUN or runs with a paging mode that does not exist (KN22), and reserved bits
 * of CR3, CR4 or N_CR3 that are dropped. Hypervisors that merge L1's VMCB with their own have to
 * check all of it.
 *
 * Not checked: permission maps, event injection, and what EXITINFO holds.
 */
#include "test.h"

SUBJECT(svm_entry, "guest state that VMRUN must refuse");

#define MANUAL	    "APM Vol. 2, \"Canonicalization and Consistency Checks\""
#define NEEDS	    "svm svm_allowed svm_nested_paging"
#define CS_D	    (1ull << (16 + 10)) /* in the first 8 bytes of a segment */

#define FIELD(name) __builtin_offsetof(struct vmcb, name)

/* A change of 8 bytes of a VMCB. */
struct change {
	const char *what;
	unsigned offset;
	uint64_t set, clear;
};

struct trial {
	struct l2 *l2;
	struct l2_page page;
	struct vmcb *vmcb;
};

static struct trial new_trial(void)
{
	struct trial trial = {.l2 = l2_start(L2_4LEVEL)};

	trial.page = l2_map(trial.l2, PT, P | RW | US | A | D, 50);
	trial.vmcb = svm_guest(trial.l2)->vmcb;
	expect_l2_read(trial.l2, read_access(trial.page.linear, 8), frame_word(50));
	return trial;
}

/* The VMCB as it was at the last access, with the change. */
static void expect_refusal(struct trial *trial, const struct change *change)
{
	uint64_t *field = (uint64_t *)((uint8_t *)trial->vmcb + change->offset), good = *field;
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
	struct general_registers registers = {0};

	*field = (good & ~change->clear) | change->set;
	svm_enter(trial->vmcb, &registers);
	expect((uint32_t)trial->vmcb->control.exitcode == (uint32_t)VMEXIT_INVALID,
	       "%s: exit code 0x%llx", change->what,
	       (unsigned long long)trial->vmcb->control.exitcode);
	*field = good;
	expect(read_cr0() == cr0 && read_cr3() == cr3 && read_cr4() == cr4,
	       "%s: CR0 0x%llx, CR3 0x%llx, CR4 0x%llx", change->what,
	       (unsigned long long)read_cr0(), (unsigned long long)read_cr3(),
	       (unsigned long long)read_cr4());
	expect_l2_read(trial->l2, read_access(trial->page.linear, 8), frame_word(50));
}

static void expect_refusals(const struct change *changes, unsigned count)
{
	struct trial trial = new_trial();

	for (unsigned i = 0; i < count; i++)
		expect_refusal(&trial, &changes[i]);
}

TEST(illegal_controls_are_refused, "a VMCB without the VMRUN intercept or with ASID 0 never runs",
     MANUAL, NEEDS)
{
	static const struct change changes[] = {
		{"no VMRUN intercept", FIELD(control.intercept_4), 0, VMCB_INTERCEPT_4_VMRUN},
		{"ASID 0", FIELD(control.guest_asid), 0, 0xffffffff},
	};

	expect_refusals(changes, COUNT_OF(changes));
}

TEST(efer_without_svme_is_refused, "EFER.SVME has to be set in the guest's EFER", MANUAL, NEEDS)
{
	static const struct change change = {"EFER.SVME = 0", FIELD(state.efer), 0, EFER_SVME};

	expect_refusals(&change, 1);
}

TEST(illegal_cr0_is_refused, "CR0.NW without CR0.CD, or a bit of CR0's upper half, never runs",
     MANUAL, NEEDS)
{
	static const struct change changes[] = {
		{"CR0.NW = 1, CD = 0", FIELD(state.cr0), CR0_NW, CR0_CD},
		{"CR0 bit 32", FIELD(state.cr0), 1ull << 32, 0},
		{"CR0 bit 63", FIELD(state.cr0), 1ull << 63, 0},
	};

	expect_refusals(changes, COUNT_OF(changes));
}

TEST(illegal_modes_are_refused,
     "long mode with paging needs CR4.PAE, and a code segment with not both L and D", MANUAL, NEEDS)
{
	static const struct change changes[] = {
		{"long mode without CR4.PAE", FIELD(state.cr4), 0, CR4_PAE},
		{"CS with L and D", FIELD(state.cs), CS_D, 0},
	};

	expect_refusals(changes, COUNT_OF(changes));
}

TEST(long_mode_without_protection_is_refused, "long mode with paging needs CR0.PE", MANUAL, NEEDS)
{
	static const struct change change = {"long mode, CR0.PE = 0", FIELD(state.cr0), 0, CR0_PE};

	expect_refusals(&change, 1);
}

TEST(reserved_bits_of_cr4_and_efer_are_refused, "a reserved bit of CR4 or EFER never runs", MANUAL,
     NEEDS)
{
	static const struct change changes[] = {
		{"CR4 bit 15", FIELD(state.cr4), 1ull << 15, 0},
		{"CR4 bit 63", FIELD(state.cr4), 1ull << 63, 0},
		{"EFER bit 9", FIELD(state.efer), 1ull << 9, 0},
		{"EFER bit 63", FIELD(state.efer), 1ull << 63, 0},
	};

	expect_refusals(changes, COUNT_OF(changes));
}

/* The guest has the other value of each bit that it may have. */
TEST(control_registers_are_switched,
     "after #VMEXIT the host has its own CR0, CR3, CR4 and EFER, and the VMCB those of the guest",
     "APM Vol. 2, \"#VMEXIT\"", NEEDS)
{
	static const uint64_t bits[] = {CR4_PGE, CR4_SMEP, CR4_SMAP};
	static const enum feature needs[] = {FEATURE_pge, FEATURE_smep, FEATURE_smap};
	struct trial trial = new_trial();
	struct l2 *l2 = trial.l2;

	trial.page = l2_map(l2, PT, P | RW | A | D, 50);
	for (unsigned i = 0; i < 2 * (COUNT_OF(bits) + 2); i++) {
		const struct vmcb_state *state = &trial.vmcb->state;
		uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
		uint64_t efer = read_msr(MSR_EFER);

		if (i % 5 < 3 && has(needs[i % 5]))
			l2->cr4 ^= bits[i % 5];
		else if (i % 5 == 3)
			l2->cr0 ^= CR0_WP;
		else if (i % 5 == 4 && has(FEATURE_nx))
			l2->efer ^= EFER_NXE;
		expect_l2_read(l2, read_access(trial.page.linear, 8), frame_word(50));
		expect(read_cr0() == cr0 && read_cr3() == cr3 && read_cr4() == cr4 &&
			       read_msr(MSR_EFER) == efer,
		       "CR0 0x%llx, CR3 0x%llx, CR4 0x%llx, EFER 0x%llx",
		       (unsigned long long)read_cr0(), (unsigned long long)read_cr3(),
		       (unsigned long long)read_cr4(), (unsigned long long)read_msr(MSR_EFER));
		expect(!((state->cr0 ^ l2->cr0) & (CR0_PG | CR0_WP | CR0_PE)) &&
			       state->cr3 == l2->cr3 && state->cr4 == l2->cr4 &&
			       !((state->efer ^ l2->efer) & (EFER_LMA | EFER_LME | EFER_NXE)),
		       "in the VMCB CR0 0x%llx, CR3 0x%llx, CR4 0x%llx, EFER 0x%llx",
		       (unsigned long long)state->cr0, (unsigned long long)state->cr3,
		       (unsigned long long)state->cr4, (unsigned long long)state->efer);
		if (i < 5) /* later roots are above 4 GBytes in L2's memory */
			l2_map(l2, PT, P | RW | US, 0);
		l2_new_space(l2);
		trial.page = l2_map(l2, PT, P | RW | A | D, 50);  /* SMAP does not concern it */
		second_invalidate(&l2->second, SECOND_FLUSH_ALL); /* the ASID stays */
	}
}

TEST(upper_halves_of_debug_registers_are_refused, "bits 63:32 of DR6 and DR7 have to be zero",
     MANUAL, NEEDS)
{
	static const struct change changes[] = {
		{"DR6 bit 32", FIELD(state.dr6), 1ull << 32, 0},
		{"DR7 bit 32", FIELD(state.dr7), 1ull << 32, 0},
	};

	expect_refusals(changes, COUNT_OF(changes));
}

TEST(address_bits_of_cr3_beyond_maxphyaddr_are_refused,
     "CR3 of a long-mode guest with a bit from MAXPHYADDR on never runs", MANUAL,
     NEEDS " reserved_address_bits")
{
	const struct change changes[] = {
		{"CR3 bit 51", FIELD(state.cr3), 1ull << 51, 0},
		{"CR3 bit 63", FIELD(state.cr3), 1ull << 63, 0},
	};

	expect_refusals(changes, COUNT_OF(changes));
}

TEST(address_bits_of_n_cr3_beyond_maxphyaddr_are_refused,
     "N_CR3 with a bit from MAXPHYADDR on never runs", "APM Vol. 2, \"Enabling Nested Paging\"",
     NEEDS " reserved_address_bits")
{
	const struct change changes[] = {
		{"N_CR3 bit 51", FIELD(control.n_cr3), 1ull << 51, 0},
		{"N_CR3 bit 63", FIELD(control.n_cr3), 1ull << 63, 0},
	};

	expect_refusals(changes, COUNT_OF(changes));
}
