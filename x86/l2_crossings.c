/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Operands and instructions of L2 that straddle two pages, in the second level of translation.
 *
 * Each page of a crossing access is translated for the access that is made: a write needs the right
 * to write of both entries and makes both dirty, an instruction needs the right to execute in both
 * (SDM Vol. 3, "EPT Violations", "Accessed and Dirty Flags for EPT"; APM Vol. 2, "Nested Paging").
 *
 * Caught here: a second page that is looked up as for a read, so that its flag stays clear or its
 * right is not asked for (R34, R36, R38; XS09 in the second dimension). Emulators and instruction
 * emulators do the second page of an operand by hand.
 *
 * Not checked: which byte of the operand an exit names (ept and npt do), L2's own flags and rights
 * (page_crossing_settings), pages larger than 4 KBytes.
 */
#include "test.h"

SUBJECT(l2_crossings, "flags and rights of the second level for accesses over two pages");

#define FLAGS  "SDM Vol. 3, \"Accessed and Dirty Flags for EPT\"; APM Vol. 2, \"Nested Paging\""
#define RIGHTS "SDM Vol. 3, \"EPT Violations\"; APM Vol. 2, \"Nested Paging\""
#define ALL    (P | RW | US | A | D)
#define TAG    33

static const enum instruction instructions[] = {
	INSTRUCTION_read8, INSTRUCTION_write8,	INSTRUCTION_read16, INSTRUCTION_write16,
	INSTRUCTION_or,	   INSTRUCTION_lock_or, INSTRUCTION_fetch};

/* Two adjacent pages in two unrelated frames, with code over the border. */
struct pair {
	struct l2 *l2;
	struct l2_page page;
	gpa_t gpa[2];
	linear_t border;
};

#define BEFORE 3 /* bytes in the first page */

static struct pair make_pair(bool flags)
{
	struct pair pair = {
		.l2 = l2_start(L2_4LEVEL, .accessed_dirty = flags && !has(FEATURE_svm))};
	gpa_t frame = filled_frame(TAG);
	uint64_t code = frame_word(TAG);

	pair.page = l2_map(pair.l2, PT, ALL, TAG);
	pair.gpa[0] = pair.page.gpa;
	pair.gpa[1] = l2_place(pair.l2, frame, PT, false);
	*(volatile uint64_t *)(pair.page.entry[PT] + 8) = pair.gpa[1].value | ALL;
	pair.border = linear_plus(pair.page.linear, PAGE_4K);
	memcpy((char *)identity(pair.page.frame) + PAGE_4K - BEFORE, &code, BEFORE);
	memcpy(identity(frame), (char *)&code + BEFORE, sizeof(code) - BEFORE);
	return pair;
}

/* Writes leave the code as it is; the others read it. */
static struct access crossing(const struct pair *pair, unsigned n, bool user)
{
	struct access access = instruction_access(
		instructions[n], LINEAR(pair->border.value - BEFORE),
		instructions[n] == INSTRUCTION_or || instructions[n] == INSTRUCTION_lock_or
			? 0
			: frame_word(TAG));

	access.user = user;
	access.value[1] = frame_word(TAG);
	return access;
}

static const struct instruction_entry *entry_of(unsigned n)
{
	return &instruction_table[instructions[n]];
}

static void expect_flags_in(const struct pair *pair, unsigned n, unsigned which)
{
	const struct second_level_kind *kind = pair->l2->second.kind;
	uint64_t entry =
		*(volatile uint64_t *)second_entry(&pair->l2->second, pair->gpa[which], PT);
	uint64_t wanted = kind->accessed | (entry_of(n)->writes == ALWAYS ? kind->dirty : 0);

	expect((entry & (kind->accessed | kind->dirty)) == wanted,
	       "%s: the entry of page %u is 0x%llx", entry_of(n)->text, which,
	       (unsigned long long)entry);
}

TEST(both_pages_get_their_flags,
     "an access over two pages sets the accessed flag of both entries, and a write the dirty flag",
     FLAGS, "second_level second_level_flags")
{
	struct pair pair = make_pair(true);

	for (unsigned i = 0; i < 2 * COUNT_OF(instructions); i++) {
		struct l2_outcome outcome;

		second_set_flags(&pair.l2->second, false, false);
		second_invalidate(&pair.l2->second, SECOND_FLUSH_ALL);
		outcome = l2_attempt(pair.l2, crossing(&pair, i / 2, i & 1));
		expect(!outcome.exited && outcome.outcome.vector == NO_VECTOR,
		       "%s: exit kind %u, vector %u", entry_of(i / 2)->text, outcome.exit.kind,
		       outcome.outcome.vector);
		expect_flags_in(&pair, i / 2, 0);
		expect_flags_in(&pair, i / 2, 1);
	}
}

static void try_without(struct pair *pair, unsigned n, unsigned which, unsigned right, bool user)
{
	struct l2_outcome outcome;

	second_allow(&pair->l2->second, pair->gpa[which], PT, SECOND_ALL & ~right,
		     SECOND_FLUSH_ALL);
	if (user) /* with the other page, and this one in another way, cached */
		l2_attempt(pair->l2, read_access(pair->border, 8));
	outcome = l2_attempt(pair->l2, crossing(pair, n, user));
	expect(outcome.exited && outcome.exit.kind == L2_VIOLATION &&
		       outcome.exit.gpa - pair->gpa[which].value < PAGE_4K &&
		       (outcome.exit.access & right),
	       "%s without right %u in page %u: exit kind %u at 0x%llx, access %u",
	       entry_of(n)->text, right, which, outcome.exit.kind,
	       (unsigned long long)outcome.exit.gpa, outcome.exit.access);
	second_allow(&pair->l2->second, pair->gpa[which], PT, SECOND_ALL, SECOND_FLUSH_ALL);
}

TEST(both_pages_need_the_right,
     "an access over two pages is a violation where either entry lacks its right", RIGHTS,
     "second_level")
{
	struct pair pair = make_pair(false);

	for (unsigned i = 0; i < 4 * COUNT_OF(instructions); i++) {
		unsigned n = i / 4;

		if (instructions[n] == INSTRUCTION_fetch) {
			if (second_can_deny(&pair.l2->second, SECOND_EXECUTE))
				try_without(&pair, n, i & 1, SECOND_EXECUTE, i & 2);
		} else if (entry_of(n)->writes == ALWAYS)
			try_without(&pair, n, i & 1, SECOND_WRITE, i & 2);
	}
}
