/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Switching address spaces, and what MOV to CR3 must drop.
 *
 * After MOV to CR3 every translation comes from the new root; nothing but global translations of
 * the old may be used, at any level, and none of this PCID at all if nothing is global (SDM Vol. 3,
 * "Operations that Invalidate TLBs and Paging-Structure Caches"; APM Vol. 2, "TLB Management"). A
 * change of CR4.PGE drops the global ones as well; G means nothing while CR4.PGE = 0, nor in an
 * entry that references a table ("Global Pages").
 *
 * Caught here: roots and tables remembered by address when the frame holds something else by now
 * (KS28, XS29, CR3 reuse in any cache of roots); edits missed while another root was loaded; lower
 * tables shared between roots with other rights (KS01); translations that survive a switch (XS29,
 * BL01, V802); global entries that survive CR4.PGE, or non-global ones taken for global. Shadow
 * pagers keep many shadow roots and are wrong when one is not brought up to date; emulators forget
 * one of several caches.
 *
 * Not asserted: that global translations survive (P10); anything about PCIDs.
 */
#include "test.h"

SUBJECT(mov_to_cr3, "address spaces: switched, edited, shared, freed and reused");

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""

/* An address space in which the case's linear address leads to a frame of its own. */
struct space {
	gpa_t root;
	uint64_t *entry[PML4 + 1];
	uint32_t tag;
};

static const uint64_t shared_linear = 0x0000123456789000;

/* Builds structures from the root down to `own`; below that it uses those of `other`. */
static struct space make_space(uint32_t tag, enum level own, const struct space *other)
{
	struct space space = {.root = copy_root(), .tag = tag};
	gpa_t table = space.root;

	for (int level = PML4; level >= PT; level--) {
		uint64_t *entries = identity(table);
		gpa_t next;

		space.entry[level] =
			&entries[level_index(&paging_4level, (enum level)level, shared_linear)];
		if (other && level <= (int)own) {
			*space.entry[level] = *other->entry[level] & ~(A | D);
			for (int below = level - 1; below >= PT; below--)
				space.entry[below] = other->entry[below];
			space.tag = other->tag;
			break;
		}
		next = level == PT ? filled_frame(tag) : frame_alloc();
		*space.entry[level] = next.value | P | RW | US;
		table = next;
	}
	return space;
}

static void expect_space(const struct space *space)
{
	linear_t linear = LINEAR(shared_linear);

	expect_read(read_access(linear, 8), frame_word(space->tag));
	expect_read(as_user(read_access(linear_plus(linear, 0xff8), 8)), frame_word(space->tag));
	expect_read(fetch_access(linear), space->tag);
	expect_read(as_user(fetch_access(linear)), space->tag);
}

static void change_leaf(struct space *space, uint32_t tag)
{
	*(volatile uint64_t *)space->entry[PT] = filled_frame(tag).value | P | RW | US;
	space->tag = tag;
}

TEST(each_root_has_its_own_translations,
     "One linear address leads to another frame in each of two roots, switch after switch", MANUAL,
     "")
{
	struct space a = make_space(1, PT, NULL), b = make_space(2, PT, NULL);

	for (unsigned i = 0; i < 50; i++) {
		load_root(a.root);
		expect_space(&a);
		load_root(b.root);
		expect_space(&b);
	}
}

#define MOST_APART (16 * MBYTE)

TEST(roots_that_differ_in_one_bit_are_two,
     "MOV to CR3 of a root whose address differs in a single bit uses the new root's translations",
     MANUAL, "")
{
	struct space a = make_space(1, PT, NULL), b = make_space(2, PT, NULL);
	gpa_t block = frames_alloc(2 * MOST_APART);

	memcpy(identity(block), identity(a.root), PAGE_4K);
	for (uint64_t bit = PAGE_4K; bit <= MOST_APART; bit <<= 1) {
		memcpy(identity(gpa_plus(block, bit)), identity(b.root), PAGE_4K);
		for (unsigned i = 0; i < 4; i++) {
			load_root(gpa_plus(block, i & 1 ? bit : 0));
			expect_space(i & 1 ? &b : &a);
		}
	}
}

