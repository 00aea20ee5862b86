/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L2 without EPT: its CR3 leads to paging structures in L1's own memory.
 *
 * With "enable EPT" = 0 L2's paging structures hold L1's physical addresses, VM entry and VM exit
 * change the address space as MOV to CR3 does, and only linear mappings are used: none that were
 * cached with EPT, even under the same VPID (SDM Vol. 3, "Creating and Using Cached Translation
 * Information", "Operations that Invalidate Cached Mappings", "Loading Guest Control Registers").
 * This is how a hypervisor with shadow paging runs its guests.
 *
 * Caught here: translations of L1 used in L2 or the reverse, mappings with and without EPT mixed up
 * under one VPID (KN05, R40), entries of L2's that are translated once more or once too little, a
 * page fault of L2 without its address. Hypervisors run such an L2 by a path of its own, and most
 * of their guests never go there.
 *
 * Not checked: other paging modes (vmx_entry_paging has PDPTEs); CR3-load exiting.
 */
#include "test.h"

SUBJECT(vmx_without_ept, "L1 and an L2 without EPT in address spaces of their own");

#define MANUAL "SDM Vol. 3, \"Creating and Using Cached Translation Information\""
#define NEEDS  "vmx vmx_allowed ept ept_4level invept"
#define FLAGS  (P | RW | US | A | D)
#define OURS   51
#define THEIRS 52
#define MOVED  53
#define EPT    54

/* mov (%rdi), %rbx; mov %rax, 8(%rdi); ud2 */
static const uint8_t program[] = {0x48, 0x8b, 0x1f, 0x48, 0x89, 0x47, 0x08, 0x0f, 0x0b};

struct spaces {
	struct l2 *l2;
	struct page code, data; /* L1's; L2 has the code at the same address */
	gpa_t root, frame;	/* L2's, and where its data is */
	uint64_t *entry;	/* L2's last one for the data */
	struct l2_registers registers;
	struct l2_exit exit;
};

/* Structures of its own below a root for one address; the last entry. */
static uint64_t *add_structures(gpa_t table, linear_t linear)
{
	for (int level = PML4; level > PT; level--) {
		unsigned index = level_index(&paging_4level, level, linear.value);
		gpa_t next = frame_alloc();

		((uint64_t *)identity(table))[index] = next.value | P | RW | US;
		table = next;
	}
	return (uint64_t *)identity(table) + level_index(&paging_4level, PT, linear.value);
}

/* L2's root is L1's but for the data, which it has in a frame of its own. */
static void make_root(struct spaces *s)
{
	s->root = frame_alloc();
	memcpy(identity(s->root), identity(image_root()), PAGE_4K);
	s->entry = add_structures(s->root, s->data.linear);
	s->frame = filled_frame(THEIRS);
	*s->entry = s->frame.value | FLAGS;
}

static void use_ept(bool on)
{
	uint64_t controls = vmread(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS);

	vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		on ? controls | SECONDARY_ENABLE_EPT
		   : controls & ~(uint64_t)(SECONDARY_ENABLE_EPT | SECONDARY_UNRESTRICTED_GUEST));
}

static struct spaces start(uint16_t vpid)
{
	struct spaces s = {.l2 = l2_start(L2_4LEVEL, .tag = vpid)};

	s.code = map_page(P | RW);
	s.data = map_page_at(PT, filled_frame(OURS), P | RW);
	memcpy(identity(s.code.frame), program, sizeof(program));
	make_root(&s);
	use_ept(false);
	s.l2->cr3 = s.root.value;
	return s;
}

static void run(struct spaces *s, uint64_t value)
{
	s->registers = (struct l2_registers){.rax = value,
					     .rdi = s->data.linear.value,
					     .rip = s->code.linear.value,
					     .rflags = RFLAGS_FIXED};
	s->l2->backend->enter(s->l2, &s->registers, &s->exit);
}

static void expect_theirs(struct spaces *s, uint32_t tag, gpa_t frame, uint64_t value)
{
	run(s, value);
	expect(s->exit.kind == L2_EXCEPTION && s->exit.vector == VECTOR_UD,
	       "exit kind %u, reason %llu, vector %u, error code 0x%llx", s->exit.kind,
	       (unsigned long long)s->exit.reason, s->exit.vector,
	       (unsigned long long)s->exit.error_code);
	expect(s->registers.rbx == frame_word(tag), "L2 read 0x%llx",
	       (unsigned long long)s->registers.rbx);
	expect(((volatile uint64_t *)identity(frame))[1] == value, "L2's frame has 0x%llx",
	       (unsigned long long)((volatile uint64_t *)identity(frame))[1]);
}

