/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The APIC-access page: a frame whose use by L2 is a VM exit.
 *
 * With "virtualize APIC accesses" an access of L2 that its own paging and EPT translate to the
 * APIC-access page is a VM exit, APIC access, once both would have allowed it; the exit
 * qualification has the offset in the page and whether it was a read or a write (SDM Vol. 3,
 * "Virtualizing Memory-Mapped APIC Accesses", "Exit Qualification for APIC-Access VM Exits from
 * Linear Accesses and Guest-Physical Accesses"). The frame itself is memory to L1.
 *
 * Caught here: the page known by the guest-physical address or by the linear one, and not by the
 * frame, so that an alias gets through; an exit where L2's own fault or a violation of EPT comes
 * first; a write that is done all the same, or is called a read. Hypervisors find the page by a
 * shadow entry that they have made special.
 *
 * Not checked: accesses while L2's structures lie there; fetches; a TPR shadow.
 */
#include "test.h"

SUBJECT(vmx_apic_access, "reads and writes of the APIC-access page, by each of its addresses");

#define MANUAL		      "SDM Vol. 3, \"Virtualizing Memory-Mapped APIC Accesses\""
#define NEEDS		      "vmx vmx_allowed ept ept_4level invept"
#define FLAGS		      (P | RW | US | A | D)
#define SECONDARY_APIC_ACCESS (1u << 0)
#define APIC_ACCESS_ADDRESS   ((enum vmcs_field)0x2014)
#define EXIT_REASON_APIC      44
#define WRITE_TYPE	      (1u << 12)

struct scene {
	struct l2 *l2;
	struct l2_page page, alias, other;
};

/* Two linear and two L2-physical addresses of the frame, and a page that is not it. */
static struct scene start(void)
{
	struct scene scene;

	if (!vmx_is_on())
		vmx_on();
	if (!vmx_allows_secondary(SECONDARY_APIC_ACCESS))
		end_case_skipped("vmx_apic_access", "not offered here: virtual APIC accesses");
	scene.l2 = l2_start(L2_4LEVEL);
	scene.page = l2_map(scene.l2, PT, FLAGS, 66);
	scene.alias = l2_map(scene.l2, PT, FLAGS, 67);
	scene.other = l2_map(scene.l2, PT, FLAGS, 68);
	second_edit(&scene.l2->second, scene.alias.gpa, PT, SECOND_NO_FLUSH, .clear = ENTRY_ADDRESS,
		    .set = scene.page.frame.value);
	vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) |
			SECONDARY_APIC_ACCESS);
	vmwrite(APIC_ACCESS_ADDRESS, scene.page.frame.value);
	second_invalidate(&scene.l2->second, SECOND_FLUSH_ALL);
	return scene;
}

static void expect_apic_access(struct l2 *l2, struct access access)
{
	bool write = access.instruction == INSTRUCTION_write4;
	uint64_t wanted = access.linear.value % PAGE_4K | (write ? WRITE_TYPE : 0);
	struct l2_outcome outcome = l2_attempt(l2, access);

	expect(outcome.exited && outcome.exit.reason == EXIT_REASON_APIC, "reason %llu, vector %u",
	       (unsigned long long)outcome.exit.reason, outcome.outcome.vector);
	expect((outcome.exit.qualification & 0xffff) == wanted,
	       "qualification 0x%llx instead of 0x%llx",
	       (unsigned long long)outcome.exit.qualification, (unsigned long long)wanted);
}

TEST(accesses_are_exits_by_each_address,
     "reads and writes of the APIC-access page are VM exits with offset and direction, by each "
     "address that leads there",
     MANUAL, NEEDS)
{
	static const uint16_t offsets[] = {0, 0x80, 0x300, 0x7fc, 0xffc};
	struct scene scene = start();
	const volatile uint64_t *memory = identity(scene.page.frame);

	for (unsigned i = 0; i < COUNT_OF(offsets) * 8; i++) {
		const struct l2_page *page = i & 1 ? &scene.alias : &scene.page;
		linear_t linear = linear_plus(page->linear, offsets[i / 8]);
		struct access access = i & 2 ? write_access(linear, 4, 1) : read_access(linear, 4);

		access.user = i & 4;
		expect_apic_access(scene.l2, access);
		expect_l2_read(scene.l2, read_access(scene.other.linear, 8), frame_word(68));
	}
	for (unsigned i = 0; i < PAGE_4K / 8; i++)
		expect(memory[i] == frame_word(66), "word %u became 0x%llx", i,
		       (unsigned long long)memory[i]);
}

TEST(faults_come_before_the_exit,
     "an access of the APIC-access page that L2's own entries or EPT deny is #PF or a violation",
     MANUAL, NEEDS)
{
	struct scene scene = start();
	struct access write = write_access(scene.page.linear, 4, 1);

	scene.l2->cr0 |= CR0_WP;
	l2_write_entry(scene.l2, &scene.page, PT, scene.page.gpa.value | P | A | D);
	second_invalidate(&scene.l2->second, SECOND_FLUSH_ALL);
	expect_l2_page_fault(scene.l2, write, PF_P | PF_W);
	expect_l2_page_fault(scene.l2, as_user(read_access(scene.page.linear, 4)), PF_P | PF_U);
	expect_apic_access(scene.l2, read_access(scene.page.linear, 4));
	l2_write_entry(scene.l2, &scene.page, PT, scene.page.gpa.value | FLAGS);
	second_allow(&scene.l2->second, scene.page.gpa, PT, SECOND_READ, SECOND_FLUSH_ALL);
	expect_l2_violation(scene.l2, write, scene.page.gpa);
	expect_apic_access(scene.l2, read_access(scene.page.linear, 4));
}
