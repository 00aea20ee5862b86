/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Accessed and dirty flags: when they must, may and must not be set, and that nothing else of an
 * entry ever changes.
 *
 * Using an entry sets its A; a write sets D in the entry that maps the page, and only there; the
 * processor clears neither and changes no other bit (SDM Vol. 3, "Accessed and Dirty Flags"; APM
 * Vol. 2, "Page-Table Entry Fields"). A read-modify-write is a write for rights and for D.
 *
 * Caught here: D lost when the translation was cached by a read (V803) or comes through a second
 * entry for one frame (KS06); D missing after a supervisor write with CR0.WP = 0 (XS17); D or A set
 * by accesses that were denied (XS17, XS19); flags at the wrong level or in the wrong table;
 * read-modify-write instructions taken for reads (R17); flag updates that rewrite neighbour bits or
 * neighbour entries (R15); flags set only once (a cleared flag that never returns after INVLPG).
 * Shadow pagers track D by write-protection, emulators in their TLB: both forget.
 *
 * Not checked: A set early by speculation (P7, P12); atomicity against other processors (it needs
 * several).
 */
#include "test.h"

SUBJECT(accessed_dirty, "accessed and dirty flags at each level and page size");

#define MANUAL "SDM Vol. 3, \"Accessed and Dirty Flags\""

static void clear_all_flags(const struct subject *subject, enum invalidation then)
{
	for (int level = PML4; level >= (int)subject->page.level; level--)
		*(volatile uint64_t *)subject->page.entry[level] &= ~(A | D);
	invalidate(subject->target, then);
}

/* Each preset combination of A at all levels and D in the last: exactly the missing flags are
 * added. */
static void try_presets(enum level level, struct access access)
{
	struct subject subject = map_subject(level, P | RW | US, 31);
	unsigned levels = PML4 - level + 1;

	access.linear = subject.target;
	for (unsigned preset = 0; preset < 1u << (levels + 1); preset++) {
		for (unsigned i = 0; i < levels; i++) {
			uint64_t *entry = subject.page.entry[level + i];

			*(volatile uint64_t *)entry =
				(*entry & ~(A | D)) | (preset >> i & 1 ? A : 0);
		}
		if (preset >> levels & 1)
			*subject.page.entry[level] |= D;
		invalidate(subject.target, MOV_CR3);
		expect_as_modelled(access);
	}
}

TEST(flags_are_added_to_every_preset,
     "Flags that are set already stay, those that are missing are added, at every level", MANUAL,
     "")
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		try_presets((enum level)level, read_access(LINEAR(0), 8));
		try_presets((enum level)level, write_access(LINEAR(0), 8, frame_word(32)));
		try_presets((enum level)level, fetch_access(LINEAR(0)));
		try_presets((enum level)level, as_user(read_access(LINEAR(0), 1)));
		try_presets((enum level)level, as_user(write_access(LINEAR(0), 1, 0)));
		try_presets((enum level)level, as_user(fetch_access(LINEAR(0))));
	}
}

static void try_flags_return(enum level level, enum invalidation then)
{
	struct subject subject = map_subject(level, P | RW | US, 31);

	for (unsigned round = 0; round < 4; round++) {
		clear_all_flags(&subject, then);
		expect_as_modelled(read_access(subject.target, 8));
		expect_as_modelled(as_user(write_access(subject.target, 8, frame_word(33))));
		clear_all_flags(&subject, then);
		expect_as_modelled(write_access(subject.target, 4, 5));
		for (int at = level; at <= PML4; at++) {
			edit_entry(&subject.page, (enum level)at, then, .clear = A | D);
			expect_as_modelled(as_user(write_access(subject.target, 2, 6)));
		}
		edit_entry(&subject.page, level, then, .clear = D);
		expect_as_modelled(write_access(subject.target, 2, 7));
	}
}

TEST(cleared_flags_return_after_an_invalidation,
     "A flag that software cleared is set again by the first use after INVLPG or MOV CR3", MANUAL,
     "")
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		try_flags_return((enum level)level, INVLPG);
		try_flags_return((enum level)level, MOV_CR3);
		try_flags_return((enum level)level, CR4_PGE_TWICE);
	}
}

/* Everything else in the tables: canaries in all other entries (not present, so that no walk may
 * use them), and all ignored bits of the used entries set. */
static void plant_canaries(const struct subject *subject, gpa_t *tables, unsigned count)
{
	struct random random = random_start(2);

	for (unsigned i = 0; i < count; i++) {
		uint64_t *used = subject->page.entry[subject->page.level + i];
		uint64_t *table = table_of(used);

		*used |= IGNORED_9_11 | IGNORED_52_58;
		for (unsigned at = 0; at < 512; at++)
			if (&table[at] != used)
				table[at] = random_next(&random) & ~P;
		tables[i] = gpa_of(table);
	}
	invalidate(subject->target, MOV_CR3);
}

