/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A device of L1's as L2 reaches it through both dimensions.
 *
 * An address is a device by what it is translated to in the end: L2's entries, then EPT or nested
 * tables, have the same say as over memory, and the rights that they give (SDM Vol. 3, "EPT
 * Translation Mechanism", "EPT Violations"; APM Vol. 2, "Nested Paging"; R37, R38). L2-physical
 * addresses are L2's own: one that equals the device's address may be memory, and the reverse.
 *
 * Caught here: a hypervisor below L1 emulates what L2 does to the device, walks both levels by
 * itself, and remembers for the next time where the device is and who may use it: by L2's linear or
 * physical address as if it was L1's, with the rights of the first access, beyond a change of
 * either level (KS30's kind, KN26). Hypervisors know this cache from guests without a second level.
 *
 * The device is the local APIC, whose task-priority register holds what is written. Not checked:
 * virtual APICs (vmx_apic_access), flags of the entries that lead to the device.
 */
#include "test.h"

SUBJECT(l2_device, "a device in L2's memory: by both dimensions, beside memory at its address");

#define NEEDS	   "second_level"
#define MANUAL	   "SDM Vol. 3, \"EPT Translation Mechanism\"; APM Vol. 2, \"Nested Paging\""
#define RIGHTS	   "SDM Vol. 3, \"EPT Violations\"; APM Vol. 2, \"Nested Table Walk\""
#define OWN_RIGHTS "SDM Vol. 3, \"Determination of Access Rights\""
#define UNCACHED   (PCD | PWT)

enum { TAG = 51, WAYS = 4 };

/* Where the second level leads the page from now on. */
static void lead_to(struct l2 *l2, gpa_t gpa, gpa_t frame)
{
	uint64_t *entry = second_entry(&l2->second, gpa, PT);

	*(volatile uint64_t *)entry = (*entry & ~ENTRY_ADDRESS) | frame.value;
	second_invalidate(&l2->second, SECOND_FLUSH);
}

/* A page of L2 that is the device. */
static struct l2_page map_device(struct l2 *l2)
{
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D | UNCACHED, TAG);

	lead_to(l2, page.gpa, GPA(APIC_PAGE));
	return page;
}

/* A read or a write, of CPL 0 or 3. */
static struct access nth_way(const struct l2_page *page, unsigned way, uint32_t value)
{
	linear_t at = linear_plus(page->linear, APIC_PRIORITY);
	struct access access = way & 1 ? write_access(at, 4, value) : read_access(at, 4);

	access.user = way & 2;
	return access;
}

/* What the model says, and the device has been written or not. */
static void try_way(struct l2 *l2, const struct l2_page *page, unsigned way)
{
	struct l2_outcome outcome;
	bool completes;

	*priority_register() = 0x20;
	outcome = expect_l2_as_modelled(l2, nth_way(page, way, 0x30));
	completes = !outcome.exited && outcome.outcome.vector == NO_VECTOR;
	expect(*priority_register() == (completes && way & 1 ? 0x30 : 0x20),
	       "the device holds 0x%x", *priority_register());
	expect(!completes || way & 1 || (uint32_t)outcome.outcome.value[0] == 0x20,
	       "L2 read 0x%llx", (unsigned long long)outcome.outcome.value[0]);
}

/* Each access after each other one that was allowed. */
static void try_pairs(struct l2 *l2, const struct l2_page *page)
{
	for (unsigned pair = 0; pair < WAYS * WAYS; pair++) {
		try_way(l2, page, pair / WAYS);
		try_way(l2, page, pair % WAYS);
	}
	*priority_register() = 0;
}

TEST(second_level_decides_about_a_device,
     "L2 reads and writes a device of L1's as EPT or nested tables allow, whatever came before",
     RIGHTS, NEEDS)
{
	struct l2 *l2;
	struct l2_page page;

	require_local_apic();
	l2 = l2_start(L2_4LEVEL);
	page = map_device(l2);
	for (unsigned n = 0; n < 16; n++) {
		second_allow(&l2->second, page.gpa, PT, n & 1 ? SECOND_ALL : n / 2, SECOND_FLUSH);
		try_pairs(l2, &page);
	}
}

TEST(entries_of_l2_decide_about_a_device,
     "L2 reads and writes a device of L1's as L2's own entries, CR0.WP and CR4.SMAP allow",
     OWN_RIGHTS, NEEDS)
{
	struct l2 *l2;
	struct l2_page page;

	require_local_apic();
	l2 = l2_start(L2_4LEVEL);
	page = map_device(l2);
	for (unsigned n = 0; n < 32; n++) {
		l2->cr0 = (n & 8) ? l2->cr0 & ~(uint64_t)CR0_WP : l2->cr0 | CR0_WP;
		if (has(FEATURE_smap))
			l2->cr4 = (n & 16) ? l2->cr4 | CR4_SMAP : l2->cr4 & ~(uint64_t)CR4_SMAP;
		l2_write_entry(l2, &page, PT,
			       page.gpa.value | UNCACHED | (n & 1 ? 0 : P) | (n & 2 ? RW : 0) |
				       (n & 4 ? US : 0));
		try_pairs(l2, &page);
	}
}

/* L1 has used the device just before, by the address that is memory for L2. */
TEST(address_of_the_device_may_be_memory_for_l2,
     "An L2-physical address that is the device's in L1 is memory where the second level says so",
     MANUAL, NEEDS)
{
	struct l2 *l2;
	struct l2_page page, device;
	gpa_t frame;
	volatile uint32_t *word;

	require_local_apic();
	l2 = l2_start(L2_4LEVEL);
	device = map_device(l2);
	page = l2_map(l2, PT, P | RW | US | A | D, TAG);
	frame = filled_frame(TAG + 1);
	word = (volatile uint32_t *)identity(gpa_plus(frame, APIC_PRIORITY));
	second_map(&l2->second, GPA(APIC_PAGE), frame, PT, SECOND_ALL);
	l2_write_entry(l2, &page, PT, APIC_PAGE | P | RW | US);
	for (unsigned way = 0; way < 2 * WAYS; way++) {
		struct access access = nth_way(&page, way, 0x44);

		*word = 0x11;
		if (way & 4)
			expect_l2_completes(l2, nth_way(&device, way, 0x20));
		*priority_register() = 0x20;
		if (way & 1)
			expect_l2_completes(l2, access);
		else
			expect_l2_read(l2, access, 0x11);
		expect(*word == (way & 1 ? 0x44 : 0x11), "memory holds 0x%x", *word);
		expect(*priority_register() == 0x20, "the device holds 0x%x", *priority_register());
		expect_l2_as_modelled(l2, access);
	}
	*priority_register() = 0;
}

/* The change is made in L2's entry, or in the second level's. */
static void take_turns(bool own)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = map_device(l2);
	gpa_t frame = filled_frame(TAG), other = l2_place(l2, frame, PT, true);
	volatile uint32_t *word = (volatile uint32_t *)identity(gpa_plus(frame, APIC_PRIORITY));

	for (unsigned turn = 0; turn < 16; turn++) {
		bool device = turn & 1;
		struct access access = nth_way(&page, 1 + (turn & 2), 0x30);

		*word = 0x11;
		*priority_register() = 0x20;
		if (own)
			l2_write_entry(l2, &page, PT,
				       (device ? page.gpa : other).value | P | RW | US | UNCACHED);
		else
			lead_to(l2, page.gpa, device ? GPA(APIC_PAGE) : frame);
		second_invalidate(&l2->second, SECOND_FLUSH);
		if (turn & 4)
			expect_l2_read(l2, nth_way(&page, turn & 2, 0), device ? 0x20 : 0x11);
		expect_l2_completes(l2, access);
		expect(*word == (device ? 0x11 : 0x30), "memory holds 0x%x", *word);
		expect(*priority_register() == (device ? 0x30 : 0x20), "the device holds 0x%x",
		       *priority_register());
	}
	*priority_register() = 0;
}

TEST(page_of_l2_changes_between_memory_and_a_device,
     "After a change of either level and a flush a page of L2 is the device, or memory, at once",
     MANUAL, NEEDS)
{
	require_local_apic();
	take_turns(true);
	take_turns(false);
}
