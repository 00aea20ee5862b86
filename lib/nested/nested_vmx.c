/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The face's VMX side: EPT as a second level, VM exits decoded.
 */
#include "nested/nested_vmx.h"

#include "check/report.h"
#include "cpu/control.h"
#include "cpu/features.h"
#include "cpu/sabotage.h"
#include "cpu/vmx_features.h"
#include "libc/string.h"
#include "mem/frames.h"
#include "vmx/falsify.h"

#define VECTOR_MASK  0xff
#define RIGHTS_SHIFT 3

static struct nested_vmx_guest guest;

static uint64_t ept_rights(unsigned rights)
{
	return (rights & SECOND_READ ? EPT_R : 0) | (rights & SECOND_WRITE ? EPT_W : 0) |
	       (rights & SECOND_EXECUTE ? EPT_X : 0);
}

static void ept_invalidate(struct second_level *second, enum second_invalidation how)
{
	if (how == SECOND_FLUSH && has_vmx(VMX_FEATURE_invept_single))
		invept(INVEPT_SINGLE_CONTEXT, eptp_of(second));
	else
		invept(INVEPT_ALL_CONTEXT, 0);
}

static const struct second_level_kind ept = {
	.name = "EPT",
	.table_flags = EPT_RWX,
	.page_flags = EPT_WB,
	.rights = ept_rights,
	.rights_mask = EPT_RWX,
	.accessed = EPT_A,
	.dirty = EPT_D,
	.invalidate = ept_invalidate,
};

uint64_t eptp_of(const struct second_level *second)
{
	return second->model.root | EPTP_WB | EPTP_LEVELS(second->model.format->top) |
	       (second->model.accessed_dirty ? EPTP_ACCESSED_DIRTY : 0);
}

static void prepare_second_level(struct l2 *l2)
{
	l2->second.kind = &ept;
	l2->second.model = (struct model_second_level){
		.format = l2->options.five_levels ? &paging_ept_5level : &paging_ept_4level,
		.rules = {.maxphyaddr = maxphyaddr(),
			  .pages_1g = has_vmx(VMX_FEATURE_ept_1g),
			  .execute_disable = true,
			  .execute_only = has_vmx(VMX_FEATURE_ept_execute_only)},
		.root = frame_alloc().value,
		.accessed_dirty = l2->options.accessed_dirty,
		.advanced_information = has_vmx(VMX_FEATURE_ept_advanced_information),
	};
}

static void start(struct l2 *l2)
{
	uint32_t secondary = SECONDARY_ENABLE_EPT;

	if (!has(FEATURE_vmx) || !has_vmx(VMX_FEATURE_ept))
		end_case_skipped("ept", "not offered here: EPT");
	if (l2->mode == L2_UNPAGED)
		secondary |= SECONDARY_UNRESTRICTED_GUEST;
	if (l2->options.tag)
		secondary |= SECONDARY_ENABLE_VPID;
	if (!vmx_is_on())
		vmx_on();
	guest = (struct nested_vmx_guest){.vmcs = vmcs_new()};
	l2->vendor = &guest;
	vmx_guest_init(secondary);
	prepare_second_level(l2);
	vmwrite(VMCS_EPT_POINTER, eptp_of(&l2->second));
	if (l2->options.tag)
		vmwrite(VMCS_VIRTUAL_PROCESSOR_IDENTIFIER, l2->options.tag);
}

static struct vmx_guest_mode mode_of(const struct l2 *l2)
{
	struct vmx_guest_mode mode = {.cr0 = l2->cr0,
				      .cr3 = l2->cr3,
				      .cr4 = l2->cr4,
				      .efer = l2->efer,
				      .cpl = l2->user ? 3 : 0};

	memcpy(mode.pdpte, l2->pdpte, sizeof(mode.pdpte));
	return mode;
}

/* Most attempts change nothing but registers: the mode is written when it differs. */
static void load_mode(const struct l2 *l2)
{
	struct vmx_guest_mode mode = mode_of(l2);

	if (guest.mode_is_loaded && !memcmp(&mode, &guest.mode, sizeof(mode)))
		return;
	vmx_guest_set_mode(&mode);
	guest.mode = mode;
	guest.mode_is_loaded = true;
}

static void decode_exception(struct l2_exit *exit)
{
	exit->kind = L2_EXCEPTION;
	exit->vector = vmread(VMCS_VM_EXIT_INTERRUPTION_INFORMATION) & VECTOR_MASK;
	exit->error_code = vmread(VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE);
	exit->linear = exit->qualification; /* of #PF: what CR2 would get */
}

static void decode_violation(struct l2_exit *exit)
{
	uint64_t qualification = exit->qualification;

	exit->kind = L2_VIOLATION;
	exit->gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	exit->linear_valid = qualification & EPT_VIOLATION_LINEAR_VALID;
	exit->linear = exit->linear_valid ? vmread(VMCS_GUEST_LINEAR_ADDRESS) : 0;
	exit->final = exit->linear_valid && (qualification & EPT_VIOLATION_FINAL);
	exit->access = qualification & SECOND_ALL;
	exit->rights = qualification >> RIGHTS_SHIFT & SECOND_ALL;
}

static void decode_exit(struct l2_exit *exit)
{
	exit->reason = vmread(VMCS_EXIT_REASON);
	exit->qualification = vmread(VMCS_EXIT_QUALIFICATION);
	exit->rip = vmread(VMCS_GUEST_RIP);
	if (exit->reason == EXIT_REASON_EXCEPTION_OR_NMI) {
		decode_exception(exit);
	} else if (exit->reason == EXIT_REASON_EPT_VIOLATION) {
		decode_violation(exit);
	} else if (exit->reason == EXIT_REASON_EPT_MISCONFIGURATION) {
		exit->kind = L2_MISCONFIGURATION;
		exit->gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	} else if (exit->reason & EXIT_REASON_ENTRY_FAILURE) {
		exit->kind = L2_ENTRY_FAILED;
		exit->error = "VM-entry failure during or after loading guest state";
	} else {
		exit->kind = L2_OTHER_EXIT;
	}
}

static void enter(struct l2 *l2, struct l2_registers *registers, struct l2_exit *exit)
{
	enum vmx_result result;

	*exit = (struct l2_exit){0};
	guest_event(EVENT_L2_RUNS, 0, &(uint64_t){0});
	load_mode(l2);
	vmwrite(VMCS_GUEST_RIP, registers->rip);
	vmwrite(VMCS_GUEST_RSP, registers->rsp);
	vmwrite(VMCS_GUEST_RFLAGS, registers->rflags);
	result = vmx_enter(&registers->general, guest.launched);
	if (result != VMX_SUCCEED && sabotaged(SABOTAGE_entry_checks_nothing)) {
		exit->kind = L2_OTHER_EXIT;
		return;
	}
	if (result != VMX_SUCCEED) {
		exit->kind = L2_ENTRY_FAILED;
		exit->error = result == VMX_FAIL_INVALID
				      ? "VMfailInvalid"
				      : vmx_error_text((unsigned)vmread(VMCS_VM_INSTRUCTION_ERROR));
		return;
	}
	if (__builtin_expect(!!processor_event_hook, 0))
		falsify_vm_exit();
	decode_exit(exit);
	guest.launched |= exit->kind != L2_ENTRY_FAILED;
}

const struct nested_backend nested_vmx = {
	.name = "VMX",
	.start = start,
	.enter = enter,
};
