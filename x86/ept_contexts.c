/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Contexts of EPT: what is cached for one EPT pointer is not used for another; and INVEPT's
 * operands.
 *
 * Cached mappings are associated with the EPT root pointer, bits 51:12 of the EPTP (SDM Vol. 3,
 * "Creating and Using Cached Translation Information"). INVEPT refuses types other than 1 and 2,
 * and for single-context an EPT pointer that VM entry would refuse ("INVEPT - Invalidate
 * Translations Derived from EPT"); VM entry refuses EPT pointers with reserved bits or settings
 * that are not offered ("Checks on VM-Execution Control Fields").
 *
 * Caught here: mappings of two EPT pointers mixed up (KN05, XS33), operands taken that must be
 * refused (NV02), reserved bits of the EPT pointer accepted (BX12). An EPT pointer that leads to
 * no memory at all must end in a violation or misconfiguration, not in a shutdown (KN13).
 */
#include "test.h"

SUBJECT(ept_contexts, "EPT pointers: kept apart, and refused where they must be");

#define MANUAL		 "SDM Vol. 3, \"Creating and Using Cached Translation Information\""
#define INVEPT		 "SDM Vol. 3, \"INVEPT - Invalidate Translations Derived from EPT\""
#define ENTRY		 "SDM Vol. 3, \"Checks on VM-Execution Control Fields\""
#define NEEDS		 "vmx vmx_allowed ept ept_4level invept invept_single invept_all"
#define TAG		 7

#define INVALID_OPERAND	 28 /* VM-instruction errors */
#define INVALID_CONTROLS 7

static struct l2 *start(struct l2_page *page, uint32_t tag)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .tag = has_vmx(VMX_FEATURE_vpid) ? TAG : 0);

	*page = l2_map(l2, PT, P | RW | US | A | D, tag);
	return l2;
}

#define CONTEXTS 4

TEST(contexts_are_kept_apart,
     "the same address in several EPT pointers leads to each one's own frame, in any order", MANUAL,
     NEEDS)
{
	struct l2_page page;
	struct l2 *l2 = start(&page, 80);
	struct random random = random_start(2);
	uint64_t pointer[CONTEXTS];
	struct second_level second = l2->second;
	uint64_t top = *second_entry(&second, page.gpa, PML4);

	/* Each context has tables of its own for the page's GByte, and shares the rest. */
	for (unsigned i = 0; i < CONTEXTS; i++) {
		gpa_t root = frame_alloc(), pdpt = frame_alloc(), frame = frame_alloc();

		memcpy(identity(root), identity(GPA(l2->second.model.root)), PAGE_4K);
		memcpy(identity(pdpt), identity(GPA(top & ENTRY_ADDRESS)), PAGE_4K);
		second.model.root = root.value;
		*second_entry(&second, page.gpa, PML4) = pdpt.value | EPT_RWX;
		*second_entry(&second, page.gpa, PDPT) = 0;
		frame_fill(frame, PAGE_4K, 80 + i);
		second_map(&second, page.gpa, frame, PT, SECOND_ALL);
		pointer[i] = eptp_of(&second);
	}
	for (unsigned i = 0; i < 200; i++) {
		uint64_t n = random_below(&random, CONTEXTS);

		vmwrite(VMCS_EPT_POINTER, pointer[n]);
		expect_l2_read(l2, read_access(page.linear, 8), frame_word(80 + (uint32_t)n));
	}
}

static void expect_refused(enum vmx_result result, uint64_t type, uint64_t pointer)
{
	uint64_t error = result == VMX_FAIL_VALID ? vmread(VMCS_VM_INSTRUCTION_ERROR) : 0;

	expect(result == VMX_FAIL_VALID && error == INVALID_OPERAND,
	       "type %llu, EPTP 0x%llx: result %u, error %llu (%s)", (unsigned long long)type,
	       (unsigned long long)pointer, result, (unsigned long long)error,
	       vmx_error_text((unsigned)error));
}

static void try_types(const uint64_t *types, unsigned count)
{
	struct l2_page page;
	struct l2 *l2 = start(&page, 85);

	for (unsigned i = 0; i < count; i++)
		expect_refused(invept_raw(types[i], eptp_of(&l2->second), 0), types[i],
			       eptp_of(&l2->second));
}

TEST(invept_refuses_types_that_it_does_not_know,
     "INVEPT with a type that is not 1 or 2 is VMfailValid with error 28", INVEPT, NEEDS)
{
	static const uint64_t types[] = {0, 3, 4, 5, 0x80, 0x10001, 0xffffffff};

	try_types(types, COUNT_OF(types));
}

