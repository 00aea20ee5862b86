/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a VMCB says after a #VMEXIT of a hypervisor with a bug (cpu/sabotage.h, the family
 * `nested`).
 */
#ifndef SVM_FALSIFY_H
#define SVM_FALSIFY_H

#include "svm/vmcb.h"

/* Before VMRUN, whose CR2 it may change; and after #VMEXIT. */
void falsify_vmrun(struct vmcb *vmcb);
void falsify_vmexit(struct vmcb *vmcb);

#endif
