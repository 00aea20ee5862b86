/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L2's own rights, flags and reserved bits by WP, SMEP, SMAP and NXE, in each of its paging modes.
 *
 * A second level of translation takes nothing from what L2's structures and control registers
 * decide: 32-bit, PAE and 4-level paging keep their rights, their reserved bits and their error
 * codes (SDM Vol. 3, "Determination of Access Rights", "Page-Fault Exceptions"; APM Vol. 2,
 * "Page-Protection Checks", "Nested versus Guest Page Faults, Fault Ordering"; R2, R3, R4).
 *
 * Caught here: walks of L2 in software that were written for 4-level paging, and forget SMAP, SMEP,
 * WP or bits 62:52 in the older modes (R33, R38; QT14); controls that are L1's. Emulators and
 * shadows walk for L2 by functions of their own, and most guests of 32 bits use none of this.
 *
 * The model judges each access. Not checked: 5-level paging; protection keys; what is cached while
 * a control changes (l2_settings).
 */
#include "test.h"

SUBJECT(l2_rights, "WP, SMEP, SMAP, NXE and reserved bits of L2 under 32-bit, PAE, 4-level paging");

#define RIGHTS \
	"SDM Vol. 3, \"Determination of Access Rights\"; APM Vol. 2, \"Page-Protection Checks\""
#define RESERVED "SDM Vol. 3, \"Page-Fault Exceptions\"; APM Vol. 2, \"Page-Fault Exception (#PF)\""
#define NEEDS	 "second_level"
#define FLAGS	 (P | RW | US | A | D)
#define TAG	 84
#define OFFSET	 0x358

enum { WITH_WP = 1, WITH_SMEP = 2, WITH_SMAP = 4, WITH_NXE = 8, CONTROLS = 16 };

static bool set_controls(struct l2 *l2, unsigned controls)
{
	if (((controls & WITH_SMEP) && !has(FEATURE_smep)) ||
	    ((controls & WITH_SMAP) && !has(FEATURE_smap)) ||
	    ((controls & WITH_NXE) && !has(FEATURE_nx)))
		return false;
	l2->cr0 = (l2->cr0 & ~(uint64_t)CR0_WP) | (controls & WITH_WP ? CR0_WP : 0);
	l2->cr4 = (l2->cr4 & ~(uint64_t)(CR4_SMEP | CR4_SMAP)) |
		  (controls & WITH_SMEP ? CR4_SMEP : 0) | (controls & WITH_SMAP ? CR4_SMAP : 0);
	l2->efer = (l2->efer & ~(uint64_t)EFER_NXE) | (controls & WITH_NXE ? EFER_NXE : 0);
	return true;
}

/* Operands of 4 bytes: L2 may have no others. */
static void try_accesses(struct l2 *l2, linear_t linear)
{
	const struct access read = read_access(linear, 4);
	const struct access write = write_access(linear, 4, (uint32_t)frame_word(TAG));
	const struct access fetch = fetch_access(linear);
	const struct access all[] = {read,	    write,	    fetch,
				     as_user(read), as_user(write), as_user(fetch)};

	for (unsigned i = 0; i < COUNT_OF(all); i++)
		expect_l2_as_modelled(l2, all[i]);
}

/* R/W, U/S and, with NXE, XD, in every combination: in the page's entry, or in the PDE above. */
static void try_rights(enum l2_mode mode, enum level level)
{
	struct l2 *l2 = l2_start(mode);
	struct l2_page page = l2_map(l2, level, FLAGS, TAG);

	for (unsigned controls = 0; controls < CONTROLS; controls++) {
		unsigned combinations = controls & WITH_NXE ? 8 : 4;

		if ((mode == L2_32BIT && (controls & WITH_NXE)) || !set_controls(l2, controls))
			continue;
		progress("mode %u, controls 0x%x", mode, controls);
		for (int at = level; at <= PD; at++) {
			uint64_t good = *(volatile uint64_t *)page.entry[at];

			if (mode == L2_32BIT)
				good = (uint32_t)good;
			for (unsigned n = 0; n < combinations; n++) {
				l2_write_entry(l2, &page, (enum level)at,
					       (good & ~(uint64_t)(RW | US)) | (n & 1 ? RW : 0) |
						       (n & 2 ? US : 0) | (n & 4 ? XD : 0));
				try_accesses(l2, linear_plus(page.linear, OFFSET));
			}
			l2_write_entry(l2, &page, (enum level)at, good);
		}
	}
}

TEST(rights_of_a_32_bit_l2, "R/W and U/S decide with WP, SMEP and SMAP in L2's 32-bit paging",
     RIGHTS, NEEDS)
{
	try_rights(L2_32BIT, PT);
	try_rights(L2_32BIT, PD);
}

TEST(rights_of_a_pae_l2, "R/W, U/S and XD decide with WP, SMEP, SMAP and NXE in L2's PAE paging",
     RIGHTS, NEEDS)
{
	try_rights(L2_PAE, PT);
	try_rights(L2_PAE, PD);
}

TEST(rights_of_a_4_level_l2,
     "R/W, U/S and XD decide with WP, SMEP, SMAP and NXE in L2's 4-level paging", RIGHTS, NEEDS)
{
	try_rights(L2_4LEVEL, PT);
	try_rights(L2_4LEVEL, PD);
}

/* Each bit above the address, and in large pages those below it. P beside RSVD is for other images
 * (QT01). */
static void try_reserved(enum l2_mode mode, enum level level, enum level spoiled, unsigned bit)
{
	struct l2 *l2 = l2_start(mode);
	struct l2_page page = l2_map(l2, level, FLAGS, TAG);
	uint64_t good = *(volatile uint64_t *)page.entry[spoiled];

	l2->efer &= ~(uint64_t)EFER_NXE;
	for (; bit < 64; bit++) {
		struct l2_outcome outcome;

		if (bit > 20 && bit < maxphyaddr())
			continue;
		l2_write_entry(l2, &page, spoiled, good | 1ull << bit);
		second_invalidate(&l2->second, SECOND_FLUSH);
		outcome = l2_attempt(l2, read_access(page.linear, 4));
		expect(!outcome.exited && outcome.outcome.vector == VECTOR_PF &&
			       (outcome.outcome.error_code & PF_RSVD),
		       "mode %u, level %u, bit %u: exited %u, %s, error code 0x%llx", mode, spoiled,
		       bit, outcome.exited, vector_name(outcome.outcome.vector),
		       (unsigned long long)outcome.outcome.error_code);
	}
}

TEST(bits_from_maxphyaddr_on_are_reserved_in_a_pae_l2,
     "bits from MAXPHYADDR to 62 of L2's PDEs and PTEs, and 63 with NXE = 0, are its page fault",
     RESERVED, NEEDS)
{
	try_reserved(L2_PAE, PT, PT, 21);
	try_reserved(L2_PAE, PT, PD, 21);
	try_reserved(L2_PAE, PD, PD, 13);
}
