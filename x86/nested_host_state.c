/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The control registers of L1 and L2 stay each one's own.
 *
 * VM entry loads L2's CR0, CR3, CR4 and EFER, VM exit L1's (SDM Vol. 3, "Loading Guest Control
 * Registers, Debug Registers, and MSRs", "Loading Host Control Registers, Debug Registers, MSRs";
 * APM Vol. 2, "VMRUN", "#VMEXIT"). What they decide about an access follows at once: R/W under
 * CR0.WP, U/S under SMEP and SMAP, XD under EFER.NXE, and the PCID in CR3.
 *
 * Caught here: a hypervisor or emulator that keeps one of these bits over an entry or exit, in the
 * register or in what it decides by (R40; KN09, KS18), loses the PCID of either side, or has the
 * fault of one side change CR2 of the other. L1 would run with L2's protection.
 *
 * Each bit is given all four pairs of values in L1 and L2; after each of L2's accesses, which the
 * model judges, L1's registers are read back and the same access made in L1. Not checked: modes
 * other than 4-level paging; CR2 of the host under SVM, which is not defined after #VMEXIT.
 */
#include "test.h"

SUBJECT(nested_host_state, "WP, SMEP, SMAP, PGE, NXE, PCIDs and CR2 of L1 and L2, each its own");

#define MANUAL                                                                                \
	"SDM Vol. 3, \"Loading Host Control Registers, Debug Registers, MSRs\"; APM Vol. 2, " \
	"\"#VMEXIT\""
#define NEEDS "second_level"

struct registers {
	uint64_t cr0, cr3, cr4, efer;
};

static struct registers read_registers(void)
{
	return (struct registers){read_cr0(), read_cr3(), read_cr4(), read_msr(MSR_EFER)};
}

/* VM exit loads them from the VMCS, #VMEXIT those that VMRUN found. */
static void tell_host_state(struct l2 *l2)
{
	if (has(FEATURE_svm)) {
		svm_host_changed(l2);
		return;
	}
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_IA32_EFER, read_msr(MSR_EFER));
}

static void expect_registers(const struct registers *before)
{
	struct registers after = read_registers();

	expect(after.cr0 == before->cr0, "CR0 was 0x%llx, is 0x%llx",
	       (unsigned long long)before->cr0, (unsigned long long)after.cr0);
	expect(after.cr3 == before->cr3, "CR3 was 0x%llx, is 0x%llx",
	       (unsigned long long)before->cr3, (unsigned long long)after.cr3);
	expect(after.cr4 == before->cr4, "CR4 was 0x%llx, is 0x%llx",
	       (unsigned long long)before->cr4, (unsigned long long)after.cr4);
	expect(after.efer == before->efer, "EFER was 0x%llx, is 0x%llx",
	       (unsigned long long)before->efer, (unsigned long long)after.efer);
}

/* A bit of L2's registers, and of L1's. */
typedef void change_function(struct l2 *l2, uint64_t bit, bool ours, bool value);

static void change_cr0(struct l2 *l2, uint64_t bit, bool ours, bool value)
{
	if (ours)
		value ? set_cr0(bit) : clear_cr0(bit);
	else
		l2->cr0 = (l2->cr0 & ~bit) | (value ? bit : 0);
}

static void change_cr4(struct l2 *l2, uint64_t bit, bool ours, bool value)
{
	if (ours)
		value ? set_cr4(bit) : clear_cr4(bit);
	else
		l2->cr4 = (l2->cr4 & ~bit) | (value ? bit : 0);
}

static void change_efer(struct l2 *l2, uint64_t bit, bool ours, bool value)
{
	if (ours)
		value ? set_efer(bit) : clear_efer(bit);
	else
		l2->efer = (l2->efer & ~bit) | (value ? bit : 0);
}

/* The same accesses to pages with the same flags, by either side in turn. */
static void try_pages(struct l2 *l2, const struct l2_page *theirs, const struct page *ours)
{
	struct registers before = read_registers();

	for (unsigned n = 0; n < ACCESS_WAYS; n++) {
		expect_l2_as_modelled(l2, nth_access(n, theirs->linear));
		expect_registers(&before);
		invalidate(ours->linear, INVLPG);
		expect_as_modelled(nth_access(n, ours->linear));
	}
}

static void try_bit(change_function *change, uint64_t bit, uint64_t flags)
{
	static const uint8_t pairs[] = {0, 1, 2, 3, 1, 2, 0, 3, 0};
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page theirs = l2_map(l2, PT, flags | A | D, 21);
	struct l2_page missing = l2_map(l2, PT, flags & ~P, 21);
	struct page ours = map_page_at(PT, filled_frame(20), flags);

	for (unsigned i = 0; i < COUNT_OF(pairs); i++) {
		progress("L1's bit is %u, L2's %u", pairs[i] & 1, pairs[i] >> 1);
		change(l2, bit, true, pairs[i] & 1);
		change(l2, bit, false, pairs[i] >> 1);
		tell_host_state(l2);
		/* RSVD in L2 is for other images: P beside it is not the same everywhere (QT01) */
		try_pages(l2, flags & XD && !(l2->efer & EFER_NXE) ? &missing : &theirs, &ours);
		try_pages(l2, &missing, &ours);
	}
}

