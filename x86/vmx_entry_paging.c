/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Control registers for paging that a VM entry must refuse.
 *
 * Combinations that MOV to a control register could not make, VM entry does not make either: it
 * fails with exit reason 33, "VM-entry failure due to invalid guest state", and nothing of L2 ran.
 * With EPT and PAE paging the four PDPTEs of the VMCS are checked too, and are reported by exit
 * qualification 2 (SDM Vol. 3, "Checks on Guest Control Registers, Debug Registers, and MSRs",
 * "Checks on Guest Page-Directory-Pointer-Table Entries", "VM-Entry Failures During or After
 * Loading Guest State").
 *
 * Caught here: a hypervisor that passes such a state on to the processor or to its own walker
 * (KN22, a CVE), one that walks with PDPTEs that it did not check, or that has changed its idea of
 * the guest's mode before it refuses.
 *
 * Not checked: the many other checks on guest state.
 */
#include "test.h"

SUBJECT(vmx_entry_paging, "control registers and PDPTEs that VM entry must refuse");

#define MANUAL	    "SDM Vol. 3, \"Checks on Guest Control Registers, Debug Registers, and MSRs\""
#define PDPTES	    "SDM Vol. 3, \"Checks on Guest Page-Directory-Pointer-Table Entries\""
#define NEEDS	    "vmx vmx_allowed ept ept_4level invept unrestricted_guest"
#define LOADS_PDPTE 2 /* exit qualification */

/* A guest that runs, to be spoiled and mended. */
struct guest {
	struct l2 *l2, good;
	struct l2_page page;
};

static struct guest start(enum l2_mode mode)
{
	struct guest guest = {.l2 = l2_start(mode)};

	vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) |
			SECONDARY_UNRESTRICTED_GUEST);
	guest.page = l2_map(guest.l2, PT, P | RW | US | A | D, 110);
	guest.good = *guest.l2;
	return guest;
}

/* The entry fails with this qualification; the guest as it was runs. */
static void expect_refused(struct guest *guest, uint64_t qualification, const char *what,
			   uint64_t value)
{
	struct access read = read_access(guest->page.linear, 4);
	struct l2_outcome outcome = l2_attempt(guest->l2, read);

	expect(outcome.exited && outcome.exit.reason == (EXIT_REASON_ENTRY_FAILURE |
							 EXIT_REASON_ENTRY_GUEST_STATE),
	       "%s 0x%llx: exit kind %u, reason 0x%llx", what, (unsigned long long)value,
	       outcome.exit.kind, (unsigned long long)outcome.exit.reason);
	expect(outcome.exit.qualification == qualification, "%s 0x%llx: qualification %llu", what,
	       (unsigned long long)value, (unsigned long long)outcome.exit.qualification);
	*guest->l2 = guest->good;
	expect_l2_read(guest->l2, read, (uint32_t)frame_word(110));
}

TEST(paging_needs_protection, "CR0.PG = 1 with CR0.PE = 0 is refused in each mode", MANUAL, NEEDS)
{
	for (unsigned mode = L2_32BIT; mode <= L2_4LEVEL; mode++) {
		struct guest guest = start(mode);

		guest.l2->cr0 &= ~CR0_PE;
		expect_refused(&guest, 0, "CR0", guest.l2->cr0);
	}
}

TEST(ia_32e_mode_needs_paging, "an IA-32e mode guest with CR0.PG = 0 is refused", MANUAL, NEEDS)
{
	struct guest guest = start(L2_4LEVEL);

	guest.l2->cr0 &= ~CR0_PG;
	expect_refused(&guest, 0, "CR0", guest.l2->cr0);
}

TEST(ia_32e_mode_needs_pae, "an IA-32e mode guest with CR4.PAE = 0 is refused", MANUAL, NEEDS)
{
	struct guest guest = start(L2_4LEVEL);

	guest.l2->cr4 &= ~CR4_PAE;
	expect_refused(&guest, 0, "CR4", guest.l2->cr4);
}

TEST(pcids_need_ia_32e_mode, "CR4.PCIDE = 1 outside IA-32e mode is refused", MANUAL, NEEDS " pcid")
{
	for (unsigned mode = L2_UNPAGED; mode <= L2_PAE; mode++) {
		struct guest guest = start(mode);

		guest.l2->cr4 |= CR4_PCIDE;
		expect_refused(&guest, 0, "CR4", guest.l2->cr4);
	}
}

TEST(cr3_must_be_a_physical_address, "bits of CR3 from MAXPHYADDR on are refused", MANUAL, NEEDS)
{
	struct guest guest = start(L2_4LEVEL);

	for (unsigned bit = first_reserved_address_bit(); bit < 61; bit++) {
		guest.l2->cr3 |= 1ull << bit;
		expect_refused(&guest, 0, "CR3", guest.l2->cr3);
	}
}

TEST(cr3_must_be_a_physical_address_outside_ia_32e_mode,
     "bits of CR3 from MAXPHYADDR on are refused of guests of 32 bits, unpaged ones too", MANUAL,
     NEEDS)
{
	for (unsigned mode = L2_UNPAGED; mode <= L2_PAE; mode++) {
		struct guest guest = start(mode);

		for (unsigned bit = first_reserved_address_bit(); bit < 61; bit += 4) {
			guest.l2->cr3 |= 1ull << bit; /* 61 and 62 are LAM's enables */
			expect_refused(&guest, 0, "CR3", guest.l2->cr3);
		}
	}
}

