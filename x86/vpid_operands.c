/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Operands of INVVPID, and the VPID of a VM entry.
 *
 * INVVPID refuses a type that it does not know, a descriptor with bits 63:16 set, VPID 0000H but
 * for all-context, and a linear address that is not canonical where it takes one (SDM Vol. 3,
 * "INVVPID - Invalidate Translations Based on VPID"). VM entry refuses VPID 0000H while VPID is
 * enabled ("Checks on VM-Execution Control Fields"). Outside VMX operation both instructions are
 * #UD.
 *
 * Caught here: operands taken as they come (NV02), which in Xen reached the real instruction with
 * an address that made it fail (XS04); VPID 0000H accepted (KN08); no handler for the instruction
 * at all (KN24).
 */
#include "test.h"

SUBJECT(vpid_operands, "operands that INVVPID and VM entries must refuse");

#define MANUAL		 "SDM Vol. 3, \"INVVPID - Invalidate Translations Based on VPID\""
#define NEEDS		 "vmx vmx_allowed ept vpid invvpid invvpid_address invvpid_single invvpid_all"
#define TAG		 5

#define INVALID_OPERAND	 28
#define INVALID_CONTROLS 7

static void expect_refused(uint64_t type, uint64_t vpid, uint64_t linear)
{
	enum vmx_result result = invvpid_raw(type, vpid, linear);
	uint64_t error = result == VMX_FAIL_VALID ? vmread(VMCS_VM_INSTRUCTION_ERROR) : 0;

	expect(result == VMX_FAIL_VALID && error == INVALID_OPERAND,
	       "type %llu, VPID field 0x%llx, linear 0x%llx: result %u, error %llu",
	       (unsigned long long)type, (unsigned long long)vpid, (unsigned long long)linear,
	       result, (unsigned long long)error);
}

static void expect_taken(uint64_t type, uint64_t vpid, uint64_t linear)
{
	enum vmx_result result = invvpid_raw(type, vpid, linear);

	expect(result == VMX_SUCCEED, "type %llu, VPID field 0x%llx, linear 0x%llx: result %u",
	       (unsigned long long)type, (unsigned long long)vpid, (unsigned long long)linear,
	       result);
}

static void start_vmx(void)
{
	vmx_on();
	vmcs_new();
}

static unsigned last_type(void)
{
	return has_vmx(VMX_FEATURE_invvpid_retaining_globals) ? 3 : 2;
}

TEST(invvpid_refuses_types_that_it_does_not_know,
     "INVVPID with a type above 3 is VMfailValid with error 28", MANUAL, NEEDS)
{
	start_vmx();
	for (unsigned bit = 2; bit < 32; bit++)
		expect_refused(1ull << bit, TAG, 0);
	expect_refused(0xffffffff, TAG, 0);
	for (unsigned type = 0; type <= last_type(); type++)
		expect_taken(type, TAG, 0);
}

TEST(invvpid_looks_at_all_64_bits_of_its_type,
     "in 64-bit mode INVVPID's type has 64 bits, and one with bits above 31 is refused", MANUAL,
     NEEDS)
{
	start_vmx();
	for (unsigned bit = 32; bit < 64; bit++)
		expect_refused(1ull << bit | 1, TAG, 0);
}

TEST(invvpid_refuses_reserved_bits_of_its_descriptor,
     "bits 63:16 of INVVPID's descriptor must be 0", MANUAL, NEEDS)
{
	start_vmx();
	for (unsigned type = 0; type <= last_type(); type++)
		for (unsigned bit = 16; bit < 64; bit++)
			expect_refused(type, 1ull << bit | TAG, 0);
}

TEST(invvpid_refuses_vpid_0, "INVVPID of VPID 0000H is refused but for all-context", MANUAL, NEEDS)
{
	start_vmx();
	for (unsigned type = 0; type <= last_type(); type++)
		if (type == INVVPID_ALL_CONTEXT)
			expect_taken(type, 0, 0);
		else
			expect_refused(type, 0, 0);
}

