/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Changes that need no invalidation, or survive one spurious fault.
 *
 * No processor caches an entry with P = 0, so making an entry present, at any level, takes effect
 * at once. Where rights are widened without invalidation an access may fault once with the old
 * rights: the fault itself drops the translation, so the repeated access completes (SDM Vol. 3,
 * "Optional Invalidation", "Operations that Invalidate TLBs and Paging-Structure Caches").
 *
 * Caught here: stale translations that survive a fault at their own address (BX07); shadow pages
 * linked without having been brought up to date (KS03: the entry that becomes present leads to a
 * table that was edited meanwhile); entries remembered as not present; endless spurious faults
 * after widening (KN26, AC02, KS11); a fault reported with rights that neither the old nor the new
 * entry has.
 */
#include "test.h"

SUBJECT(optional_invalidation, "entries made present and rights widened without any invalidation");

#define MANUAL "SDM Vol. 3, \"Optional Invalidation\""

enum { OLD = 51, NEW = 52 };

/* The access faults while P = 0, and completes as soon as P = 1. */
static void try_making_present(enum level page_level, enum level level, struct access access)
{
	gpa_t frame = page_level == PT ? filled_frame(OLD) : frames_alloc(PAGE_2M);
	struct page page = map_page_at(page_level, frame, P | RW | US);

	frame_fill(frame, PAGE_4K, OLD);
	access.linear = page.linear;
	write_entry(&page, level, *page.entry[level] & ~P, INVLPG);
	for (unsigned round = 0; round < 3; round++) {
		expect_as_modelled(access);
		expect_as_modelled(read_access(page.linear, 8));
		edit_entry(&page, level, NO_FLUSH, .set = P);
		expect_as_modelled(access);
		expect_as_modelled(read_access(page.linear, 8));
		edit_entry(&page, level, INVLPG, .clear = P);
	}
}

TEST(entry_made_present_is_used_at_once, "P changed from 0 to 1 at any level needs no invalidation",
     MANUAL, "")
{
	const struct access kinds[] = {read_access(LINEAR(0), 8),
				       write_access(LINEAR(0), 8, frame_word(OLD)),
				       fetch_access(LINEAR(0))};

	for (int page_level = PT; page_level <= PD; page_level++) {
		for (int level = page_level; level <= PML4; level++) {
			for (unsigned i = 0; i < COUNT_OF(kinds); i++) {
				try_making_present((enum level)page_level, (enum level)level,
						   kinds[i]);
				try_making_present((enum level)page_level, (enum level)level,
						   as_user(kinds[i]));
			}
		}
	}
}

/* Neighbours in the same table are in use, so that a shadow of it exists, with the not-present
 * entry in it. */
TEST(entry_made_present_among_used_neighbours,
     "A PTE made present is used at once although its neighbours' translations are cached", MANUAL,
     "")
{
	struct page page = map_page_at(PT, filled_frame(OLD), P | RW | US);
	uint64_t *table = table_of(page.entry[PT]);
	linear_t base = LINEAR(page.linear.value & ~(PAGE_2M - 1));
	gpa_t frame = filled_frame(NEW);

	write_entry(&page, PT, 0, INVLPG); /* the page's own may be one of those to come */
	for (unsigned i = 0; i < 512; i += 2)
		table[i] = page.frame.value | P | RW | US;
	for (unsigned i = 0; i < 512; i++)
		attempt(read_access(linear_plus(base, i * PAGE_4K), 8));
	for (unsigned i = 1; i < 512; i += 2) {
		linear_t linear = linear_plus(base, i * PAGE_4K);

		*(volatile uint64_t *)&table[i] = frame.value | P | RW | US;
		if (i & 2)
			expect_as_modelled(write_access(linear, 8, frame_word(NEW)));
		expect_read(as_user(read_access(linear, 8)), frame_word(NEW));
	}
}

/* The entry above becomes present after the table below was edited through another way in, with no
 * invalidation anywhere: there is nothing that could be cached of the new way. */
static void try_linking_an_edited_table(enum level level)
{
	struct page page = map_page_at(PT, filled_frame(OLD), P | RW | US);
	uint64_t *link = page.entry[level + 1] + 1; /* not present so far */
	uint64_t old_leaf = *page.entry[PT];
	linear_t second = linear_plus(page.linear, level_bytes(current_format(), level + 1));
	/* Another page of the same page table, too far away to be made ready along with it. */
	unsigned own = (unsigned)(page.linear.value / PAGE_4K % 512), other = own ^ 256;
	uint64_t away = (uint64_t)other * PAGE_4K - (uint64_t)own * PAGE_4K;

	*((volatile uint64_t *)table_of(page.entry[PT]) + other) = old_leaf;
	for (unsigned i = 0; i < 4; i++) {
		gpa_t frame = filled_frame(NEW + i);

		attempt(read_access(page.linear, 8));
		attempt(as_user(write_access(page.linear, 1, 0xb8)));
		write_entry(&page, PT, (old_leaf & ~ENTRY_ADDRESS) | frame.value, NO_FLUSH);
		*(volatile uint64_t *)link = *page.entry[level + 1] & ~(A | D);
		if (i & 1) /* a first use of the new way that does not look at the edited entry */
			expect_read(read_access(LINEAR(second.value + away), 8), frame_word(OLD));
		expect_read(read_access(second, 8), frame_word(NEW + i));
		expect_read(as_user(fetch_access(second)), NEW + i);
		*(volatile uint64_t *)link = 0;
		invalidate(second, INVLPG);
		invalidate(LINEAR(second.value + away), INVLPG);
		invalidate(page.linear, INVLPG);
		expect_page_fault(read_access(second, 8), 0);
		expect_read(read_access(page.linear, 8), frame_word(NEW + i));
	}
}

