/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMFUNC leaf 0: a guest changes its EPT pointer to another of a list, without a VM exit.
 *
 * ECX is the index into a page of 512 EPT pointers; the new one is at once the VMCS's own and
 * translates from the next access on, with what is cached for it and nothing else. A leaf that is
 * not enabled, an index above 511 or an EPT pointer that VM entry would refuse is a VM exit
 * ("VMFUNC"), and changes nothing (SDM Vol. 3, "EPTP Switching"; "Enabling and Enumerating VM
 * Functions"). Any privilege level may execute it.
 *
 * Caught here: a switch after which old translations are used (the EPT pointer is the tag of what
 * is cached, and no INVEPT follows), an EPT pointer that is taken unchecked, a VMCS that still
 * holds the old one. Hypervisors emulate the switch for a nested guest, and have to find the
 * shadow of another EPT there.
 */
#include "test.h"

SUBJECT(vmx_eptp_switching, "EPTP switching by VMFUNC");

#define MANUAL	  "SDM Vol. 3, \"EPTP Switching\""
#define NEEDS	  "vmx vmx_allowed ept ept_4level invept vmfunc eptp_switching"
#define TAG	  9
#define CONTEXTS  4
#define SWITCHING 1ull /* VM-function controls */

struct switching {
	struct l2 *l2;
	struct l2_page page, code;
	uint64_t *list;
};

/* A copy of EPT in which the page is another frame. */
static uint64_t new_context(const struct switching *s, uint32_t tag)
{
	struct second_level second = s->l2->second;
	uint64_t top = *second_entry(&second, s->page.gpa, PML4);
	gpa_t root = frame_alloc(), pdpt = frame_alloc(), frame = frame_alloc();

	memcpy(identity(root), identity(GPA(second.model.root)), PAGE_4K);
	memcpy(identity(pdpt), identity(GPA(top & ENTRY_ADDRESS)), PAGE_4K);
	second.model.root = root.value;
	*second_entry(&second, s->page.gpa, PML4) = pdpt.value | EPT_RWX;
	*second_entry(&second, s->page.gpa, PDPT) = 0;
	frame_fill(frame, PAGE_4K, tag);
	second_map(&second, s->page.gpa, frame, PT, SECOND_ALL);
	return eptp_of(&second);
}

static struct switching start(void)
{
	static const uint8_t code[] = {0x0f, 0x01, 0xd4, 0x0f, 0x0b}; /* vmfunc; ud2 */
	struct switching s = {
		.l2 = l2_start(L2_4LEVEL, .tag = has_vmx(VMX_FEATURE_vpid) ? TAG : 0)};
	gpa_t list = frame_alloc();

	s.page = l2_map(s.l2, PT, P | RW | US | A | D, 100);
	s.code = l2_map(s.l2, PT, P | RW | US | A | D, 0);
	memcpy(identity(s.code.frame), code, sizeof(code));
	vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) |
			SECONDARY_ENABLE_VM_FUNCTIONS);
	vmwrite(VMCS_VM_FUNCTION_CONTROLS, SWITCHING);
	vmwrite(VMCS_EPTP_LIST_ADDRESS, list.value);
	s.list = identity(list);
	s.list[0] = eptp_of(&s.l2->second);
	for (unsigned i = 1; i < CONTEXTS; i++)
		s.list[i] = new_context(&s, 100 + i);
	return s;
}

static struct l2_exit vmfunc(const struct switching *s, uint64_t leaf, uint64_t index, bool user)
{
	struct l2_registers registers = {
		.rax = leaf, .rcx = index, .rip = s->code.linear.value, .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	s->l2->user = user;
	s->l2->backend->enter(s->l2, &registers, &exit);
	return exit;
}

static void expect_switched(const struct switching *s, unsigned index, bool user)
{
	struct l2_exit exit = vmfunc(s, 0, index, user);

	expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD &&
		       exit.rip == s->code.linear.value + 3,
	       "exit kind %u, reason %llu, vector %u", exit.kind, (unsigned long long)exit.reason,
	       exit.vector);
	expect(vmread(VMCS_EPT_POINTER) == s->list[index], "EPT pointer 0x%llx instead of 0x%llx",
	       (unsigned long long)vmread(VMCS_EPT_POINTER), (unsigned long long)s->list[index]);
	expect_l2_read(s->l2, read_access(s->page.linear, 8), frame_word(100 + index));
}

