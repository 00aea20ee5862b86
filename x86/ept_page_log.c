/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Page-modification logging: each dirty flag of EPT that changes from 0 to 1 puts the page's
 * guest-physical address into a log.
 *
 * The log has 512 entries and is filled from the last to the first; the PML index says which is
 * next. An index that is out of range at the time of the write is a VM exit, before the flag is set
 * (SDM Vol. 3, "Page-Modification Logging"). The guest's own paging structures are written too, as
 * far as flags for EPT are concerned, and so are logged.
 *
 * Caught here: pages that are not logged, logged twice, or under an address that is not the L2's
 * own (KN12); a walk's writes that are forgotten (KN03); an index that runs out unnoticed.
 * Hypervisors use the log to find what to send again in a migration: what it lacks is lost there.
 *
 * Not checked: the order of entries.
 */
#include "test.h"

SUBJECT(ept_page_log,
	"page-modification logging: what is logged, once, and what happens when full");

#define MANUAL	    "SDM Vol. 3, \"Page-Modification Logging\""
#define NEEDS	    "vmx vmx_allowed ept ept_4level invept ept_accessed_dirty pml"
#define LOG_ENTRIES 512
#define LAST_INDEX  (LOG_ENTRIES - 1)

static gpa_t start_log(void)
{
	gpa_t log = frame_alloc();

	vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) |
			SECONDARY_ENABLE_PML);
	vmwrite(VMCS_PML_ADDRESS, log.value);
	vmwrite(VMCS_GUEST_PML_INDEX, LAST_INDEX);
	return log;
}

static unsigned logged(void)
{
	return LAST_INDEX - (unsigned)vmread(VMCS_GUEST_PML_INDEX);
}

static unsigned times_in_log(gpa_t log, gpa_t page)
{
	const uint64_t *entries = identity(log);
	unsigned times = 0;

	for (unsigned i = 0; i < logged(); i++)
		times += (entries[LAST_INDEX - i] ^ page.value) < PAGE_4K;
	return times;
}

static struct l2 *start_logging(struct l2_page *page, gpa_t *log)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .accessed_dirty = true);

	*page = l2_map(l2, PT, P | RW | US | A | D, 51);
	*log = start_log();
	second_set_flags(&l2->second, false, false);
	second_invalidate(&l2->second, SECOND_FLUSH);
	return l2;
}

TEST(a_write_is_logged_with_the_page_and_its_structures,
     "a first write puts its page and each of L2's structures that lead there into the log once",
     MANUAL, NEEDS)
{
	struct l2_page page;
	gpa_t log;
	struct l2 *l2 = start_logging(&page, &log);

	expect_l2_completes(l2, write_access(page.linear, 8, 1));
	expect(times_in_log(log, page.gpa) == 1, "the page is in the log %u times",
	       times_in_log(log, page.gpa));
	for (unsigned level = PT; level <= PML4; level++)
		expect(times_in_log(log, page.table[level]) == 1,
		       "L2's structure of level %u is in the log %u times", level,
		       times_in_log(log, page.table[level]));
}

TEST(a_dirty_page_is_not_logged_again, "a write to a page whose D is set already is not logged",
     MANUAL, NEEDS)
{
	struct l2_page page;
	gpa_t log;
	struct l2 *l2 = start_logging(&page, &log);
	unsigned before;

	expect_l2_completes(l2, write_access(page.linear, 8, 1));
	before = logged();
	second_invalidate(&l2->second, SECOND_FLUSH);
	expect_l2_completes(l2, write_access(page.linear, 8, 2));
	expect(logged() == before, "%u entries instead of %u", logged(), before);
	second_edit(&l2->second, page.gpa, PT, SECOND_FLUSH, .clear = EPT_D);
	expect_l2_completes(l2, write_access(page.linear, 8, 3));
	expect(logged() == before + 1, "%u entries instead of %u", logged(), before + 1);
}

