/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/vmx_features.h"

#include "cpu/control.h"
#include "cpu/features.h"

#define BASIC_TRUE_CONTROLS (1ull << 55)
#define ALLOWED_SECONDARY   (1ull << 63) /* in IA32_VMX_PROCBASED_CTLS */
#define ALLOWED(control)    (1ull << (32 + (control)))
#define SECONDARY_EPT	    1
#define SECONDARY_VPID	    5
#define SECONDARY_VMFUNC    13

const struct vmx_feature_entry vmx_feature_table[VMX_FEATURE_COUNT] = {
#define VMX_FEATURE(name, msr, bit, meaning) [VMX_FEATURE_##name] = {#name, meaning},
#include "cpu/vmx_features.def"
#undef VMX_FEATURE
};

static const struct {
	uint32_t msr;
	unsigned char bit;
} where[VMX_FEATURE_COUNT] = {
#define VMX_FEATURE(name, msr, bit, meaning) [VMX_FEATURE_##name] = {MSR_IA32_##msr, bit},
#include "cpu/vmx_features.def"
#undef VMX_FEATURE
};

static bool allows_secondary(unsigned control)
{
	return (read_msr(MSR_IA32_VMX_PROCBASED_CTLS) & ALLOWED_SECONDARY) &&
	       (read_msr(MSR_IA32_VMX_PROCBASED_CTLS2) & ALLOWED(control));
}

/* Reading an MSR that is not there raises #GP, so each is read only where the manual says that it
 * exists. */
static bool exists(uint32_t msr)
{
	if (!has(FEATURE_vmx))
		return false;
	switch (msr) {
	case MSR_IA32_VMX_PROCBASED_CTLS2:
		return read_msr(MSR_IA32_VMX_PROCBASED_CTLS) & ALLOWED_SECONDARY;
	case MSR_IA32_VMX_EPT_VPID_CAP:
		return allows_secondary(SECONDARY_EPT) || allows_secondary(SECONDARY_VPID);
	case MSR_IA32_VMX_VMFUNC:
		return allows_secondary(SECONDARY_VMFUNC);
	case MSR_IA32_VMX_TRUE_PINBASED_CTLS:
	case MSR_IA32_VMX_TRUE_PROCBASED_CTLS:
	case MSR_IA32_VMX_TRUE_EXIT_CTLS:
	case MSR_IA32_VMX_TRUE_ENTRY_CTLS:
		return read_msr(MSR_IA32_VMX_BASIC) & BASIC_TRUE_CONTROLS;
	default:
		return true;
	}
}

uint64_t vmx_capability(uint32_t msr)
{
	return exists(msr) ? read_msr(msr) : 0;
}

static bool is_allowed(void)
{
	uint64_t control = vmx_capability(MSR_IA32_FEATURE_CONTROL);

	return has(FEATURE_vmx) &&
	       (!(control & FEATURE_CONTROL_LOCK) || (control & FEATURE_CONTROL_VMX));
}

bool has_vmx(enum vmx_feature feature)
{
	if (!is_allowed())
		return false;
	if (feature == VMX_FEATURE_vmx_allowed)
		return true;
	return vmx_capability(where[feature].msr) >> where[feature].bit & 1;
}
