/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Execute-only pages, and execute rights by mode.
 *
 * Where execute-only translations are offered, X without R lets fetch and nothing else. With
 * mode-based execute control bit 2 is the right to fetch from supervisor-mode linear addresses and
 * bit 10 that for user-mode ones, told apart by U/S of the guest's own entries and not by CPL; bit
 * 6 of the exit qualification is then the AND of the bits 10 (SDM Vol. 3, "EPT Violations", "Exit
 * Qualification for EPT Violations", "Mode-based execute control for EPT").
 *
 * Caught here: X that lets read too; a mode taken from CPL; bit 10 looked at while the control is
 * 0, or in the leaf alone. Hypervisors whose own paging cannot express a right (X without R, two
 * kinds of X) tend to merge it with a wider one.
 *
 * Not checked: 1-setting of bit 10 alone as "present".
 */
#include "test.h"

SUBJECT(ept_execute, "execute-only pages, and execute rights for supervisor and user mode");

#define MANUAL	 "SDM Vol. 3, \"EPT Violations\"; \"Exit Qualification for EPT Violations\""
#define NEEDS	 "vmx vmx_allowed ept ept_4level invept"
#define BY_MODE	 NEEDS " ept_mode_based_execute"
#define BIT_USER (1u << 6) /* of the exit qualification */

TEST(an_execute_only_page_can_only_be_executed,
     "a page with X alone can be fetched from in both modes; reads and writes are violations",
     MANUAL, NEEDS " ept_execute_only")
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 27);

	second_allow(&l2->second, page.gpa, PT, SECOND_EXECUTE, SECOND_FLUSH);
	for (unsigned i = 0; i < 3; i++) { /* fetches first, then between reads */
		expect_l2_read(l2, fetch_access(page.linear), 27);
		expect_l2_read(l2, as_user(fetch_access(page.linear)), 27);
		expect_l2_violation(l2, read_access(page.linear, 8), page.gpa);
		expect_l2_violation(l2, as_user(read_access(page.linear, 1)), page.gpa);
		expect_l2_violation(l2, write_access(page.linear, 8, 0), page.gpa);
	}
}

TEST(an_execute_only_structure_stops_the_walk,
     "one of L2's paging structures in a page with X alone cannot be read", MANUAL,
     NEEDS " ept_execute_only")
{
	for (unsigned structure = PT; structure <= PML4; structure++) {
		struct l2 *l2 = l2_start(L2_4LEVEL);
		struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 28);

		second_allow(&l2->second, GPA(page.entry_gpa[structure]), PT, SECOND_EXECUTE,
			     SECOND_NO_FLUSH);
		expect_l2_as_modelled(l2, fetch_access(page.linear));
	}
}

static void let_users_execute(void *context, volatile uint64_t *entry, bool maps_page)
{
	(void)context;
	(void)maps_page;
	if (*entry & EPT_RWX)
		*entry |= EPT_XU;
}

/* A guest whose EPT lets both modes execute everything. */
static struct l2 *start_by_mode(struct l2_page *page, uint64_t flags)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);

	vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) |
			SECONDARY_MODE_BASED_EXECUTE);
	*page = l2_map(l2, PT, flags, 29);
	second_visit(&l2->second, let_users_execute, NULL);
	second_invalidate(&l2->second, SECOND_FLUSH_ALL);
	return l2;
}

static void expect_by_right(struct l2 *l2, struct access access, gpa_t gpa, uint64_t rights,
			    bool allowed)
{
	struct l2_outcome outcome;
	unsigned wanted = EPT_VIOLATION_FETCH | EPT_VIOLATION_READABLE |
			  (rights & EPT_X ? EPT_VIOLATION_EXECUTABLE : 0) |
			  (rights & EPT_XU ? BIT_USER : 0);
	unsigned mask = wanted | EPT_VIOLATION_EXECUTABLE | BIT_USER | EPT_VIOLATION_READ |
			EPT_VIOLATION_WRITE;

	if (allowed) {
		expect_l2_read(l2, access, 29);
		return;
	}
	outcome = expect_l2_violation(l2, access, gpa);
	expect((outcome.exit.qualification & mask) == wanted,
	       "qualification 0x%llx instead of 0x%x",
	       (unsigned long long)outcome.exit.qualification, wanted);
}

/* X and XU in all four combinations at one level, for addresses of one mode. */
static void try_level(enum level level, bool user_address)
{
	struct l2_page page;
	struct l2 *l2 = start_by_mode(&page, P | RW | A | D | (user_address ? US : 0));

	for (unsigned combination = 0; combination < 4; combination++) {
		uint64_t rights = (combination & 1 ? EPT_X : 0) | (combination & 2 ? EPT_XU : 0);
		bool allowed = rights & (user_address ? EPT_XU : EPT_X);

		second_edit(&l2->second, page.gpa, level, SECOND_FLUSH_ALL,
			    .clear = EPT_RWX | EPT_XU, .set = EPT_R | rights);
		expect_by_right(l2, fetch_access(page.linear), page.gpa, rights, allowed);
		if (user_address)
			expect_by_right(l2, as_user(fetch_access(page.linear)), page.gpa, rights,
					allowed);
	}
}

TEST(each_mode_has_its_own_right_to_execute,
     "with mode-based execute control X counts for supervisor-mode addresses and bit 10 for "
     "user-mode ones, whatever the CPL",
     MANUAL, BY_MODE)
{
	for (unsigned level = PT; level <= PDPT; level++) {
		try_level(level, false);
		try_level(level, true);
	}
}

TEST(bit_10_means_nothing_without_the_control,
     "while mode-based execute control is 0, X alone decides on fetches in both modes", MANUAL,
     NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 29);

	second_edit(&l2->second, page.gpa, PT, SECOND_NO_FLUSH, .clear = EPT_X, .set = EPT_XU);
	expect_l2_as_modelled(l2, fetch_access(page.linear));
	expect_l2_as_modelled(l2, as_user(fetch_access(page.linear)));
	second_edit(&l2->second, page.gpa, PT, SECOND_NO_FLUSH, .clear = EPT_XU, .set = EPT_X);
	expect_l2_as_modelled(l2, fetch_access(page.linear));
	expect_l2_as_modelled(l2, as_user(fetch_access(page.linear)));
}
