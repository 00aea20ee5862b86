/* SPDX-License-Identifier: BSD-2-Clause
 *
 * SVM for a minimal hypervisor: switched on and off, a VMCB that is ready for VMRUN, one world
 * switch and back (APM Vol. 2, "Secure Virtual Machine").
 */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include "cpu/registers.h"
#include "mem/address.h"
#include "svm/vmcb.h"

/* Sets EFER.SVME and the host save area for the length of the case; ends the case as skipped where
 * SVM is absent or VM_CR locks it off. */
void svm_on(void);

/* A VMCB with every exception and every event that can happen intercepted, flat segments, no nested
 * paging and ASID 1; the frame is gone after the case. */
struct vmcb *vmcb_new(void);

/* What the guest runs with. CS and SS follow from EFER.LMA and the privilege level. */
struct svm_guest_mode {
	uint64_t cr0, cr3, cr4, efer;
	unsigned cpl;
};

void vmcb_set_mode(struct vmcb *vmcb, const struct svm_guest_mode *mode);

/* VMRUN and the #VMEXIT that ends it, with VMLOAD and VMSAVE of both sides around. What happened
 * stands in the VMCB. */
void svm_enter(struct vmcb *vmcb, struct general_registers *registers);

/* Why VMRUN ends in VMEXIT_INVALID: the first of the conditions in "Canonicalization and
 * Consistency Checks" that this VMCB violates. */
const char *vmcb_invalid_reason(const struct vmcb *vmcb);

/* INVLPGA: the translations of one linear address in one ASID. */
void invlpga(linear_t linear, uint32_t asid);

#endif
