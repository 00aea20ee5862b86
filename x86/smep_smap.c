/* SPDX-License-Identifier: BSD-2-Clause
 *
 * SMEP and SMAP where accesses and settings follow each other closely: EFLAGS.AC changed by STAC,
 * CLAC, POPF and IRET right before an access; the same translation used by user mode and supervisor
 * mode in turn; descriptors read by LAR, LSL and VERR.
 *
 * SMAP denies explicit supervisor-mode data accesses to user-mode addresses while EFLAGS.AC = 0,
 * SMEP supervisor-mode fetches always, and neither asks what is cached (SDM Vol. 3, "Determination
 * of Access Rights"; R4, R18, R25). An address is a user-mode one only if U/S = 1 at every level.
 *
 * Caught here: AC taken from the time when the translation was cached, or when a block of code was
 * translated (QT18, BX02, KS19); a fetch that a data access let in, or the other way round (QT18,
 * XS06); U/S of one level taken for all (KS16); WP = 0 that lifts SMEP or SMAP (KS17); descriptors
 * read with the rights of user mode (XS08), or with AC (QT17).
 *
 * Not checked: changes of CR4 against cached translations (mode_toggles), descriptor loads and
 * event delivery (implicit_accesses), all rights at all levels (access_rights).
 */
#include "test.h"

SUBJECT(smep_smap,
	"AC by every instruction, both modes in turn, U/S at one level, LAR and the like");

#define MANUAL	      "SDM Vol. 3, \"Determination of Access Rights\""
#define TAG	      31
#define ACCESSED_DATA 0x00cff3000000ffffull /* writable, DPL 3, accessed */
#define ALL	      (P | RW | US)

static struct access with_instruction(enum instruction instruction, linear_t linear, bool ac)
{
	struct access access = instruction_access(instruction, linear, frame_word(TAG));

	access.ac = ac;
	return access;
}

/* Each instruction from either value of AC, one after another over the same translation. */
static void try_ac(enum level level)
{
	struct subject subject = map_subject(level, ALL, TAG);
	linear_t at = subject.target;
	const uint64_t word = frame_word(TAG);

	set_cr4(CR4_SMAP);
	for (unsigned i = 0; i < 16; i++) {
		bool ac = i & 1;

		(i & 2) ? clear_cr0(CR0_WP) : set_cr0(CR0_WP);
		if (i & 4)
			attempt(as_user(write_access(at, 8, word)));
		if (i & 8)
			invalidate(at, INVLPG);
		expect_read(with_instruction(INSTRUCTION_stac_read, at, ac), word);
		expect_page_fault(with_instruction(INSTRUCTION_clac_read, at, ac), PF_P);
		expect_read(with_instruction(INSTRUCTION_stac_write, at, ac), word);
		expect_page_fault(with_instruction(INSTRUCTION_clac_write, at, ac), PF_P | PF_W);
		expect_as_modelled(with_ac(read_access(at, 8)));
		expect_as_modelled(read_access(at, 8));
		expect_as_modelled(as_user(read_access(at, 8)));
		expect_as_modelled(write_access(at, 8, word));
		expect_as_modelled(with_ac(write_access(at, 8, word)));
	}
}

TEST(stac_and_clac_count_at_the_next_access,
     "STAC lifts SMAP for the next access, CLAC restores it", MANUAL, "smap")
{
	for (int level = PT; level <= (int)largest_page(); level++)
		try_ac((enum level)level);
}

static void try_change_of_ac(enum instruction instruction)
{
	struct subject subject = map_subject(PT, ALL, TAG);

	set_cr4(CR4_SMAP);
	for (unsigned i = 0; i < 8; i++) {
		struct access access =
			instruction_access(instruction, subject.target, i & 1 ? 0 : RFLAGS_AC);

		access.ac = i & 2;
		if (access.ac == (i & 1))
			expect_read(access, frame_word(TAG));
		else
			expect_page_fault(access, PF_P);
	}
}

