/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L2 without nested paging changes its paging structures: stores through an alias, tables that are
 * reused, INVLPG, MOV to CR3.
 *
 * The image is the hypervisor (nested_shadow.c): it maps L2's tables read-only, has L2 carry out a
 * store to them in a single step, and follows INVLPG and MOV to CR3, which it intercepts. L2 may
 * rely on what the manual promises after each of these (SDM Vol. 3, "Operations that Invalidate
 * TLBs and Paging-Structure Caches", "Optional Invalidation"; APM Vol. 2, "Shadow Page Tables").
 *
 * Caught here, in the hypervisor or emulator below: read-only mappings that are not, a single step
 * that is lost, INVLPG and CR intercepts that are lost or report another register, translations
 * kept over a VMRUN that flushes. In lib/nested/shadow.c: stores of some width lost, a page that is
 * still treated as a table (KS03), INVLPG that drops one 4-KByte piece of a large page (KS05,
 * QT22), the shadows of another root used.
 *
 * Not checked: that a translation is still cached.
 */
#include "test.h"

SUBJECT(nested_shadow_tables, "an L2 whose paging structures the image shadows changes them");

#define CACHING "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define NEEDS	"svm svm_allowed nx"
#define FLAGS	(P | RW | US | A | D)
#define SPACES	3

/* A page, and one of its tables as a second page that L2 can write to. */
struct pair {
	struct l2 *l2;
	struct l2_page page, alias;
	linear_t entry; /* of `level`, through the alias */
	gpa_t other;	/* L2-physical, of a page filled with the tag that follows */
};

static struct pair new_pair(enum level level, uint32_t tag)
{
	struct pair pair = {.l2 = l2_start(L2_4LEVEL, .shadow = true)};

	pair.page = l2_map(pair.l2, PT, FLAGS, tag);
	pair.alias = l2_map(pair.l2, PT, FLAGS, tag);
	l2_write_entry(pair.l2, &pair.alias, PT, pair.page.table[level].value | FLAGS);
	pair.alias.linear.value &= ~(PAGE_4K - 1);
	pair.entry = linear_plus(pair.alias.linear, pair.page.entry_gpa[level] % PAGE_4K);
	pair.other = l2_place(pair.l2, filled_frame(tag + 1), PT, false);
	return pair;
}

static void expect_tag(struct l2 *l2, linear_t linear, uint32_t tag)
{
	expect_l2_read(l2, read_access(linear, 8), frame_word(tag));
	expect_l2_read(l2, as_user(read_access(linear, 8)), frame_word(tag));
}

static void l2_stores(struct pair *pair, enum instruction instruction, linear_t where,
		      uint64_t value)
{
	expect_l2_completes(pair->l2, instruction_access(instruction, where, value));
}

static void l2_invalidates(struct pair *pair, linear_t linear)
{
	expect_l2_completes(pair->l2, instruction_access(INSTRUCTION_invlpg, linear, 0));
}

TEST(stores_to_tables_through_an_alias_count,
     "whatever instruction of L2's stores to its table, INVLPG makes the new entry count", CACHING,
     NEEDS)
{
	static const enum instruction stores[] = {INSTRUCTION_write8, INSTRUCTION_xchg,
						  INSTRUCTION_stos, INSTRUCTION_push,
						  INSTRUCTION_movnti};

	for (unsigned i = 0; i < COUNT_OF(stores); i++) {
		struct pair pair = new_pair(PT, 20);
		uint64_t old = *(volatile uint64_t *)pair.page.entry[PT];

		expect_tag(pair.l2, pair.page.linear, 20);
		l2_stores(&pair, stores[i], pair.entry, pair.other.value | FLAGS);
		l2_invalidates(&pair, pair.page.linear);
		expect_tag(pair.l2, pair.page.linear, 21);
		l2_stores(&pair, stores[i], pair.entry, old);
		l2_invalidates(&pair, pair.page.linear);
		expect_tag(pair.l2, pair.page.linear, 20);
	}
}

TEST(narrow_stores_to_tables_count, "a store of 1, 2 or 4 bytes to L2's table counts after INVLPG",
     CACHING, NEEDS)
{
	struct pair pair = new_pair(PT, 22);
	uint64_t entry = pair.page.gpa.value | FLAGS;
	linear_t linear = pair.page.linear;

	expect_tag(pair.l2, linear, 22);
	for (unsigned size = 0; size < 3; size++) {
		l2_stores(&pair, INSTRUCTION_write1 + size, pair.entry, entry & ~(uint64_t)US);
		l2_invalidates(&pair, linear);
		expect_l2_page_fault(pair.l2, as_user(read_access(linear, 8)), PF_P | PF_U);
		l2_stores(&pair, INSTRUCTION_write1 + size, pair.entry, entry);
		l2_invalidates(&pair, linear);
		expect_tag(pair.l2, linear, 22);
	}
}

TEST(an_entry_that_becomes_present_needs_no_invalidation,
     "after L2 sets P of an entry at any level its next access completes",
     "SDM Vol. 3, \"Optional Invalidation\"", NEEDS)
{
	for (unsigned level = PT; level <= PML4; level++) {
		struct pair pair = new_pair(level, 24);
		uint64_t entry = *(volatile uint64_t *)pair.page.entry[level];

		l2_stores(&pair, INSTRUCTION_write8, pair.entry, 0);
		l2_invalidates(&pair, pair.page.linear);
		expect_l2_page_fault(pair.l2, read_access(pair.page.linear, 8), 0);
		l2_stores(&pair, INSTRUCTION_write8, pair.entry, entry);
		expect_tag(pair.l2, pair.page.linear, 24);
	}
}

TEST(a_table_that_becomes_data_is_data,
     "after L2's entry leads to another table, the old one is memory and the new one a table",
     CACHING, NEEDS)
{
	struct pair pair = new_pair(PD, 26);
	struct l2_page fresh = l2_map(pair.l2, PT, FLAGS, 28); /* lends its page table */
	uint64_t index = level_index(&paging_4level, PT, pair.page.linear.value);
	volatile uint64_t *entries = identity(l2_frame_of(pair.l2, fresh.table[PT]));
	linear_t data = pair.alias.linear;

	expect_tag(pair.l2, pair.page.linear, 26);
	entries[index] = pair.other.value | FLAGS;
	l2_stores(&pair, INSTRUCTION_write8, pair.entry, fresh.table[PT].value | P | RW | US | A);
	l2_invalidates(&pair, pair.page.linear);
	expect_tag(pair.l2, pair.page.linear, 27);
	/* The alias now shows the table that is none any more. */
	l2_write_entry(pair.l2, &pair.alias, PT, pair.page.table[PT].value | FLAGS);
	l2_invalidates(&pair, data);
	data = linear_plus(data, pair.page.entry_gpa[PT] % PAGE_4K);
	l2_stores(&pair, INSTRUCTION_write8, data, frame_word(29));
	expect_tag(pair.l2, data, 29);
	expect_tag(pair.l2, pair.page.linear, 27);
}

TEST(invlpg_drops_a_page, "INVLPG by L2 makes an entry count that was changed behind its back",
     CACHING, NEEDS)
{
	struct pair pair = new_pair(PT, 34);

	expect_tag(pair.l2, pair.page.linear, 34);
	l2_write_entry(pair.l2, &pair.page, PT, pair.other.value | FLAGS);
	l2_invalidates(&pair, pair.page.linear);
	expect_tag(pair.l2, pair.page.linear, 35);
}

TEST(invlpg_drops_all_of_a_large_page,
     "one INVLPG by L2 of any address in a 2-MByte page drops all of its translation", CACHING,
     NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .shadow = true, .second_of_pages = PD);
	struct l2_page page = l2_map(l2, PD, FLAGS, 30);
	gpa_t old = filled_frame(31), region = l2_place(l2, GPA(0), PT, false);
	uint64_t first = page.gpa.value % PAGE_2M, second = old.value % PAGE_2M;
	linear_t base = LINEAR(page.linear.value - first);

	if ((old.value ^ page.frame.value) / PAGE_2M)
		end_case_failed("two frames are not in one large page");
	expect_tag(l2, linear_plus(base, first), 30);
	expect_tag(l2, linear_plus(base, second), 31);
	region.value &= ~(PAGE_2M - 1);
	second_map(&l2->second, gpa_plus(region, first), filled_frame(32), PT, SECOND_ALL);
	second_map(&l2->second, gpa_plus(region, second), filled_frame(33), PT, SECOND_ALL);
	l2_write_entry(l2, &page, PD, region.value | FLAGS | PS);
	expect_l2_completes(l2,
			    instruction_access(INSTRUCTION_invlpg, linear_plus(base, 0x777), 0));
	expect_tag(l2, linear_plus(base, second), 33);
	expect_tag(l2, linear_plus(base, first), 32);
}

