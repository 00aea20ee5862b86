/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VPIDs: what is cached for one virtual processor is not used for another, and what INVVPID, VM
 * entries without VPID and L2's own invalidations drop.
 *
 * With VPID enabled VM entries and exits drop nothing; linear and combined mappings are tagged with
 * the VPID, and INVVPID drops those of an address, of a VPID, of a VPID but for global
 * translations, or of all VPIDs. With VPID disabled, L2 uses VPID 0000H, of which each VM entry and
 * exit drops everything (SDM Vol. 3, "Virtual-Processor Identifiers (VPIDs)", "Operations that
 * Invalidate Cached Mappings", "Guidelines for Use of the INVVPID Instruction").
 *
 * Caught here: mappings of two VPIDs mixed up, global ones above all (BX03); an INVVPID that
 * reaches only the current VPID or only what is cached under one address (KN06); a fresh VPID that
 * still sees something (KN07); a flush that L2 asked for and that hits the wrong VPID (KN09). That
 * is where hypervisors that give L2 a VPID of their own choice go wrong.
 *
 * Never checked: that something is still cached (P10, P23). A machine that drops everything at each
 * VM entry, as emulators do, cannot fail here; vpid_own_flushes has what happens within one. Not
 * checked: L2 without EPT, where KN06 and KN07 were found.
 */
#include "test.h"

SUBJECT(vpid, "VPIDs kept apart, and what INVVPID, VM entries and L2's own flushes drop");

#define MANUAL	 "SDM Vol. 3, \"Operations that Invalidate Cached Mappings\""
#define KEPT	 "SDM Vol. 3, \"Creating and Using Cached Translation Information\""
#define WITHOUT	 "vmx vmx_allowed ept ept_4level invept"
#define NEEDS	 WITHOUT " vpid"
#define INVVPIDS NEEDS " invvpid invvpid_address invvpid_single invvpid_all"
#define SPACES	 4
#define TAG	 5
#define FLAGS	 (P | RW | US | A | D)

static void use_vpid(unsigned vpid)
{
	vmwrite(VMCS_VIRTUAL_PROCESSOR_IDENTIFIER, vpid);
}

/* Several address spaces with a page at the same linear address, each with a frame of its own. */
struct spaces {
	struct l2 *l2;
	linear_t linear;
	uint64_t cr3[SPACES];
};

static struct spaces make_spaces(uint64_t flags)
{
	struct spaces spaces = {.l2 = l2_start(L2_4LEVEL, .tag = TAG)};

	if (flags & G)
		spaces.l2->cr4 |= CR4_PGE;
	for (unsigned i = 0; i < SPACES; i++) {
		if (i)
			l2_new_space(spaces.l2);
		spaces.cr3[i] = spaces.l2->cr3;
		spaces.linear = l2_map(spaces.l2, PT, flags, 90 + i).linear;
	}
	return spaces;
}

static void visit_spaces(struct spaces *spaces, uint64_t salt)
{
	struct random random = random_start(salt);

	for (unsigned i = 0; i < 200; i++) {
		unsigned n = (unsigned)random_below(&random, SPACES);

		use_vpid(n + 1);
		spaces->l2->cr3 = spaces->cr3[n];
		expect_l2_read(spaces->l2, read_access(spaces->linear, 8), frame_word(90 + n));
	}
}

TEST(vpids_are_kept_apart, "the same linear address under several VPIDs leads to each one's frame",
     KEPT, NEEDS)
{
	struct spaces spaces = make_spaces(FLAGS);

	visit_spaces(&spaces, 3);
}

TEST(global_translations_are_kept_apart, "a global translation is used under its own VPID only",
     KEPT, NEEDS)
{
	struct spaces spaces = make_spaces(FLAGS | G);

	visit_spaces(&spaces, 4);
}

/* A guest that has used a page, whose entry at `level` then leads elsewhere. */
struct moved {
	struct l2 *l2;
	struct l2_page page;
};

/* The page of the next tag, by a change of one entry; what is below it is new. */
static void move(struct moved *moved, enum level level, uint64_t flags, uint32_t tag)
{
	struct l2_page other;

	moved->l2->pages += 5; /* another linear address for the page that lends its structures */
	other = l2_map(moved->l2, PT, flags, tag);
	if (level > PT) {
		/* Its tables hold the same page at the indexes of the first one. */
		for (unsigned at = PT; at < level; at++) {
			unsigned index = level_index(&paging_4level, at, moved->page.linear.value);
			gpa_t table = l2_frame_of(moved->l2, other.table[at]);
			uint64_t entry = *(volatile uint64_t *)other.entry[at];

			*((volatile uint64_t *)identity(table) + index) = entry;
		}
		l2_write_entry(moved->l2, &moved->page, level,
			       *(volatile uint64_t *)other.entry[level]);
	} else {
		l2_write_entry(moved->l2, &moved->page, PT, other.gpa.value | flags);
	}
}

static struct moved use_and_move(unsigned vpid, enum level level, uint64_t flags)
{
	struct moved moved = {.l2 = l2_start(L2_4LEVEL, .tag = (uint16_t)vpid)};

	if (flags & G)
		moved.l2->cr4 |= CR4_PGE;
	moved.page = l2_map(moved.l2, PT, flags, 95);
	expect_l2_read(moved.l2, read_access(moved.page.linear, 8), frame_word(95));
	move(&moved, level, flags, 96);
	return moved;
}

static void expect_new(struct moved *moved)
{
	expect_l2_read(moved->l2, read_access(moved->page.linear, 8), frame_word(96));
}

TEST(invvpid_drops_what_its_type_says,
     "after an entry of L2's changed at any level, each type of INVVPID makes L2 see it", MANUAL,
     INVVPIDS)
{
	for (unsigned type = 0; type < 4; type++) {
		for (unsigned level = PT; level <= PDPT; level++) {
			bool keeps_globals = type == INVVPID_SINGLE_CONTEXT_RETAINING_GLOBALS;

			if (keeps_globals && !has_vmx(VMX_FEATURE_invvpid_retaining_globals))
				continue;
			for (unsigned global = 0; global < (keeps_globals ? 1 : 2); global++) {
				struct moved moved =
					use_and_move(TAG, level, FLAGS | (global ? G : 0));

				invvpid(type, TAG, moved.page.linear);
				expect_new(&moved);
			}
		}
	}
}

TEST(invvpid_reaches_a_vpid_that_is_not_current,
     "INVVPID drops what is cached for its VPID while L2's VMCS holds another", MANUAL, INVVPIDS)
{
	for (unsigned type = 0; type < 3; type++) {
		struct moved moved = use_and_move(TAG, PT, FLAGS);

		use_vpid(TAG + 1);
		expect_new(&moved); /* under this VPID nothing was cached */
		invvpid(type, TAG, moved.page.linear);
		use_vpid(TAG);
		expect_new(&moved);
	}
}

TEST(a_fresh_vpid_has_nothing_cached, "under a VPID that was not used yet L2 sees all changes",
     KEPT, NEEDS)
{
	for (unsigned level = PT; level <= PDPT; level++) {
		struct moved moved = use_and_move(TAG, level, FLAGS | G);

		use_vpid(0x8000 + level);
		expect_new(&moved);
	}
}

TEST(without_vpid_each_transition_drops_everything,
     "with VPID disabled L2 sees at once what L1 changed in its paging structures", MANUAL, WITHOUT)
{
	for (unsigned level = PT; level <= PDPT; level++) {
		for (unsigned global = 0; global < 2; global++) {
			struct moved moved = use_and_move(0, level, FLAGS | (global ? G : 0));

			expect_new(&moved);
		}
	}
}

TEST(invlpg_in_l2_drops_its_own_translation,
     "INVLPG that L2 executes drops the page's translation, global or not", MANUAL, NEEDS)
{
	for (unsigned global = 0; global < 2; global++) {
		struct moved moved = use_and_move(TAG, PT, FLAGS | (global ? G : 0));
		struct access invlpg = {INSTRUCTION_invlpg, .linear = moved.page.linear};

		expect_l2_completes(moved.l2, invlpg);
		expect_new(&moved);
	}
}

TEST(mov_to_cr3_in_l2_drops_its_own_translations,
     "MOV to CR3 that L2 executes drops what is not global", MANUAL, NEEDS)
{
	if (!vmx_lets_guests_load_cr3())
		end_case_skipped("no_cr3_load_exiting", "CR3-load exiting cannot be turned off");
	for (unsigned level = PT; level <= PDPT; level++) {
		struct moved moved = use_and_move(TAG, level, FLAGS);
		struct access load = {INSTRUCTION_mov_to_cr3, .linear = LINEAR(moved.l2->cr3),
				      .value = {moved.l2->cr3}};

		expect_l2_completes(moved.l2, load);
		expect_new(&moved);
	}
}

/* Two PCIDs and two VPIDs: four translations of one linear address. */
TEST(pcids_are_kept_apart_within_each_vpid,
     "VPID and PCID together tag a translation, and INVVPID drops those of all PCIDs", KEPT,
     INVVPIDS " pcid")
{
	struct spaces spaces = make_spaces(FLAGS);
	struct random random = random_start(5);

	spaces.l2->cr4 |= CR4_PCIDE;
	for (unsigned i = 0; i < 200; i++) {
		unsigned n = (unsigned)random_below(&random, SPACES);

		use_vpid(1 + n / 2);
		spaces.l2->cr3 = spaces.cr3[n] | (1 + n % 2);
		expect_l2_read(spaces.l2, read_access(spaces.linear, 8), frame_word(90 + n));
		if (random_below(&random, 8) == 0)
			invvpid(INVVPID_SINGLE_CONTEXT, 1 + n / 2, LINEAR(0));
	}
	/* Now the same tags for the other frames. */
	invvpid(INVVPID_SINGLE_CONTEXT, 1, LINEAR(0));
	invvpid(INVVPID_SINGLE_CONTEXT, 2, LINEAR(0));
	for (unsigned n = 0; n < SPACES; n++) {
		use_vpid(2 - n / 2);
		spaces.l2->cr3 = spaces.cr3[n] | (2 - n % 2);
		expect_l2_read(spaces.l2, read_access(spaces.linear, 8), frame_word(90 + n));
	}
}
