/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/guest.h"

#include "check/report.h"
#include "cpu/control.h"
#include "cpu/descriptor.h"
#include "cpu/vmx_features.h"

#define PRIMARY_CR3_LOAD_EXITING   (1u << 15)
#define PRIMARY_SECONDARY_CONTROLS (1u << 31)
#define EXIT_HOST_64BIT		   (1u << 9)
#define EXIT_SAVE_EFER		   (1u << 20)
#define EXIT_LOAD_EFER		   (1u << 21)
#define ENTRY_IA32E_MODE	   (1u << 9)
#define ENTRY_LOAD_EFER		   (1u << 15)

#define CODE_64BIT		   0xa09bu /* type 11, S, P, L, G; DPL in bits 6:5 */
#define CODE_32BIT		   0xc09bu /* D instead of L */
#define DATA_32BIT		   0xc093u
#define TSS_BUSY		   0x8bu
#define UNUSABLE		   0x10000u
#define DPL(cpl)		   ((cpl) << 5)

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern const char vmx_exit[];

/* Low half of a capability MSR: bits that must be 1; high half: bits that may be. */
static uint32_t allowed(uint32_t true_msr, uint32_t msr, uint32_t wanted)
{
	uint64_t capability = vmx_capability(true_msr);

	if (!capability)
		capability = vmx_capability(msr);
	return (wanted | (uint32_t)capability) & (uint32_t)(capability >> 32);
}

static void set_control(enum vmcs_field field, uint32_t true_msr, uint32_t msr, uint32_t wanted)
{
	uint32_t value = allowed(true_msr, msr, wanted);

	if (wanted & ~value)
		end_case_skipped("vmx_controls", "a VM-execution control that every processor of "
						 "the last decade has");
	vmwrite(field, value);
}

bool vmx_allows_secondary(uint32_t controls)
{
	return !(controls & ~(uint32_t)(vmx_capability(MSR_IA32_VMX_PROCBASED_CTLS2) >> 32));
}

bool vmx_lets_guests_load_cr3(void)
{
	return !(allowed(MSR_IA32_VMX_TRUE_PROCBASED_CTLS, MSR_IA32_VMX_PROCBASED_CTLS, 0) &
		 PRIMARY_CR3_LOAD_EXITING);
}

