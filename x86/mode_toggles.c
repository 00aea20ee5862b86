/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Control bits changed while translations are cached: CR0.WP, CR4.SMEP, CR4.SMAP, EFLAGS.AC and
 * EFER.NXE.
 *
 * CR0.WP, CR4.SMAP and EFLAGS.AC are part of each access's decision, not of a cached translation:
 * they take effect on the next access, without any invalidation; setting CR4.SMEP invalidates by
 * itself (SDM Vol. 3, "Determination of Access Rights", "Operations that Invalidate TLBs and
 * Paging-Structure Caches"; R24, R25). EFER.NXE is followed by an invalidation here, as the manual
 * wants.
 *
 * Caught here: rights folded into cached translations, or into shadow entries, under the old
 * setting (KS16 to KS18, BX02, V804, QT18, AC01): access allowed or denied as it was before;
 * entries cached by a user access used by a supervisor one under SMAP or SMEP (BX02); D not set
 * because WP = 0 made a read-only page writable (KS06); XD's two meanings mixed up (KS09).
 *
 * All ordered pairs of settings, with the translation of each of eight kinds of page in use by
 * every kind of access before the change. Not checked: P in the error code of reserved-bit faults
 * (reserved_bits does).
 */
#include "test.h"

SUBJECT(mode_toggles, "WP, SMEP, SMAP, AC and NXE changed while translations are cached");

#define MANUAL	"SDM Vol. 3, \"Determination of Access Rights\""
#define CR0_MP	(1ull << 1) /* bits that mean nothing to paging */
#define CR4_TSD (1ull << 2)
#define CR4_PCE (1ull << 8)

enum { WITH_WP = 1, WITH_SMEP = 2, WITH_SMAP = 4, SETTINGS = 8 };

static bool is_offered(unsigned setting)
{
	return (has(FEATURE_smep) || !(setting & WITH_SMEP)) &&
	       (has(FEATURE_smap) || !(setting & WITH_SMAP));
}

/* Only what differs is written, so that nothing is flushed that need not be. */
static void change_setting(unsigned from, unsigned to)
{
	if ((from ^ to) & WITH_WP)
		(to & WITH_WP) ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
	if ((from ^ to) & WITH_SMEP)
		(to & WITH_SMEP) ? set_cr4(CR4_SMEP) : clear_cr4(CR4_SMEP);
	if ((from ^ to) & WITH_SMAP)
		(to & WITH_SMAP) ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
}

static void use_by_all(linear_t linear)
{
	for (unsigned n = 0; n < ACCESS_WAYS; n++)
		attempt(nth_access(n, linear));
}

/* The page is in use under one setting; under the other, each access, the nth one first. */
static void try_change(const struct subject *subject, unsigned from, unsigned to, unsigned first)
{
	uint64_t *entry = subject->page.entry[subject->page.level];

	change_setting(to, from);
	*(volatile uint64_t *)entry &= ~D;
	invalidate(subject->target, *entry & G ? INVLPG : MOV_CR3);
	use_by_all(subject->target);
	attempt(nth_access(first % ACCESS_WAYS, subject->target)); /* what it asks for, last */
	change_setting(from, to);
	for (unsigned n = 0; n < ACCESS_WAYS; n++)
		expect_as_modelled(nth_access((first + n) % ACCESS_WAYS, subject->target));
}

/* A user-mode page that is written with CR0.WP = 0 although it is read-only, under SMAP. Shadow
 * pagers make it a supervisor page for that (smap_andnot_wp in KVM), which is a case of its own. */
static bool is_written_against_its_rights(uint64_t flags, unsigned setting)
{
	return (flags & US) && !(flags & RW) && (setting & WITH_SMAP) && !(setting & WITH_WP);
}

static void try_page(enum level level, uint64_t flags, bool against_rights)
{
	struct subject subject = map_subject(level, P | flags, 31);
	unsigned current = WITH_WP; /* as cases begin */

	for (unsigned from = 0; from < SETTINGS; from++) {
		for (unsigned to = 0; to < SETTINGS; to++) {
			if (!is_offered(from) || !is_offered(to) ||
			    is_written_against_its_rights(flags, to) != against_rights)
				continue;
			change_setting(current, to);
			try_change(&subject, from, to, from + to);
			current = to;
		}
	}
	change_setting(current, WITH_WP);
}

static void try_pages(enum level level, bool against_rights)
{
	for (unsigned rights = 0; rights < 16; rights++) {
		if (((rights & 4) && !has(FEATURE_nx)) || ((rights & 8) && !has(FEATURE_pge)))
			continue;
		if (rights & 8)
			set_cr4(CR4_PGE);
		if (rights & 4)
			set_efer(EFER_NXE);
		try_page(level,
			 (rights & 1 ? RW : 0) | (rights & 2 ? US : 0) | (rights & 4 ? XD : 0) |
				 (rights & 8 ? G : 0),
			 against_rights);
	}
}

TEST(settings_take_effect_on_cached_4_kbyte_pages,
     "WP, SMEP, SMAP and AC decide on each access, whatever is cached of a 4-KByte page", MANUAL,
     "")
{
	try_pages(PT, false);
}

TEST(settings_take_effect_on_cached_2_mbyte_pages,
     "WP, SMEP, SMAP and AC decide on each access, whatever is cached of a 2-MByte page", MANUAL,
     "")
{
	try_pages(PD, false);
}

TEST(settings_take_effect_on_cached_1_gbyte_pages,
     "WP, SMEP, SMAP and AC decide on each access, whatever is cached of a 1-GByte page", MANUAL,
     "pages_1g")
{
	try_pages(PDPT, false);
}

TEST(ac_guards_read_only_pages_while_wp_is_clear,
     "With SMAP and WP = 0, EFLAGS.AC decides on a read-only user page before and after writes",
     MANUAL, "smap")
{
	try_pages(PT, true);
	try_pages(PD, true);
	if (has(FEATURE_pages_1g))
		try_pages(PDPT, true);
}

/* Two read-only entries for one frame: under WP = 0 each write marks the entry that it used, under
 * WP = 1 none. */
TEST(wp_toggles_between_writes_to_a_shared_frame,
     "CR0.WP decides on each write to a read-only page, whichever of two entries maps it", MANUAL,
     "")
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		struct subject one = map_subject((enum level)level, P | US, 31), two = one;

		two.page = map_page_at((enum level)level, one.page.frame, P | US);
		two.target = linear_plus(two.page.linear, one.target.value - one.page.linear.value);
		for (unsigned i = 0; i < 8; i++) {
			const struct subject *now = i & 1 ? &two : &one;

			clear_cr0(CR0_WP);
			expect_as_modelled(write_access(now->target, 8, i));
			set_cr0(CR0_WP);
			expect_as_modelled(write_access(now->target, 8, i));
			expect_as_modelled(as_user(write_access(now->target, 8, i)));
			expect_as_modelled(as_user(read_access(now->target, 8)));
			edit_entry(&now->page, (enum level)level, INVLPG, .clear = A | D);
		}
	}
}

