/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Operands and instructions that straddle two pages, under WP, SMEP, SMAP and AC, with either page
 * used before in another way.
 *
 * Each page of a crossing access is translated and checked as if it were the only one, for the
 * access that is made: a write needs R/W in both and sets D in both, and the settings decide in
 * both (SDM Vol. 3, "Determination of Access Rights", "Accessed and Dirty Flags"; R4, R17, R25).
 *
 * Caught here: a second, or a first, page whose cached translation is taken without asking what it
 * was cached for, so that a write gets through what a read has cached, or leaves D clear (V803,
 * XS09); SMAP, SMEP or WP asked for the first page alone. Emulators' slow paths, and instruction
 * emulators of hypervisors, translate the two parts apart and check the second one with less care.
 *
 * The model says of each part what would happen to it alone. If both complete, the access must, and
 * A and D of both entries be as it says; if one faults, the fault must be its, with D still clear;
 * if both do, one of them (P16). Not checked: data (page_crossing); flags of a good page beside a
 * bad one, but for D after a read.
 */
#include "test.h"

SUBJECT(page_crossing_settings, "accesses over two pages under WP, SMEP, SMAP, after other uses");

#define MANUAL "SDM Vol. 3, \"Determination of Access Rights\""
#define FLAGS  "SDM Vol. 3, \"Accessed and Dirty Flags\""

static const enum instruction instructions[] = {INSTRUCTION_read8,  INSTRUCTION_write8,
						INSTRUCTION_add2,   INSTRUCTION_lock_or,
						INSTRUCTION_read16, INSTRUCTION_write16};

/* How a page's entry is; A and D are clear, so that a walk leaves its traces. */
static const uint64_t kinds[] = {P | RW | US, P | US, P | RW, P};

/* What was done in each page before: nothing, reads, or reads and writes where they are allowed. */
enum use { UNUSED, READ_BY_SUPERVISOR, READ_BY_USER, WRITTEN, USES };

static void use_page(linear_t linear, enum use use)
{
	if (use == READ_BY_SUPERVISOR)
		attempt(with_ac(read_access(linear, 8)));
	if (use == READ_BY_USER)
		attempt(as_user(read_access(linear, 8)));
	if (use == WRITTEN)
		attempt(with_ac(write_access(linear, 8, frame_word(7))));
}

static struct model_outcome outcome_of_part(struct access access, uint64_t linear)
{
	access.linear = LINEAR(linear);
	return modelled_outcome(access);
}

static void expect_flags_of(const struct page_pair *pair, struct access access, bool second,
			    uint64_t before)
{
	uint64_t now = *(volatile uint64_t *)pair->entry[second];
	enum certainty writes = instruction_table[access.instruction].writes;

	expect(now & A, "%s: A is clear in page %u", instruction_table[access.instruction].text,
	       second);
	if (writes == ALWAYS)
		expect(now & D, "%s: D is clear in page %u",
		       instruction_table[access.instruction].text, second);
	if (writes == NEVER)
		expect((now & D) == (before & D), "%s: D was set in page %u",
		       instruction_table[access.instruction].text, second);
}

static void expect_the_fault_of(const struct page_pair *pair, struct access access,
				const struct model_outcome *wanted, bool second, uint64_t before,
				const struct outcome *outcome)
{
	/* W of read-modify-writes is not the same everywhere; page_crossing has cases for it */
	const struct instruction_entry *entry = &instruction_table[access.instruction];
	uint64_t compared = entry->reads && entry->writes != NEVER ? ~(uint64_t)PF_W : ~0ull;

	expect(!((outcome->error_code ^ wanted->error_code) & compared),
	       "%s %s, page %u: error code 0x%llx, not 0x%llx", access.user ? "user" : "supervisor",
	       instruction_table[access.instruction].text, second,
	       (unsigned long long)outcome->error_code, (unsigned long long)wanted->error_code);
	expect((*(volatile uint64_t *)pair->entry[second] & D) == (before & D),
	       "%s faulted and set D in page %u", instruction_table[access.instruction].text,
	       second);
}

