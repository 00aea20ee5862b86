/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Each kind of access after each other, through one cached translation.
 *
 * A TLB entry holds the page's rights and its dirty flag, and the processor that uses it decides by
 * those and by its controls as a walk would have (SDM Vol. 3, "Caching Translation Information",
 * "Details of TLB Use"). So an access that follows another one at once, with no invalidation in
 * between, ends as the model says of entries in memory, and a write that follows a read sets D.
 *
 * Caught here: entries made for one kind of access that allow another one: fetches from pages with
 * XD after a read, accesses of supervisor mode by what user mode cached and the reverse, writes
 * after reads through a read-only entry (BX02, QT18); D lost where the entry was made by a read or
 * by a write that only CR0.WP = 0 allowed (V803, KS06, XS17); rights of the last entry alone.
 *
 * Rights are taken from the last entry or from the one above it, all combinations of each, for all
 * page sizes and settings of WP, SMEP and SMAP. Not checked: changes of the entry (invlpg) and of
 * the settings (mode_toggles) in between; protection keys.
 */
#include "test.h"

SUBJECT(cached_rights, "each kind of access after each other through one translation");

#define MANUAL "SDM Vol. 3, \"Details of TLB Use\""
#define RIGHTS (RW | US | XD)
#define TAG    43

enum { WITH_WP = 1, WITH_SMEP = 2, WITH_SMAP = 4, SETTINGS = 8 };

static bool take_setting(unsigned setting)
{
	if (((setting & WITH_SMEP) && !has(FEATURE_smep)) ||
	    ((setting & WITH_SMAP) && !has(FEATURE_smap)))
		return false;
	(setting & WITH_WP) ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
	if (has(FEATURE_smep))
		(setting & WITH_SMEP) ? set_cr4(CR4_SMEP) : clear_cr4(CR4_SMEP);
	if (has(FEATURE_smap))
		(setting & WITH_SMAP) ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
	return true;
}

/* Rights 0 to 7 of the entry at this level, all others allow everything. */
static void set_rights(const struct subject *subject, enum level level, unsigned number)
{
	edit_entry(&subject->page, level, INVLPG, .clear = RIGHTS,
		   .set = (number & 1 ? RW : 0) | (number & 2 ? US : 0) |
			  (number & 4 && has(FEATURE_nx) ? XD : 0));
}

/* What a supervisor write that only EFLAGS.AC and CR0.WP = 0 allowed leaves to accesses without AC
 * has a case of its own: shadow pagers that make a supervisor page of it forget SMAP. */
static bool is_apart(struct access first, struct access second)
{
	return (read_cr4() & CR4_SMAP) && !(read_cr0() & CR0_WP) && first.ac && !second.ac &&
	       first.instruction == INSTRUCTION_write8 && !second.user;
}

static void try_pair(const struct subject *subject, enum level level, unsigned pair, bool apart)
{
	struct access first = nth_access(pair / ACCESS_WAYS, subject->target);
	struct access second = nth_access(pair % ACCESS_WAYS, subject->target);

	if (is_apart(first, second) != apart)
		return;
	edit_entry(&subject->page, level, NO_FLUSH, .clear = A | D);
	invalidate(subject->target, INVLPG); /* of the piece that fetches use */
	expect_as_modelled(first);
	expect_as_modelled(second);
}

static void try_pairs(const struct subject *subject, enum level level, unsigned first_pair)
{
	for (unsigned pair = first_pair; pair < ACCESS_WAYS * ACCESS_WAYS; pair += effort_shares())
		try_pair(subject, level, pair, false);
}

/* `varied` is the entry that loses rights. */
static void try_entry(enum level level, enum level varied)
{
	struct subject subject = map_subject(level, P | RW | US, TAG);

	effort_shares(); /* measured before SMAP is set */
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	for (unsigned setting = 0; setting < SETTINGS; setting++) {
		for (unsigned rights = 0; rights < 8; rights++) {
			if (!take_setting(setting))
				continue;
			set_rights(&subject, varied, rights);
			try_pairs(&subject, level, rights % effort_shares());
		}
	}
}

TEST(accesses_to_4_kbyte_pages_need_their_own_rights,
     "An access to a 4-KByte page that is cached ends as its entries say, after whatever access",
     MANUAL, "")
{
	try_entry(PT, PT);
	try_entry(PT, PD);
}

TEST(accesses_to_2_mbyte_pages_need_their_own_rights,
     "An access to a 2-MByte page that is cached ends as its entries say, after whatever access",
     MANUAL, "")
{
	try_entry(PD, PD);
	try_entry(PD, PDPT);
}

TEST(accesses_to_1_gbyte_pages_need_their_own_rights,
     "An access to a 1-GByte page that is cached ends as its entries say, after whatever access",
     MANUAL, "pages_1g")
{
	try_entry(PDPT, PDPT);
	try_entry(PDPT, PML4);
}

TEST(ac_counts_at_each_access_while_wp_is_clear,
     "Where AC and CR0.WP = 0 allowed a write to a read-only user page, SMAP stops the next access",
     "SDM Vol. 3, \"Determination of Access Rights\"", "smap")
{
	struct subject subject = map_subject(PT, P | RW | US, TAG);

	for (unsigned rights = 0; rights < 4; rights++) {
		take_setting(WITH_SMAP);
		set_rights(&subject, PT, rights);
		for (unsigned pair = 0; pair < ACCESS_WAYS * ACCESS_WAYS; pair++)
			try_pair(&subject, PT, pair, true);
	}
}
