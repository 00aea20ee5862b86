/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMX instructions whose result the caller looks at, and the VMCS's fields by name (SDM Vol. 3,
 * "VMX Instruction Reference", "Conventions").
 */
#ifndef VMX_INSTRUCTION_H
#define VMX_INSTRUCTION_H

#include <stdbool.h>
#include <stdint.h>

enum vmcs_field {
#define VMCS_FIELD(name, encoding) VMCS_##name = encoding,
#include "vmx/vmcs_fields.def"
#undef VMCS_FIELD
};

/* CF = 1 and ZF = 1. */
enum vmx_result { VMX_SUCCEED, VMX_FAIL_INVALID, VMX_FAIL_VALID };

/* The instruction's own result, from CF and ZF. */
#define VMX_INSTRUCTION(result, code, ...)                                                    \
	do {                                                                                  \
		bool cf_, zf_;                                                                \
		__asm__ volatile(code : "=@ccc"(cf_), "=@ccz"(zf_) : __VA_ARGS__ : "memory"); \
		(result) = cf_ ? VMX_FAIL_INVALID : zf_ ? VMX_FAIL_VALID : VMX_SUCCEED;       \
	} while (0)

static inline enum vmx_result vmread_raw(uint64_t field, uint64_t *value)
{
	bool cf, zf;

	__asm__ volatile("vmread %3, %2" : "=@ccc"(cf), "=@ccz"(zf), "=r"(*value) : "r"(field));
	return cf ? VMX_FAIL_INVALID : zf ? VMX_FAIL_VALID : VMX_SUCCEED;
}

static inline enum vmx_result vmwrite_raw(uint64_t field, uint64_t value)
{
	enum vmx_result result;

	VMX_INSTRUCTION(result, "vmwrite %2, %3", "r"(value), "r"(field));
	return result;
}

#endif
