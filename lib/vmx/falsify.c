/* SPDX-License-Identifier: BSD-2-Clause
 *
 * SDM Vol. 3, "Basic VM-Exit Information", "Exit Qualification for EPT Violations".
 */
#include "vmx/falsify.h"

#include "cpu/control.h"
#include "cpu/sabotage.h"
#include "mem/address.h"
#include "vmx/guest.h"

static uint64_t raw(enum vmcs_field field)
{
	uint64_t value = 0;

	vmread_raw(field, &value);
	return value;
}

static uint64_t falsify_reason(uint64_t reason)
{
	if (reason & EXIT_REASON_ENTRY_FAILURE && sabotaged(SABOTAGE_entry_checks_nothing))
		return EXIT_REASON_MOV_CR; /* as if L2 had run */
	if (reason == EXIT_REASON_EPT_MISCONFIGURATION &&
	    sabotaged(SABOTAGE_misconfiguration_is_violation))
		return EXIT_REASON_EPT_VIOLATION;
	if (reason == EXIT_REASON_EPT_VIOLATION &&
	    sabotaged(SABOTAGE_violation_is_misconfiguration))
		return EXIT_REASON_EPT_MISCONFIGURATION;
	return reason;
}

static uint64_t falsify_qualification(uint64_t qualification)
{
	/* In the order of sabotage.def. Bit 7 is 1 for all that L2 does here. */
	static const unsigned char lacking[] = {0, 1, 2, 3, 4, 5, 7, 8};
	static const unsigned char added[] = {0, 1, 2, 3, 4, 5, 8};

	for (unsigned i = 0; i < sizeof(lacking); i++)
		if (qualification >> lacking[i] & 1 &&
		    sabotaged(SABOTAGE_qualification_lacks_bit_0 + i))
			qualification &= ~(1ull << lacking[i]);
	for (unsigned i = 0; i < sizeof(added); i++)
		if (!(qualification >> added[i] & 1) &&
		    sabotaged(SABOTAGE_qualification_adds_bit_0 + i))
			qualification |= 1ull << added[i];
	return qualification;
}

static uint64_t falsify_physical_address(uint64_t value)
{
	if (sabotaged(SABOTAGE_guest_physical_is_page_aligned))
		return value & ~(PAGE_4K - 1);
	if (sabotaged(SABOTAGE_guest_physical_is_linear))
		return raw(VMCS_GUEST_LINEAR_ADDRESS);
	return value;
}

uint64_t falsify_vmcs_field(enum vmcs_field field, uint64_t value)
{
	uint64_t reason = raw(VMCS_EXIT_REASON);
	bool is_violation = reason == EXIT_REASON_EPT_VIOLATION;

	switch (field) {
	case VMCS_EXIT_REASON:
		return falsify_reason(value);
	case VMCS_EXIT_QUALIFICATION:
		return is_violation ? falsify_qualification(value) : value;
	case VMCS_GUEST_PHYSICAL_ADDRESS:
		return is_violation || reason == EXIT_REASON_EPT_MISCONFIGURATION
			       ? falsify_physical_address(value)
			       : value;
	case VMCS_GUEST_CR3:
		return value % PAGE_4K && raw(VMCS_GUEST_CR4) & CR4_PCIDE &&
				       sabotaged(SABOTAGE_saved_cr3_lacks_pcid)
			       ? value & ~(PAGE_4K - 1)
			       : value;
	case VMCS_GUEST_LINEAR_ADDRESS:
		return sabotaged(SABOTAGE_guest_linear_is_page_aligned) ? value & ~(PAGE_4K - 1)
									: value;
	default:
		return value;
	}
}

void falsify_vm_exit(void)
{
	/* Without a VPID, transitions drop what is cached for L1, too. */
	if (!(raw(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) & SECONDARY_ENABLE_VPID))
		processor_event(EVENT_PAGING_WAS_OFF, 0, NULL);
	if ((read_cr0() ^ raw(VMCS_GUEST_CR0)) & CR0_WP && sabotaged(SABOTAGE_wp_of_l2_stays))
		write_cr0(read_cr0() ^ CR0_WP);
}
