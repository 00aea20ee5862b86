/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What VMX offers, one line a capability in vmx_features.def, read from the capability MSRs (SDM
 * Vol. 3, appendix "VMX Capability Reporting Facility"). The names are words of a test's needs.
 */
#ifndef CPU_VMX_FEATURES_H
#define CPU_VMX_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

#define MSR_IA32_FEATURE_CONTROL	 0x3a
#define MSR_IA32_VMX_BASIC		 0x480
#define MSR_IA32_VMX_PINBASED_CTLS	 0x481
#define MSR_IA32_VMX_PROCBASED_CTLS	 0x482
#define MSR_IA32_VMX_EXIT_CTLS		 0x483
#define MSR_IA32_VMX_ENTRY_CTLS		 0x484
#define MSR_IA32_VMX_CR0_FIXED0		 0x486
#define MSR_IA32_VMX_CR0_FIXED1		 0x487
#define MSR_IA32_VMX_CR4_FIXED0		 0x488
#define MSR_IA32_VMX_CR4_FIXED1		 0x489
#define MSR_IA32_VMX_PROCBASED_CTLS2	 0x48b
#define MSR_IA32_VMX_EPT_VPID_CAP	 0x48c
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS	 0x48d
#define MSR_IA32_VMX_TRUE_PROCBASED_CTLS 0x48e
#define MSR_IA32_VMX_TRUE_EXIT_CTLS	 0x48f
#define MSR_IA32_VMX_TRUE_ENTRY_CTLS	 0x490
#define MSR_IA32_VMX_VMFUNC		 0x491

#define FEATURE_CONTROL_LOCK		 (1ull << 0)
#define FEATURE_CONTROL_VMX		 (1ull << 2) /* outside SMX operation */

enum vmx_feature {
#define VMX_FEATURE(name, msr, bit, meaning) VMX_FEATURE_##name,
#include "cpu/vmx_features.def"
#undef VMX_FEATURE
	VMX_FEATURE_COUNT
};

struct vmx_feature_entry {
	const char *name, *meaning;
};

extern const struct vmx_feature_entry vmx_feature_table[VMX_FEATURE_COUNT];

/* Whether the processor offers it; false without VMX and where IA32_FEATURE_CONTROL locks VMX off.
 */
bool has_vmx(enum vmx_feature feature);

/* A capability MSR; 0 where the processor does not have it. */
uint64_t vmx_capability(uint32_t msr);

#endif