#define ROOTS 150

TEST(many_roots_in_turn_and_in_random_order,
     "With many roots each switch uses the structures of the root that was loaded", MANUAL, "")
{
	static struct space spaces[ROOTS];
	struct random random = random_start(1);

	for (uint32_t i = 0; i < ROOTS; i++) {
		const struct space *other = i % 5 && i > 5 ? &spaces[i - 5] : NULL;

		spaces[i] = make_space(i + 1, (enum level)(i % 4), other);
	}
	for (unsigned i = 0; i < 2 * ROOTS; i++) {
		const struct space *space = &spaces[i < ROOTS ? i : random_below(&random, ROOTS)];

		load_root(space->root);
		expect_space(space);
	}
}

TEST(edits_under_another_root_are_seen_after_the_switch,
     "An entry edited at any level while another root is loaded is used after MOV to CR3", MANUAL,
     "")
{
	struct space a = make_space(1, PT, NULL), b = make_space(2, PT, NULL);
	uint32_t tag = 100;

	for (int level = PT; level <= PML4; level++) {
		for (unsigned i = 0; i < 6; i++) {
			struct space fresh = make_space(tag++, PT, NULL);

			load_root(a.root);
			expect_space(&a);
			load_root(b.root);
			expect_space(&b);
			/* a's entry now leads to the new space's structures */
			*(volatile uint64_t *)a.entry[level] = *fresh.entry[level];
			a.tag = fresh.tag;
			for (int below = PT; below < level; below++)
				a.entry[below] = fresh.entry[below];
			expect_space(&b);
			load_root(a.root);
			expect_space(&a);
		}
	}
}

TEST(reloading_the_same_root_drops_everything,
     "MOV to CR3 of its own value makes edits at any level take effect", MANUAL, "")
{
	struct space a = make_space(1, PT, NULL);
	uint32_t tag = 2;

	load_root(a.root);
	for (int level = PT; level <= PML4; level++) {
		for (unsigned i = 0; i < 6; i++) {
			struct space fresh = make_space(tag++, PT, NULL);

			expect_space(&a);
			*(volatile uint64_t *)a.entry[level] = *fresh.entry[level];
			a.tag = fresh.tag;
			for (int below = PT; below < level; below++)
				a.entry[below] = fresh.entry[below];
			invalidate(LINEAR(0), MOV_CR3);
			expect_space(&a);
		}
	}
}

/* Rights of the tables above differ, the page table below is one and the same. */
TEST(shared_table_has_the_rights_of_each_root,
     "A table used under two roots gives each the rights of its own upper entries", MANUAL, "")
{
	struct space a = make_space(1, PT, NULL), b = make_space(1, PD, &a);
	const struct access read = read_access(LINEAR(shared_linear), 8);
	const struct access write = write_access(LINEAR(shared_linear), 8, frame_word(1));

	for (unsigned rights = 0; rights < 16; rights++) {
		*b.entry[PML4] = (*b.entry[PML4] & ~(RW | US)) | (rights & 1 ? RW : 0) |
				 (rights & 2 ? US : 0);
		*a.entry[PML4] = (*a.entry[PML4] & ~(RW | US)) | (rights & 4 ? RW : 0) |
				 (rights & 8 ? US : 0);
		for (unsigned i = 0; i < 4; i++) {
			load_root(i & 1 ? b.root : a.root);
			expect_as_modelled(as_user(read));
			expect_as_modelled(as_user(write));
			expect_as_modelled(write);
			expect_as_modelled(read);
		}
	}
}

/* The frame of a root becomes a data page, a lower table, then a root again; the frames of its
 * tables too. */
