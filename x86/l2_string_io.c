/* SPDX-License-Identifier: BSD-2-Clause
 *
 * INS and OUTS of L2, whose ports L1 does not intercept: their memory operand in both dimensions.
 *
 * An operand is translated by both levels whatever the instruction is for, and what the second
 * level denies is a violation that tells the access and the address, of the page as of each of L2's
 * structures (SDM Vol. 3, "EPT Violations", "Exit Qualification for EPT Violations"; APM Vol. 2,
 * "Nested versus Guest Page Faults, Fault Ordering"; R34, R38).
 *
 * Caught here: a hypervisor below L1 has to emulate the port, and so walks L2's tables and L1's
 * second level by itself, for what is otherwise the processor's business: violations of a table
 * reported as violations of the page, bits 7 and 8 of the qualification or EXITINFO1 bits 32 and 33
 * wrong (KN14, KN15), flags of either level not set, L1's rights not asked for.
 *
 * The port is COM1's scratch register, as in string_io. Not checked: L1 intercepting the port,
 * string I/O as an exit of its own (its instruction information).
 */
#include "test.h"

SUBJECT(l2_string_io, "INS and OUTS of L2 in both dimensions of translation");

#define NEEDS  "second_level serial_scratch"
#define MANUAL "SDM Vol. 3, \"EPT Violations\"; APM Vol. 2, \"Nested Paging\""
#define FLAGS  "SDM Vol. 3, \"Accessed and Dirty Flags for EPT\"; APM Vol. 2, \"Nested Paging\""
#define ALL    (P | RW | US | A | D)

enum { TAG = 41, VALUE = 0x5e, OLD = 0x22 };

#define IN_ALL_BYTES 0x0101010101010101ull

static struct access port_access(enum instruction instruction, linear_t linear, bool user)
{
	struct access access = instruction_access(instruction, linear, VALUE * IN_ALL_BYTES);

	access.user = user;
	return access;
}

static void try_one(struct l2 *l2, const struct l2_page *page, int instruction, bool user)
{
	*(volatile uint64_t *)identity(page->frame) = OLD * IN_ALL_BYTES;
	expect_l2_as_modelled(l2, port_access((enum instruction)instruction, page->linear, user));
}

static void try_all(struct l2 *l2, const struct l2_page *page)
{
	for (int i = FIRST_PORT_INSTRUCTION; i <= (int)LAST_PORT_INSTRUCTION; i++) {
		try_one(l2, page, i, false);
		try_one(l2, page, i, true);
	}
}

TEST(rights_of_the_second_level_hold_for_string_io,
     "INS needs the second level's right to write, OUTS that to read", MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, ALL, TAG);

	for (unsigned rights = 0; rights < 8; rights++) {
		second_allow(&l2->second, page.gpa, PT, rights, SECOND_NO_FLUSH);
		try_all(l2, &page);
	}
}

/* All bits of the address are told, of the page's first byte or another (SDM Vol. 3,
 * "Guest-Physical Address"; EXITINFO2). */
TEST(violations_of_string_io_tell_the_byte,
     "A violation by INS or OUTS tells the L2-physical address of the operand, not of its page",
     MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, ALL, TAG);

	second_allow(&l2->second, page.gpa, PT, 0, SECOND_FLUSH);
	for (int i = FIRST_PORT_INSTRUCTION; i <= (int)LAST_PORT_INSTRUCTION; i++)
		for (unsigned offset = 0x120; offset < PAGE_4K; offset += 0x340)
			expect_l2_violation(l2,
					    port_access((enum instruction)i,
							linear_plus(page.linear, offset), false),
					    gpa_plus(page.gpa, offset));
}

TEST(walks_for_string_io_are_violations_of_the_structure,
     "a walk for INS or OUTS that may not use one of L2's structures names that structure", MANUAL,
     NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, ALL, TAG);

	for (unsigned structure = PT; structure <= PML4; structure++) {
		gpa_t gpa = GPA(page.entry_gpa[structure]);

		for (unsigned rights = 0; rights < 8; rights += SECOND_WRITE) {
			second_allow(&l2->second, gpa, PT, rights, SECOND_NO_FLUSH);
			try_all(l2, &page);
		}
		second_allow(&l2->second, gpa, PT, SECOND_ALL, SECOND_NO_FLUSH);
	}
}

TEST(page_faults_of_string_io_come_before_violations,
     "INS and OUTS that L2's own entry denies raise #PF in L2, whatever the second level says",
     MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, ALL, TAG);

	for (unsigned own = 0; own < 8; own++) {
		l2_write_entry(l2, &page, PT,
			       page.gpa.value | (own & 1 ? P : 0) | (own & 2 ? RW : 0) |
				       (own & 4 ? US : 0));
		second_allow(&l2->second, page.gpa, PT, SECOND_ALL, SECOND_NO_FLUSH);
		try_all(l2, &page);
		second_allow(&l2->second, page.gpa, PT, 0, SECOND_NO_FLUSH);
		try_all(l2, &page);
	}
}

