/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMX instructions, VMX operation and the VMCS (SDM Vol. 3, the VMX chapters; "VMX Instruction
 * Reference"). An instruction that fails where the caller cannot go on ends the case, with the
 * failure's name.
 */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include <stdbool.h>
#include <stdint.h>

#include "libc/text.h"
#include "mem/address.h"
#include "vmx/instruction.h"

/* Appends "VMfailValid, error 7: VM entry with invalid control field(s)". */
void text_vmx_failure(struct text *text, enum vmx_result result);

/* What a VM-instruction error number says; "reserved error number" where the manual has none. */
const char *vmx_error_text(unsigned number);

/* Enters VMX operation, if need be by writing and locking IA32_FEATURE_CONTROL; it is left after
 * the case. The case needs `vmx_allowed`. */
void vmx_on(void);
bool vmx_is_on(void);

/* A new VMCS, cleared and current, in a frame of its own. */
gpa_t vmcs_new(void);
void vmcs_make_current(gpa_t vmcs);

/* Fields of the current VMCS. */
uint64_t vmread(enum vmcs_field field);
void vmwrite(enum vmcs_field field, uint64_t value);

/* INVEPT and INVVPID, "Invalidate Translations Derived from EPT", "... Based on VPID". */
enum invept_type { INVEPT_SINGLE_CONTEXT = 1, INVEPT_ALL_CONTEXT = 2 };
enum invvpid_type {
	INVVPID_INDIVIDUAL_ADDRESS = 0,
	INVVPID_SINGLE_CONTEXT = 1,
	INVVPID_ALL_CONTEXT = 2,
	INVVPID_SINGLE_CONTEXT_RETAINING_GLOBALS = 3,
};

enum vmx_result invept_raw(uint64_t type, uint64_t eptp, uint64_t reserved);
enum vmx_result invvpid_raw(uint64_t type, uint64_t vpid_and_reserved, uint64_t linear);
void invept(enum invept_type type, uint64_t eptp);
void invvpid(enum invvpid_type type, uint16_t vpid, linear_t linear);

/* Both, of everything that the processor may have cached for guests. */
void vmx_forget_everything(void);

#endif