static void judge_crossing(const struct page_pair *pair, struct access access)
{
	const uint64_t was[] = {*(volatile uint64_t *)pair->entry[0],
				*(volatile uint64_t *)pair->entry[1]};
	const struct model_outcome parts[] = {outcome_of_part(access, access.linear.value),
					      outcome_of_part(access, pair->border.value)};
	struct outcome outcome = attempt(access);
	bool good[2], in_second = outcome.cr2 >= pair->border.value;

	for (unsigned i = 0; i < 2; i++)
		good[i] = parts[i].vector == MODEL_COMPLETES;
	if (good[0] && good[1]) {
		expect(outcome.vector == NO_VECTOR, "%s %s raised %s, error code 0x%llx",
		       access.user ? "user" : "supervisor",
		       instruction_table[access.instruction].text, vector_name(outcome.vector),
		       (unsigned long long)outcome.error_code);
		if (outcome.vector == NO_VECTOR && access.instruction != INSTRUCTION_fetch) {
			expect_flags_of(pair, access, false, was[0]);
			expect_flags_of(pair, access, true, was[1]);
		}
		return;
	}
	expect(outcome.vector == VECTOR_PF, "%s %s with pages 0x%llx and 0x%llx: %s, not #PF",
	       access.user ? "user" : "supervisor", instruction_table[access.instruction].text,
	       (unsigned long long)was[0], (unsigned long long)was[1], vector_name(outcome.vector));
	if (outcome.vector != VECTOR_PF)
		return;
	expect(!good[in_second], "%s: CR2 0x%llx is in the page that is good",
	       instruction_table[access.instruction].text, (unsigned long long)outcome.cr2);
	if (!good[in_second])
		expect_the_fault_of(pair, access, &parts[in_second], in_second, was[in_second],
				    &outcome);
}

/* All uses of both pages, for one access to one pair of kinds. */
static void try_uses(const struct page_pair *pair, struct access access, uint64_t first,
		     uint64_t second)
{
	for (unsigned n = 0; n < USES * USES; n++) {
		set_page_pair(pair, pair->frame[0].value | first, pair->frame[1].value | second);
		use_page(pair->page.linear, n % USES);
		use_page(pair->border, n / USES);
		judge_crossing(pair, access);
	}
}

static void try_pairs(const struct page_pair *pair, struct access access)
{
	for (unsigned n = 0; n < COUNT_OF(kinds) * COUNT_OF(kinds); n++)
		try_uses(pair, access, kinds[n % COUNT_OF(kinds)], kinds[n / COUNT_OF(kinds)]);
}

static void try_instruction(const struct page_pair *pair, enum instruction instruction)
{
	unsigned bytes = instruction_table[instruction].size;
	struct access access = instruction_access(
		instruction, LINEAR(pair->border.value - (bytes > 2 ? 3 : 1)), 0x1122334455667788);

	if (!has(instruction_table[instruction].need))
		return;
	for (unsigned who = 0; who < (processor_now()->smap ? 3 : 2); who++) {
		access.user = who == 1;
		access.ac = who == 2;
		try_pairs(pair, access);
	}
}

static void try_all(void)
{
	struct page_pair pair = map_page_pair(1, 2);

	for (unsigned i = 0; i < COUNT_OF(instructions); i++) {
		progress("%s", instruction_table[instructions[i]].text);
		try_instruction(&pair, instructions[i]);
	}
}

TEST(writes_ask_for_both_pages, "A write needs R/W in both pages, and sets D in both, however used",
     FLAGS, "")
{
	set_cr0(CR0_WP);
	try_all();
}

TEST(wp_decides_in_both_pages, "With CR0.WP = 0 supervisor writes complete in both pages", MANUAL,
     "")
{
	clear_cr0(CR0_WP);
	try_all();
}

TEST(smap_decides_in_both_pages, "With SMAP a user-mode page on either side needs AC = 1", MANUAL,
     "smap")
{
	set_cr0(CR0_WP);
	set_cr4(CR4_SMAP);
	try_all();
}

/* The code of frame_word(), split after each of its bytes up to the fourth. */
static void try_fetches(unsigned before, uint64_t first, uint64_t second)
{
	struct page_pair pair = map_page_pair(1, 2);
	uint64_t code = frame_word(9);
	struct access access = fetch_access(LINEAR(pair.border.value - before));

	memcpy((char *)identity(pair.frame[0]) + PAGE_4K - before, &code, before);
	memcpy(identity(pair.frame[1]), (char *)&code + before, 8 - before);
	for (unsigned use = 0; use < USES; use++) {
		for (unsigned user = 0; user < 2; user++) {
			set_page_pair(&pair, pair.frame[0].value | first,
				      pair.frame[1].value | second);
			if (use != WRITTEN) /* that would change the code */
				use_page(pair.border, use);
			access.user = user;
			judge_crossing(&pair, access);
		}
	}
}

TEST(smep_decides_in_both_pages, "With SMEP no byte of an instruction may be in a user-mode page",
     MANUAL, "smep")
{
	set_cr4(CR4_SMEP);
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	for (unsigned n = 0; n < 4 * COUNT_OF(kinds) * COUNT_OF(kinds); n++)
		try_fetches(1 + n % 4, kinds[n / 4 % COUNT_OF(kinds)],
			    kinds[n / 4 / COUNT_OF(kinds)]);
}