static uint64_t sum_of_tables(const struct subject *subject, const gpa_t *tables, unsigned count)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < count; i++) {
		const volatile uint64_t *table = identity(tables[i]);

		for (unsigned at = 0; at < 512; at++)
			if (&table[at] != subject->page.entry[subject->page.level + i])
				sum = (sum << 7 | sum >> 57) + table[at];
	}
	return sum;
}

static void try_canaries(enum level level)
{
	struct subject subject = map_subject(level, P | RW | US, 31);
	unsigned count = PDPT - level + 1; /* the PML4 table is not the case's own */
	gpa_t tables[MOST_LEVELS];
	uint64_t before, after;

	plant_canaries(&subject, tables, count);
	before = sum_of_tables(&subject, tables, count);
	for (unsigned i = 0; i < 6; i++) {
		struct access access = i < 2   ? read_access(subject.target, 8)
				       : i < 4 ? write_access(subject.target, 8, 1)
					       : fetch_access(subject.target);

		if (i >= 4)
			frame_fill(gpa_of((void *)((uintptr_t)subject.memory & ~(PAGE_4K - 1))),
				   PAGE_4K, 34);
		access.user = i & 1;
		clear_all_flags(&subject, INVLPG);
		expect_as_modelled(access);
	}
	after = sum_of_tables(&subject, tables, count);
	expect(before == after, "another entry of a table changed under a %s page",
	       page_size_name(level));
}

TEST(no_other_bit_of_any_table_changes,
     "Setting flags leaves all other bits of the entry and all other entries alone", MANUAL, "")
{
	for (int level = PT; level <= (int)largest_page(); level++)
		try_canaries((enum level)level);
}

/* Two entries for one frame: each write marks the entry that it went through. */
static void try_two_entries(enum level level, bool read_only)
{
	struct subject one = map_subject(level, P | US | (read_only ? 0 : RW), 31);
	struct subject two = one;

	two.page = map_page_at(level, one.page.frame, P | US | (read_only ? 0 : RW));
	two.target = linear_plus(two.page.linear, one.target.value - one.page.linear.value);
	for (unsigned round = 0; round < 4; round++) {
		clear_all_flags(&one, INVLPG);
		clear_all_flags(&two, INVLPG);
		expect_as_modelled(write_access(one.target, 8, round));
		expect_flags(&two.page, level, D, 0);
		expect_as_modelled(read_access(two.target, 8));
		expect_flags(&two.page, level, D, 0);
		expect_as_modelled(write_access(two.target, 8, round + 10));
		clear_all_flags(&one, INVLPG);
		expect_as_modelled(write_access(one.target, 8, round + 20));
	}
}

TEST(each_entry_of_a_shared_frame_has_its_own_dirty_flag,
     "A write sets D in the entry that it used, not in another that maps the same frame", MANUAL,
     "")
{
	for (int level = PT; level <= (int)largest_page(); level++)
		try_two_entries((enum level)level, false);
}

TEST(supervisor_write_to_a_read_only_page_sets_dirty,
     "With CR0.WP = 0 a supervisor write through R/W = 0 completes and sets D", MANUAL, "")
{
	clear_cr0(CR0_WP);
	for (int level = PT; level <= (int)largest_page(); level++)
		try_two_entries((enum level)level, true);
}

/* An operand of 16 bytes with 8 in each page: both are used. */
TEST(access_across_two_pages_sets_the_flags_of_both,
     "An access that crosses into another page sets A, and by a write D, in both", MANUAL, "")
{
	struct subject subject = map_subject(PT, P | RW | US, 31);
	uint64_t *first = subject.page.entry[PT], *second = first + 1;
	linear_t last_bytes = linear_plus(subject.page.linear, PAGE_4K - 4);
	gpa_t other = frame_alloc();

	for (unsigned i = 0; i < 8; i++) {
		bool write = i & 1;
		struct access access =
			write ? write_access(last_bytes, 8, 9) : read_access(last_bytes, 8);

		access.user = i & 2;
		*second = other.value | P | RW | US;
		clear_all_flags(&subject, INVLPG);
		invalidate(linear_plus(subject.page.linear, PAGE_4K), INVLPG);
		expect(attempt(access).vector == NO_VECTOR, "the access faulted");
		expect((*first & (A | D)) == (write ? A | D : A), "first page's PTE 0x%llx",
		       (unsigned long long)*first);
		expect((*second & (A | D)) == (write ? A | D : A), "second page's PTE 0x%llx",
		       (unsigned long long)*second);
	}
}