TEST(a_read_is_not_logged_with_its_page, "a read logs L2's structures but not the page", MANUAL,
     NEEDS)
{
	struct l2_page page;
	gpa_t log;
	struct l2 *l2 = start_logging(&page, &log);

	expect_l2_completes(l2, read_access(page.linear, 8));
	expect(times_in_log(log, page.gpa) == 0, "the page is in the log");
	expect(times_in_log(log, page.table[PT]) == 1, "L2's page table is not in the log");
}

TEST(logged_addresses_are_of_pages, "bits 11:0 of what is logged are 0", MANUAL, NEEDS)
{
	struct l2_page page;
	gpa_t log;
	struct l2 *l2 = start_logging(&page, &log);
	const uint64_t *entries = identity(log);

	expect_l2_completes(l2, write_access(linear_plus(page.linear, 0x358), 8, 1));
	expect(logged() >= 5, "%u entries", logged());
	for (unsigned i = 0; i < logged(); i++)
		expect(!(entries[LAST_INDEX - i] & (PAGE_4K - 1)), "0x%llx was logged",
		       (unsigned long long)entries[LAST_INDEX - i]);
}

/* Once, and not again while D is set. */
static void try_large_page(enum level size)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .accessed_dirty = true, .second_of_pages = size);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 52);
	gpa_t log = start_log();
	unsigned before;

	expect(page.gpa.value % PAGE_2M >= PAGE_4K, "the page is at 0x%llx",
	       (unsigned long long)page.gpa.value);
	second_set_flags(&l2->second, false, false);
	second_invalidate(&l2->second, SECOND_FLUSH);
	expect_l2_completes(l2, write_access(page.linear, 8, 1));
	expect(times_in_log(log, page.gpa) == 1, "the 4 KBytes are in the log %u times",
	       times_in_log(log, page.gpa));
	expect(times_in_log(log, GPA(page.gpa.value & ~(PAGE_2M - 1))) == 0,
	       "the page's first 4 KBytes are in the log");
	before = logged();
	second_invalidate(&l2->second, SECOND_FLUSH);
	expect_l2_completes(l2, write_access(page.linear, 8, 2));
	expect(logged() == before, "%u entries instead of %u", logged(), before);
}

TEST(a_write_to_a_large_page_is_logged_with_its_4_kbytes,
     "of a page that one large entry maps the 4 KBytes are logged that were written", MANUAL,
     NEEDS " ept_2m")
{
	try_large_page(PD);
	if (has_vmx(VMX_FEATURE_ept_1g))
		try_large_page(PDPT);
}

TEST(a_write_over_two_pages_logs_both, "a write that straddles two pages puts both into the log",
     MANUAL, NEEDS)
{
	struct l2_page page;
	gpa_t log;
	struct l2 *l2 = start_logging(&page, &log);
	gpa_t next = l2_place(l2, filled_frame(53), PT, false);

	*(volatile uint64_t *)(page.entry[PT] + 8) = next.value | P | RW | US | A | D;
	second_set_flags(&l2->second, false, false);
	second_invalidate(&l2->second, SECOND_FLUSH);
	expect_l2_completes(l2, write_access(linear_plus(page.linear, PAGE_4K - 3), 8, 1));
	expect(times_in_log(log, page.gpa) == 1 && times_in_log(log, next) == 1,
	       "the pages are in the log %u and %u times", times_in_log(log, page.gpa),
	       times_in_log(log, next));
}

TEST(a_full_log_does_not_stop_what_needs_no_flag,
     "a write for which every flag is set already completes with a full log", MANUAL, NEEDS)
{
	struct l2_page page;
	gpa_t log;
	struct l2 *l2 = start_logging(&page, &log);

	second_set_flags(&l2->second, true, true);
	second_invalidate(&l2->second, SECOND_FLUSH);
	vmwrite(VMCS_GUEST_PML_INDEX, 0xffff);
	expect_l2_completes(l2, write_access(page.linear, 8, 1));
}

