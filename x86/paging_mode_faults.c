/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Changes of the paging mode that are not allowed, from each mode: #GP(0), and no register changes.
 *
 * PG without PE, NW without CD; IA-32e mode without PAE; EFER.LME changed under paging; PAE cleared
 * or LA57 changed in IA-32e mode; PCIDE outside it, and PG cleared under PCIDE (SDM Vol. 2, "MOV -
 * Move to/from Control Registers"; SDM Vol. 3, "Paging-Mode Enabling"; APM Vol. 2, "Long-Mode
 * Consistency Checks"; R13, R23).
 *
 * Caught here: checks that are missing, that are made in 64-bit mode alone (QT20), that take a mode
 * from one register without the others (AC04), or that come after a part of the change was made:
 * the mode is used afterwards. Not checked: 64-bit code (control_registers does); IA-32e mode
 * activated by code with CS.L = 1.
 */
#include "test.h"

SUBJECT(paging_mode_faults, "illegal changes of the paging mode, from each mode");

#define MOVING	    "SDM Vol. 2, \"MOV - Move to/from Control Registers\""
#define CONSISTENCY "APM Vol. 2, \"Long-Mode Consistency Checks\""

static struct mode_scene scene;

static void toggle_cr4(uint64_t bits)
{
	scene_write(&scene, MODEL_CR4, scene.now.cr4 ^ bits);
}

/* The illegal write, after which the mode is what it was. */
static void try_illegal(enum model_register which, uint64_t value)
{
	scene_write(&scene, which, value);
	scene_use(&scene);
	expect_scene(&scene);
}

TEST(enabling_paging_without_protection_faults,
     "MOV to CR0 that sets PG and clears PE raises #GP(0) while paging is off", MOVING, "")
{
	make_mode_scene(&scene);
	leave_paging(&scene);
	try_illegal(MODEL_CR0, (scene.now.cr0 | CR0_PG) & ~CR0_PE);
}

TEST(nw_without_cd_faults_in_each_mode, "CR0.NW = 1 with CD = 0 raises #GP(0) in each mode", MOVING,
     "")
{
	make_mode_scene(&scene);
	for (unsigned mode = UNPAGED; mode < PAGING_MODES; mode++) {
		if (!mode_is_offered(mode))
			continue;
		scene_go(&scene, mode);
		try_illegal(MODEL_CR0, (scene.now.cr0 | CR0_NW) & ~CR0_CD);
	}
}

TEST(ia_32e_mode_needs_pae, "CR0.PG set with EFER.LME = 1 and CR4.PAE = 0 raises #GP(0)",
     CONSISTENCY, "")
{
	make_mode_scene(&scene);
	leave_paging(&scene);
	toggle_cr4(CR4_PAE);
	try_illegal(MODEL_CR0, scene.now.cr0 | CR0_PG);
}

TEST(lme_may_not_change_under_paging, "EFER.LME changed in each mode with paging raises #GP(0)",
     CONSISTENCY, "pse")
{
	make_mode_scene(&scene);
	for (unsigned mode = MODE_32BIT; mode < PAGING_MODES; mode++) {
		if (!mode_is_offered(mode))
			continue;
		scene_go(&scene, mode);
		try_illegal(MODEL_EFER, scene.now.efer ^ EFER_LME);
	}
}

TEST(pae_may_not_be_cleared_in_compatibility_mode,
     "CR4.PAE = 0 raises #GP(0) in compatibility mode", CONSISTENCY, "")
{
	make_mode_scene(&scene);
	try_illegal(MODEL_CR4, scene.now.cr4 & ~CR4_PAE);
}

TEST(la57_may_not_change_in_compatibility_mode,
     "A change of CR4.LA57 raises #GP(0) in compatibility mode, under 4 and 5 levels", MOVING,
     "la57")
{
	make_mode_scene(&scene);
	for (unsigned mode = MODE_4LEVEL; mode <= MODE_5LEVEL; mode++) {
		scene_go(&scene, mode);
		try_illegal(MODEL_CR4, scene.now.cr4 ^ CR4_LA57);
		scene_go(&scene, mode);
		try_illegal(MODEL_CR4, scene.now.cr4 ^ (CR4_LA57 | CR4_PGE));
	}
}

TEST(pcide_needs_ia_32e_mode,
     "CR4.PCIDE set raises #GP(0) without paging, in 32-bit and PAE paging", MOVING, "pcid pse")
{
	make_mode_scene(&scene);
	for (unsigned mode = UNPAGED; mode <= MODE_PAE; mode++) {
		scene_go(&scene, mode);
		try_illegal(MODEL_CR4, scene.now.cr4 | CR4_PCIDE);
	}
}

TEST(paging_may_not_be_left_under_pcide, "CR0.PG cleared with CR4.PCIDE = 1 raises #GP(0)", MOVING,
     "pcid")
{
	make_mode_scene(&scene);
	toggle_cr4(CR4_PCIDE);
	try_illegal(MODEL_CR0, scene.now.cr0 & ~CR0_PG);
}