static void expect_ours(const struct spaces *s)
{
	expect_read(read_access(s->data.linear, 8), frame_word(OURS));
	expect_read(fetch_access(s->data.linear), OURS);
	expect_read(read_access(linear_plus(s->data.linear, 8), 8), frame_word(OURS));
}

static void try_turns(uint16_t vpid)
{
	struct spaces s = start(vpid);

	for (unsigned i = 0; i < 20; i++) {
		expect_ours(&s);
		expect_theirs(&s, THEIRS, s.frame, 100 + i);
	}
	expect_ours(&s);
}

TEST(address_spaces_are_kept_apart,
     "L1 and an L2 without EPT use one linear address in turn, and each has its own frame there",
     MANUAL, NEEDS)
{
	try_turns(0);
}

TEST(address_spaces_are_kept_apart_under_a_vpid,
     "The same with a VPID, under which L2's translations may stay", MANUAL, NEEDS " vpid")
{
	try_turns(3);
}

TEST(edits_count_at_the_next_entry,
     "What L1 changes in L2's structures L2 sees after VM entry without VPID, or after INVVPID",
     "SDM Vol. 3, \"Operations that Invalidate Cached Mappings\"",
     NEEDS " vpid invvpid invvpid_address invvpid_single invvpid_all")
{
	for (unsigned i = 0; i < 4; i++) {
		struct spaces s = start(i ? 3 : 0);
		gpa_t other = filled_frame(MOVED);

		expect_theirs(&s, THEIRS, s.frame, 1);
		*s.entry = other.value | FLAGS;
		if (i)
			invvpid(i - 1, 3, s.data.linear);
		expect_theirs(&s, MOVED, other, 2);
	}
}

TEST(a_page_fault_is_an_exit_with_its_address,
     "A page fault of L2 is a VM exit with error code and address, and leaves CR2 and memory alone",
     "SDM Vol. 3, \"Exit Qualification\"", NEEDS)
{
	struct spaces s = start(0);

	write_cr2(0x1234000);
	*s.entry = s.frame.value & ~(uint64_t)P;
	run(&s, 1);
	expect(s.exit.vector == VECTOR_PF && s.exit.error_code == 0 &&
		       s.exit.linear == s.data.linear.value,
	       "vector %u, error code 0x%llx, linear 0x%llx", s.exit.vector,
	       (unsigned long long)s.exit.error_code, (unsigned long long)s.exit.linear);
	s.l2->cr0 |= CR0_WP;
	*s.entry = s.frame.value | P;
	run(&s, 1);
	expect(s.exit.vector == VECTOR_PF && s.exit.error_code == (PF_P | PF_W) &&
		       s.exit.linear == s.data.linear.value + 8,
	       "vector %u, error code 0x%llx, linear 0x%llx", s.exit.vector,
	       (unsigned long long)s.exit.error_code, (unsigned long long)s.exit.linear);
	expect((*s.entry & (A | D)) == A, "the entry is 0x%llx", (unsigned long long)*s.entry);
	expect(read_cr2() == 0x1234000, "CR2 0x%llx", (unsigned long long)read_cr2());
}

TEST(mappings_with_ept_are_not_used_without,
     "Under one VPID an address that L2 has used with EPT leads elsewhere without it, and back",
     MANUAL, NEEDS " vpid")
{
	struct spaces s = start(4);
	const uint64_t without = s.l2->cr3, with = s.l2->root.value;
	struct l2_page page;

	s.l2->pages = 100; /* a PML4E that L1 does not use */
	page = l2_map(s.l2, PT, FLAGS, EPT);
	s.data.linear = page.linear;
	*add_structures(s.root, page.linear) = s.frame.value | FLAGS;
	for (unsigned i = 0; i < 10; i++) {
		s.l2->cr3 = with;
		use_ept(true);
		expect_l2_read(s.l2, read_access(page.linear, 8), frame_word(EPT));
		s.l2->cr3 = without;
		use_ept(false);
		expect_theirs(&s, THEIRS, s.frame, i);
	}
}