TEST(freed_root_can_be_reused_for_anything,
     "A frame that was a root, or a table, is what its new content makes it", MANUAL, "")
{
	struct space a = make_space(1, PT, NULL), b = make_space(2, PT, NULL);
	struct page window;
	uint32_t tag = 10;

	window = map_page_at(PT, a.root, P | RW | US);
	b.root = copy_root();
	*(uint64_t *)((uintptr_t)identity(b.root) +
		      8 * level_index(&paging_4level, PML4, shared_linear)) = *b.entry[PML4];
	for (unsigned i = 0; i < 20; i++) {
		struct space fresh = make_space(tag++, PT, NULL);
		uint64_t *root = identity(a.root);

		/* a.root is a root, with the new space's structures below */
		memcpy(root, identity(image_root()), PAGE_4K);
		root[level_index(&paging_4level, PML4, shared_linear)] = *fresh.entry[PML4];
		load_root(a.root);
		expect_space(&fresh);
		/* then data of the other space, written by user code */
		load_root(b.root);
		for (unsigned at = 0; at < PAGE_4K; at += 8)
			attempt(as_user(
				write_access(linear_plus(window.linear, at), 8, frame_word(tag))));
		expect_space(&b);
		expect_read(fetch_access(linear_plus(window.linear, 0x100)), tag);
		/* then the page table of that space */
		memset(root, 0, PAGE_4K);
		root[level_index(&paging_4level, PT, shared_linear)] =
			filled_frame(tag).value | P | RW | US;
		*(volatile uint64_t *)b.entry[PD] = a.root.value | P | RW | US;
		load_root(b.root);
		expect_space(&(struct space){.tag = tag});
		/* and given back */
		*(volatile uint64_t *)b.entry[PD] =
			gpa_of(table_of(b.entry[PT])).value | P | RW | US;
		load_root(b.root);
		expect_space(&b);
	}
}

TEST(reserved_bits_of_cr3_fault_and_change_nothing,
     "MOV to CR3 with a bit from MAXPHYADDR to 62 set raises #GP(0) and CR3 stays",
     "SDM Vol. 2, \"MOV - Move to/from Control Registers\"", "")
{
	uint64_t good = read_cr3();

	for (unsigned bit = first_reserved_address_bit(); bit < 61;
	     bit++) { /* 61 and 62 are LAM's enables */
		expect_exception(
			instruction_access(INSTRUCTION_mov_to_cr3, LINEAR(0), good | 1ull << bit),
			VECTOR_GP, 0);
		expect(read_cr3() == good, "CR3 is 0x%llx", (unsigned long long)read_cr3());
	}
	expect_exception(as_user(instruction_access(INSTRUCTION_mov_to_cr3, LINEAR(0), good)),
			 VECTOR_GP, 0);
}

TEST(pwt_and_pcd_of_cr3_are_kept, "PWT and PCD of CR3 read back and do not change the root",
     "SDM Vol. 3, \"4-Level Paging and 5-Level Paging\", use of CR3", "")
{
	struct space a = make_space(7, PT, NULL);

	for (unsigned bits = 0; bits < 4; bits++) {
		uint64_t value = a.root.value | (bits & 1 ? CR3_PWT : 0) | (bits & 2 ? CR3_PCD : 0);

		write_cr3(value);
		expect(read_cr3() == value, "CR3 is 0x%llx", (unsigned long long)read_cr3());
		expect_space(&a);
	}
}

/* Leaf edits of the current and of the other root, in every order, with reads between. */
TEST(switches_and_edits_in_random_order,
     "Whatever the order of edits and switches, each read uses the loaded root as it is", MANUAL,
     "")
{
	struct space spaces[4];
	struct random random = random_start(2);
	uint32_t tag = 1000;

	for (unsigned i = 0; i < COUNT_OF(spaces); i++)
		spaces[i] = make_space(tag++, PT, NULL);
	for (unsigned i = 0; i < 800; i++) {
		struct space *space = &spaces[random_below(&random, COUNT_OF(spaces))];
		struct space *edited = &spaces[random_below(&random, COUNT_OF(spaces))];

		if (i % 3 == 0)
			change_leaf(edited, tag++);
		load_root(space->root);
		expect_space(space);
	}
}
