/* SPDX-License-Identifier: BSD-2-Clause
 *
 * EPT violations as exceptions: #VE in place of a VM exit.
 *
 * With "EPT-violation #VE" a violation is delivered to the guest as exception 20, and described in
 * the virtualization-exception information area, unless bit 63 of the entry at which the walk
 * ended is set, or the area's second word is not 0, which is how the guest says that it has not
 * read the last one yet. Misconfigurations always exit (SDM Vol. 3, "Virtualization Exceptions").
 *
 * Here all exceptions are intercepted, so a #VE is an exit for exception 20; the area is filled all
 * the same.
 *
 * Caught here: bit 63 taken from the wrong entry or not at all, an area that is filled wrongly or
 * overwritten before it was read, #VE for misconfigurations. Hypervisors that pass #VE through to
 * a guest hypervisor's guest.
 */
#include "test.h"

SUBJECT(ept_virtualization_exception,
	"#VE: which EPT violations become exceptions, and what they say");

#define MANUAL	  "SDM Vol. 3, \"Virtualization Exceptions\""
#define NEEDS	  "vmx vmx_allowed ept ept_4level invept ept_violation_ve"
#define VECTOR_VE 20
#define INDEX	  3
#define OFFSET	  0x358

/* "Format of the Virtualization-Exception Information Area". */
struct area {
	uint32_t reason, busy;
	uint64_t qualification, linear, gpa;
	uint16_t eptp_index;
};

static void enable(gpa_t area)
{
	vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) |
			SECONDARY_EPT_VIOLATION_VE);
	vmwrite(VMCS_VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS, area.value);
	vmwrite(VMCS_EPTP_INDEX, INDEX);
}

static struct l2 *start(struct l2_page *page, volatile struct area **area)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .alone = maxphyaddr() > 39 ? ALONE_PAGE : 0);
	gpa_t frame = frame_alloc();

	*page = l2_map(l2, PT, P | RW | US | A | D, 33);
	enable(frame);
	*area = identity(frame);
	return l2;
}

static bool is_ve(const struct l2_outcome *outcome)
{
	return !outcome->exited && outcome->outcome.vector == VECTOR_VE;
}

static void expect_area(const volatile struct area *area, struct access access, gpa_t gpa,
			uint64_t qualification)
{
	const uint64_t defined = 0x1bf;

	expect(area->reason == EXIT_REASON_EPT_VIOLATION, "exit reason %u", area->reason);
	expect(area->busy == 0xffffffff, "second word 0x%x", area->busy);
	expect(((area->qualification ^ qualification) & defined) == 0,
	       "exit qualification 0x%llx instead of 0x%llx",
	       (unsigned long long)area->qualification, (unsigned long long)qualification);
	expect(area->linear == access.linear.value, "linear 0x%llx",
	       (unsigned long long)area->linear);
	expect(area->gpa == gpa.value, "guest-physical 0x%llx", (unsigned long long)area->gpa);
}

#define FINAL_READ  (EPT_VIOLATION_READ | EPT_VIOLATION_LINEAR_VALID | EPT_VIOLATION_FINAL)
#define FINAL_WRITE (EPT_VIOLATION_WRITE | EPT_VIOLATION_LINEAR_VALID | EPT_VIOLATION_FINAL)
#define WALK_READ   (EPT_VIOLATION_READ | EPT_VIOLATION_LINEAR_VALID)

TEST(a_violation_becomes_an_exception_that_describes_itself,
     "a violation with bit 63 clear is #VE, and the information area says what an exit would say",
     MANUAL, NEEDS)
{
	volatile struct area *area;
	struct l2_page page;
	struct l2 *l2 = start(&page, &area);
	gpa_t gpa = gpa_plus(page.gpa, OFFSET);
	struct access read = read_access(linear_plus(page.linear, OFFSET), 8);
	struct access write = write_access(linear_plus(page.linear, OFFSET), 8, 1);
	struct l2_outcome outcome;

	second_allow(&l2->second, page.gpa, PT, 0, SECOND_FLUSH);
	outcome = l2_attempt(l2, read);
	expect(is_ve(&outcome), "vector %u, exited %u", outcome.outcome.vector, outcome.exited);
	expect_area(area, read, gpa, FINAL_READ);
	area->busy = 0;
	second_allow(&l2->second, page.gpa, PT, SECOND_READ, SECOND_FLUSH);
	outcome = l2_attempt(l2, as_user(write));
	expect(is_ve(&outcome), "vector %u, exited %u", outcome.outcome.vector, outcome.exited);
	expect_area(area, write, gpa, FINAL_WRITE | EPT_VIOLATION_READABLE);
}

TEST(the_area_holds_the_eptp_index, "#VE stores the VMCS's EPTP index into the information area",
     MANUAL, NEEDS)
{
	volatile struct area *area;
	struct l2_page page;
	struct l2 *l2 = start(&page, &area);
	struct l2_outcome outcome;

	area->eptp_index = 0x5a5a;
	second_allow(&l2->second, page.gpa, PT, 0, SECOND_FLUSH);
	outcome = l2_attempt(l2, read_access(page.linear, 8));
	expect(is_ve(&outcome), "vector %u, exited %u", outcome.outcome.vector, outcome.exited);
	expect(vmread(VMCS_EPTP_INDEX) == INDEX, "the VMCS holds %llu",
	       (unsigned long long)vmread(VMCS_EPTP_INDEX));
	expect(area->eptp_index == INDEX, "EPTP index %u", area->eptp_index);
}

