/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The ways between paging off, 32-bit, PAE, 4-level and 5-level paging are followed at once and
 * completely.
 *
 * Turning paging on uses CR3 as it is then, and nothing that was cached before paging was off;
 * while it is off there are no rights, whatever CR4 says (SDM Vol. 3, "Paging-Mode Enabling",
 * "Operations that Invalidate TLBs and Paging-Structure Caches"; R22).
 *
 * Caught here: translations, large ones too, that outlive CR0.PG = 0 (KS36, AC01, XS13); tables
 * shadowed for one mode and used in another; SMEP, SMAP or PKE obeyed or lost without paging (XS13,
 * XS14); a mode told by CR4 and EFER without CR0.PG (AC04, V802), or EFER.LMA left as it was
 * (BH02); LA57 that matters outside IA-32e mode; INVPCID without paging (KS27).
 *
 * The script runs outside 64-bit mode. Each step is judged: outcome, error code, data, and CR0,
 * CR2, CR3, CR4 and EFER read back. Each CR4 bit has a case, since hypervisors list them one by
 * one. Not checked: illegal changes (paging_mode_faults), PDPTEs (pdpte_loads), the instruction
 * after a change of PG on a page that is not identity-mapped (P25).
 */
#include "test.h"

SUBJECT(paging_modes, "from each paging mode to each other one");

#define ENABLING    "SDM Vol. 3, \"Paging-Mode Enabling\""
#define RIGHTS	    "SDM Vol. 3, \"Determination of Access Rights\""
#define RANDOM_RUNS 24

static struct mode_scene scene;

/* Under 32-bit paging software has to invalidate for CR4.PSE; only some manuals promise more. */
static void toggle(enum model_register which, uint64_t bits)
{
	uint64_t old = which == MODEL_CR0   ? scene.now.cr0
		       : which == MODEL_CR4 ? scene.now.cr4
					    : scene.now.efer;

	scene_write(&scene, which, old ^ bits);
	if (which == MODEL_CR4 && (bits & CR4_PSE) && scene_mode(&scene) == MODE_32BIT)
		scene_write(&scene, MODEL_CR3, scene.now.cr3);
}

/* In use under `from`; while paging is off a register bit changes and the tables of `to`; then
 * `to`, the bit back, and `from` again. */
static void try_way(enum paging_mode from, enum paging_mode to, enum model_register which,
		    uint64_t bit, unsigned round)
{
	scene_go(&scene, from);
	scene_use(&scene);
	leave_paging(&scene);
	if (bit)
		toggle(which, bit);
	if (to != UNPAGED)
		scene_store(&scene, to, (enum scene_variant)(round % SCENE_VARIANTS));
	scene_use(&scene);
	enter_mode(&scene, to);
	scene_use(&scene);
	if (bit)
		toggle(which, bit);
	scene_use(&scene);
}

/* All ordered pairs; each table holds each of its three values under each pair of modes. */
static void try_all_ways(enum model_register which, uint64_t bit)
{
	make_mode_scene(&scene);
	for (unsigned from = MODE_32BIT; from < PAGING_MODES; from++) {
		for (unsigned to = UNPAGED; to < PAGING_MODES; to++) {
			if (!mode_is_offered(from) || !mode_is_offered(to))
				continue;
			for (unsigned round = 0; round < SCENE_VARIANTS; round++)
				try_way(from, to, which, bit, round + from + to);
			expect_scene(&scene);
		}
	}
}

#define WAYS(name, which, bit, promise, needs) \
	TEST(name, promise, ENABLING, needs)   \
	{                                      \
		try_all_ways(which, bit);      \
	}

WAYS(enabling_paging_uses_rewritten_tables, MODEL_CR0, 0,
     "Tables rewritten while CR0.PG = 0 are used when it is 1 again, from each mode to each", "")
WAYS(pse_changes_while_paging_is_off, MODEL_CR4, CR4_PSE,
     "CR4.PSE changed while paging is off counts when it is on", "pse")
WAYS(pge_changes_while_paging_is_off, MODEL_CR4, CR4_PGE,
     "CR4.PGE changed while paging is off keeps no translation alive", "pge")
WAYS(smep_is_ignored_while_paging_is_off, MODEL_CR4, CR4_SMEP,
     "CR4.SMEP forbids nothing while paging is off, and counts when it is on", "smep")
WAYS(smap_is_ignored_while_paging_is_off, MODEL_CR4, CR4_SMAP,
     "CR4.SMAP forbids nothing while paging is off, and counts when it is on", "smap")
WAYS(pke_changes_while_paging_is_off, MODEL_CR4, CR4_PKE,
     "CR4.PKE changed while paging is off keeps no translation alive", "pku")
WAYS(umip_changes_while_paging_is_off, MODEL_CR4, CR4_UMIP,
     "CR4.UMIP changed while paging is off keeps no translation alive", "umip")
WAYS(wp_changes_while_paging_is_off, MODEL_CR0, CR0_WP,
     "CR0.WP changed while paging is off keeps no translation alive", "")
WAYS(nxe_changes_while_paging_is_off, MODEL_EFER, EFER_NXE,
     "EFER.NXE changed while paging is off counts when it is on, in error codes too", "nx")