TEST(invvpid_refuses_addresses_that_are_not_canonical,
     "individual-address INVVPID wants a canonical address; the other types do not look at it",
     MANUAL, NEEDS)
{
	unsigned first = linear_levels() == 5 ? 56 : 47; /* of the bits that must be alike */

	start_vmx();
	for (unsigned bit = first; bit < 64; bit++) {
		expect_refused(INVVPID_INDIVIDUAL_ADDRESS, TAG, 1ull << bit);
		expect_refused(INVVPID_INDIVIDUAL_ADDRESS, TAG, ~(1ull << bit));
		expect_taken(INVVPID_SINGLE_CONTEXT, TAG, 1ull << bit);
		expect_taken(INVVPID_ALL_CONTEXT, TAG, 1ull << bit);
	}
	expect_taken(INVVPID_INDIVIDUAL_ADDRESS, TAG, ~0ull << first);
	expect_taken(INVVPID_INDIVIDUAL_ADDRESS, TAG, (1ull << first) - 1);
}

/* A page of code that begins with INVEPT or INVVPID of (%rdi), which is its own address. */
static linear_t code_page(uint8_t last_opcode_byte)
{
	const uint8_t code[] = {0x66, 0x0f, 0x38, last_opcode_byte, 0x07, 0x0f, 0x0b};
	struct page page = map_page(P | RW | US);

	memcpy(identity(page.frame), code, sizeof(code));
	return page.linear;
}

#define INVEPT_BYTE  0x80
#define INVVPID_BYTE 0x81

TEST(both_instructions_are_invalid_outside_vmx_operation,
     "INVEPT and INVVPID raise #UD before VMXON, at each privilege level", MANUAL, "vmx")
{
	linear_t invept_code = code_page(INVEPT_BYTE), invvpid_code = code_page(INVVPID_BYTE);

	clear_cr4(CR4_SMEP | CR4_SMAP);
	expect_exception(as_user(fetch_access(invept_code)), VECTOR_UD, 0);
	expect_exception(as_user(fetch_access(invvpid_code)), VECTOR_UD, 0);
	expect_exception(fetch_access(invept_code), VECTOR_UD, 0);
	expect_exception(fetch_access(invvpid_code), VECTOR_UD, 0);
}

TEST(both_instructions_are_for_supervisors_only,
     "INVEPT and INVVPID raise #GP in VMX operation at CPL 3", MANUAL, NEEDS " invept")
{
	linear_t invept_code = code_page(INVEPT_BYTE), invvpid_code = code_page(INVVPID_BYTE);

	start_vmx();
	expect_exception(as_user(fetch_access(invept_code)), VECTOR_GP, 0);
	expect_exception(as_user(fetch_access(invvpid_code)), VECTOR_GP, 0);
}

TEST(vm_entry_refuses_vpid_0,
     "a VM entry with VPID enabled and VPID 0000H is VMfailValid with error 7",
     "SDM Vol. 3, \"Checks on VM-Execution Control Fields\"", NEEDS " ept_4level invept")
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .tag = TAG);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 98);
	struct l2_outcome outcome;

	expect_l2_completes(l2, read_access(page.linear, 8));
	vmwrite(VMCS_VIRTUAL_PROCESSOR_IDENTIFIER, 0);
	outcome = l2_attempt(l2, read_access(page.linear, 8));
	expect(outcome.exited && outcome.exit.kind == L2_ENTRY_FAILED &&
		       vmread(VMCS_VM_INSTRUCTION_ERROR) == INVALID_CONTROLS,
	       "kind %u, error %llu", outcome.exit.kind,
	       (unsigned long long)vmread(VMCS_VM_INSTRUCTION_ERROR));
	vmwrite(VMCS_VIRTUAL_PROCESSOR_IDENTIFIER, 0xffff);
	expect_l2_completes(l2, read_access(page.linear, 8));
}