TEST(vmfunc_switches_to_another_ept_pointer,
     "after VMFUNC the same address leads to the frame of the chosen EPT pointer, in any order",
     MANUAL, NEEDS)
{
	struct switching s = start();
	struct random random = random_start(6);

	expect_l2_read(s.l2, read_access(s.page.linear, 8), frame_word(100));
	for (unsigned i = 0; i < 60; i++)
		expect_switched(&s, (unsigned)random_below(&random, CONTEXTS), i & 1);
}

TEST(vmfunc_stores_the_index,
     "where EPT violations can be #VE, VMFUNC stores its index as the VMCS's EPTP index", MANUAL,
     NEEDS " ept_violation_ve")
{
	static const uint16_t order[] = {2, 1, 3, 0};
	struct switching s = start();

	for (unsigned i = 0; i < 2 * COUNT_OF(order); i++) {
		unsigned index = order[i % COUNT_OF(order)] % CONTEXTS;

		vmwrite(VMCS_EPTP_INDEX, 0x55);
		expect_switched(&s, index, i & 1);
		expect(vmread(VMCS_EPTP_INDEX) == index, "index %llu instead of %u",
		       (unsigned long long)vmread(VMCS_EPTP_INDEX), index);
	}
}

/* mov (%rdi), %rbx; vmfunc; mov (%rdi), %rdx; ud2 */
static const uint8_t read_switch_read[] = {0x48, 0x8b, 0x1f, 0x0f, 0x01, 0xd4,
					   0x48, 0x8b, 0x17, 0x0f, 0x0b};

static void try_next_access(const struct switching *s)
{
	unsigned before = 0;

	memcpy(identity(s->code.frame), read_switch_read, sizeof(read_switch_read));
	for (unsigned i = 1; i < 20; i++) {
		unsigned index = i * 3 % CONTEXTS;
		struct l2_registers registers = {.rcx = index,
						 .rdi = s->page.linear.value,
						 .rip = s->code.linear.value,
						 .rflags = RFLAGS_FIXED};
		struct l2_exit exit;

		s->l2->backend->enter(s->l2, &registers, &exit);
		expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD, "exit kind %u",
		       exit.kind);
		expect(registers.rbx == frame_word(100 + before) &&
			       registers.rdx == frame_word(100 + index),
		       "from context %u to %u: 0x%llx, then 0x%llx", before, index,
		       (unsigned long long)registers.rbx, (unsigned long long)registers.rdx);
		before = index;
	}
}

TEST(a_switch_holds_for_the_next_access,
     "within one VM entry the access after VMFUNC uses the new EPT pointer", MANUAL, NEEDS)
{
	struct switching s = start();

	try_next_access(&s);
}

TEST(a_switch_holds_for_global_translations,
     "the access after VMFUNC uses the new EPT pointer for a page that is global in L2, too",
     MANUAL, NEEDS " pge")
{
	struct switching s = start();

	s.l2->cr4 |= CR4_PGE;
	l2_write_entry(s.l2, &s.page, PT, s.page.gpa.value | P | RW | US | A | D | G);
	try_next_access(&s);
}

/* vmfunc; mov %rdx, (%rdi); ud2 */
static const uint8_t switch_write[] = {0x0f, 0x01, 0xd4, 0x48, 0x89, 0x17, 0x0f, 0x0b};

static void try_flags_after(const struct switching *s, unsigned from, unsigned to, uint64_t flags)
{
	struct l2_registers registers = {.rcx = to,
					 .rdi = s->page.linear.value,
					 .rip = s->code.linear.value,
					 .rflags = RFLAGS_FIXED};
	struct l2_exit exit;
	uint64_t entry;

	vmwrite(VMCS_EPT_POINTER, s->list[from]);
	second_set_flags(&s->l2->second, false, false);
	second_invalidate(&s->l2->second, SECOND_FLUSH_ALL);
	s->l2->backend->enter(s->l2, &registers, &exit);
	expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD, "exit kind %u, reason %llu",
	       exit.kind, (unsigned long long)exit.reason);
	entry = *second_entry(&s->l2->second, s->page.gpa, PT);
	expect((entry & (EPT_A | EPT_D)) == flags, "from %u to %u: the entry is 0x%llx", from, to,
	       (unsigned long long)entry);
}