TEST(invept_looks_at_all_64_bits_of_its_type,
     "in 64-bit mode INVEPT's type has 64 bits, and one with bits above 31 is refused", INVEPT,
     NEEDS)
{
	static const uint64_t types[] = {1ull << 32 | 1, 1ull << 63 | 2};

	try_types(types, COUNT_OF(types));
}

/* EPT pointers that are good but for one thing. */
struct pointers {
	unsigned count;
	uint64_t list[64];
};

static struct pointers bad_pointers(uint64_t good)
{
	struct pointers bad = {0};

	for (unsigned bit = maxphyaddr(); bit < 64; bit++)
		bad.list[bad.count++] = good | 1ull << bit;
	for (unsigned bit = 8; bit < 12; bit++)
		bad.list[bad.count++] = good | 1ull << bit;
	for (uint64_t type = 1; type < 8; type++)
		if (type != 6)
			bad.list[bad.count++] = (good & ~7ull) | type;
	bad.list[bad.count++] = (good & ~(7ull << 3)) | 2ull << 3; /* 3 levels */
	bad.list[bad.count++] = (good & ~(7ull << 3)) | 5ull << 3; /* 6 levels */
	if (!has_vmx(VMX_FEATURE_ept_5level))
		bad.list[bad.count++] = (good & ~(7ull << 3)) | 4ull << 3;
	if (!has_vmx(VMX_FEATURE_ept_accessed_dirty))
		bad.list[bad.count++] = good | EPTP_ACCESSED_DIRTY;
	if (!has_vmx(VMX_FEATURE_ept_shadow_stack))
		bad.list[bad.count++] = good | 1ull << 7;
	return bad;
}

TEST(invept_refuses_bad_ept_pointers,
     "single-context INVEPT of an EPT pointer that VM entry would refuse is VMfailValid with error "
     "28; all-context does not look at it",
     INVEPT, NEEDS)
{
	struct l2_page page;
	struct l2 *l2 = start(&page, 86);
	struct pointers bad = bad_pointers(eptp_of(&l2->second));

	for (unsigned i = 0; i < bad.count; i++) {
		enum vmx_result result = invept_raw(INVEPT_ALL_CONTEXT, bad.list[i], 0);

		expect_refused(invept_raw(INVEPT_SINGLE_CONTEXT, bad.list[i], 0), 1, bad.list[i]);
		expect(result == VMX_SUCCEED, "all-context INVEPT: result %u", result);
	}
	expect_l2_completes(l2, read_access(page.linear, 8));
}

TEST(vm_entry_refuses_bad_ept_pointers,
     "a VM entry with reserved bits or settings in the EPT pointer is VMfailValid with error 7",
     ENTRY, NEEDS)
{
	struct l2_page page;
	struct l2 *l2 = start(&page, 87);
	uint64_t good = eptp_of(&l2->second);
	struct pointers bad = bad_pointers(good);

	for (unsigned i = 0; i < bad.count; i++) {
		struct l2_outcome outcome;

		vmwrite(VMCS_EPT_POINTER, bad.list[i]);
		outcome = l2_attempt(l2, read_access(page.linear, 8));
		expect(outcome.exited && outcome.exit.kind == L2_ENTRY_FAILED &&
			       vmread(VMCS_VM_INSTRUCTION_ERROR) == INVALID_CONTROLS,
		       "EPTP 0x%llx: kind %u, error %llu", (unsigned long long)bad.list[i],
		       outcome.exit.kind, (unsigned long long)vmread(VMCS_VM_INSTRUCTION_ERROR));
	}
	vmwrite(VMCS_EPT_POINTER, good);
	expect_l2_completes(l2, read_access(page.linear, 8));
}

TEST(an_ept_pointer_to_no_memory_ends_in_an_exit,
     "a VM entry with an EPT pointer that leads to no RAM succeeds and ends in an EPT violation or "
     "misconfiguration",
     "SDM Vol. 3, \"EPT-Induced VM Exits\"", NEEDS)
{
	struct l2_page page;
	struct l2 *l2 = start(&page, 88);
	gpa_t nowhere = GPA((1ull << (maxphyaddr() - 1)) - PAGE_1G);
	struct l2_outcome outcome;

	vmwrite(VMCS_EPT_POINTER, nowhere.value | (eptp_of(&l2->second) & (PAGE_4K - 1)));
	outcome = l2_attempt(l2, read_access(page.linear, 8));
	expect(outcome.exited && (outcome.exit.kind == L2_VIOLATION ||
				  outcome.exit.kind == L2_MISCONFIGURATION),
	       "exit kind %u, reason %llu", outcome.exit.kind,
	       (unsigned long long)outcome.exit.reason);
}