TEST(string_io_sets_flags_of_both_levels,
     "INS and OUTS set accessed and dirty flags in L2's entries and in those of the second level",
     FLAGS, NEEDS " second_level_flags")
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .accessed_dirty = !has(FEATURE_svm));
	struct l2_page page = l2_map(l2, PT, P | RW | US, TAG);

	for (int i = FIRST_PORT_INSTRUCTION; i <= (int)LAST_PORT_INSTRUCTION; i++) {
		for (unsigned user = 0; user < 2; user++) {
			l2_set_flags(l2, &page, 0);
			second_set_flags(&l2->second, false, false);
			try_one(l2, &page, i, user);
		}
	}
}

TEST(string_io_over_a_border_is_done_up_to_the_violation,
     "REP INS and REP OUTS into a page without the right exit at its first byte, all before it "
     "done",
     MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, ALL, TAG);
	gpa_t second = l2_place(l2, filled_frame(TAG + 1), PT, false);
	linear_t border = linear_plus(page.linear, PAGE_4K);

	*(volatile uint64_t *)(page.entry[PT] + 8) = second.value | ALL;
	second_allow(&l2->second, second, PT, 0, SECOND_FLUSH_ALL);
	for (unsigned i = 0; i < 4 * 7; i++) {
		unsigned before = 1 + i / 4;
		bool input = i & 1;
		uint8_t *first = (uint8_t *)identity(page.frame) + PAGE_4K - before;
		struct l2_outcome outcome;

		memset(first, OLD, before);
		out8(SERIAL_SCRATCH, VALUE);
		outcome = l2_attempt(l2,
				     port_access(input ? INSTRUCTION_rep_ins : INSTRUCTION_rep_outs,
						 LINEAR(border.value - before), i & 2));
		expect(outcome.exited && outcome.exit.kind == L2_VIOLATION &&
			       outcome.exit.gpa == second.value,
		       "exit kind %u at 0x%llx", outcome.exit.kind,
		       (unsigned long long)outcome.exit.gpa);
		expect(input ? first[0] == VALUE && first[before - 1] == VALUE
			     : in8(SERIAL_SCRATCH) == OLD,
		       "the first page holds 0x%x and 0x%x, the port 0x%x", first[0],
		       first[before - 1], in8(SERIAL_SCRATCH));
	}
}

/* Every reference of L2 to its memory is one of user mode to nested tables (APM Vol. 2, "Nested
 * Table Walk"), as the last one of an emulated instruction is. */
TEST(string_io_of_any_level_is_a_user_access_to_nested_tables,
     "INS and OUTS of CPL 0 and 3 need U/S in each nested entry that translates the page",
     "APM Vol. 2, \"Nested Table Walk\"", NEEDS " svm")
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .alone = ALONE_PAGE);
	struct l2_page page = l2_map(l2, PT, ALL, TAG);

	for (int level = PT; level <= PML4; level++) {
		for (unsigned turn = 0; turn < 2; turn++) {
			second_edit(&l2->second, page.gpa, (enum level)level, SECOND_NO_FLUSH,
				    .clear = turn ? 0 : US, .set = turn ? US : 0);
			try_all(l2, &page);
		}
	}
}

/* What L2 has set since its last port access, here by the VM entry. */
static void try_settings(struct l2 *l2, struct l2_page *page)
{
	for (unsigned own = 0; own < 4; own++) {
		l2_write_entry(l2, page, PT,
			       page->gpa.value | P | (own & 1 ? RW : 0) | (own & 2 ? US : 0));
		try_all(l2, page);
		for (int i = FIRST_PORT_INSTRUCTION; i <= (int)LAST_PORT_INSTRUCTION; i++) {
			struct access access =
				port_access((enum instruction)i, page->linear, false);

			expect_l2_as_modelled(l2, with_ac(access));
		}
	}
}

TEST(string_io_goes_by_the_settings_of_l2,
     "INS and OUTS go by L2's CR0.WP and CR4.SMAP of the moment, not by earlier ones",
     "SDM Vol. 3, \"Determination of Access Rights\"", NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, ALL, TAG);
	const uint64_t wp = CR0_WP, smap = has(FEATURE_smap) ? CR4_SMAP : 0;

	for (unsigned setting = 0; setting < 8; setting++) {
		l2->cr0 = (setting & 1) ? l2->cr0 | wp : l2->cr0 & ~wp;
		l2->cr4 = (setting & 2) ? l2->cr4 | smap : l2->cr4 & ~smap;
		try_settings(l2, &page);
	}
}