TEST(mov_to_cr3_by_l2_changes_its_space,
     "after MOV to CR3 L2 sees the pages of the other root at the same linear address", CACHING,
     NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .shadow = true);
	struct random random = random_start(5);
	uint64_t cr3[SPACES];
	linear_t linear;

	for (unsigned i = 0; i < SPACES; i++) {
		if (i)
			l2_new_space(l2);
		cr3[i] = l2->cr3;
		linear = l2_map(l2, PT, FLAGS, 40 + i).linear;
	}
	for (unsigned i = 0; i < 100; i++) {
		unsigned n = (unsigned)random_below(&random, SPACES);

		if (i & 1) /* by VMRUN, then by L2 itself */
			l2->cr3 = cr3[n];
		else
			expect_l2_completes(
				l2, instruction_access(INSTRUCTION_mov_to_cr3, linear, cr3[n]));
		expect(l2->cr3 == cr3[n], "CR3 is 0x%llx", (unsigned long long)l2->cr3);
		expect_l2_read(l2, read_access(linear, 8), frame_word(40 + n));
	}
}

TEST(mov_to_cr3_of_the_same_root_drops_translations,
     "MOV to CR3 by L2 makes an entry count that was changed behind its back", CACHING, NEEDS)
{
	struct pair pair = new_pair(PT, 36);
	linear_t linear = pair.page.linear;

	expect_tag(pair.l2, linear, 36);
	l2_write_entry(pair.l2, &pair.page, PT, pair.other.value | FLAGS);
	expect_l2_completes(pair.l2,
			    instruction_access(INSTRUCTION_mov_to_cr3, linear, pair.l2->cr3));
	expect_tag(pair.l2, linear, 37);
}
