/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The face's SVM side: nested page tables as a second level, #VMEXIT decoded.
 */
#include "nested/nested_svm.h"

#include "check/report.h"
#include "check/state.h"
#include "cpu/control.h"
#include "cpu/features.h"
#include "mem/frames.h"
#include "paging/entry.h"
#include "paging/format_npt.h"
#include "paging/space.h"

#define CR0_ET (1ull << 4)

static struct nested_svm_guest guest;

struct nested_svm_guest *svm_guest(const struct l2 *l2)
{
	return l2->vendor;
}

static uint64_t npt_rights(unsigned rights)
{
	if (!rights)
		return 0;
	return P | (rights & SECOND_WRITE ? RW : 0) |
	       (rights & SECOND_EXECUTE || !has(FEATURE_nx) ? 0 : XD);
}

/* There is no instruction for it: the next VMRUN does it. */
static void npt_invalidate(struct second_level *second, enum second_invalidation how)
{
	(void)second;
	if (how == SECOND_FLUSH_ALL || !has(FEATURE_svm_flush_by_asid))
		guest.tlb_control = TLB_CONTROL_FLUSH_ALL;
	else if (guest.tlb_control != TLB_CONTROL_FLUSH_ALL)
		guest.tlb_control = TLB_CONTROL_FLUSH_ASID;
}

static const struct second_level_kind npt = {
	.name = "NPT",
	.table_flags = P | RW | US,
	.page_flags = US,
	.rights = npt_rights,
	.rights_mask = P | RW | XD,
	.accessed = A,
	.dirty = D,
	.invalidate = npt_invalidate,
};

void svm_host_changed(struct l2 *l2)
{
	l2->second.model.rules = current_rules();
}

static void prepare_second_level(struct l2 *l2)
{
	l2->second.kind = &npt;
	l2->second.model = (struct model_second_level){
		.format = linear_levels() == 5 ? &paging_npt_5level : &paging_npt_4level,
		.root = frame_alloc().value,
		.nested_paging = true,
	};
	svm_host_changed(l2);
}

static void start(struct l2 *l2)
{
	if (!has(FEATURE_svm_nested_paging) && !l2->options.shadow)
		end_case_skipped("svm_nested_paging", "not offered here: nested paging of SVM");
	svm_on();
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	guest = (struct nested_svm_guest){.vmcb = vmcb_new(), .tlb_control = TLB_CONTROL_FLUSH_ALL};
	l2->vendor = &guest;
	if (l2->options.tag)
		guest.vmcb->control.guest_asid = l2->options.tag;
	if (l2->options.shadow)
		return; /* shadow_svm_start() follows */
	prepare_second_level(l2);
	guest.vmcb->control.np_enable = VMCB_NP_ENABLE;
	guest.vmcb->control.n_cr3 = l2->second.model.root;
}

static void load_guest(struct l2 *l2, const struct l2_registers *registers)
{
	const struct svm_guest_mode mode = {.cr0 = l2->cr0 | CR0_ET,
					    .cr3 = l2->cr3,
					    .cr4 = l2->cr4,
					    .efer = l2->efer,
					    .cpl = l2->user ? 3 : 0};

	vmcb_set_mode(guest.vmcb, &mode);
	if (l2->mode == L2_PAE && l2->cr3 % PAGE_4K && sabotaged(SABOTAGE_pdpt_is_page_aligned))
		guest.vmcb->state.cr3 &= ~(PAGE_4K - 1);
	guest.vmcb->state.rip = registers->rip;
	guest.vmcb->state.rsp = registers->rsp;
	guest.vmcb->state.rflags = registers->rflags;
	if (guest.load)
		guest.load(l2);
}

static void decode_nested_page_fault(struct l2_exit *exit)
{
	uint64_t info = exit->qualification;

	exit->kind = info & NPF_RSV ? L2_MISCONFIGURATION : L2_VIOLATION;
	exit->gpa = guest.vmcb->control.exitinfo2;
	exit->final = info & NPF_FINAL;
	exit->access = info & NPF_ID ? SECOND_EXECUTE : info & NPF_W ? SECOND_WRITE : SECOND_READ;
}

static void decode_exit(struct l2_exit *exit)
{
	const struct vmcb_control *control = &guest.vmcb->control;

	exit->reason = control->exitcode;
	exit->qualification = control->exitinfo1;
	exit->rip = guest.vmcb->state.rip;
	if ((uint32_t)exit->reason == (uint32_t)VMEXIT_INVALID) {
		exit->kind = L2_ENTRY_FAILED;
		exit->error = vmcb_invalid_reason(guest.vmcb);
	} else if (exit->reason == VMEXIT_NPF) {
		decode_nested_page_fault(exit);
	} else if (exit->reason - VMEXIT_EXCEPTION < 32) {
		exit->kind = L2_EXCEPTION;
		exit->vector = (unsigned)(exit->reason - VMEXIT_EXCEPTION);
		exit->error_code = control->exitinfo1;
		exit->linear = control->exitinfo2; /* of #PF: what CR2 would get */
	} else {
		exit->kind = L2_OTHER_EXIT;
	}
}

static void enter(struct l2 *l2, struct l2_registers *registers, struct l2_exit *exit)
{
	*exit = (struct l2_exit){0};
	guest_event(EVENT_L2_RUNS, 0, &(uint64_t){0});
	load_guest(l2, registers);
	do {
		if (guest.tlb_control)
			guest_event(EVENT_TLB_CONTROL, guest.tlb_control,
				    &(uint64_t){guest.vmcb->control.guest_asid});
		guest.vmcb->control.tlb_control =
			guest.flush_unasked ? TLB_CONTROL_FLUSH_ALL : guest.tlb_control;
		guest.tlb_control = TLB_CONTROL_NOTHING;
		guest.flush_unasked = false;
		svm_enter(guest.vmcb, &registers->general);
	} while (guest.handle && guest.handle(l2, &registers->general));
	decode_exit(exit);
}

static const struct nested_backend svm_backend = {
	.name = "SVM",
	.start = start,
	.enter = enter,
};

const struct nested_backend *const nested_svm = &svm_backend;