TEST(flags_are_kept_as_the_chosen_pointer_says,
     "after VMFUNC bit 6 of the new EPT pointer decides whether flags for EPT are set", MANUAL,
     NEEDS " ept_accessed_dirty")
{
	struct switching s = start();

	memcpy(identity(s.code.frame), switch_write, sizeof(switch_write));
	s.list[1] = s.list[0] | EPTP_ACCESSED_DIRTY;
	for (unsigned i = 0; i < 3; i++) {
		try_flags_after(&s, 0, 1, EPT_A | EPT_D);
		try_flags_after(&s, 1, 0, 0);
	}
}

static void expect_exit(const struct switching *s, uint64_t leaf, uint64_t index)
{
	uint64_t before = vmread(VMCS_EPT_POINTER);
	struct l2_exit exit = vmfunc(s, leaf, index, false);

	expect(exit.kind == L2_OTHER_EXIT && exit.reason == EXIT_REASON_VMFUNC,
	       "leaf %llu, index %llu: exit kind %u, reason %llu", (unsigned long long)leaf,
	       (unsigned long long)index, exit.kind, (unsigned long long)exit.reason);
	expect(vmread(VMCS_EPT_POINTER) == before, "EPT pointer 0x%llx",
	       (unsigned long long)vmread(VMCS_EPT_POINTER));
}

TEST(vmfunc_with_bad_operands_is_an_exit,
     "an index above 511 and a leaf that is not enabled are VM exits and change nothing", MANUAL,
     NEEDS)
{
	struct switching s = start();

	expect_exit(&s, 0, 512);
	expect_exit(&s, 0, 0x10000);
	expect_exit(&s, 0, 0x80000001);
	expect_exit(&s, 0, 0xffffffff);
	expect_exit(&s, 1, 0);
	expect_exit(&s, 63, 0);
	expect_switched(&s, 1, false);
}

TEST(vmfunc_refuses_bad_ept_pointers,
     "an EPT pointer that VM entry would refuse is a VM exit at VMFUNC and changes nothing", MANUAL,
     NEEDS)
{
	struct switching s = start();
	uint64_t good = s.list[1];

	s.list[511] = 0;
	expect_exit(&s, 0, 511);
	for (unsigned bit = maxphyaddr(); bit < 64; bit++) {
		s.list[511] = good | 1ull << bit;
		expect_exit(&s, 0, 511);
	}
	for (unsigned bit = 8; bit < 12; bit++) {
		s.list[511] = good | 1ull << bit;
		expect_exit(&s, 0, 511);
	}
	s.list[511] = (good & ~7ull) | 1;
	expect_exit(&s, 0, 511);
	s.list[511] = (good & ~0x38ull) | 2 << 3;
	expect_exit(&s, 0, 511);
}

static void expect_invalid_opcode(const struct switching *s, uint64_t leaf)
{
	struct l2_exit exit = vmfunc(s, leaf, 1, false);

	expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD &&
		       exit.rip == s->code.linear.value,
	       "leaf %llu: exit kind %u, vector %u, RIP 0x%llx", (unsigned long long)leaf,
	       exit.kind, exit.vector, (unsigned long long)exit.rip);
}

TEST(vmfunc_is_an_invalid_opcode_where_it_is_not_enabled,
     "VMFUNC raises #UD in L2 for leaves above 63, and while \"enable VM functions\" is 0",
     "SDM Vol. 3, \"General Operation of the VMFUNC Instruction\"", NEEDS)
{
	struct switching s = start();

	expect_invalid_opcode(&s, 64);
	expect_invalid_opcode(&s, 0x100);
	expect_invalid_opcode(&s, 0x80000000);
	expect_invalid_opcode(&s, 0xffffffff);
	vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) &
			~(uint64_t)SECONDARY_ENABLE_VM_FUNCTIONS);
	expect_invalid_opcode(&s, 0);
}
