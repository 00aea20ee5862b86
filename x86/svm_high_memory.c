/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMCB and host save area above 4 GBytes.
 *
 * VMRUN, VMLOAD and VMSAVE take the VMCB's address from RAX, VMRUN that of the host save area from
 * VM_HSAVE_PA: physical addresses with all bits that the processor has (APM Vol. 2, "VMRUN
 * Instruction", "VM_HSAVE_PA MSR").
 *
 * Caught here: such an address cut to 32 bits by a hypervisor that emulates SVM for its guest
 * (QT08), which then reads another VMCB, or stores into memory that belongs to nobody's VMCB.
 *
 * 4 GBytes below there is memory, too, that nothing may use. N_CR3 and nested tables up there are
 * high_memory's. Not checked: the permission maps of I/O ports and MSRs; what the host save area
 * holds, which is the processor's own business.
 */
#include "test.h"

SUBJECT(svm_high_memory, "VMCB and host save area above 4 GBytes are not those below");

#define NEEDS	"svm svm_allowed svm_nested_paging ram_above_4g ram_at_96m"
#define LOW	(96 * MBYTE) /* frames of cases do not come that far */
#define HIGH	(4 * GBYTE + LOW)
#define ALL	(P | RW | US | A | D)
#define TAG	57
#define ENTRIES 6

static void fill_low(uint64_t word)
{
	for (unsigned i = 0; i < PAGE_4K / 8; i++)
		((volatile uint64_t *)identity(GPA(LOW)))[i] = word;
}

static void expect_low(uint64_t word)
{
	for (unsigned i = 0; i < PAGE_4K / 8; i++)
		expect(((volatile uint64_t *)identity(GPA(LOW)))[i] == word,
		       "the frame 4 GBytes below was written at 0x%x", 8 * i);
}

static void use_l2(struct l2 *l2, const struct l2_page *page)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		expect_l2_read(l2, read_access(page->linear, 8), frame_word(TAG));
		expect_l2_read(l2, as_user(fetch_access(page->linear)), TAG);
		expect_l2_completes(l2, write_access(page->linear, 8, frame_word(TAG)));
	}
}

/* It is mapped where it is, as all VMCBs are. The one below would be refused. */
TEST(a_vmcb_above_4_gbytes_is_not_the_one_below,
     "VMRUN, VMLOAD and VMSAVE use the VMCB above 4 GBytes that RAX names",
     "APM Vol. 2, \"VMRUN Instruction\"; \"VMSAVE and VMLOAD Instructions\"", NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, ALL, TAG);
	struct vmcb *high = identity(GPA(HIGH));

	use_l2(l2, &page);
	use_low_pages();
	map_low_page(LINEAR(HIGH), PT, GPA(HIGH), P | RW);
	memcpy(high, svm_guest(l2)->vmcb, sizeof(*high));
	svm_guest(l2)->vmcb = high;
	fill_low(0);
	use_l2(l2, &page);
	expect_low(0);
}

TEST(a_host_save_area_above_4_gbytes_is_not_the_one_below,
     "VMRUN and #VMEXIT keep the host's state nowhere else than where VM_HSAVE_PA says",
     "APM Vol. 2, \"VM_HSAVE_PA MSR\"", NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, ALL, TAG);

	write_msr_until_end(MSR_VM_HSAVE_PA, HIGH);
	fill_low(frame_word(TAG));
	use_l2(l2, &page);
	expect_low(frame_word(TAG));
	expect(read_msr(MSR_VM_HSAVE_PA) == HIGH, "VM_HSAVE_PA is 0x%llx",
	       (unsigned long long)read_msr(MSR_VM_HSAVE_PA));
}