TEST(edited_table_linked_under_a_second_parent_is_current,
     "A table linked under an entry that was not present is used as it is in memory", MANUAL, "")
{
	for (int level = PT; level <= PDPT; level++)
		try_linking_an_edited_table((enum level)level);
}

/* At most one fault, with the rights that the entry had before; then the access completes. */
static void try_widening(enum level page_level, enum level level, struct access access,
			 uint64_t narrow_set, uint64_t narrow_clear, uint64_t error_code)
{
	gpa_t frame = page_level == PT ? filled_frame(OLD) : frames_alloc(PAGE_2M);
	struct page page = map_page_at(page_level, frame, P | RW | US);
	struct outcome outcome;

	frame_fill(frame, PAGE_4K, OLD);
	access.linear = page.linear;
	edit_entry(&page, level, INVLPG, .set = narrow_set, .clear = narrow_clear);
	attempt(read_access(page.linear, 8));
	attempt(as_user(read_access(page.linear, 8)));
	expect_page_fault(access, error_code);
	attempt(read_access(page.linear, 8)); /* cached again, with narrow rights */
	edit_entry(&page, level, NO_FLUSH, .set = narrow_clear, .clear = narrow_set);
	outcome = attempt(access);
	if (outcome.vector != NO_VECTOR)
		expect(outcome.vector == VECTOR_PF && outcome.error_code == error_code,
		       "spurious %s with error code 0x%llx", vector_name(outcome.vector),
		       (unsigned long long)outcome.error_code);
	expect_as_modelled(access);
}

TEST(widened_rights_fault_at_most_once,
     "After rights were widened without invalidation at most one access faults", MANUAL, "")
{
	const struct access write = write_access(LINEAR(0), 8, frame_word(OLD));

	for (int page_level = PT; page_level <= PD; page_level++) {
		for (int at = page_level; at <= PML4; at++) {
			enum level level = (enum level)at;

			try_widening((enum level)page_level, level, write, 0, RW, PF_P | PF_W);
			try_widening((enum level)page_level, level, as_user(write), 0, RW,
				     PF_P | PF_W | PF_U);
			try_widening((enum level)page_level, level,
				     as_user(read_access(LINEAR(0), 8)), 0, US, PF_P | PF_U);
		}
	}
}

TEST(allowed_execution_faults_at_most_once,
     "After XD was cleared without invalidation at most one fetch faults", MANUAL, "nx")
{
	set_efer(EFER_NXE);
	for (int page_level = PT; page_level <= PD; page_level++) {
		for (int level = page_level; level <= PML4; level++) {
			try_widening((enum level)page_level, (enum level)level,
				     fetch_access(LINEAR(0)), XD, 0, PF_P | PF_ID);
			try_widening((enum level)page_level, (enum level)level,
				     as_user(fetch_access(LINEAR(0))), XD, 0, PF_P | PF_U | PF_ID);
		}
	}
}

/* The page is in use, read-only; its entry at `level` then leads to other data, without any
 * invalidation. A write faults whichever translation it meets, and drops what was cached of the
 * address. */
static void try_fault_after_edit(enum level level, bool user, bool fetches)
{
	struct page page = map_page_at(PT, filled_frame(OLD), P | US);
	struct page other = map_page_at(PT, filled_frame(NEW), P | US);
	const uint64_t source = *other.entry[level];
	struct access write = write_access(linear_plus(page.linear, 8), 8, 0);
	unsigned steps = level - PT;

	/* the other page's structures, reached at this page's indexes */
	for (unsigned at = 0; at < steps; at++) {
		uint64_t *from = other.entry[PT + at];
		uint64_t *table = table_of(from);

		table[page.entry[PT + at] - table_of(page.entry[PT + at])] = *from;
	}
	write.user = user;
	attempt(read_access(page.linear, 8));
	attempt(as_user(read_access(page.linear, 8)));
	attempt(fetch_access(page.linear));
	attempt(as_user(fetch_access(page.linear)));
	write_entry(&page, level, source, NO_FLUSH);
	expect_page_fault(write, PF_P | PF_W | (user ? PF_U : 0));
	if (fetches) {
		expect_read(fetch_access(page.linear), NEW);
		expect_read(as_user(fetch_access(page.linear)), NEW);
		return;
	}
	expect_read(read_access(page.linear, 8), frame_word(NEW));
	expect_read(as_user(read_access(page.linear, 8)), frame_word(NEW));
}

#define MANUAL_FAULTS "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""

TEST(page_fault_drops_what_was_cached_of_its_address,
     "After #PF reads of the address use memory's entries, at every level, with no invalidation",
     MANUAL_FAULTS, "")
{
	for (int level = PT; level <= PML4; level++) {
		try_fault_after_edit((enum level)level, false, false);
		try_fault_after_edit((enum level)level, true, false);
	}
}

/* Apart, for emulators that cache where code is found apart from data. */
TEST(page_fault_drops_what_was_cached_of_its_address_for_fetches,
     "After #PF of a write fetches from the address use memory's entries, with no invalidation",
     MANUAL_FAULTS, "")
{
	for (int level = PT; level <= PML4; level++) {
		try_fault_after_edit((enum level)level, false, true);
		try_fault_after_edit((enum level)level, true, true);
	}
}