/* Each setting changed by a MOV that changes another bit of the register, too. */
static void try_companion(void (*set)(uint64_t), void (*clear)(uint64_t), uint64_t setting,
			  uint64_t companion, uint64_t flags)
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		struct subject subject = map_subject((enum level)level, flags, 31);

		for (unsigned n = 0; n < ACCESS_WAYS; n++) {
			clear(setting | companion);
			invalidate(subject.target, INVLPG);
			attempt(nth_access(n, subject.target));
			set(setting | companion);
			expect_as_modelled(nth_access(n, subject.target));
			clear(setting | companion);
			expect_as_modelled(nth_access(n, subject.target));
		}
	}
}

TEST(settings_take_effect_beside_other_bits,
     "WP, SMEP and SMAP decide also when the MOV that changes them changes another bit", MANUAL, "")
{
	static const uint64_t of_cr0[] = {CR0_AM, CR0_MP};
	static const uint64_t of_cr4[] = {CR4_TSD, CR4_PCE};

	for (unsigned i = 0; i < COUNT_OF(of_cr0); i++)
		try_companion(set_cr0, clear_cr0, CR0_WP, of_cr0[i], P | US);
	for (unsigned i = 0; i < COUNT_OF(of_cr4); i++) {
		if (has(FEATURE_smep))
			try_companion(set_cr4, clear_cr4, CR4_SMEP, of_cr4[i], P | RW | US);
		if (has(FEATURE_smap))
			try_companion(set_cr4, clear_cr4, CR4_SMAP, of_cr4[i], P | RW | US);
		if (has(FEATURE_smep) && has(FEATURE_smap))
			try_companion(set_cr4, clear_cr4, CR4_SMAP, CR4_SMEP | of_cr4[i],
				      P | RW | US);
	}
}

/* The same XD entry serves both meanings in turn; everything is flushed after each change of
 * EFER.NXE. */
TEST(nxe_toggles_between_accesses,
     "XD forbids the fetch with EFER.NXE = 1 and is reserved with EFER.NXE = 0, turn by turn",
     MANUAL, "nx")
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		struct subject subject = map_subject((enum level)level, P | RW | US | XD, 31);

		for (unsigned i = 0; i < 6; i++) {
			i & 1 ? clear_efer(EFER_NXE) : set_efer(EFER_NXE);
			invalidate(subject.target, CR4_PGE_TWICE);
			for (unsigned n = 0; n < ACCESS_WAYS; n++)
				expect_as_modelled(nth_access(n, subject.target));
		}
	}
}