TEST(a_full_log_is_an_exit_before_the_write,
     "a write that needs an entry of a full log is a VM exit, and neither flag nor memory changed",
     MANUAL, NEEDS)
{
	struct l2_page page;
	gpa_t log;
	struct l2 *l2 = start_logging(&page, &log);
	struct l2_outcome outcome;
	const uint64_t *word;

	expect_l2_completes(l2, read_access(page.linear, 8));
	word = identity(page.frame);
	vmwrite(VMCS_GUEST_PML_INDEX, 0xffff);
	outcome = l2_attempt(l2, write_access(page.linear, 8, 1));
	expect(outcome.exited && outcome.exit.reason == EXIT_REASON_PML_FULL, "exit reason %llu",
	       (unsigned long long)outcome.exit.reason);
	expect(*word == frame_word(51), "memory holds 0x%llx", (unsigned long long)*word);
	expect(!(*second_entry(&l2->second, page.gpa, PT) & EPT_D), "D is set");
}

TEST(entry_0_of_the_log_is_the_last,
     "with index 0 a write is logged in entry 0 and leaves index FFFFH, and the next one is a VM "
     "exit",
     MANUAL, NEEDS)
{
	struct l2_page page;
	gpa_t log;
	struct l2 *l2 = start_logging(&page, &log);
	struct l2_page other = l2_map(l2, PT, P | RW | US | A | D, 52);
	const volatile uint64_t *entries = identity(log);
	struct l2_outcome outcome;

	second_set_flags(&l2->second, true, true);
	second_edit(&l2->second, page.gpa, PT, SECOND_NO_FLUSH, .clear = EPT_D);
	second_edit(&l2->second, other.gpa, PT, SECOND_FLUSH, .clear = EPT_D);
	vmwrite(VMCS_GUEST_PML_INDEX, 0);
	expect_l2_completes(l2, write_access(page.linear, 8, 1));
	expect(entries[0] == page.gpa.value, "entry 0 holds 0x%llx instead of 0x%llx",
	       (unsigned long long)entries[0], (unsigned long long)page.gpa.value);
	expect(vmread(VMCS_GUEST_PML_INDEX) == 0xffff, "the index is 0x%llx",
	       (unsigned long long)vmread(VMCS_GUEST_PML_INDEX));
	outcome = l2_attempt(l2, write_access(other.linear, 8, 1));
	expect(outcome.exited && outcome.exit.reason == EXIT_REASON_PML_FULL, "exit reason %llu",
	       (unsigned long long)outcome.exit.reason);
	expect(!(*second_entry(&l2->second, other.gpa, PT) & EPT_D), "D is set");
}

/* The whole log, whatever the index is. */
static bool is_in_log(gpa_t log, gpa_t page)
{
	const uint64_t *entries = identity(log);

	for (unsigned i = 0; i < LOG_ENTRIES; i++)
		if ((entries[i] ^ page.value) < PAGE_4K)
			return true;
	return false;
}

/* From each index at which a write with its walk can find the log full; then there is room. */
TEST(a_full_log_loses_nothing,
     "after an exit for a full log and another try all pages with D are in the log", MANUAL, NEEDS)
{
	for (unsigned left = 0; left < 7; left++) {
		struct l2_page page;
		gpa_t log;
		struct l2 *l2 = start_logging(&page, &log);
		struct access write = write_access(page.linear, 8, 1);
		struct l2_outcome outcome;

		memset(identity(log), 0xff, PAGE_4K);
		vmwrite(VMCS_GUEST_PML_INDEX, (uint16_t)(left - 1));
		outcome = l2_attempt(l2, write);
		if (outcome.exited && outcome.exit.reason == EXIT_REASON_PML_FULL) {
			vmwrite(VMCS_GUEST_PML_INDEX, LAST_INDEX);
			outcome = l2_attempt(l2, write);
		}
		expect(!outcome.exited && outcome.outcome.vector == NO_VECTOR,
		       "exit reason %llu, %s", (unsigned long long)outcome.exit.reason,
		       vector_name(outcome.outcome.vector));
		expect(is_in_log(log, page.gpa), "room for %u: the page is not in the log", left);
		for (unsigned level = PT; level <= PML4; level++)
			expect(is_in_log(log, page.table[level]),
			       "room for %u: L2's structure of level %u is not in the log", left,
			       level);
	}
}
