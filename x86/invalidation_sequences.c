/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Each event that drops cached translations, behind each kind of edit at each level above pages of
 * each size.
 *
 * An entry is used in all ways, edited, an event follows, then come accesses of each kind; the
 * entry is edited back, the event follows again, and more accesses. What each access may do after
 * that, the model says (lib/model/history.h): not more than what the event leaves in TLBs and
 * paging-structure caches, and of an address that was never used only what upper levels allow
 * (SDM Vol. 3, "Caching Translation Information"; APM Vol. 2, "TLB Management").
 *
 * Caught here: events that drop too little: one size of page, one kind of access, the address that
 * was named but not the other pieces of its page (QT22), leaf entries but not the upper levels that
 * were cached apart (XS41), global translations kept by what must drop them (BX03, ER02), a PCID
 * other than the current one (KS05); and accesses that find a mixture of an old and a new
 * translation: new frame with old rights, flags set in an entry that was not used, D lost where it
 * was 0 when the translation was cached. In shadow pagers, TLB emulators, and wherever INVLPG,
 * INVPCID or MOV to CR3 are intercepted.
 *
 * Not checked: that anything stays cached (P10, P11); reserved bits (reserved_bits does); several
 * processors. That page faults drop has cases of its own, elsewhere it is not demanded.
 */
#include "test.h"

SUBJECT(invalidation_sequences, "all edits at all levels before each event that invalidates");

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
static void nothing(void) {}

static void invlpg_here(void)
{
	sequence_invlpg(&scene_sequence, linear_plus(scene_place[0], 0xabc));
}

static void invlpg_there(void)
{
	sequence_invlpg(&scene_sequence, scene_place[1]);
}

static void invlpg_elsewhere(void)
{
	sequence_invlpg(&scene_sequence, LINEAR(0x00007abcdef01000));
}

static void reload(void)
{
	sequence_mov_to_cr3(&scene_sequence, read_cr3());
}

static void load_another_and_back(void)
{
	uint64_t cr3 = read_cr3();

	sequence_mov_to_cr3(&scene_sequence, scene_other_root.value);
	sequence_mov_to_cr3(&scene_sequence, cr3);
}

static void toggle_pge(void)
{
	sequence_toggle_cr4(&scene_sequence, CR4_PGE);
}

static void toggle_pge_twice(void)
{
	toggle_pge();
	toggle_pge();
}

static void set_smep(void)
{
	if (read_cr4() & CR4_SMEP)
		sequence_toggle_cr4(&scene_sequence, CR4_SMEP);
	sequence_toggle_cr4(&scene_sequence, CR4_SMEP);
}

TEST(no_event_leaves_old_and_new_translations,
     "After an edit alone accesses use the old or the new entry, and no mixture of both", MANUAL,
     "")
{
	scene_sequence.faults_keep = true;
	try_event(nothing, SCENE_ALL);
}

TEST(invlpg_of_the_page_drops_it,
     "INVLPG at any place of a page makes an edit at any level take effect there", MANUAL, "")
{
	scene_sequence.faults_keep = true;
	try_event(invlpg_here, SCENE_ALL);
}

TEST(invlpg_of_another_place_drops_its_page,
     "INVLPG of one place drops its whole page, and the upper levels of others, for data accesses",
     MANUAL, "")
{
	scene_sequence.faults_keep = true;
	try_event(invlpg_there, SCENE_DATA);
}

/* Apart, for emulators that cache where code is found apart from data. */
TEST(invlpg_of_another_place_drops_its_page_for_fetches,
     "INVLPG of one place drops its whole page, and the upper levels of others, for fetches too",
     MANUAL, "")
{
	scene_sequence.faults_keep = true;
	try_event(invlpg_there, SCENE_ALL);
}

TEST(invlpg_elsewhere_drops_upper_levels,
     "After INVLPG of an unrelated address, addresses not used before see edited upper levels",
     MANUAL, "")
{
	scene_sequence.faults_keep = true;
	try_event(invlpg_elsewhere, SCENE_ALL);
}

TEST(mov_to_cr3_drops_what_is_not_global,
     "MOV to CR3 of the same value makes each edit take effect but where translations are global",
     MANUAL, "")
{
	scene_sequence.faults_keep = true;
	try_event(reload, SCENE_ALL);
}

TEST(another_root_and_back_drops_what_is_not_global,
     "MOV to CR3 of another root and back drops everything that is not global", MANUAL, "")
{
	scene_sequence.faults_keep = true;
	try_event(load_another_and_back, SCENE_ALL);
}

TEST(one_change_of_pge_drops_everything, "CR4.PGE changed once, from 0 or from 1, drops everything",
     MANUAL, "pge")
{
	scene_sequence.faults_keep = true;
	try_event(toggle_pge, SCENE_ALL);
}

TEST(pge_changed_and_changed_back_drops_everything,
     "CR4.PGE changed and changed back drops everything", MANUAL, "pge")
{
	scene_sequence.faults_keep = true;
	try_event(toggle_pge_twice, SCENE_ALL);
}

TEST(setting_smep_drops_what_is_not_global,
     "CR4.SMEP from 0 to 1 drops everything that is not global", MANUAL, "smep")
{
	scene_sequence.faults_keep = true;
	try_event(set_smep, SCENE_ALL);
}

#define MANUAL_FAULTS MANUAL ", page faults"

TEST(page_faults_drop_what_data_accesses_would_use,
     "After an edit alone, #PF drops what was cached of its address for data accesses",
     MANUAL_FAULTS, "")
{
	scene_sequence.faults_keep = false;
	try_event(nothing, SCENE_DATA);
}

/* Apart, for emulators that cache where code is found apart from data. */
TEST(page_faults_drop_what_fetches_would_use,
     "After an edit alone, #PF drops what was cached of its address for fetches too", MANUAL_FAULTS,
     "")
{
	scene_sequence.faults_keep = false;
	try_event(nothing, SCENE_ALL);
}
