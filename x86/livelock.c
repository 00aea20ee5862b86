/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An access that never ends.
 *
 * An instruction completes, or raises an exception; a processor that does neither is stuck.
 * Hypervisors have been: a fault taken again and again inside, for an access that two entries of
 * the hypervisor's own disagree about (KS11, KS12, KS15, KS25, XS13). No check of the guest's comes
 * to run then, but interrupts do, so cases in which that has happened are watched: this image shows
 * that the watch works here, since otherwise such a defect would show as a hung image only.
 *
 * Not checked: loops that do not even take interrupts; for those there is the runner's time limit.
 */
#include "test.h"

SUBJECT(livelock, "an access without progress is given up and reported");

#define MANUAL	     "SDM Vol. 3, \"Interrupt and Exception Handling\""

#define JUMP_TO_SELF 0xfeeb

TEST(access_without_progress_is_given_up,
     "An instruction that never completes is found by interrupts, in either mode", MANUAL, "")
{
	struct page page = map_page(P | RW | US);

	*(volatile uint16_t *)identity(page.frame) = JUMP_TO_SELF;
	if (!watch_attempts())
		end_case_skipped("local_apic", "there is no local APIC to interrupt by");
	for (unsigned user = 0; user < 2; user++) {
		struct access access = fetch_access(page.linear);
		struct outcome outcome = attempt(user ? as_user(access) : access);

		expect(outcome.vector == VECTOR_WATCHDOG && outcome.rip == page.linear.value,
		       "vector 0x%x, RIP 0x%llx", outcome.vector, (unsigned long long)outcome.rip);
	}
}

TEST(interrupts_leave_accesses_alone,
     "Accesses that interrupts come in between of are what they are without", MANUAL, "")
{
	struct subject subject = map_subject(PT, P | RW | US, 5);

	watch_attempts();
	for (unsigned i = 0; i < 20000; i++)
		expect_as_modelled(nth_access(i % ACCESS_WAYS, subject.target));
}
