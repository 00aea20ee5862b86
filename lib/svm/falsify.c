/* SPDX-License-Identifier: BSD-2-Clause
 *
 * APM Vol. 2, "Nested versus Guest Page Faults, Fault Ordering", "#VMEXIT".
 */
#include "svm/falsify.h"

#include "cpu/control.h"
#include "cpu/sabotage.h"
#include "mem/address.h"

#define LACKING	   5 /* P, W, U, RSV, ID */
#define ADDED	   4 /* P, W, RSV, ID: U is always 1 */
#define WHICH_WALK (NPF_FINAL | NPF_TABLE)
#define VECTOR_PF  14

static uint64_t cr2_before;

static void falsify_nested_page_fault(struct vmcb *vmcb)
{
	static const uint64_t added[ADDED] = {NPF_P, NPF_W, NPF_RSV, NPF_ID};
	uint64_t *info = &vmcb->control.exitinfo1;

	for (unsigned bit = 0; bit < LACKING; bit++)
		if (*info >> bit & 1 && sabotaged(SABOTAGE_exitinfo1_lacks_p + bit))
			*info &= ~(1ull << bit);
	for (unsigned i = 0; i < ADDED; i++)
		if (!(*info & added[i]) && sabotaged(SABOTAGE_exitinfo1_adds_p + i))
			*info |= added[i];
	if (sabotaged(SABOTAGE_exitinfo1_bits_32_and_33_swapped))
		*info ^= WHICH_WALK;
	if (sabotaged(SABOTAGE_exitinfo1_bits_32_and_33_clear))
		*info &= ~WHICH_WALK;
	if (*info & NPF_RSV && sabotaged(SABOTAGE_misconfiguration_is_violation))
		*info &= ~NPF_RSV;
	if (!(*info & NPF_RSV) && sabotaged(SABOTAGE_violation_is_misconfiguration))
		*info |= NPF_RSV;
	if (sabotaged(SABOTAGE_guest_physical_is_page_aligned))
		vmcb->control.exitinfo2 &= ~(PAGE_4K - 1);
	if (sabotaged(SABOTAGE_cr2_changed_by_nested_page_fault))
		vmcb->state.cr2 = vmcb->control.exitinfo2;
}

void falsify_vmrun(struct vmcb *vmcb)
{
	if (vmcb->control.tlb_control == TLB_CONTROL_FLUSH_ALL) /* of the host as well */
		processor_event(EVENT_PAGING_WAS_OFF, 0, NULL);
	if (sabotaged(SABOTAGE_cr2_not_loaded_by_vmrun))
		vmcb->state.cr2 = read_cr2();
	cr2_before = vmcb->state.cr2;
}

/* What an exit saves for L2, and what L1 has after it. */
static void falsify_control_registers(struct vmcb *vmcb)
{
	if (vmcb->state.cr3 % PAGE_4K && vmcb->state.cr4 & CR4_PCIDE &&
	    sabotaged(SABOTAGE_saved_cr3_lacks_pcid))
		vmcb->state.cr3 &= ~(PAGE_4K - 1);
	if ((read_cr0() ^ vmcb->state.cr0) & CR0_WP && sabotaged(SABOTAGE_wp_of_l2_stays))
		write_cr0(read_cr0() ^ CR0_WP);
}

void falsify_vmexit(struct vmcb *vmcb)
{
	if (sabotaged(SABOTAGE_cr2_not_saved_by_vmexit))
		vmcb->state.cr2 = cr2_before;
	falsify_control_registers(vmcb);
	if ((uint32_t)vmcb->control.exitcode == (uint32_t)VMEXIT_INVALID &&
	    sabotaged(SABOTAGE_entry_checks_nothing))
		vmcb->control.exitcode = VMEXIT_VMMCALL;
	if (vmcb->control.exitcode == VMEXIT_NPF)
		falsify_nested_page_fault(vmcb);
	if (vmcb->control.exitcode == VMEXIT_EXCEPTION + VECTOR_PF &&
	    sabotaged(SABOTAGE_cr2_changed_by_intercepted_page_fault))
		vmcb->state.cr2 = vmcb->control.exitinfo2;
}
