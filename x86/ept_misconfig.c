/* SPDX-License-Identifier: BSD-2-Clause
 *
 * EPT misconfigurations: the complete list, at every level, for every access.
 *
 * A present EPT entry with settings that no processor supports is a misconfiguration, not a
 * violation (SDM Vol. 3, "EPT Misconfigurations"): W without R; X without R where execute-only is
 * not offered; a reserved bit, which for an entry that references a table are bits 6:3 (in a PML4E
 * 7:3), for one that maps a large page the address bits below its size, and for all the address
 * bits from MAXPHYADDR to 51; a reserved memory type (2, 3, 7) in an entry that maps a page. An
 * entry with R = W = X = 0 is not present and never misconfigured.
 *
 * Caught here: bits that are not looked at in one kind of entry (BX05), a violation reported where
 * an entry further down is misconfigured, reserved bits looked at in entries that are not present,
 * and bits that are ignored taken for reserved. Shadows of EPT (KVM, Xen, ACRN) check L1's entries
 * in software; what they miss reaches the real EPT.
 *
 * Not checked: the exit qualification, which is not defined for misconfigurations.
 */
#include "test.h"

SUBJECT(ept_misconfig, "EPT misconfigurations: the complete list, per level, per access");

#define MANUAL "SDM Vol. 3, \"EPT Misconfigurations\""
#define NEEDS  "vmx vmx_allowed ept ept_4level invept"

/* A guest with one page, and one entry on the way to it (or to a structure of L2's). */
struct target {
	struct l2 *l2;
	struct l2_page page;
	gpa_t gpa; /* the address that the entry is to translate */
	enum level level;
	uint64_t good; /* the entry as it should be */
};

static struct target target_at(enum level level, enum level second, bool structure)
{
	struct target target = {.level = level};
	/* The top entry must not translate the instruction's own page. */
	unsigned alone = level == PML4 ? (structure ? PT : ALONE_PAGE) : 0;

	target.l2 = l2_start(L2_4LEVEL, .second_of_pages = structure ? 0 : second,
			     .second_of_tables = structure ? second : 0, .alone = alone);
	target.page = l2_map(target.l2, PT, P | RW | US | A | D, 31);
	target.gpa = structure ? GPA(target.page.entry_gpa[PT]) : target.page.gpa;
	target.good = *second_entry(&target.l2->second, target.gpa, level);
	return target;
}

static void set(const struct target *target, uint64_t entry)
{
	*(volatile uint64_t *)second_entry(&target->l2->second, target->gpa, target->level) = entry;
	second_invalidate(&target->l2->second, SECOND_FLUSH_ALL);
}

static void try_each_access(const struct target *target, bool misconfigured)
{
	linear_t linear = target->page.linear;
	const struct access accesses[] = {
		read_access(linear, 8),	       write_access(linear, 8, frame_word(31)),
		fetch_access(linear),	       as_user(read_access(linear, 8)),
		as_user(fetch_access(linear)),
	};

	for (unsigned i = 0; i < COUNT_OF(accesses); i++) {
		if (misconfigured)
			expect_l2_misconfiguration(target->l2, accesses[i], target->gpa);
		else
			expect_l2_as_modelled(target->l2, accesses[i]);
	}
}

static void try_entry(const struct target *target, uint64_t entry, bool misconfigured)
{
	set(target, entry);
	try_each_access(target, misconfigured);
	set(target, target->good);
}

/* Each bit of `bits` alone, set in an entry that is good otherwise. */
static void try_bits(const struct target *target, uint64_t bits, bool misconfigured)
{
	for (unsigned bit = 0; bit < 64; bit++)
		if (bits >> bit & 1)
			try_entry(target, target->good | 1ull << bit, misconfigured);
}

static uint64_t bit_range(unsigned high, unsigned low)
{
	return (~0ull >> (63 - high)) & (~0ull << low);
}

static void try_rights(const struct target *target)
{
	uint64_t rest = target->good & ~EPT_RWX;
	bool execute_only = has_vmx(VMX_FEATURE_ept_execute_only);

	try_entry(target, rest | EPT_W, true);
	try_entry(target, rest | EPT_W | EPT_X, true);
	try_entry(target, rest | EPT_X, !execute_only);
}

static void try_memory_types(const struct target *target)
{
	for (uint64_t type = 0; type < 8; type++)
		try_entry(target, (target->good & ~EPT_MEMORY_TYPE) | type << 3,
			  type == 2 || type == 3 || type == 7);
}