TEST(a_violation_by_a_walk_becomes_an_exception,
     "a violation by a walk of L2's structures is #VE too", MANUAL, NEEDS)
{
	volatile struct area *area;
	struct l2_page page;
	struct l2 *l2 = start(&page, &area);
	struct access read = read_access(linear_plus(page.linear, OFFSET), 8);

	for (unsigned structure = PT; structure < PML4; structure++) {
		gpa_t gpa = GPA(page.entry_gpa[structure]);
		struct l2_outcome outcome;

		second_allow(&l2->second, gpa, PT, 0, SECOND_FLUSH);
		area->busy = 0;
		outcome = l2_attempt(l2, read);
		expect(is_ve(&outcome), "vector %u, exited %u", outcome.outcome.vector,
		       outcome.exited);
		expect_area(area, read, gpa, WALK_READ);
		second_allow(&l2->second, gpa, PT, SECOND_ALL, SECOND_FLUSH);
	}
}

TEST(an_area_that_was_not_read_is_not_overwritten,
     "while the area's second word is not 0 violations are VM exits and leave it alone", MANUAL,
     NEEDS)
{
	static const uint32_t words[] = {1, 0x80000000, 0xffffffff};
	volatile struct area *area;
	struct l2_page page;
	struct l2 *l2 = start(&page, &area);

	second_allow(&l2->second, page.gpa, PT, 0, SECOND_FLUSH);
	for (unsigned i = 0; i < COUNT_OF(words); i++) {
		area->busy = words[i];
		area->gpa = 0x5a5a;
		expect_l2_violation(l2, read_access(page.linear, 8), page.gpa);
		expect(area->busy == words[i] && area->gpa == 0x5a5a,
		       "second word 0x%x, guest-physical 0x%llx", area->busy,
		       (unsigned long long)area->gpa);
	}
}

TEST(bit_63_of_the_last_entry_suppresses_the_exception,
     "a violation is a VM exit when bit 63 is set in the entry at which the walk ended, present or "
     "not; elsewhere the bit does not matter",
     MANUAL, NEEDS)
{
	unsigned top = maxphyaddr() > 39 ? PML4 : PDPT;
	volatile struct area *area;
	struct l2_page page;
	struct l2 *l2 = start(&page, &area);
	struct access read = read_access(page.linear, 8);

	for (unsigned level = PT; level <= top; level++) {
		struct l2_outcome outcome;

		second_edit(&l2->second, page.gpa, level, SECOND_FLUSH, .clear = EPT_RWX,
			    .set = EPT_SUPPRESS_VE);
		area->busy = 0;
		expect_l2_violation(l2, read, page.gpa);
		second_edit(&l2->second, page.gpa, level, SECOND_FLUSH, .set = EPT_RWX);
		if (level == PT)
			continue;
		second_edit(&l2->second, page.gpa, PT, SECOND_FLUSH,
			    .clear = EPT_RWX | EPT_SUPPRESS_VE);
		outcome = l2_attempt(l2, read);
		expect(is_ve(&outcome), "level %u: vector %u, exited %u", level,
		       outcome.outcome.vector, outcome.exited);
		second_edit(&l2->second, page.gpa, PT, SECOND_FLUSH, .set = EPT_RWX);
	}
	second_edit(&l2->second, page.gpa, PT, SECOND_FLUSH, .clear = EPT_RWX,
		    .set = EPT_R | EPT_SUPPRESS_VE);
	area->busy = 0;
	expect_l2_violation(l2, write_access(page.linear, 8, 1), page.gpa);
}

TEST(a_misconfiguration_never_becomes_an_exception, "EPT misconfigurations are VM exits", MANUAL,
     NEEDS)
{
	volatile struct area *area;
	struct l2_page page;
	struct l2 *l2 = start(&page, &area);

	second_edit(&l2->second, page.gpa, PT, SECOND_FLUSH, .clear = EPT_R);
	expect_l2_misconfiguration(l2, read_access(page.linear, 8), page.gpa);
	expect(area->busy == 0, "second word 0x%x", area->busy);
}

TEST(no_exception_in_real_mode, "with CR0.PE = 0 violations are VM exits and leave the area alone",
     "SDM Vol. 3, \"Convertible EPT Violations\"", NEEDS " unrestricted_guest")
{
	struct l2 *l2 = l2_start(L2_UNPAGED);
	struct l2_page page = l2_map(l2, PT, 0, 38);
	gpa_t frame = frame_alloc();
	volatile struct area *area = identity(frame);
	struct l2_outcome outcome;

	enable(frame);
	second_allow(&l2->second, page.gpa, PT, 0, SECOND_FLUSH);
	l2->cr0 &= ~(uint64_t)CR0_PE;
	expect_l2_violation(l2, read_access(page.linear, 4), page.gpa);
	expect(area->busy == 0, "second word 0x%x", area->busy);
	l2->cr0 |= CR0_PE;
	outcome = l2_attempt(l2, read_access(page.linear, 4));
	expect(is_ve(&outcome), "vector %u, exited %u", outcome.outcome.vector, outcome.exited);
}
