/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CR2 of an L2 guest under SVM: VMRUN loads it, #VMEXIT saves it.
 *
 * The VMCB's state save area has a CR2, which is the guest's from VMRUN to #VMEXIT (APM Vol. 2,
 * "VMRUN", "#VMEXIT"). A #PF that is intercepted has not happened in the guest: the intercept is
 * tested before CR2 is written, and the address is in EXITINFO2 ("#PF (Page Fault)" in "Exception
 * Intercepts").
 *
 * Caught here: a CR2 that is not switched, so that the guest's page-fault handler maps the wrong
 * page after a #VMEXIT came between its fault and its MOV from CR2; a CR2 that an intercepted #PF
 * overwrites. Hypervisors switch CR2 by themselves in one place or the other, and lose it when a
 * nested guest is in between.
 *
 * Not checked: CR2 of the host after #VMEXIT, which is not defined.
 */
#include "test.h"

SUBJECT(svm_cr2, "CR2 across VMRUN, #VMEXIT and an intercepted #PF");

#define NEEDS "svm svm_allowed svm_nested_paging"
#define FLAGS (P | RW | US | A | D)

/* mov %cr2, %rbx; mov %rax, %cr2; ud2 */
static const uint8_t exchange[] = {0x0f, 0x20, 0xd3, 0x0f, 0x22, 0xd0, 0x0f, 0x0b};

static const uint64_t values[] = {0x0000123456789abcull, 0xffffedcba9876543ull, 0,
				  0x0000000080000001ull, 0xffff800000000000ull};

struct guest {
	struct l2 *l2;
	struct l2_page code;
	struct vmcb *vmcb;
};

static struct guest start(void)
{
	struct guest guest = {.l2 = l2_start(L2_4LEVEL)};

	guest.code = l2_map(guest.l2, PT, FLAGS, 0);
	guest.vmcb = svm_guest(guest.l2)->vmcb;
	memcpy(identity(guest.code.frame), exchange, sizeof(exchange));
	return guest;
}

/* What L2 finds in CR2; it leaves `left` there. */
static uint64_t exchange_cr2(const struct guest *guest, uint64_t left)
{
	struct l2_registers registers = {
		.rax = left, .rip = guest->code.linear.value, .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	guest->l2->backend->enter(guest->l2, &registers, &exit);
	expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD, "exit kind %u, vector %u",
	       exit.kind, exit.vector);
	return registers.rbx;
}

TEST(vmrun_loads_cr2, "the guest's MOV from CR2 reads what the VMCB had in CR2 at VMRUN",
     "APM Vol. 2, \"VMRUN\"", NEEDS)
{
	struct guest guest = start();

	for (unsigned i = 0; i < COUNT_OF(values); i++) {
		uint64_t found;

		guest.vmcb->state.cr2 = values[i];
		found = exchange_cr2(&guest, ~values[i]);
		expect(found == values[i], "the VMCB had 0x%llx, the guest read 0x%llx",
		       (unsigned long long)values[i], (unsigned long long)found);
	}
}

TEST(vmexit_saves_cr2, "after #VMEXIT the VMCB has in CR2 what the guest had moved there",
     "APM Vol. 2, \"#VMEXIT\"", NEEDS)
{
	struct guest guest = start();

	for (unsigned i = 0; i < COUNT_OF(values); i++) {
		guest.vmcb->state.cr2 = ~values[i];
		exchange_cr2(&guest, values[i]);
		expect(guest.vmcb->state.cr2 == values[i],
		       "the guest moved 0x%llx, the VMCB has 0x%llx", (unsigned long long)values[i],
		       (unsigned long long)guest.vmcb->state.cr2);
	}
}

TEST(an_intercepted_page_fault_does_not_write_cr2,
     "an intercepted #PF gives its address in EXITINFO2 and leaves the guest's CR2 as it was",
     "APM Vol. 2, \"Exception Intercepts\"", NEEDS)
{
	struct guest guest = start();
	struct l2_page page = l2_map(guest.l2, PT, FLAGS & ~P, 52);
	linear_t linear = linear_plus(page.linear, 0x358);

	exchange_cr2(&guest, values[0]);
	expect_l2_page_fault(guest.l2, read_access(linear, 8), 0);
	expect(guest.vmcb->state.cr2 == values[0], "CR2 became 0x%llx",
	       (unsigned long long)guest.vmcb->state.cr2);
}

TEST(a_nested_page_fault_does_not_write_cr2, "#NPF leaves the guest's CR2 as it was",
     "APM Vol. 2, \"Nested versus Guest Page Faults, Fault Ordering\"", NEEDS)
{
	struct guest guest = start();
	struct l2_page page = l2_map(guest.l2, PT, FLAGS, 53);

	second_allow(&guest.l2->second, page.gpa, PT, 0, SECOND_FLUSH);
	exchange_cr2(&guest, values[1]);
	expect_l2_violation(guest.l2, read_access(page.linear, 8), page.gpa);
	expect(guest.vmcb->state.cr2 == values[1], "CR2 became 0x%llx",
	       (unsigned long long)guest.vmcb->state.cr2);
}
