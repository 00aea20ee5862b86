/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What tests of VMX alone need to know of an L2 guest: its VMCS is current and can be changed with
 * vmwrite() between attempts.
 */
#ifndef NESTED_NESTED_VMX_H
#define NESTED_NESTED_VMX_H

#include "nested/nested.h"
#include "vmx/guest.h"

struct nested_vmx_guest {
	gpa_t vmcs;
	bool launched;
	bool mode_is_loaded;
	struct vmx_guest_mode mode; /* as the VMCS has it */
};

/* The EPT pointer that leads to these structures. */
uint64_t eptp_of(const struct second_level *second);

#endif
