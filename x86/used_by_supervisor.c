/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Each instruction of user mode on a page that supervisor mode has just used by the same one.
 *
 * What supervisor mode may do and has done with a page, so that its translation is cached, lets
 * user mode in no more than before: U/S = 0 denies it everything, and R/W = 0 its writes, although
 * CR0.WP = 0 let the supervisor's through (SDM Vol. 3, "Determination of Access Rights"; R3, R25).
 *
 * Caught here: an instruction with a path of its own to memory that asks whether a translation is
 * cached, and not for whom: strings above all, which emulators and hypervisors copy in one go, then
 * stack and system instructions (KS26, XS08). Most tests let one or two instructions stand for all.
 *
 * Not checked: the other way round (smep_smap, mode_toggles); W in the error code of
 * read-modify-writes (instruction_flags).
 */
#include "test.h"

SUBJECT(used_by_supervisor, "user mode, instruction by instruction, after supervisor mode");

#define MANUAL "SDM Vol. 3, \"Determination of Access Rights\""
#define TAG    81

/* The supervisor's access, twice, and user mode's. */
static void try_instruction(const struct page *page, enum instruction instruction)
{
	const struct instruction_entry *entry = &instruction_table[instruction];
	struct access access = instruction_access(instruction, page->linear, frame_word(TAG));
	uint64_t compared = entry->reads && entry->writes != NEVER ? ~(uint64_t)PF_W : ~0ull;
	struct model_outcome wanted;
	struct outcome outcome;

	invalidate(page->linear, INVLPG);
	frame_fill(page->frame, PAGE_4K, TAG);
	attempt(access);
	attempt(access);
	access.user = true;
	wanted = modelled_outcome(access);
	outcome = attempt(access);
	if (wanted.vector == MODEL_COMPLETES || entry->writes == MAYBE)
		return; /* user mode may do that */
	expect(outcome.vector == VECTOR_PF &&
		       !((outcome.error_code ^ wanted.error_code) & compared),
	       "%s: %s, error code 0x%llx instead of 0x%llx", entry->text,
	       vector_name(outcome.vector), (unsigned long long)outcome.error_code,
	       (unsigned long long)wanted.error_code);
}

static void try_all(uint64_t flags)
{
	struct page page = map_page(flags);

	for (unsigned n = 0; n < ORDINARY_INSTRUCTIONS; n++)
		if (has(instruction_table[n].need))
			try_instruction(&page, (enum instruction)n);
	try_instruction(&page, INSTRUCTION_rep_movs_from);
}

TEST(supervisor_pages_stay_closed,
     "With U/S = 0 each instruction of user mode faults after the supervisor has executed it",
     MANUAL, "")
{
	try_all(P | RW);
	try_all(P | RW | G);
}

TEST(read_only_pages_stay_read_only,
     "With R/W = 0 each writing instruction of user mode faults after the supervisor's under WP = "
     "0",
     MANUAL, "")
{
	clear_cr0(CR0_WP);
	try_all(P | US);
}

/* The supervisor's access after user mode's, and after one of its own with AC. */
TEST(smap_closes_user_pages,
     "With CR4.SMAP = 1 each instruction of the supervisor faults in a page that user mode has "
     "just used by the same one",
     MANUAL, "smap")
{
	struct page page = map_page(P | RW | US);

	set_cr4(CR4_SMAP);
	for (unsigned n = 0; n < 2 * ORDINARY_INSTRUCTIONS; n++) {
		const struct instruction_entry *entry = &instruction_table[n / 2];
		struct access access =
			instruction_access((enum instruction)(n / 2), page.linear, frame_word(TAG));
		struct outcome outcome;

		if (!has(entry->need) || n / 2 == INSTRUCTION_fetch)
			continue;
		invalidate(page.linear, INVLPG);
		frame_fill(page.frame, PAGE_4K, TAG);
		attempt(n & 1 ? with_ac(access) : as_user(access));
		outcome = attempt(access);
		expect(outcome.vector == VECTOR_PF && (outcome.error_code & ~PF_W) == PF_P,
		       "%s: %s, error code 0x%llx", entry->text, vector_name(outcome.vector),
		       (unsigned long long)outcome.error_code);
	}
}
