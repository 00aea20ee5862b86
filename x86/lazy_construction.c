/* SPDX-License-Identifier: BSD-2-Clause
 *
 * First touches: tables that nothing has used, used by each kind of access first.
 *
 * Whatever access comes first, its outcome, the flags that it sets and the data that it finds are
 * what the entries in memory say, and an entry next to one in use is not in use (SDM Vol. 3,
 * "Determination of Access Rights", "Accessed and Dirty Flags").
 *
 * Caught here: structures that a hypervisor or emulator builds at the first use, with the rights or
 * the dirty flag of the access that came first; neighbours made along with it, present, accessed or
 * with another's rights (KS38); first accesses that cross two pages of which one is known already;
 * a table built for one direction of use.
 *
 * A fresh tree, in frames that no other tree had, has 64 entries of each kind of rights, touched in
 * address order, in reverse and at random; then all of it is flushed and touched once more. Not
 * checked: A of neighbours, which a processor may set in advance (P7): their D, and everything else
 * of them, is.
 */
#include "test.h"

SUBJECT(lazy_construction,
	"the first touch of everything, by every kind of access, in every order");

#define MANUAL "SDM Vol. 3, \"Determination of Access Rights\""

#define PAGES  64
#define ALL    (P | RW | US)

enum order { ASCENDING, DESCENDING, SHUFFLED, ORDERS };

struct tree {
	linear_t base; /* of PAGES pages in a row, in one page table or two */
	uint64_t *entries[PAGES];
	gpa_t frame[8];
};

/* Entries of all rights next to each other, some not present, most with A and D clear. */
static uint64_t mixed_rights(unsigned i)
{
	uint64_t rights = i % 7 == 3 ? 0 : P;

	return rights | (i & 1 ? RW : 0) | (i & 2 ? US : 0) |
	       ((i & 12) == 12 && has(FEATURE_nx) ? XD : 0) | (i % 5 == 4 ? A | D : 0);
}

/* The pages straddle two page tables, in frames that have never been tables. */
static struct tree make_tree(bool mixed)
{
	linear_t slot = unused_linear();
	uint64_t *second;
	struct tree tree;
	struct page page;

	frames_skip_used();
	second = identity(frame_alloc());
	tree.base = LINEAR(slot.value + 3 * PAGE_1G + 6 * PAGE_2M - PAGES / 2 * PAGE_4K);
	for (uint32_t i = 0; i < COUNT_OF(tree.frame); i++)
		tree.frame[i] = filled_frame(400 + i);
	page = map_page_at_linear(tree.base, PT, tree.frame[0], ALL);
	page.entry[PD][1] = gpa_of(second).value | ALL;
	for (unsigned i = 0; i < PAGES; i++) {
		tree.entries[i] = i < PAGES / 2 ? page.entry[PT] + i : second + i - PAGES / 2;
		*tree.entries[i] = tree.frame[i % COUNT_OF(tree.frame)].value |
				   (mixed ? mixed_rights(i) : ALL);
	}
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	invalidate(tree.base, MOV_CR3);
	return tree;
}

static void make_order(unsigned order[PAGES], enum order how, struct random *random)
{
	for (unsigned i = 0; i < PAGES; i++)
		order[i] = how == DESCENDING ? PAGES - 1 - i : i;
	for (unsigned i = PAGES - 1; how == SHUFFLED && i > 0; i--) {
		unsigned other = (unsigned)random_below(random, i + 1), was = order[i];

		order[i] = order[other];
		order[other] = was;
	}
}

/* D of an entry is not set by anybody but its own writes. */
static void touch_all(const struct tree *tree, struct access access, const unsigned order[PAGES])
{
	uint64_t before[PAGES];

	for (unsigned i = 0; i < PAGES; i++)
		before[i] = *tree->entries[i];
	for (unsigned n = 0; n < PAGES; n++) {
		unsigned i = order[n], next = order[(n + 1) % PAGES];

		access.linear = linear_plus(tree->base, i * PAGE_4K + 16 * (i % 40));
		if (n + 1 < PAGES)
			expect((*(volatile uint64_t *)tree->entries[next] & ~A) ==
				       (before[next] & ~A),
			       "the entry of page %u, not used so far, is 0x%llx, not 0x%llx", next,
			       (unsigned long long)*tree->entries[next],
			       (unsigned long long)before[next]);
		expect_as_modelled(access);
	}
}

static void try_first_touches(struct access access, bool mixed)
{
	struct random random = random_start(90);

	for (int how = ASCENDING; how < ORDERS; how++) {
		struct tree tree = make_tree(mixed);
		unsigned order[PAGES];

		make_order(order, (enum order)how, &random);
		for (unsigned again = 0; again < 2; again++) {
			touch_all(&tree, access, order);
			invalidate(tree.base, again ? MOV_CR3 : CR4_PGE_TWICE);
		}
		release_pages();
	}
}

static void try_instructions(enum instruction first, enum instruction last)
{
	watch_attempts();
	for (int i = first; i <= (int)last; i++) {
		const struct instruction_entry *entry = &instruction_table[i];
		struct access access = instruction_access((enum instruction)i, LINEAR(0), 9);

		if (!has(entry->need))
			continue;
		try_first_touches(access, false);
		try_first_touches(as_user(access), false);
		if (entry->reads && entry->writes != NEVER)
			continue; /* instruction_flags has the error codes of these */
		try_first_touches(access, true);
		try_first_touches(as_user(access), true);
	}
}

/* Groups that share an emulator's functions, so that a lack in one hides no other. */
#define FIRST_TOUCH(name, first, last, promise)                            \
	TEST(name, promise, MANUAL, "")                                    \
	{                                                                  \
		try_instructions(INSTRUCTION_##first, INSTRUCTION_##last); \
	}

FIRST_TOUCH(first_moves_are_as_the_entries_say, read1, write8,
	    "A first MOV of 1 to 16 bytes finds rights, flags and data of its own entry")
FIRST_TOUCH(first_fetch_is_as_the_entries_say, fetch, fetch,
	    "A first fetch finds rights, flags and code of its own entry")
FIRST_TOUCH(first_read_modify_write_is_as_the_entries_say, lock_or, inc,
	    "A first read-modify-write finds rights, flags and data of its own entry")
FIRST_TOUCH(first_string_store_is_as_the_entries_say, stos, stos,
	    "A first STOS finds rights, flags and data of its own entry")
FIRST_TOUCH(first_push_is_as_the_entries_say, push, push,
	    "A first PUSH finds rights, flags and data of its own entry")

/* Every pair of neighbours once as the first two pages touched, by one access. */
TEST(first_crossing_access_is_as_both_entries_say,
     "A first access across two pages reads and writes both frames and marks both entries", MANUAL,
     "")
{
	for (unsigned step = 0; step < 2; step++) {
		struct tree tree = make_tree(false);

		for (unsigned i = 0; i + 1 < PAGES; i += 1 + step) {
			linear_t linear = linear_plus(tree.base, (i + 1) * PAGE_4K - 4);
			struct access read = read_access(linear, 8);
			uint64_t low = frame_word(400 + i % 8),
				 high = frame_word(400 + (i + 1) % 8);

			read.user = i & 1;
			expect_read(read, low >> 32 | high << 32);
			expect(*tree.entries[i] & *tree.entries[i + 1] & A,
			       "A is missing in entry %u or the next", i);
			expect(!((*tree.entries[i] | *tree.entries[i + 1]) & D),
			       "D is set in entry %u or the next", i);
		}
		release_pages();
	}
}