/* CR4.LA57 is set, which these modes have no use for. */
TEST(la57_is_ignored_outside_ia_32e_mode, "CR4.LA57 changes nothing in 32-bit and PAE paging",
     ENABLING, "la57 pse")
{
	make_mode_scene(&scene);
	for (unsigned mode = MODE_32BIT; mode <= MODE_PAE; mode++) {
		for (unsigned round = 0; round < SCENE_VARIANTS; round++) {
			leave_paging(&scene);
			scene_store(&scene, mode, (enum scene_variant)round);
			enter_mode(&scene, mode);
			scene_use(&scene);
			toggle(MODEL_CR4, CR4_LA57);
			scene_use(&scene);
			toggle(MODEL_CR4, CR4_LA57);
			scene_use(&scene);
		}
	}
	expect_scene(&scene);
}

/* With access-disable for key 0, which the target has. */
TEST(pke_is_ignored_outside_ia_32e_mode,
     "CR4.PKE and PKRU forbid nothing without paging, nor in 32-bit and PAE paging", RIGHTS,
     "pku pse")
{
	make_mode_scene(&scene);
	scene_go(&scene, UNPAGED);
	toggle(MODEL_CR4, CR4_PKE);
	scene.pkru = 1;
	scene_step(&scene, MODE_SCRIPT_WRPKRU, 0, 1);
	for (unsigned mode = UNPAGED; mode <= MODE_PAE; mode++) {
		scene_go(&scene, mode);
		scene_use(&scene);
		scene_step(&scene, MODE_SCRIPT_RDPKRU, 0, 0);
	}
	scene_go(&scene, UNPAGED);
	scene_step(&scene, MODE_SCRIPT_WRPKRU, 0, 0);
	expect_scene(&scene);
}

/* The bits that the walk changes, in any mode in which the model allows it. */
static const struct {
	enum model_register which;
	uint64_t bit;
	int need; /* a feature, or -1 */
} changes[] = {
	{MODEL_CR0, CR0_PG, -1},
	{MODEL_CR0, CR0_PG, -1},
	{MODEL_CR0, CR0_WP, -1},
	{MODEL_CR4, CR4_PAE, -1},
	{MODEL_CR4, CR4_PSE, FEATURE_pse},
	{MODEL_CR4, CR4_PGE, FEATURE_pge},
	{MODEL_CR4, CR4_SMEP, FEATURE_smep},
	{MODEL_CR4, CR4_SMAP, FEATURE_smap},
	{MODEL_CR4, CR4_PCIDE, FEATURE_pcid},
	{MODEL_CR4, CR4_LA57, FEATURE_la57},
	{MODEL_EFER, EFER_LME, -1},
	{MODEL_EFER, EFER_LME, -1},
	{MODEL_EFER, EFER_NXE, FEATURE_nx},
};

/* Legal, and no change of the tables' format under paging, for which CR3 would have to change with
 * it. Paging is turned on with the root of the mode that this leads to. */
static void try_change(enum model_register which, uint64_t bit)
{
	struct model_registers next = scene.now;
	uint64_t old = which == MODEL_CR0 ? next.cr0 : which == MODEL_CR4 ? next.cr4 : next.efer;
	enum paging_mode mode = scene_mode(&scene), then;

	if (!model_write_register(&next, which, old ^ bit))
		return;
	then = mode_of_registers(&next);
	if (mode != UNPAGED && then != UNPAGED && then != mode)
		return;
	if (mode == UNPAGED && then != UNPAGED)
		scene_write(&scene, MODEL_CR3, scene.mode[then].root);
	toggle(which, bit);
}

TEST(any_sequence_of_legal_changes_is_followed,
     "After any sequence of legal changes the mode is the one that the registers say", ENABLING,
     "pse")
{
	struct random random = random_start(22);

	for (unsigned run = 0; run < RANDOM_RUNS; run++) {
		make_mode_scene(&scene);
		while (scene_has_room(&scene, 10)) {
			unsigned i = (unsigned)random_below(&random, COUNT_OF(changes));

			if (changes[i].need < 0 || has((enum feature)changes[i].need))
				try_change(changes[i].which, changes[i].bit);
			if (scene_mode(&scene) == UNPAGED)
				scene_store(&scene, MODE_32BIT + random_below(&random, 4),
					    random_below(&random, SCENE_VARIANTS));
			scene_use(&scene);
		}
		expect_scene(&scene);
		release_pages();
	}
}

TEST(rdpkru_works_while_paging_is_off, "With CR4.PKE = 1 RDPKRU and WRPKRU need no paging",
     "SDM Vol. 2, \"RDPKRU\"", "pku")
{
	make_mode_scene(&scene);
	leave_paging(&scene);
	toggle(MODEL_CR4, CR4_PKE);
	scene.pkru = 0;
	scene_step(&scene, MODE_SCRIPT_WRPKRU, 0, 0);
	scene_step(&scene, MODE_SCRIPT_RDPKRU, 0, 0);
	scene_use(&scene);
	expect_scene(&scene);
}

/* The descriptor: PCID 0, and the target for type 0. */
TEST(invalidations_without_paging_do_nothing,
     "INVLPG, and INVPCID of each type for PCID 0, complete while paging is off",
     "SDM Vol. 2, \"INVPCID\"", "invpcid")
{
	uint64_t *descriptor = identity(frame_alloc());

	make_mode_scene(&scene);
	descriptor[1] = scene.target;
	leave_paging(&scene);
	scene_step(&scene, MODE_SCRIPT_INVLPG, scene.target, 0);
	for (uint32_t type = 0; type < 4; type++) {
		scene_step(&scene, MODE_SCRIPT_INVPCID, (uint32_t)gpa_of(descriptor).value, type);
		scene_use(&scene);
	}
	expect_scene(&scene);
}
