/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/vmx.h"

#include "check/report.h"
#include "check/state.h"
#include "cpu/sabotage.h"
#include "cpu/vmx_features.h"
#include "mem/frames.h"
#include "vmx/falsify.h"

#define CR0_NE		(1ull << 5)
#define REVISION_MASK	0x7fffffffull
#define DESCRIPTOR_SIZE 10

static gpa_t vmxon_region;
static bool is_on;
static uint8_t saved_gdtr[DESCRIPTOR_SIZE], saved_idtr[DESCRIPTOR_SIZE];

void text_vmx_failure(struct text *text, enum vmx_result result)
{
	uint64_t number = 0;

	if (result == VMX_SUCCEED) {
		text_add(text, "VMsucceed");
		return;
	}
	if (result == VMX_FAIL_INVALID) {
		text_add(text, "VMfailInvalid: no current VMCS");
		return;
	}
	vmread_raw(VMCS_VM_INSTRUCTION_ERROR, &number);
	text_add(text, "VMfailValid, error %llu: %s", (unsigned long long)number,
		 vmx_error_text((unsigned)number));
}

static void must_succeed(enum vmx_result result, const char *instruction)
{
	static char message[160];
	struct text text = TEXT(message);

	if (result == VMX_SUCCEED)
		return;
	text_add(&text, "%s failed: ", instruction);
	text_vmx_failure(&text, result);
	end_case_failed(message);
}

uint64_t vmread(enum vmcs_field field)
{
	uint64_t value = 0;

	must_succeed(vmread_raw(field, &value), "VMREAD");
	if (__builtin_expect(!!processor_event_hook, 0))
		return falsify_vmcs_field(field, value);
	return value;
}

void vmwrite(enum vmcs_field field, uint64_t value)
{
	must_succeed(vmwrite_raw(field, value), "VMWRITE");
}

/* A VMXON region or VMCS: the revision identifier in its first four bytes. */
static gpa_t new_region(void)
{
	gpa_t region = frame_alloc();

	*(uint32_t *)identity(region) =
		(uint32_t)(vmx_capability(MSR_IA32_VMX_BASIC) & REVISION_MASK);
	return region;
}

/* VM exits leave limits of FFFFH in GDTR and IDTR. */
static void vmx_off(void)
{
	__asm__ volatile("vmxoff" : : : "cc", "memory");
	is_on = false;
	__asm__ volatile("lgdt %0; lidt %1" : : "m"(saved_gdtr), "m"(saved_idtr));
}

static void allow_vmxon(void)
{
	uint64_t control = read_msr(MSR_IA32_FEATURE_CONTROL);

	if (!(control & FEATURE_CONTROL_LOCK))
		write_msr(MSR_IA32_FEATURE_CONTROL,
			  control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
}

void vmx_on(void)
{
	enum vmx_result result;

	allow_vmxon();
	__asm__ volatile("sgdt %0; sidt %1" : "=m"(saved_gdtr), "=m"(saved_idtr));
	set_cr0(CR0_NE | (vmx_capability(MSR_IA32_VMX_CR0_FIXED0) & ~(CR0_PE | CR0_PG)));
	set_cr4(CR4_VMXE);
	vmxon_region = new_region();
	VMX_INSTRUCTION(result, "vmxon %2", "m"(vmxon_region.value));
	must_succeed(result, "VMXON");
	is_on = true;
	at_case_end(vmx_off);
	vmx_forget_everything();
}

bool vmx_is_on(void)
{
	return is_on;
}

void vmcs_make_current(gpa_t vmcs)
{
	enum vmx_result result;

	VMX_INSTRUCTION(result, "vmptrld %2", "m"(vmcs.value));
	must_succeed(result, "VMPTRLD");
}

gpa_t vmcs_new(void)
{
	gpa_t vmcs = new_region();
	enum vmx_result result;

	VMX_INSTRUCTION(result, "vmclear %2", "m"(vmcs.value));
	must_succeed(result, "VMCLEAR");
	vmcs_make_current(vmcs);
	return vmcs;
}

/* Operands that have to be refused and are not, and then drop nothing. */
static enum vmx_result falsify_invalidation(enum vmx_result result)
{
	bool checked = result == VMX_SUCCEED || !processor_event_hook;

	return checked || !sabotaged(SABOTAGE_entry_checks_nothing) ? result : VMX_SUCCEED;
}

enum vmx_result invept_raw(uint64_t type, uint64_t eptp, uint64_t reserved)
{
	uint64_t descriptor[2] = {eptp, reserved};
	enum vmx_result result;

	VMX_INSTRUCTION(result, "invept %2, %3", "m"(descriptor), "r"(type));
	if (result == VMX_SUCCEED)
		guest_event(EVENT_INVEPT, type, descriptor);
	return falsify_invalidation(result);
}

enum vmx_result invvpid_raw(uint64_t type, uint64_t vpid_and_reserved, uint64_t linear)
{
	uint64_t descriptor[2] = {vpid_and_reserved, linear};
	enum vmx_result result;

	VMX_INSTRUCTION(result, "invvpid %2, %3", "m"(descriptor), "r"(type));
	if (result == VMX_SUCCEED)
		guest_event(EVENT_INVVPID, type, descriptor);
	return falsify_invalidation(result);
}

void invept(enum invept_type type, uint64_t eptp)
{
	must_succeed(invept_raw(type, eptp, 0), "INVEPT");
}

void invvpid(enum invvpid_type type, uint16_t vpid, linear_t linear)
{
	must_succeed(invvpid_raw(type, vpid, linear.value), "INVVPID");
}

void vmx_forget_everything(void)
{
	if (has_vmx(VMX_FEATURE_invept) && has_vmx(VMX_FEATURE_invept_all))
		invept(INVEPT_ALL_CONTEXT, 0);
	if (has_vmx(VMX_FEATURE_invvpid) && has_vmx(VMX_FEATURE_invvpid_all))
		invvpid(INVVPID_ALL_CONTEXT, 0, LINEAR(0));
}
