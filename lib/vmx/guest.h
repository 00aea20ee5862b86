/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A VMCS that is ready for VM entries: controls that the capability MSRs allow, host state of the
 * running image, guest state of a flat guest in any mode (SDM Vol. 3, "VM-Execution Control
 * Fields", "Host-State Area", "Guest-State Area"; "Loading Guest State").
 */
#ifndef VMX_GUEST_H
#define VMX_GUEST_H

#include "cpu/registers.h"
#include "vmx/vmx.h"

/* Secondary processor-based VM-execution controls. */
#define SECONDARY_ENABLE_EPT		 (1u << 1)
#define SECONDARY_ENABLE_VPID		 (1u << 5)
#define SECONDARY_UNRESTRICTED_GUEST	 (1u << 7)
#define SECONDARY_ENABLE_INVPCID	 (1u << 12)
#define SECONDARY_ENABLE_VM_FUNCTIONS	 (1u << 13)
#define SECONDARY_ENABLE_PML		 (1u << 17)
#define SECONDARY_EPT_VIOLATION_VE	 (1u << 18)
#define SECONDARY_MODE_BASED_EXECUTE	 (1u << 22)
#define SECONDARY_SUB_PAGE_WRITE	 (1u << 23)

/* Basic exit reasons. */
#define EXIT_REASON_EXCEPTION_OR_NMI	 0
#define EXIT_REASON_MOV_CR		 28
#define EXIT_REASON_ENTRY_GUEST_STATE	 33
#define EXIT_REASON_ENTRY_MSR_LOADING	 34
#define EXIT_REASON_EPT_VIOLATION	 48
#define EXIT_REASON_EPT_MISCONFIGURATION 49
#define EXIT_REASON_PML_FULL		 62
#define EXIT_REASON_VMFUNC		 59
#define EXIT_REASON_ENTRY_FAILURE	 (1u << 31)

/* Exit qualification of an EPT violation. */
#define EPT_VIOLATION_READ		 (1u << 0)
#define EPT_VIOLATION_WRITE		 (1u << 1)
#define EPT_VIOLATION_FETCH		 (1u << 2)
#define EPT_VIOLATION_READABLE		 (1u << 3)
#define EPT_VIOLATION_WRITABLE		 (1u << 4)
#define EPT_VIOLATION_EXECUTABLE	 (1u << 5)
#define EPT_VIOLATION_LINEAR_VALID	 (1u << 7)
#define EPT_VIOLATION_FINAL		 (1u << 8)

enum vmx_result vmx_enter(struct general_registers *registers, bool launched);

/* What the VMCS's guest runs with; what is not here stays as vmx_guest_init() made it. */
struct vmx_guest_mode {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t pdpte[4];
	unsigned cpl;
};

/* Fills controls, host state and the constant part of guest state of the current VMCS. */
void vmx_guest_init(uint32_t secondary_controls);

/* Guest control registers and segments for a mode and privilege level; the fixed bits of CR0 and
 * CR4 are added. */
void vmx_guest_set_mode(const struct vmx_guest_mode *mode);

/* Whether "CR3-load exiting" can be 0, which it is then, so that a guest's MOV to CR3 does not
 * exit.
 */
bool vmx_lets_guests_load_cr3(void);

/* Whether every one of these secondary controls may be 1. */
bool vmx_allows_secondary(uint32_t controls);

#endif
