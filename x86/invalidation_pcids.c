/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The events that process-context identifiers bring, behind each kind of edit at each level above
 * pages of each size.
 *
 * As in invalidation_sequences: an entry is used in all ways under PCID 0, edited, an event
 * follows, then come accesses under PCID 0 again, of which the model (lib/model/history.h) says
 * what they may do (SDM Vol. 3, "Process-Context Identifiers (PCIDs)", "Operations that Invalidate
 * TLBs and Paging-Structure Caches"; SDM Vol. 2, "INVPCID - Invalidate Process-Context
 * Identifier").
 *
 * Caught here: INVPCID that reaches the current PCID only, or drops leaf entries but not upper
 * levels, or one piece of a large page, or takes one type for another (KS05, XS41); MOV to CR3 with
 * bit 63 = 0 that keeps something of the PCID that it loads; bit 63 obeyed with CR4.PCIDE = 0
 * before (BX04); tags that leave out bits of the PCID; translations that survive CR4.PCIDE 1 to 0
 * and come back when it is set again.
 *
 * Not checked: that anything stays cached (P10, P11). Where nothing does, PCIDs or not, the cases
 * cannot fail: the note of each says what was seen.
 */
#include "test.h"

SUBJECT(invalidation_pcids, "all edits at all levels before each event that PCIDs bring");

#define MANUAL	   "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define MANUAL_INV "SDM Vol. 2, \"INVPCID - Invalidate Process-Context Identifier\""

enum { OTHER = 0x5a5, PCID_BITS = 12 };
enum { ADDRESS, SINGLE, ALL_AND_GLOBAL, ALL };

static unsigned type;

static void try_with_pcids(void (*event)(void))
{
	set_cr4(CR4_PCIDE);
	scene_sequence.faults_keep = true;
	try_event(event, SCENE_ALL);
}

static void enter_other(uint64_t no_flush)
{
	sequence_mov_to_cr3(&scene_sequence, scene_other_root.value | OTHER | no_flush);
}

static void come_back(uint64_t no_flush)
{
	sequence_mov_to_cr3(&scene_sequence, image_root().value | no_flush);
}

static void reload_without_flush(void)
{
	come_back(CR3_NO_FLUSH);
}

static void visit_other_without_flush(void)
{
	enter_other(CR3_NO_FLUSH);
	come_back(CR3_NO_FLUSH);
}

static void visit_other(void)
{
	enter_other(0);
	come_back(0);
}

static void flush_other_alone(void)
{
	enter_other(0);
	sequence_access(&scene_sequence, read_access(scene_place[1], 8));
	come_back(CR3_NO_FLUSH);
}

/* Each time under a PCID that differs from 0 in another bit: none may be left out of the tag. */
static void use_foreign_frames(void)
{
	static unsigned turn;

	sequence_mov_to_cr3(&scene_sequence, scene_foreign_root.value | 1u << turn++ % PCID_BITS);
	for (unsigned kind = 0; kind < 3; kind++)
		sequence_access(&scene_sequence, nth_access(kind, scene_place[kind & 1]));
	come_back(CR3_NO_FLUSH);
}

static void invpcid_here(void)
{
	sequence_invpcid(&scene_sequence, type, 0, scene_place[0]);
}

static void invpcid_from_other(void)
{
	enter_other(CR3_NO_FLUSH);
	sequence_invpcid(&scene_sequence, type, 0, scene_place[0]);
	come_back(CR3_NO_FLUSH);
}

static void invpcid_of_other(void)
{
	sequence_invpcid(&scene_sequence, type, OTHER, scene_place[0]);
}

static void invlpg_in_other(void)
{
	enter_other(CR3_NO_FLUSH);
	sequence_invlpg(&scene_sequence, scene_place[0]);
	come_back(CR3_NO_FLUSH);
}

static void toggle_pcide_twice(void)
{
	sequence_toggle_cr4(&scene_sequence, CR4_PCIDE);
	sequence_toggle_cr4(&scene_sequence, CR4_PCIDE);
}

TEST(load_without_flush_leaves_old_and_new_translations,
     "MOV to CR3 with bit 63 = 1 leaves old and new translations, and no mixture", MANUAL, "pcid")
{
	try_with_pcids(reload_without_flush);
}

TEST(visit_without_flush_leaves_old_and_new_translations,
     "Another PCID and back with bit 63 = 1 leaves old and new translations, and no mixture",
     MANUAL, "pcid")
{
	try_with_pcids(visit_other_without_flush);
}

TEST(load_with_flush_drops_the_pcid,
     "MOV to CR3 with bit 63 = 0 drops all of the PCID that it loads but global translations",
     MANUAL, "pcid")
{
	try_with_pcids(visit_other);
}

TEST(translations_of_two_pcids_are_kept_apart,
     "What is used under another PCID, whose own is dropped, does not show under the first",
     "SDM Vol. 3, \"Process-Context Identifiers (PCIDs)\"", "pcid")
{
	try_with_pcids(flush_other_alone);
}

TEST(every_bit_of_the_pcid_keeps_frames_apart,
     "Frames that are used under a PCID which differs in one bit do not show under the first",
     "SDM Vol. 3, \"Process-Context Identifiers (PCIDs)\"", "pcid")
{
	try_with_pcids(use_foreign_frames);
}

TEST(invlpg_under_another_pcid_drops_global_translations,
     "INVLPG under another PCID drops the page's global translations, and need not drop others",
     MANUAL, "pcid")
{
	try_with_pcids(invlpg_in_other);
}

TEST(clearing_pcide_drops_everything, "CR4.PCIDE from 1 to 0 drops everything", MANUAL, "pcid")
{
	try_with_pcids(toggle_pcide_twice);
}

static void try_types(void (*event)(void))
{
	for (type = ADDRESS; type <= ALL; type++)
		try_with_pcids(event);
}

TEST(invpcid_drops_of_the_current_pcid,
     "INVPCID of each type makes edits take effect under the current PCID as far as it reaches",
     MANUAL_INV, "pcid invpcid")
{
	try_types(invpcid_here);
}

TEST(invpcid_drops_of_a_pcid_that_is_not_current,
     "INVPCID of each type, under another PCID, makes edits take effect as far as it reaches",
     MANUAL_INV, "pcid invpcid")
{
	try_types(invpcid_from_other);
}

TEST(invpcid_of_another_pcid_may_keep,
     "INVPCID that names another PCID leaves old and new translations, types 2 and 3 new ones "
     "alone",
     MANUAL_INV, "pcid invpcid")
{
	try_types(invpcid_of_other);
}

TEST(invpcid_works_without_pcide,
     "With CR4.PCIDE = 0 INVPCID for PCID 0 makes edits take effect as far as its type reaches",
     MANUAL_INV, "invpcid")
{
	scene_sequence.faults_keep = true;
	for (type = ADDRESS; type <= ALL; type++)
		try_event(invpcid_here, SCENE_ALL);
}