TEST(iret_changes_ac_for_the_next_access, "AC that IRET loads at CPL 0 counts at the next access",
     MANUAL, "smap")
{
	try_change_of_ac(INSTRUCTION_iret_ac_read);
}

TEST(popf_changes_ac_for_the_next_access, "AC that POPF loads at CPL 0 counts at the next access",
     MANUAL, "smap")
{
	try_change_of_ac(INSTRUCTION_popf_ac_read);
}

/* U/S = 0 at one level makes it a supervisor-mode address: SMEP and SMAP let it be, user mode is
 * denied, and what one access cached serves no other. */
static void try_one_level(enum level level, unsigned first)
{
	struct subject subject = map_subject(PT, ALL, TAG);

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned n = 0; n < ACCESS_WAYS; n++)
			expect_as_modelled(nth_access((first + n) % ACCESS_WAYS, subject.target));
		edit_entry(&subject.page, level, INVLPG, .clear = US);
		for (unsigned n = 0; n < ACCESS_WAYS; n++)
			expect_as_modelled(nth_access((first + n) % ACCESS_WAYS, subject.target));
		edit_entry(&subject.page, level, INVLPG, .set = US);
	}
}

static void try_levels(bool wp)
{
	wp ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
	for (int level = PT; level <= PML4; level++) {
		for (unsigned first = 0; first < ACCESS_WAYS; first += 4) {
			progress("U/S of level %d", level);
			try_one_level((enum level)level, first);
		}
	}
}

TEST(us_of_one_level_makes_a_supervisor_page_for_smep,
     "With SMEP a page whose U/S is 0 at one level alone is executed by supervisor mode", MANUAL,
     "smep")
{
	set_cr4(CR4_SMEP);
	try_levels(true);
	try_levels(false);
}

TEST(us_of_one_level_makes_a_supervisor_page_for_smap,
     "With SMAP a page whose U/S is 0 at one level alone is accessed by supervisor mode", MANUAL,
     "smap")
{
	set_cr4(CR4_SMAP);
	try_levels(true);
	try_levels(false);
}

/* SMAP is no matter of fetches, SMEP none of data; EFER.NXE = 0, so that I/D is SMEP's alone. */
TEST(smap_does_not_concern_fetches_nor_smep_data,
     "With SMAP alone supervisor mode executes user pages, with SMEP alone it reads and writes "
     "them",
     MANUAL, "smep smap")
{
	for (unsigned round = 0; round < 4; round++) {
		struct subject subject = map_subject(round & 2 ? PD : PT, ALL, TAG);

		(round & 1) ? clear_cr4(CR4_SMEP) : set_cr4(CR4_SMEP);
		(round & 1) ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
		for (unsigned first = 0; first < ACCESS_WAYS; first++) {
			for (unsigned n = 0; n < ACCESS_WAYS; n++)
				expect_as_modelled(
					nth_access((first + n) % ACCESS_WAYS, subject.target));
			invalidate(subject.target, INVLPG);
		}
	}
}

enum table { IN_GDT, IN_LDT };

/* The descriptor is first in the pair's second page. */
static void place_descriptor(const struct page_pair *pair, enum table table)
{
	const uint64_t descriptor = ACCESSED_DATA;
	uint64_t gdt[GDT_ENTRIES];

	copy_gdt(gdt);
	if (table == IN_GDT) {
		gdt[GDT_SPARE_SEL / 8] = descriptor;
		load_gdt(place_across(pair, gdt, sizeof(gdt), GDT_SPARE_SEL), sizeof(gdt));
		return;
	}
	make_system_descriptor(&gdt[GDT_SYSTEM_SEL / 8], DESCRIPTOR_LDT, pair->border, 7);
	load_gdt_copy(gdt);
	load_ldtr(GDT_SYSTEM_SEL);
	place_across(pair, &descriptor, 8, 0);
}