static void set_controls(uint32_t secondary)
{
	set_control(VMCS_PIN_BASED_VM_EXECUTION_CONTROLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS,
		    MSR_IA32_VMX_PINBASED_CTLS, 0);
	set_control(VMCS_PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		    MSR_IA32_VMX_TRUE_PROCBASED_CTLS, MSR_IA32_VMX_PROCBASED_CTLS,
		    PRIMARY_SECONDARY_CONTROLS);
	set_control(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		    MSR_IA32_VMX_PROCBASED_CTLS2, MSR_IA32_VMX_PROCBASED_CTLS2, secondary);
	set_control(VMCS_VM_EXIT_CONTROLS, MSR_IA32_VMX_TRUE_EXIT_CTLS, MSR_IA32_VMX_EXIT_CTLS,
		    EXIT_HOST_64BIT | EXIT_SAVE_EFER | EXIT_LOAD_EFER);
	vmwrite(VMCS_EXCEPTION_BITMAP, 0xffffffff);
	vmwrite(VMCS_PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmwrite(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmwrite(VMCS_CR3_TARGET_COUNT, 0);
	vmwrite(VMCS_VM_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VMCS_VM_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFORMATION, 0);
	vmwrite(VMCS_CR0_GUEST_HOST_MASK, 0);
	vmwrite(VMCS_CR4_GUEST_HOST_MASK, 0);
	vmwrite(VMCS_CR0_READ_SHADOW, 0);
	vmwrite(VMCS_CR4_READ_SHADOW, 0);
}

static uint64_t tss_base(uint64_t gdt)
{
	const uint64_t *descriptor = (const uint64_t *)(uintptr_t)(gdt + TSS_SEL);

	return (descriptor[0] >> 16 & 0xffffff) | (descriptor[0] >> 56) << 24 | descriptor[1] << 32;
}

static void set_host_state(void)
{
	struct table_pointer gdtr, idtr;

	__asm__ volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_IA32_EFER, read_msr(MSR_EFER));
	vmwrite(VMCS_HOST_CS_SELECTOR, KERNEL_CS);
	vmwrite(VMCS_HOST_SS_SELECTOR, KERNEL_DS);
	vmwrite(VMCS_HOST_DS_SELECTOR, KERNEL_DS);
	vmwrite(VMCS_HOST_ES_SELECTOR, KERNEL_DS);
	vmwrite(VMCS_HOST_FS_SELECTOR, 0);
	vmwrite(VMCS_HOST_GS_SELECTOR, 0);
	vmwrite(VMCS_HOST_TR_SELECTOR, TSS_SEL);
	vmwrite(VMCS_HOST_FS_BASE, 0);
	vmwrite(VMCS_HOST_GS_BASE, 0);
	vmwrite(VMCS_HOST_TR_BASE, tss_base(gdtr.base));
	vmwrite(VMCS_HOST_GDTR_BASE, gdtr.base);
	vmwrite(VMCS_HOST_IDTR_BASE, idtr.base);
	vmwrite(VMCS_HOST_SYSENTER_CS, 0);
	vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
	vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
	vmwrite(VMCS_HOST_RIP, (uintptr_t)vmx_exit);
}

/* Field encodings of the segment registers stand two apart, ES CS SS DS FS GS LDTR TR. */
enum segment { ES, CS, SS, DS, FS, GS, LDTR, TR };

static void set_segment(enum segment segment, unsigned selector, uint32_t rights)
{
	unsigned offset = 2 * (unsigned)segment;

	vmwrite(VMCS_GUEST_ES_SELECTOR + offset, selector);
	vmwrite(VMCS_GUEST_ES_ACCESS_RIGHTS + offset, rights);
	vmwrite(VMCS_GUEST_ES_LIMIT + offset, segment == TR ? 0x67 : 0xffffffff);
	vmwrite(VMCS_GUEST_ES_BASE + offset, 0);
}

static void set_constant_guest_state(void)
{
	set_segment(LDTR, 0, UNUSABLE);
	set_segment(TR, TSS_SEL, TSS_BUSY);
	vmwrite(VMCS_GUEST_GDTR_BASE, 0);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, 0);
	vmwrite(VMCS_GUEST_IDTR_BASE, 0);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, 0);
	vmwrite(VMCS_GUEST_DR7, 0x400);
	vmwrite(VMCS_GUEST_IA32_DEBUGCTL, 0);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	vmwrite(VMCS_GUEST_ACTIVITY_STATE, 0);
	vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	vmwrite(VMCS_GUEST_SYSENTER_CS, 0);
	vmwrite(VMCS_GUEST_SYSENTER_ESP, 0);
	vmwrite(VMCS_GUEST_SYSENTER_EIP, 0);
	vmwrite(VMCS_VMCS_LINK_POINTER, ~0ull);
}

static void set_segments(bool long_mode, unsigned cpl)
{
	uint32_t code = (long_mode ? CODE_64BIT : CODE_32BIT) | DPL(cpl);

	set_segment(CS, KERNEL_CS | cpl, code);
	for (int segment = ES; segment <= GS; segment++)
		if (segment != CS)
			set_segment((enum segment)segment, KERNEL_DS | cpl, DATA_32BIT | DPL(cpl));
}

/* "VMX-Fixed Bits in CR0": with unrestricted guest PE and PG are free. */
static uint64_t with_fixed_bits(uint64_t value, uint32_t fixed0, uint64_t free)
{
	return value | (vmx_capability(fixed0) & ~free);
}

void vmx_guest_init(uint32_t secondary_controls)
{
	set_controls(secondary_controls);
	set_host_state();
	set_constant_guest_state();
}

void vmx_guest_set_mode(const struct vmx_guest_mode *mode)
{
	bool long_mode = mode->efer & EFER_LMA;

	vmwrite(VMCS_GUEST_CR0,
		with_fixed_bits(mode->cr0, MSR_IA32_VMX_CR0_FIXED0, CR0_PE | CR0_PG));
	vmwrite(VMCS_GUEST_CR3, mode->cr3);
	vmwrite(VMCS_GUEST_CR4, with_fixed_bits(mode->cr4, MSR_IA32_VMX_CR4_FIXED0, 0));
	vmwrite(VMCS_GUEST_IA32_EFER, mode->efer);
	for (unsigned i = 0; i < 4; i++)
		vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, mode->pdpte[i]);
	set_control(VMCS_VM_ENTRY_CONTROLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS, MSR_IA32_VMX_ENTRY_CTLS,
		    ENTRY_LOAD_EFER | (long_mode ? ENTRY_IA32E_MODE : 0));
	set_segments(long_mode, mode->cpl);
}
