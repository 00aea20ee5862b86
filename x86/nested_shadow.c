/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L2 without nested paging: the image is a hypervisor that shadows its guest's paging structures.
 *
 * Without nested paging VMRUN loads a CR3 that the processor walks as it stands; the hypervisor has
 * it point to tables of its own, intercepts #PF, INVLPG and writes to CR0, CR3 and CR4, maps pages
 * that hold its guest's tables read-only and carries out stores to them (APM Vol. 2, "Shadow Page
 * Tables", "#PF Intercepts", "Intercept Exceptions": the error code in EXITINFO1, the address in
 * EXITINFO2). lib/nested/shadow.h is that hypervisor, and everything here has to look to L2 as if
 * nobody stood between it and its tables.
 *
 * Caught here, in the hypervisor or emulator below: #PF intercepts without the error code or the
 * address, INVLPG and control-register intercepts that are lost, translations kept over a VMRUN
 * that flushes, CR0.WP of the guest not used for the guest, a #DB after a single step that is lost.
 * And in lib/nested/shadow.c, which a kill matrix can break: any mistake of a shadow pager, by the
 * subjects that the suite has for shadow pagers: rights of all levels (KS01), tables seen through
 * an alias, tables reused as data, accessed and dirty flags (KS06), INVLPG of large pages (KS05).
 *
 * Not checked: SMAP and protection keys, which the shadow pager does not know; modes but 4-level.
 */
#include "test.h"

SUBJECT(nested_shadow, "an L2 whose paging structures the image shadows: rights, flags, CR0.WP");

#define PAGING \
	"SDM Vol. 3, \"4-Level Paging and 5-Level Paging\"; APM Vol. 2, \"Shadow Page Tables\""
#define NEEDS "svm svm_allowed nx"
#define FLAGS (P | RW | US | A | D)

static void try_accesses(struct l2 *l2, linear_t linear)
{
	const struct access read = read_access(linear, 8);
	const struct access write = write_access(linear, 8, frame_word(77));
	const struct access fetch = fetch_access(linear);
	const struct access all[] = {read,	    write,	    fetch,
				     as_user(read), as_user(write), as_user(fetch)};

	for (unsigned i = 0; i < COUNT_OF(all); i++)
		expect_l2_as_modelled(l2, all[i]);
}

static uint64_t rights_of(unsigned number)
{
	return (number & 1 ? RW : 0) | (number & 2 ? US : 0) | (number & 4 ? XD : 0);
}

/* All combinations of rights in two levels at a time, and each entry not present. */
static void try_rights(struct l2 *l2, const struct l2_page *page, enum level upper,
		       enum level lower)
{
	uint64_t above = *(volatile uint64_t *)page->entry[upper] & ~(RW | US | XD);
	uint64_t below = *(volatile uint64_t *)page->entry[lower] & ~(RW | US | XD);

	for (unsigned number = 0; number < 66; number++) {
		l2_write_entry(l2, page, upper, above | rights_of(number / 8));
		l2_write_entry(l2, page, lower, below | rights_of(number));
		if (number >= 64)
			l2_write_entry(l2, page, number == 64 ? upper : lower, above & ~P);
		try_accesses(l2, page->linear);
	}
	l2_write_entry(l2, page, upper, above | RW | US);
	l2_write_entry(l2, page, lower, below | RW | US);
}

TEST(rights_of_all_levels_combine,
     "R/W, U/S and XD of L2's entries decide on each access, CR0.WP set and clear", PAGING, NEEDS)
{
	for (unsigned leaf = PT; leaf <= PD; leaf++) {
		struct l2 *l2 = l2_start(L2_4LEVEL, .shadow = true);
		struct l2_page page = l2_map(l2, leaf, FLAGS, 11);

		for (unsigned upper = leaf + 1; upper <= PML4; upper++) {
			l2->cr0 |= CR0_WP;
			try_rights(l2, &page, upper, leaf);
			l2->cr0 &= ~CR0_WP;
			try_rights(l2, &page, upper, leaf);
		}
	}
}

TEST(reserved_bits_fault_in_l2, "a reserved bit in any of L2's entries is #PF with P and RSVD",
     PAGING, NEEDS " reserved_address_bits")
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .shadow = true);
	struct l2_page page = l2_map(l2, PT, FLAGS, 12);

	for (unsigned level = PT; level <= PML4; level++) {
		uint64_t good = *(volatile uint64_t *)page.entry[level];

		l2_write_entry(l2, &page, level, good | 1ull << 51);
		try_accesses(l2, page.linear);
		l2_write_entry(l2, &page, level, good);
	}
}

TEST(flags_follow_each_access,
     "L2 sees A in every entry that it uses and D where it writes, and nothing else changed",
     "SDM Vol. 3, \"Accessed and Dirty Flags\"", NEEDS)
{
	for (unsigned leaf = PT; leaf <= (has(FEATURE_pages_1g) ? PDPT : PD); leaf++) {
		struct l2 *l2 = l2_start(L2_4LEVEL, .shadow = true);
		struct l2_page page = l2_map(l2, leaf, FLAGS, 13);

		for (unsigned flags = 0; flags < 3; flags++) {
			l2_set_flags(l2, &page, flags == 0 ? 0 : flags == 1 ? A : A | D);
			try_accesses(l2, page.linear);
			l2_set_flags(l2, &page, 0);
			expect_l2_as_modelled(
				l2, instruction_access(INSTRUCTION_lock_or, page.linear, 0));
		}
	}
}

TEST(the_dirty_flag_follows_a_write_through_a_cached_translation,
     "a write after a read makes L2's entry dirty although its translation is cached",
     "SDM Vol. 3, \"Accessed and Dirty Flags\"", NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .shadow = true);
	struct l2_page page = l2_map(l2, PT, P | RW | US, 14);
	volatile uint64_t *entry = (volatile uint64_t *)page.entry[PT];

	expect_l2_completes(l2, read_access(page.linear, 8));
	expect((*entry & (A | D)) == A, "after a read 0x%llx", (unsigned long long)*entry);
	expect_l2_completes(l2, as_user(write_access(page.linear, 8, 1)));
	expect((*entry & (A | D)) == (A | D), "after a write 0x%llx", (unsigned long long)*entry);
}

TEST(cr0_wp_of_l2_counts_at_once,
     "with CR0.WP = 0 supervisor mode writes where user mode still may not; MOV to CR0 by L2 ends "
     "that without an invalidation",
     "SDM Vol. 3, \"Determination of Access Rights\"", NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .shadow = true);
	struct l2_page page = l2_map(l2, PT, P | US, 15);
	struct access write = write_access(page.linear, 8, frame_word(16));
	uint64_t with_wp = l2->cr0;

	l2->cr0 &= ~CR0_WP;
	for (unsigned i = 0; i < 3; i++) {
		expect_l2_completes(l2, write);
		expect_l2_page_fault(l2, as_user(write), PF_P | PF_W | PF_U);
		expect_l2_completes(l2, write);
		expect_l2_read(l2, as_user(read_access(page.linear, 8)), frame_word(16));
	}
	expect_l2_completes(l2, instruction_access(INSTRUCTION_mov_to_cr0, page.linear, with_wp));
	expect_l2_page_fault(l2, write, PF_P | PF_W);
}