/* The page of the descriptor has an entry of each kind. */
static void try_descriptor_reads(enum instruction instruction, enum table table, bool user, bool ac)
{
	static const uint64_t states[] = {0, P, P | RW, P | US, P | RW | US};
	struct page_pair pair = map_page_pair(0, 0);
	struct implicit_access implicit = {
		.access = instruction_access(instruction, LINEAR(0),
					     table == IN_GDT ? GDT_SPARE_SEL : 4),
		.linear = pair.border,
		.bytes = 8,
		.reads = true,
		.writes = NEVER,
		.completed = NO_VECTOR,
	};

	set_page_pair(&pair, pair.good[0] & ~US, pair.good[1] & ~US);
	place_descriptor(&pair, table);
	implicit.access.user = user;
	implicit.access.ac = ac;
	for (unsigned i = 0; i < COUNT_OF(states) * 2; i++) {
		if ((i & 1) && !has(FEATURE_smap))
			continue;
		(i & 1) ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
		set_page_pair(&pair, pair.good[0] & ~US, pair.frame[1].value | states[i / 2]);
		expect_implicit(&implicit);
	}
}

static void try_all_reads(bool user, bool ac)
{
	for (enum table table = IN_GDT; table <= IN_LDT; table++) {
		try_descriptor_reads(INSTRUCTION_lar, table, user, ac);
		try_descriptor_reads(INSTRUCTION_lsl, table, user, ac);
		try_descriptor_reads(INSTRUCTION_verr, table, user, ac);
	}
}

TEST(lar_lsl_and_verr_read_descriptors_as_supervisor,
     "LAR, LSL and VERR read descriptors with supervisor rights, also at CPL 3", MANUAL, "")
{
	try_all_reads(false, false);
	try_all_reads(true, false);
}

TEST(ac_does_not_lift_smap_for_lar_at_cpl_0,
     "With SMAP a descriptor on a user-mode page faults for LAR, LSL and VERR at CPL 0, whatever "
     "AC",
     MANUAL, "smap")
{
	try_all_reads(false, true);
}

TEST(ac_does_not_lift_smap_for_lar_at_cpl_3,
     "With SMAP a descriptor on a user-mode page faults for LAR, LSL and VERR at CPL 3, whatever "
     "AC",
     MANUAL, "smap")
{
	watch_attempts();
	try_all_reads(true, true);
}

/* Supervisor-mode pages, cached under one value of AC, dropped and used under others. */
TEST(invlpg_drops_what_either_value_of_ac_has_cached,
     "After INVLPG an access uses the entry as it is now, whatever AC was at any time",
     "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\"", "smap")
{
	for (int level = PT; level <= PD; level++) {
		struct subject one = map_subject((enum level)level, P | RW, TAG);
		struct subject two = map_subject((enum level)level, P | RW, TAG + 1);
		uint64_t entries[] = {*one.page.entry[level], *two.page.entry[level]};

		set_cr4(CR4_SMAP);
		for (unsigned i = 0; i < 16; i++) {
			struct access drop = instruction_access(INSTRUCTION_invlpg, one.target, 0);
			struct access cache = read_access(one.target, 8), use = cache;

			cache.ac = i & 1;
			drop.ac = i & 2;
			use.ac = i & 4;
			write_entry(&one.page, (enum level)level, entries[i / 8], INVLPG);
			expect_read(cache, frame_word(TAG + i / 8));
			cache.ac = !cache.ac;
			if (i & 8)
				expect_read(cache, frame_word(TAG + 1));
			write_entry(&one.page, (enum level)level, entries[!(i / 8)], NO_FLUSH);
			expect(attempt(drop).vector == NO_VECTOR, "INVLPG faults");
			expect_read(use, frame_word(TAG + !(i / 8)));
			use.ac = !use.ac;
			expect_read(use, frame_word(TAG + !(i / 8)));
			expect_read(fetch_access(one.target), TAG + !(i / 8));
		}
	}
}
