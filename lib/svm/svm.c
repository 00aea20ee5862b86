/* SPDX-License-Identifier: BSD-2-Clause */
#include "svm/svm.h"

#include "check/report.h"
#include "check/state.h"
#include "cpu/control.h"
#include "cpu/descriptor.h"
#include "cpu/features.h"
#include "cpu/svm_features.h"
#include "mem/frames.h"
#include "svm/falsify.h"

#define CODE_64BIT  0xa9b /* G, L; P, S, type 11 */
#define CODE_32BIT  0xc9b /* D instead of L */
#define DATA_32BIT  0xc93
#define TSS_BUSY    0x08b
#define DPL(cpl)    ((cpl) << 5)
#define FLAT_LIMIT  0xffffffff
#define TSS_LIMIT   0x67
#define DR6_FIXED   0xffff0ff0
#define DR7_FIXED   0x400
#define PAT_AT_INIT 0x0007040600070406ull

void svm_switch(struct general_registers *registers, uint64_t vmcb, uint64_t host_vmcb);

/* Not frames of the case, which release_pages() would take back. */
static uint8_t host_save_area[PAGE_4K] __attribute__((aligned(PAGE_4K)));
static uint8_t host_vmcb[PAGE_4K] __attribute__((aligned(PAGE_4K)));

void svm_on(void)
{
	if (!has(FEATURE_svm))
		end_case_skipped("svm", "not offered here: SVM");
	if (!svm_is_allowed())
		end_case_skipped("svm_allowed", "VM_CR.SVMDIS locks SVM off");
	if (read_msr(MSR_EFER) & EFER_SVME)
		return;
	if (read_msr(MSR_VM_CR) & VM_CR_SVM_DISABLE)
		write_msr_until_end(MSR_VM_CR, read_msr(MSR_VM_CR) & ~VM_CR_SVM_DISABLE);
	set_efer(EFER_SVME);
	write_msr_until_end(MSR_VM_HSAVE_PA, gpa_of(host_save_area).value);
}

struct vmcb *vmcb_new(void)
{
	struct vmcb *vmcb = identity(frame_alloc());

	vmcb->control.intercept_exceptions = 0xffffffff;
	vmcb->control.intercept_3 = VMCB_INTERCEPT_3_INTR | VMCB_INTERCEPT_3_NMI |
				    VMCB_INTERCEPT_3_INIT | VMCB_INTERCEPT_3_HLT |
				    VMCB_INTERCEPT_3_SHUTDOWN;
	vmcb->control.intercept_4 = VMCB_INTERCEPT_4_VMRUN | VMCB_INTERCEPT_4_VMMCALL |
				    VMCB_INTERCEPT_4_VMLOAD | VMCB_INTERCEPT_4_VMSAVE |
				    VMCB_INTERCEPT_4_STGI | VMCB_INTERCEPT_4_CLGI |
				    VMCB_INTERCEPT_4_SKINIT;
	vmcb->control.guest_asid = 1;
	vmcb->state.tr = (struct vmcb_segment){TSS_SEL, TSS_BUSY, TSS_LIMIT, 0};
	vmcb->state.dr6 = DR6_FIXED;
	vmcb->state.dr7 = DR7_FIXED;
	vmcb->state.g_pat = PAT_AT_INIT;
	return vmcb;
}

void vmcb_set_mode(struct vmcb *vmcb, const struct svm_guest_mode *mode)
{
	struct vmcb_state *state = &vmcb->state;
	unsigned code = mode->efer & EFER_LMA ? CODE_64BIT : CODE_32BIT;
	const struct vmcb_segment data = {(uint16_t)(KERNEL_DS | mode->cpl),
					  (uint16_t)(DATA_32BIT | DPL(mode->cpl)), FLAT_LIMIT, 0};

	state->cr0 = mode->cr0;
	state->cr3 = mode->cr3;
	state->cr4 = mode->cr4;
	state->efer = mode->efer | EFER_SVME;
	state->cpl = (uint8_t)mode->cpl;
	state->cs = (struct vmcb_segment){(uint16_t)(KERNEL_CS | mode->cpl),
					  (uint16_t)(code | DPL(mode->cpl)), FLAT_LIMIT, 0};
	state->ds = state->es = state->ss = state->fs = state->gs = data;
}

void svm_enter(struct vmcb *vmcb, struct general_registers *registers)
{
	vmcb->state.rax = registers->rax;
	if (__builtin_expect(!!processor_event_hook, 0))
		falsify_vmrun(vmcb);
	svm_switch(registers, gpa_of(vmcb).value, gpa_of(host_vmcb).value);
	if (__builtin_expect(!!processor_event_hook, 0))
		falsify_vmexit(vmcb);
	registers->rax = vmcb->state.rax;
}

const char *vmcb_invalid_reason(const struct vmcb *vmcb)
{
	const struct vmcb_state *state = &vmcb->state;
	bool paged_long = (state->efer & EFER_LME) && (state->cr0 & CR0_PG);

	if (!(state->efer & EFER_SVME))
		return "VMEXIT_INVALID: EFER.SVME is zero";
	if (!(state->cr0 & CR0_CD) && (state->cr0 & CR0_NW))
		return "VMEXIT_INVALID: CR0.CD is zero and CR0.NW is set";
	if (state->cr0 >> 32)
		return "VMEXIT_INVALID: CR0 bits 63:32 are not zero";
	if (paged_long && !(state->cr4 & CR4_PAE))
		return "VMEXIT_INVALID: EFER.LME and CR0.PG are set and CR4.PAE is zero";
	if (paged_long && !(state->cr0 & CR0_PE))
		return "VMEXIT_INVALID: EFER.LME and CR0.PG are set and CR0.PE is zero";
	if (paged_long && (state->cs.attrib & 0x600) == 0x600)
		return "VMEXIT_INVALID: CS.L and CS.D are set in long mode";
	if (!(vmcb->control.intercept_4 & VMCB_INTERCEPT_4_VMRUN))
		return "VMEXIT_INVALID: the VMRUN intercept bit is clear";
	if (!vmcb->control.guest_asid)
		return "VMEXIT_INVALID: ASID is zero";
	return "VMEXIT_INVALID, for none of the commonest reasons: see \"Canonicalization and "
	       "Consistency Checks\"";
}

void invlpga(linear_t linear, uint32_t asid)
{
	__asm__ volatile("invlpga %0, %1"
			 :
			 : "a"((unsigned long)linear.value), "c"(asid)
			 : "memory");
	guest_event(EVENT_INVLPGA, linear.value, &(uint64_t){asid});
	if (!asid)
		processor_event(EVENT_INVLPG, linear.value, NULL);
}
