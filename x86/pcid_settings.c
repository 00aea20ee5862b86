/* SPDX-License-Identifier: BSD-2-Clause
 *
 * WP, SMEP, SMAP and NXE changed under one PCID, for what another has cached.
 *
 * A PCID tags translations; what CR0.WP, CR4.SMEP and CR4.SMAP make of them is decided at each
 * access, whatever PCID was current when the bit was changed (SDM Vol. 3, "Determination of Access
 * Rights", "Process-Context Identifiers (PCIDs)"; R25, R12). After CR4.PGE changed nothing of any
 * PCID is left, so that EFER.NXE can be changed for all of them.
 *
 * Caught here: rights worked out when a translation was cached, and put right for the current PCID
 * alone when a bit changes, so that a switch back with bit 63 of CR3 brings the old ones back
 * (KS05, KS18). Hypervisors that keep a shadow for each PCID, and emulators that keep TLBs, do so.
 *
 * Not checked: that anything is still cached.
 */
#include "test.h"

SUBJECT(pcid_settings, "WP, SMEP, SMAP and NXE changed under another PCID");

#define MANUAL "SDM Vol. 3, \"Determination of Access Rights\""
#define OURS   3
#define OTHER  4

static void change(uint64_t cr0, uint64_t cr4, bool value)
{
	if (cr0)
		value ? set_cr0(cr0) : clear_cr0(cr0);
	if (cr4)
		value ? set_cr4(cr4) : clear_cr4(cr4);
}

/* Outcome and error code; flags may have been set before. */
static void expect_outcome(struct access access, bool set)
{
	struct model_outcome wanted = modelled_outcome(access);
	struct outcome outcome = attempt(access);

	if (wanted.vector == MODEL_COMPLETES)
		expect(outcome.vector == NO_VECTOR, "with the bit %s: %s, error code 0x%llx",
		       set ? "set" : "clear", vector_name(outcome.vector),
		       (unsigned long long)outcome.error_code);
	else
		expect(outcome.vector == VECTOR_PF && outcome.error_code == wanted.error_code,
		       "with the bit %s: %s, error code 0x%llx instead of 0x%llx",
		       set ? "set" : "clear", vector_name(outcome.vector),
		       (unsigned long long)outcome.error_code,
		       (unsigned long long)wanted.error_code);
}

/* Used under one value of the bit; then the other value is set under another PCID. */
static void try_access(const struct context *ours, const struct context *other, uint64_t cr0,
		       uint64_t cr4, unsigned n)
{
	struct access access = nth_access(n, ours->linear[0]);

	for (unsigned i = 0; i < 4; i++) {
		enter_context(ours, 0);
		change(cr0, cr4, !(i & 1));
		attempt(access);
		enter_context(other, i & 2 ? CR3_NO_FLUSH : 0);
		change(cr0, cr4, i & 1);
		attempt(access);
		enter_context(ours, CR3_NO_FLUSH);
		expect_outcome(access, i & 1);
		attempt(nth_access((n + 4) % ACCESS_WAYS, ours->linear[0]));
		expect_outcome(access, i & 1);
	}
}

static void try_bit(uint64_t cr0, uint64_t cr4, uint64_t flags)
{
	set_cr4(CR4_PCIDE);
	for (int level = PT; level <= PD; level++) {
		struct context ours = make_context(OURS, (enum level)level, flags, 1);
		struct context other = make_context(OTHER, (enum level)level, flags, 2);

		for (unsigned n = 0; n < ACCESS_WAYS; n++)
			try_access(&ours, &other, cr0, cr4, n);
		load_root(image_root());
		release_pages();
	}
}

TEST(wp_counts_for_every_pcid,
     "CR0.WP that changed under another PCID decides on the next write of this one", MANUAL, "pcid")
{
	try_bit(CR0_WP, 0, P | US);
	try_bit(CR0_WP, 0, P);
}

TEST(smep_counts_for_every_pcid,
     "CR4.SMEP that changed under another PCID decides on the next fetch of this one", MANUAL,
     "pcid smep")
{
	try_bit(0, CR4_SMEP, P | RW | US);
}

TEST(smap_counts_for_every_pcid,
     "CR4.SMAP that changed under another PCID decides on the next access of this one", MANUAL,
     "pcid smap")
{
	try_bit(0, CR4_SMAP, P | RW | US);
}

static void set_nxe(bool value)
{
	value ? set_efer(EFER_NXE) : clear_efer(EFER_NXE);
	change(0, CR4_PGE, true);
	change(0, CR4_PGE, false);
}

TEST(nxe_counts_for_every_pcid,
     "EFER.NXE and CR4.PGE that changed under another PCID decide on this one's fetches", MANUAL,
     "pcid nx pge")
{
	struct context ours, other;

	set_cr4(CR4_PCIDE);
	set_nxe(true);
	ours = make_context(OURS, PT, P | RW | US | XD, 1);
	other = make_context(OTHER, PT, P | RW | US, 2);
	for (unsigned i = 0; i < 4 * ACCESS_WAYS; i++) {
		struct access access = nth_access(i / 4, ours.linear[0]);

		enter_context(&ours, CR3_NO_FLUSH);
		attempt(access);
		enter_context(&other, CR3_NO_FLUSH);
		set_nxe(i & 1);
		enter_context(&ours, CR3_NO_FLUSH);
		if (i & 1) /* RSVD otherwise, of which P differs (QT01) */
			expect_outcome(access, i & 1);
		else
			expect(attempt(access).vector == VECTOR_PF, "XD is not reserved");
	}
}