TEST(each_side_has_its_own_wp, "CR0.WP of L1 and of L2 decides on each one's writes alone", MANUAL,
     NEEDS)
{
	try_bit(change_cr0, CR0_WP, P | US);
	try_bit(change_cr0, CR0_WP, P);
}

TEST(each_side_has_its_own_smep, "CR4.SMEP of L1 and of L2 decides on each one's fetches alone",
     MANUAL, NEEDS " smep")
{
	try_bit(change_cr4, CR4_SMEP, P | RW | US);
}

TEST(each_side_has_its_own_smap, "CR4.SMAP of L1 and of L2 decides on each one's accesses alone",
     MANUAL, NEEDS " smap")
{
	try_bit(change_cr4, CR4_SMAP, P | RW | US);
}

TEST(each_side_has_its_own_pge, "CR4.PGE of L1 is after a VM exit what it was, whatever L2's is",
     MANUAL, NEEDS " pge")
{
	try_bit(change_cr4, CR4_PGE, P | RW | US | G);
}

TEST(each_side_has_its_own_nxe, "EFER.NXE of L1 and of L2 decides on each one's entries alone",
     MANUAL, NEEDS " nx")
{
	try_bit(change_efer, EFER_NXE, P | RW | US | XD);
}

TEST(each_side_has_its_own_ac,
     "EFLAGS.AC of L1 is after a VM exit what it was, or 0, whatever L2's is", MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 25);

	for (unsigned n = 0; n < 8; n++) {
		struct access read = read_access(page.linear, 8);
		uint64_t flags;

		expect_l2_read(l2, n & 1 ? with_ac(read) : read, frame_word(25));
		__asm__ volatile("pushf; pop %0" : "=r"(flags));
		expect(!(flags & RFLAGS_AC), "RFLAGS are 0x%llx", (unsigned long long)flags);
	}
}

static uint64_t saved_cr3(const struct l2 *l2)
{
	return has(FEATURE_svm) ? svm_guest(l2)->vmcb->state.cr3 : vmread(VMCS_GUEST_CR3);
}

static void try_pcids(struct l2 *l2, const struct l2_page *page, unsigned ours, unsigned theirs)
{
	struct registers before;

	mov_to_cr3(image_root().value | ours);
	l2->cr3 = (l2->cr3 & ~0xfffull) | theirs;
	tell_host_state(l2);
	before = read_registers();
	expect_l2_read(l2, read_access(page->linear, 8), frame_word(22));
	expect_registers(&before);
	expect(saved_cr3(l2) == l2->cr3, "L2's CR3 was 0x%llx, was saved as 0x%llx",
	       (unsigned long long)l2->cr3, (unsigned long long)saved_cr3(l2));
}

TEST(each_side_has_its_own_pcid, "CR3's PCID of L1 and of L2 is after a VM exit what it was",
     MANUAL, NEEDS " pcid")
{
	static const uint16_t pcids[] = {0, 1, 0x5a5, 0xfff};
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 22);

	set_cr4(CR4_PCIDE);
	for (unsigned i = 0; i < 2 * COUNT_OF(pcids) * COUNT_OF(pcids); i++) {
		l2->cr4 = i & 1 ? l2->cr4 | CR4_PCIDE : l2->cr4 & ~CR4_PCIDE;
		try_pcids(l2, &page, pcids[i / 2 % COUNT_OF(pcids)],
			  i & 1 ? pcids[i / 2 / COUNT_OF(pcids)] : 0);
	}
}

TEST(an_exit_for_a_fault_of_l2_leaves_cr2,
     "a #PF of L2 that is a VM exit, and an EPT violation, write no CR2",
     "SDM Vol. 3, \"Architectural State before a VM Exit\"", NEEDS " vmx")
{
	const uint64_t canary = 0x0000456789abc000;
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page missing = l2_map(l2, PT, RW | US, 23);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 24);

	second_allow(&l2->second, page.gpa, PT, 0, SECOND_FLUSH);
	for (unsigned user = 0; user < 2; user++) {
		struct access access = read_access(missing.linear, 8);

		access.user = user;
		write_cr2(canary);
		expect_l2_page_fault(l2, access, user ? PF_U : 0);
		expect(read_cr2() == canary, "CR2 became 0x%llx", (unsigned long long)read_cr2());
		access.linear = page.linear;
		expect_l2_violation(l2, access, page.gpa);
		expect(read_cr2() == canary, "CR2 became 0x%llx", (unsigned long long)read_cr2());
	}
}
