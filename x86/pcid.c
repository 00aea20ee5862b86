/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Process-context identifiers: what is cached under one PCID is not used under another, and what
 * MOV to CR3, INVLPG and MOV to CR4 must drop of which PCID.
 *
 * With CR4.PCIDE = 1 translations carry the PCID of CR3 bits 11:0. MOV to CR3 with bit 63 = 0 drops
 * all of the PCID that it loads but global ones; with bit 63 = 1 nothing need be dropped. INVLPG
 * acts on the current PCID and on global translations of any; a change of CR4.PGE, and CR4.PCIDE
 * from 1 to 0, drop everything (SDM Vol. 3, "Process-Context Identifiers (PCIDs)", "Operations that
 * Invalidate TLBs and Paging-Structure Caches"; APM Vol. 2, "Process Context Identifiers").
 *
 * Caught here, with data rather than with faults: translations of another PCID, because tags are
 * too narrow, hashed or recycled (R12, XS32); bit 63 obeyed although another root or an edit came
 * in between, or kept in CR3 (BX04); flushes that reach only the current PCID or only cached roots
 * (KS05); global translations that INVLPG misses under PCIDE = 1 (ER02); PCID 0 forgotten by
 * PCIDE 1 to 0. Such mistakes hide in hypervisors that give the guest's PCIDs hardware tags or
 * shadow roots of their own.
 *
 * Never checked: that something is still cached (P10, P11). A page that is global in one PCID and
 * not in another: its translation may be used in both.
 */
#include "test.h"

SUBJECT(pcid, "PCIDs kept apart, and what CR3, INVLPG and CR4 drop of which PCID");

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define KEPT   "SDM Vol. 3, \"Process-Context Identifiers (PCIDs)\""
#define PCIDS  4096
#define PAGE   (P | RW | US)

static struct context contexts[PCIDS];

static void visit(const struct context *context)
{
	progress("CR3 0x%llx", (unsigned long long)read_cr3());
	enter_context(context, CR3_NO_FLUSH);
	expect_context(context);
}

/* Ends what was done with some PCIDs: nothing is cached of them when they are used again. */
static void forget(void)
{
	load_root(image_root());
	release_pages();
}

TEST(thousands_of_pcids_are_kept_apart,
     "One linear address leads to another frame in each of up to 4096 PCIDs, whatever the order",
     KEPT, "pcid")
{
	unsigned count = frames_left() / 6 < PCIDS ? (unsigned)frames_left() / 6 : PCIDS;
	struct random random = random_start(1);

	set_cr4(CR4_PCIDE);
	for (unsigned i = 0; i < count; i++)
		contexts[i] = make_context(PCIDS - 1 - i, PT, PAGE, i + 1);
	for (unsigned i = 0; i < count; i++)
		visit(&contexts[i]);
	for (unsigned i = count; i-- > 0;)
		visit(&contexts[i]);
	for (unsigned i = 0; i < count; i++)
		visit(&contexts[random_below(&random, count)]);
}

/* The paging structures below are one and the same, so that only the tag tells them apart. */
TEST(rights_of_one_pcid_are_not_used_under_another,
     "Structures that two PCIDs share have the rights of each one's own upper entries", KEPT,
     "pcid")
{
	struct context a, b;

	set_cr4(CR4_PCIDE);
	a = make_context(8, PT, PAGE, 1);
	b = share_context(9, &a);
	for (unsigned rights = 0; rights < 16; rights++) {
		const struct access read = read_access(a.linear[0], 8);
		const struct access write = write_access(a.linear[0], 8, frame_word(1));

		*a.entry[PML4] = (*a.entry[PML4] & ~(RW | US)) | (rights & 3) * RW;
		*b.entry[PML4] = (*b.entry[PML4] & ~(RW | US)) | (rights >> 2) * RW;
		for (unsigned i = 0; i < 6; i++) {
			enter_context(i & 1 ? &b : &a, i < 2 ? 0 : CR3_NO_FLUSH);
			expect_as_modelled(write);
			expect_as_modelled(as_user(read));
			expect_as_modelled(as_user(write));
			expect_as_modelled(read);
		}
	}
}

static void expect_no_access(const struct context *context)
{
	for (unsigned i = 0; i < CONTEXT_PLACES; i++) {
		expect_as_modelled(read_access(context->linear[i], 8));
		expect_as_modelled(as_user(write_access(context->linear[i], 8, 0)));
		expect_as_modelled(fetch_access(context->linear[i]));
		expect_as_modelled(as_user(fetch_access(context->linear[i])));
	}
}

/* The page is used, the entry of level `at` changed in its context or out of it, and then the PCID
 * loaded with bit 63 = 0. A PCID that is not meant goes on undisturbed. */
static void try_load(enum level page, enum level at, bool elsewhere)
{
	struct context a = make_context(0x555, page, PAGE, 1);
	struct context b = make_context(0xaaa, page, PAGE, 2);

	enter_context(&b, 0);
	expect_context(&b);
	visit(&a);
	if (elsewhere)
		visit(&b);
	if (page < PDPT) {
		move_context(&a, at, 3);
		enter_context(&a, 0);
		expect_context(&a);
		visit(&b);
		visit(&a);
	}
	*(volatile uint64_t *)a.entry[at] &= ~P;
	enter_context(&a, 0);
	expect_no_access(&a);
	visit(&b);
	enter_context(&a, CR3_NO_FLUSH);
	expect_no_access(&a);
	forget();
}

TEST(loading_a_pcid_drops_its_translations,
     "MOV to CR3 with bit 63 = 0 makes edits at each level above a page of each size take effect",
     MANUAL, "pcid")
{
	set_cr4(CR4_PCIDE);
	for (int page = PT; page <= (int)largest_page(); page++) {
		for (int at = page; at <= PML4; at++) {
			try_load((enum level)page, (enum level)at, false);
			try_load((enum level)page, (enum level)at, true);
		}
	}
}

TEST(unflushed_load_shows_the_old_or_the_new_translation,
     "After MOV to CR3 with bit 63 = 1 an edited entry is old or new, never another PCID's", MANUAL,
     "pcid")
{
	unsigned stale = 0, accesses = 0;

	set_cr4(CR4_PCIDE);
	for (unsigned i = 0; i < 24; i++) {
		struct context a = make_context(1 + i, PT, PAGE, 1);
		struct context b = make_context(0x801 + i, PT, PAGE, 2);

		visit(&a);
		visit(&b);
		move_context(&a, (enum level)(PT + i % 4), 3);
		enter_context(&a, CR3_NO_FLUSH);
		stale += expect_context_or(&a, 1);
		accesses += 4 * CONTEXT_PLACES;
		visit(&b);
		enter_context(&a, 0);
		expect_context(&a);
	}
	note("%u of %u accesses used a stale translation of their own PCID%s", stale, accesses,
	     stale ? "" : ": a lost flush may not show on this machine");
}

/* As operating systems do: few PCIDs for many address spaces, and bit 63 = 1 only where the PCID
 * holds nothing of another root and nothing was edited since. */
TEST(recycled_pcids_show_the_loaded_root,
     "PCIDs given to one root after another, with bit 63 = 1 where allowed, never mix them up",
     KEPT, "pcid")
{
	const struct context *owner[6] = {NULL};
	struct random random = random_start(2);
	uint32_t tag = 100;

	set_cr4(CR4_PCIDE);
	for (unsigned i = 0; i < 40; i++)
		contexts[i] = make_context(0, PT, PAGE, tag++);
	for (unsigned i = 0; i < 1500; i++) {
		struct context *context = &contexts[random_below(&random, i & 64 ? 8 : 40)];
		unsigned pcid = (unsigned)random_below(&random, COUNT_OF(owner));
		bool kept = owner[pcid] == context;

		if (random_below(&random, 5) == 0) {
			move_context(context, (enum level)(PT + random_below(&random, 4)), tag++);
			for (unsigned j = 0; j < COUNT_OF(owner); j++)
				owner[j] = owner[j] == context ? NULL : owner[j];
			kept = false;
		}
		mov_to_cr3((context->cr3 & ENTRY_ADDRESS) | pcid | (kept ? CR3_NO_FLUSH : 0));
		owner[pcid] = context;
		expect_context(context);
	}
}

/* Two PCIDs that share the structures below their roots. */
static void try_invlpg(uint64_t flags, enum level page)
{
	struct context a = make_context(1, page, PAGE | flags, 1), b = share_context(2, &a);

	visit(&a);
	visit(&b);
	visit(&a);
	move_context(&a, page, 3);
	b.tag = a.tag;
	invalidate(a.linear[1], INVLPG);
	expect_context(&a);
	enter_context(&b, CR3_NO_FLUSH);
	expect_context_or(&b, flags & G ? b.tag : 1);
	invalidate(b.linear[0], INVLPG);
	expect_context(&b);
	forget();
}

TEST(invlpg_acts_on_the_current_pcid,
     "INVLPG drops translations of the current PCID; in another they may be old or new", MANUAL,
     "pcid")
{
	set_cr4(CR4_PCIDE);
	for (unsigned i = 0; i < 8; i++)
		try_invlpg(0, i & 1 ? PD : PT);
}

TEST(invlpg_drops_global_translations_of_any_pcid,
     "INVLPG in one PCID drops the global translation that was used in others", MANUAL, "pcid pge")
{
	set_cr4(CR4_PCIDE | CR4_PGE);
	for (unsigned i = 0; i < 8; i++)
		try_invlpg(G, i & 1 ? PD : PT);
}

TEST(global_pages_are_shared_by_all_pcids,
     "A global page is the same under each PCID, and one INVLPG moves it under all",
     "SDM Vol. 3, \"Global Pages\"", "pcid pge")
{
	set_cr4(CR4_PCIDE | CR4_PGE);
	contexts[0] = make_context(0, PT, PAGE | G, 1);
	for (unsigned i = 1; i < 64; i++)
		contexts[i] = share_context(i * 65, &contexts[0]);
	for (uint32_t tag = 2; tag < 6; tag++) {
		for (unsigned i = 0; i < 64; i++)
			visit(&contexts[i]);
		move_context(&contexts[0], PT, tag);
		invalidate(contexts[0].linear[0], INVLPG);
		for (unsigned i = 64; i-- > 0;) {
			contexts[i].tag = tag;
			visit(&contexts[i]);
		}
	}
}

/* PCID 0 and others are used and edited; after the toggles of CR4 nothing of them may be left. */
static void try_cr4(uint64_t bit, uint64_t flags, enum level page, enum level at)
{
	for (unsigned i = 0; i < 4; i++) {
		contexts[i] = i && (flags & G) ? share_context(i * 0x123, &contexts[0])
					       : make_context(i * 0x123, page, PAGE | flags, i + 1);
		visit(&contexts[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		if (i && (flags & G)) {
			*contexts[i].entry[PML4] = *contexts[0].entry[PML4];
			contexts[i].tag = contexts[0].tag;
		} else {
			move_context(&contexts[i], at, 11 + i);
		}
	}
	enter_context(&contexts[0], CR3_NO_FLUSH); /* PCIDE cannot be set under another PCID */
	clear_cr4(bit);
	expect_context(&contexts[0]);
	set_cr4(bit);
	for (unsigned i = 0; i < 4; i++)
		visit(&contexts[i]);
	forget();
}

static void try_cr4_for_all(uint64_t bit)
{
	set_cr4(CR4_PCIDE | CR4_PGE);
	for (int page = PT; page <= PD; page++) {
		for (int at = page; at <= PML4; at++) {
			try_cr4(bit, 0, (enum level)page, (enum level)at);
			try_cr4(bit, G, (enum level)page, (enum level)at);
		}
	}
}

TEST(clearing_pcide_drops_everything,
     "CR4.PCIDE from 1 to 0 drops all translations of all PCIDs, global ones too", MANUAL,
     "pcid pge")
{
	try_cr4_for_all(CR4_PCIDE);
}

TEST(changes_of_pge_drop_everything,
     "A change of CR4.PGE drops all translations of all PCIDs, global ones too", MANUAL, "pcid pge")
{
	try_cr4_for_all(CR4_PGE);
}