/* Everything that the manual lists for an entry of this kind. */
static void try_list(enum level level, enum level second, bool structure)
{
	struct target target = target_at(level, second, structure);
	bool maps_page = level == PT || (target.good & EPT_PS);

	try_rights(&target);
	if (maxphyaddr() < 52)
		try_bits(&target, bit_range(51, maxphyaddr()), true);
	if (!maps_page)
		try_bits(&target, bit_range(level == PML4 ? 7 : 6, 3), true);
	if (maps_page)
		try_memory_types(&target);
	if (maps_page && level > PT)
		try_bits(&target, bit_range(level == PD ? 20 : 29, 13), true);
	/* Ignored while nothing enables a use of them. */
	try_bits(&target, bit_range(11, 8) | bit_range(59, 52) | EPT_SUPPRESS_VE, false);
}

static void try_walk(enum level second, bool structure)
{
	unsigned top = maxphyaddr() > 39 ? PML4 : PDPT;

	for (unsigned level = second; level <= top; level++)
		try_list(level, second, structure);
}

TEST(entries_for_4_kbyte_pages_are_checked,
     "each reserved setting of an EPT entry on the way to a "
     "4-KByte page is a misconfiguration",
     MANUAL, NEEDS)
{
	try_walk(PT, false);
}

TEST(entries_for_2_mbyte_pages_are_checked,
     "each reserved setting of an EPT entry on the way to a "
     "2-MByte page is a misconfiguration",
     MANUAL, NEEDS " ept_2m")
{
	try_walk(PD, false);
}

TEST(entries_for_1_gbyte_pages_are_checked,
     "each reserved setting of an EPT entry on the way to a "
     "1-GByte page is a misconfiguration",
     MANUAL, NEEDS " ept_1g")
{
	try_walk(PDPT, false);
}

/* A case of its own, since bit 12 is PAT in the large pages of ordinary paging. */
TEST(bit_12_is_reserved_in_entries_for_large_pages,
     "bit 12 of an EPT entry that maps a 2-MByte or 1-GByte page is reserved", MANUAL,
     NEEDS " ept_2m")
{
	struct target target = target_at(PD, PD, false);

	try_bits(&target, 1ull << 12, true);
	if (!has_vmx(VMX_FEATURE_ept_1g))
		return;
	target = target_at(PDPT, PDPT, false);
	try_bits(&target, 1ull << 12, true);
}

TEST(entries_for_structures_of_l2_are_checked,
     "each reserved setting of an EPT entry on the way to L2's page table is a misconfiguration",
     MANUAL, NEEDS)
{
	try_walk(PT, true);
}

TEST(an_entry_that_maps_1_gbyte_needs_the_capability,
     "bit 7 of an EPT PDPTE is reserved where 1-GByte pages are not offered", MANUAL, NEEDS)
{
	struct target target = target_at(PDPT, PT, false);

	if (has_vmx(VMX_FEATURE_ept_1g))
		end_case_skipped("no_ept_1g", "the processor offers 1-GByte pages in EPT");
	try_entry(&target, EPT_RWX | EPT_WB | EPT_PS, true);
}

TEST(entries_that_are_not_present_are_not_checked,
     "an EPT entry with R = W = X = 0 is a violation, whatever its other bits", MANUAL, NEEDS)
{
	struct random random = random_start(1);
	unsigned top = maxphyaddr() > 39 ? PML4 : PDPT;

	for (unsigned level = PT; level <= top; level++) {
		struct target target = target_at(level, PT, false);

		for (unsigned i = 0; i < 20; i++) {
			set(&target, random_next(&random) & ~(EPT_RWX | EPT_XU));
			expect_l2_violation(target.l2, read_access(target.page.linear, 8),
					    target.gpa);
			expect_l2_violation(target.l2, fetch_access(target.page.linear),
					    target.gpa);
		}
	}
}

TEST(a_misconfiguration_comes_before_a_violation,
     "an access that both a misconfigured entry and missing rights above it stop is a "
     "misconfiguration; below an entry that is not present nothing is looked at",
     "SDM Vol. 3, \"Prioritization of EPT Misconfigurations and EPT Violations\"", NEEDS)
{
	for (unsigned level = PT; level < PDPT; level++) {
		struct target target = target_at(level, PT, false);
		struct second_level *second = &target.l2->second;
		struct access write = write_access(target.page.linear, 8, 1);

		set(&target, (target.good & ~EPT_W) | 1ull << 51);
		expect_l2_misconfiguration(target.l2, write, target.gpa);
		second_allow(second, target.gpa, PDPT, SECOND_READ, SECOND_FLUSH);
		expect_l2_misconfiguration(target.l2, write, target.gpa);
		second_allow(second, target.gpa, PDPT, 0, SECOND_FLUSH);
		expect_l2_violation(target.l2, write, target.gpa);
	}
}