TEST(efer_must_say_what_the_controls_say,
     "LMA that is not the control \"IA-32e mode guest\", LME that is not LMA while paging is on, "
     "and "
     "reserved bits of EFER are refused",
     MANUAL, NEEDS)
{
	static const uint64_t changes[] = {EFER_LMA, EFER_LME, 1ull << 1, 1ull << 9, 1ull << 63};

	for (unsigned i = 0; i < COUNT_OF(changes); i++) {
		struct guest guest = start(L2_4LEVEL);
		uint64_t efer = guest.l2->efer ^ changes[i];

		expect_l2_completes(guest.l2, read_access(guest.page.linear, 4));
		vmwrite(VMCS_GUEST_IA32_EFER, efer); /* the control stays as it is */
		expect(l2_attempt(guest.l2, read_access(guest.page.linear, 4)).exit.kind ==
			       L2_ENTRY_FAILED,
		       "EFER 0x%llx was accepted", (unsigned long long)efer);
		vmwrite(VMCS_GUEST_IA32_EFER, guest.l2->efer);
		expect_l2_completes(guest.l2, read_access(guest.page.linear, 4));
	}
}

TEST(present_pdptes_are_checked,
     "reserved bits in a present PDPTE are refused, and exit qualification 2 says so", PDPTES,
     NEEDS)
{
	struct guest guest = start(L2_PAE);
	uint64_t reserved = 0x1e6 | 1ull << 63; /* bits 2:1, 8:5 */

	if (maxphyaddr() < 63)
		reserved |= ~((1ull << maxphyaddr()) - 1);
	for (unsigned bit = 0; bit < 64; bit++) {
		for (unsigned i = 0; (reserved >> bit & 1) && i < 4; i++) {
			guest.l2->pdpte[i] |= 1ull << bit | P;
			expect_refused(&guest, LOADS_PDPTE, "PDPTE", guest.l2->pdpte[i]);
		}
	}
}

TEST(pdptes_that_are_not_present_are_not_checked, "a PDPTE with P = 0 may hold anything", PDPTES,
     NEEDS)
{
	struct guest guest = start(L2_PAE);
	unsigned used = (unsigned)(guest.page.linear.value >> 30);

	guest.l2->pdpte[(used + 1) % 3] = ~P;
	expect_l2_read(guest.l2, read_access(guest.page.linear, 4), (uint32_t)frame_word(110));
	guest.l2->pdpte[used] = ~P;
	expect_l2_page_fault(guest.l2, read_access(guest.page.linear, 4), 0);
}

TEST(pdptes_count_under_pae_paging_alone,
     "PDPTE fields may hold anything for guests that are unpaged, or use another kind of paging",
     PDPTES, NEEDS)
{
	for (unsigned mode = L2_UNPAGED; mode <= L2_4LEVEL; mode++) {
		struct guest guest;

		if (mode == L2_PAE)
			continue;
		guest = start(mode);
		for (unsigned i = 0; i < 4; i++)
			guest.l2->pdpte[i] = ~0ull;
		guest.l2->cr4 |= mode == L2_UNPAGED ? CR4_PAE : 0;
		expect_l2_read(guest.l2, read_access(guest.page.linear, 4),
			       (uint32_t)frame_word(110));
	}
}

/* A guest without EPT whose CR3 holds an L1-physical address. */
static struct l2_exit enter_without_ept(struct l2 *l2)
{
	struct l2_registers registers = {.rip = PAGE_4K, .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	l2->backend->enter(l2, &registers, &exit);
	return exit;
}

TEST(pdptes_in_memory_are_checked,
     "without EPT a VM entry loads the PDPTEs from memory and refuses reserved bits in a present "
     "one",
     PDPTES, NEEDS)
{
	struct l2 *l2 = l2_start(L2_PAE);
	gpa_t root = frame_alloc();
	uint64_t *pdptes = identity(root);

	memset(pdptes, 0, PAGE_4K);
	l2->cr3 = root.value;
	vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS, 0);
	for (unsigned number = 0; number < 4 * 7; number++) {
		static const uint8_t reserved[] = {1, 2, 5, 6, 7, 8, 63};
		unsigned i = number % 4, bit = reserved[number / 4];
		struct l2_exit exit;

		pdptes[i] = 1ull << bit;
		exit = enter_without_ept(l2);
		expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_PF,
		       "PDPTE %u, bit %u, P = 0: exit kind %u, reason 0x%llx", i, bit, exit.kind,
		       (unsigned long long)exit.reason);
		pdptes[i] |= P;
		exit = enter_without_ept(l2);
		expect(exit.reason == (EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_ENTRY_GUEST_STATE) &&
			       exit.qualification == LOADS_PDPTE,
		       "PDPTE %u, bit %u: reason 0x%llx, qualification %llu", i, bit,
		       (unsigned long long)exit.reason, (unsigned long long)exit.qualification);
		pdptes[i] = 0;
	}
}
