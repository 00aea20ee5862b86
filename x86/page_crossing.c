/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Operands that straddle two pages.
 *
 * Both pages of a crossing access are translated and checked. If one is bad the access raises #PF
 * with the error code of that page's translation and with CR2 in the operand's part there, and a
 * store has changed nothing in the good one (SDM Vol. 3, "Page-Fault Exceptions", "Program or Task
 * Continuity"; R19, R20). If both are bad either may be reported (P16).
 *
 * Caught here: CR2 left at the operand's first byte, or page-aligned with the wrong page (XS09);
 * the first part of a store written before the second page was checked (V805); the second page not
 * checked, or checked for the wrong kind of access; a wrong split of the value; frames that follow
 * each other in linear but not in physical space read as if they did; nothing of a page but its
 * first byte's translation looked at; one byte too many looked at. Emulators of instructions split
 * such accesses by hand.
 *
 * Not checked: the first page's dirty flag when the second faults; REP string instructions, which
 * may stop in between (P18); instructions (page_crossing_fetch does).
 */
#include "test.h"

SUBJECT(page_crossing, "operands that straddle two pages");

#define MANUAL "SDM Vol. 3, \"Page-Fault Exceptions\""

enum { FIRST = 91, SECOND = 92 };

/* Grouped by what an emulator would share, so that a defect of one group hides no other. */
struct group {
	enum instruction list[8];
	unsigned count;
};

static const struct group loads = {
	{INSTRUCTION_read2, INSTRUCTION_read4, INSTRUCTION_read8, INSTRUCTION_pop}, 4};
static const struct group stores = {{INSTRUCTION_write2, INSTRUCTION_write4, INSTRUCTION_write8,
				     INSTRUCTION_push, INSTRUCTION_stos, INSTRUCTION_pop_memory,
				     INSTRUCTION_movnti, INSTRUCTION_movs},
				    8};
static const struct group vectors = {{INSTRUCTION_read16, INSTRUCTION_write16}, 2};
static const struct group locked = {{INSTRUCTION_lock_or, INSTRUCTION_xchg, INSTRUCTION_cmpxchg,
				     INSTRUCTION_xadd, INSTRUCTION_bts},
				    5};
static const struct group unlocked = {
	{INSTRUCTION_or, INSTRUCTION_inc, INSTRUCTION_shl, INSTRUCTION_btr}, 4};

/* The `bytes` around the border, from `before` bytes in front of it, as the frames hold them. */
static void copy_memory(const struct page_pair *pair, uint8_t *to, unsigned before, unsigned bytes)
{
	memcpy(to, (char *)identity(gpa_plus(pair->frame[0], PAGE_4K - before)), before);
	memcpy(to + before, identity(pair->frame[1]), bytes - before);
}

static struct access crossing_access(const struct page_pair *pair, enum instruction instruction,
				     unsigned before, bool user)
{
	struct access access = instruction_access(instruction, LINEAR(pair->border.value - before),
						  0x1122334455667788);

	access.user = user;
	return access;
}

/* Exactly one page is bad: `bad` is its number. */
static void expect_fault_in(const struct page_pair *pair, struct access access, unsigned before,
			    unsigned bad)
{
	unsigned bytes = instruction_table[access.instruction].size;
	struct access bad_part = access;
	uint8_t was[16], is[16];
	struct model_outcome wanted;
	struct outcome outcome;
	uint64_t from, to;

	bad_part.linear = bad ? pair->border : access.linear;
	wanted = modelled_outcome(bad_part);
	if (wanted.vector == MODEL_COMPLETES)
		return; /* not bad for this kind of access */
	from = bad_part.linear.value;
	to = bad ? access.linear.value + bytes : pair->border.value;
	copy_memory(pair, was, before, bytes);
	outcome = attempt(access);
	copy_memory(pair, is, before, bytes);
	expect(outcome.vector == VECTOR_PF && outcome.error_code == wanted.error_code,
	       "%s %s of %u bytes, %u in the first page, page %u bad: %s error code 0x%llx, not "
	       "0x%llx",
	       access.user ? "user" : "supervisor", instruction_table[access.instruction].text,
	       bytes, before, bad, vector_name(outcome.vector),
	       (unsigned long long)outcome.error_code, (unsigned long long)wanted.error_code);
	expect(outcome.cr2 >= from && outcome.cr2 < to,
	       "%s of %u bytes at 0x%llx, page %u bad: CR2 0x%llx is not in 0x%llx to 0x%llx",
	       instruction_table[access.instruction].text, bytes,
	       (unsigned long long)access.linear.value, bad, (unsigned long long)outcome.cr2,
	       (unsigned long long)from, (unsigned long long)to - 1);
	expect(outcome.rip == outcome.expected_rip, "RIP 0x%llx, not 0x%llx",
	       (unsigned long long)outcome.rip, (unsigned long long)outcome.expected_rip);
	expect(!memcmp(was, is, bytes), "%s of %u bytes faulted, but changed memory",
	       instruction_table[access.instruction].text, bytes);
}

/* With both pages good the access does what it does to memory in one piece. */
static void expect_completes(const struct page_pair *pair, struct access access, unsigned before)
{
	unsigned bytes = instruction_table[access.instruction].size;
	uint8_t *twin = identity(frame_alloc()), after[16];
	struct access reference = access;
	struct outcome outcome, wanted;

	copy_memory(pair, twin, before, bytes);
	if (access.instruction == INSTRUCTION_cmpxchg)
		memcpy(&access.value[0], twin, 8);
	reference = access;
	reference.linear = LINEAR((uintptr_t)twin);
	reference.user = false;
	wanted = attempt(reference);
	outcome = attempt(access);
	copy_memory(pair, after, before, bytes);
	expect(outcome.vector == NO_VECTOR, "%s of %u bytes over two good pages raised %s",
	       instruction_table[access.instruction].text, bytes, vector_name(outcome.vector));
	expect(outcome.value[0] == wanted.value[0], "%s of %u bytes left 0x%llx, not 0x%llx",
	       instruction_table[access.instruction].text, bytes,
	       (unsigned long long)outcome.value[0], (unsigned long long)wanted.value[0]);
	expect(!memcmp(after, twin, bytes), "%s of %u bytes left other memory than in one page",
	       instruction_table[access.instruction].text, bytes);
	frame_fill(pair->frame[0], PAGE_4K, FIRST);
	frame_fill(pair->frame[1], PAGE_4K, SECOND);
}

typedef void try_function(const struct page_pair *pair, struct access access, unsigned before);

static void try_group(const struct group *group, const struct page_pair *pair, try_function *try)
{
	for (unsigned n = 0; n < group->count; n++) {
		enum instruction instruction = group->list[n];

		if (!has(instruction_table[instruction].need))
			continue;
		for (unsigned before = 1; before < instruction_table[instruction].size; before++) {
			try(pair, crossing_access(pair, instruction, before, false), before);
			try(pair, crossing_access(pair, instruction, before, true), before);
		}
	}
}

static void try_splits(const struct group *group, try_function *try)
{
	struct page_pair pair = map_page_pair(FIRST, SECOND);

	try_group(group, &pair, try);
}

static void try_good_pages(const struct page_pair *pair, struct access access, unsigned before)
{
	set_page_pair(pair, pair->good[0], pair->good[1]);
	expect_completes(pair, access, before);
}

TEST(operand_over_two_good_pages_is_one_operand,
     "An operand that straddles two pages is read and written in both frames", MANUAL, "")
{
	try_splits(&loads, try_good_pages);
	try_splits(&stores, try_good_pages);
	try_splits(&vectors, try_good_pages);
	try_splits(&locked, try_good_pages);
	try_splits(&unlocked, try_good_pages);
}

/* The frame behind the large page's is not the small page's. Each has a PML4E of its own. */
static struct page_pair map_large_and_small(bool large_first)
{
	gpa_t behind = frames_alloc(PAGE_2M), large = frames_alloc(PAGE_2M), small;
	struct page_pair pair = {
		.border = LINEAR(0x0000330000000000 + (uint64_t)large_first * (1ull << 40))};
	const linear_t in_front = LINEAR(pair.border.value - (large_first ? PAGE_2M : PAGE_4K));

	frame_fill(behind, PAGE_4K, 0);
	small = filled_frame(large_first ? SECOND : FIRST);
	map_page_at_linear(large_first ? in_front : pair.border, PD, large, P | RW | US);
	map_page_at_linear(large_first ? pair.border : in_front, PT, small, P | RW | US);
	pair.frame[!large_first] = large_first ? gpa_plus(large, PAGE_2M - PAGE_4K) : large;
	pair.frame[large_first] = small;
	frame_fill(large, PAGE_2M, large_first ? FIRST : SECOND);
	return pair;
}

TEST(operand_over_pages_of_two_sizes_is_one_operand,
     "An operand over the end of a 2-MByte page, or into one, is read and written in both frames",
     MANUAL, "")
{
	for (unsigned n = 0; n < 2; n++) {
		struct page_pair pair = map_large_and_small(n);

		try_group(&loads, &pair, expect_completes);
		try_group(&stores, &pair, expect_completes);
		try_group(&vectors, &pair, expect_completes);
		try_group(&unlocked, &pair, expect_completes);
	}
}

/* What can be wrong with a page: not present, read-only, supervisor-only, a reserved bit. */
static uint64_t spoil(uint64_t entry, unsigned how)
{
	return how == 0 ? entry & ~P : how == 1 ? entry & ~RW : entry & ~US;
}

static void try_bad_page(const struct page_pair *pair, struct access access, unsigned before)
{
	for (unsigned how = 0; how < 3; how++) {
		set_page_pair(pair, pair->good[0], spoil(pair->good[1], how));
		expect_fault_in(pair, access, before, 1);
		set_page_pair(pair, spoil(pair->good[0], how), pair->good[1]);
		expect_fault_in(pair, access, before, 0);
		/* the good page's translation is cached, the bad one's is not */
		set_page_pair(pair, pair->good[0], spoil(pair->good[1], how));
		attempt(read_access(pair->page.linear, 8));
		attempt(as_user(write_access(pair->page.linear, 8, frame_word(FIRST))));
		expect_fault_in(pair, access, before, 1);
		/* both are cached, for what is allowed */
		attempt(read_access(pair->border, 8));
		attempt(as_user(read_access(pair->border, 8)));
		expect_fault_in(pair, access, before, 1);
	}
}

#define FAULTS(name, group, promise)              \
	TEST(name, promise, MANUAL, "")           \
	{                                         \
		try_splits(&group, try_bad_page); \
	}

FAULTS(load_over_a_bad_page_faults_there, loads,
       "#PF of a load has the error code of the bad page and CR2 in it")
FAULTS(store_over_a_bad_page_faults_there_and_changes_nothing, stores,
       "#PF of a store has the error code of the bad page and CR2 in it; the good page is "
       "unchanged")
FAULTS(vector_access_over_a_bad_page_faults_there_and_changes_nothing, vectors,
       "#PF of a 16-byte access has the bad page's error code; the good page is unchanged")
FAULTS(locked_access_over_a_bad_page_is_a_write, locked,
       "#PF of a locked read-modify-write has W = 1, CR2 in the bad page, and changes nothing")
FAULTS(read_modify_write_over_a_bad_page_is_a_write, unlocked,
       "#PF of a read-modify-write has W = 1, CR2 in the bad page, and changes nothing")

TEST(fault_in_both_pages_is_reported_in_one_of_them,
     "With both pages bad the error code and CR2 belong to one of them (P16)", MANUAL, "")
{
	struct page_pair pair = map_page_pair(FIRST, SECOND);

	for (unsigned before = 1; before < 8; before++) {
		struct access access =
			as_user(write_access(LINEAR(pair.border.value - before), 8, 1));
		struct outcome outcome;
		bool second;

		set_page_pair(&pair, pair.good[0] & ~P, pair.good[1] & ~RW);
		outcome = attempt(access);
		second = outcome.cr2 >= pair.border.value;
		expect(outcome.vector == VECTOR_PF && outcome.cr2 >= access.linear.value &&
			       outcome.cr2 < access.linear.value + 8,
		       "%s, CR2 0x%llx", vector_name(outcome.vector),
		       (unsigned long long)outcome.cr2);
		expect(outcome.error_code == (second ? PF_P | PF_W | PF_U : PF_W | PF_U),
		       "error code 0x%llx with CR2 in page %u",
		       (unsigned long long)outcome.error_code, second);
	}
}

/* As far as the border, and from the border on: the other page is not the operand's. */
static void try_whole(const struct page_pair *pair, enum instruction instruction, bool user)
{
	const unsigned bytes = instruction_table[instruction].size;

	if (!has(instruction_table[instruction].need))
		return;
	for (unsigned how = 0; how < 3; how++) {
		set_page_pair(pair, pair->good[0], spoil(pair->good[1], how));
		expect_completes(pair, crossing_access(pair, instruction, bytes, user), bytes);
		set_page_pair(pair, spoil(pair->good[0], how), pair->good[1]);
		expect_completes(pair, crossing_access(pair, instruction, 0, user), 0);
	}
}

TEST(operand_that_ends_with_its_page_is_in_no_other,
     "An operand whose last byte is the page's last, or whose first one its first, uses no other "
     "page",
     MANUAL, "")
{
	static const struct group more = {{INSTRUCTION_read1, INSTRUCTION_write1, INSTRUCTION_neg1,
					   INSTRUCTION_add2, INSTRUCTION_not4, INSTRUCTION_fnstcw,
					   INSTRUCTION_stmxcsr, INSTRUCTION_sidt},
					  8};
	const struct group *groups[] = {&loads, &stores, &vectors, &locked, &unlocked, &more};
	struct page_pair pair = map_page_pair(FIRST, SECOND);

	for (unsigned i = 0; i < COUNT_OF(groups); i++) {
		for (unsigned n = 0; n < groups[i]->count; n++) {
			try_whole(&pair, groups[i]->list[n], false);
			try_whole(&pair, groups[i]->list[n], true);
		}
	}
}
