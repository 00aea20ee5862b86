/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rights of L2's own paging structures at every level; one access of L2's after another.
 *
 * A nested guest's page faults are those that its own tables and registers give, as if it ran
 * alone: P, R/W, U/S and XD of every entry count, whatever the second level allows (SDM Vol. 3,
 * "Determination of Access Rights"; R3). And what the second level allows to one kind of access it
 * does not allow to another that follows at once, by what the first one left in a cache (R38).
 *
 * Caught here: walkers that treat L2's entries in another way than L1's, at some level (KN01,
 * XS35); rights of the two dimensions combined for the access that was made, not for those that
 * the cached translation will serve (BX02).
 *
 * Not checked: rights of the second level at each of its levels (npt, ept); other modes of L2,
 * SMAP, reserved bits (l2_rights).
 */
#include "test.h"

SUBJECT(l2_every_entry, "P, R/W, U/S and XD in each entry of L2, and each access after each other");

#define MANUAL \
	"SDM Vol. 3, \"Determination of Access Rights\"; APM Vol. 2, \"Page-Protection Checks\""
#define NEEDS "second_level"
#define ALL   (P | RW | US | A | D)
#define TAG   51

enum { WITH_WP = 1, WITH_NXE = 2, WITH_SMEP = 4, SETTINGS = 8 };

static void take_setting(struct l2 *l2, unsigned setting)
{
	l2->cr0 = setting & WITH_WP ? l2->cr0 | CR0_WP : l2->cr0 & ~(uint64_t)CR0_WP;
	if (has(FEATURE_nx))
		l2->efer = setting & WITH_NXE ? l2->efer | EFER_NXE : l2->efer & ~EFER_NXE;
	if (has(FEATURE_smep))
		l2->cr4 = setting & WITH_SMEP ? l2->cr4 | CR4_SMEP : l2->cr4 & ~CR4_SMEP;
}

/* Each right taken from each entry of the walk. */
static void try_entries(struct l2 *l2, enum level leaf)
{
	static const uint64_t changes[] = {0, RW, US, XD, P};
	struct l2_page page = l2_map(l2, leaf, ALL, TAG);

	for (int level = leaf; level <= PML4; level++) {
		uint64_t good = *(volatile uint64_t *)page.entry[level];

		for (unsigned i = 0; i < COUNT_OF(changes); i++) {
			if (changes[i] == XD && !(l2->efer & EFER_NXE))
				continue;
			l2_write_entry(l2, &page, (enum level)level, good ^ changes[i]);
			for (unsigned n = 0; n < 6; n++)
				expect_l2_as_modelled(l2, nth_access(n, page.linear));
		}
		l2_write_entry(l2, &page, (enum level)level, good);
	}
}

TEST(every_entry_of_l2_has_rights,
     "each entry of L2's 4-level paging takes R/W, U/S, XD or P from L2's access", MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);

	for (unsigned setting = 0; setting < SETTINGS; setting++) {
		take_setting(l2, setting);
		try_entries(l2, PT);
		try_entries(l2, PD);
	}
}

/* The first access is allowed by the second level, the next one is not. */
static void try_pair(unsigned rights, struct access first, struct access next)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, ALL, TAG);
	struct l2_run run;
	struct access steps[2];

	first.linear = next.linear = page.linear;
	steps[0] = first;
	steps[1] = next;
	second_allow(&l2->second, page.gpa, PT, rights, SECOND_FLUSH);
	l2_run_steps(l2, steps, 2, &run);
	expect(run.done == 1 && run.end.exited && run.end.exit.kind == L2_VIOLATION &&
		       run.end.exit.gpa == page.gpa.value,
	       "%u steps completed, exited %u at 0x%llx", run.done, run.end.exited,
	       (unsigned long long)run.end.exit.gpa);
}

TEST(rights_of_the_second_level_count_at_each_access,
     "an access that the second level forbids exits right after one that it allows", MANUAL,
     NEEDS " nx")
{
	for (unsigned user = 0; user < 2; user++) {
		struct access read = read_access(LINEAR(0), 8), fetch = fetch_access(LINEAR(0));
		struct access write = write_access(LINEAR(0), 8, frame_word(TAG));

		read.user = fetch.user = write.user = user;
		try_pair(SECOND_READ | SECOND_EXECUTE, read, write);
		try_pair(SECOND_READ | SECOND_EXECUTE, fetch, write);
		try_pair(SECOND_READ | SECOND_WRITE, read, fetch);
		try_pair(SECOND_READ | SECOND_WRITE, write, fetch);
	}
}
