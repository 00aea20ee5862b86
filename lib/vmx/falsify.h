/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a VMCS says after an exit of a hypervisor with a bug (cpu/sabotage.h, the family `nested`).
 */
#ifndef VMX_FALSIFY_H
#define VMX_FALSIFY_H

#include "vmx/instruction.h"

/* The field's value as the hypervisor with a bug would give it. */
uint64_t falsify_vmcs_field(enum vmcs_field field, uint64_t value);

/* After an exit: what L1 has. */
void falsify_vm_exit(void);

#endif
