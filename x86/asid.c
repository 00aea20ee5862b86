/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ASIDs: what is cached for one address space is not used for another.
 *
 * Translations are tagged with the ASID that VMRUN found in the VMCB, and VMRUN itself drops
 * nothing: many guests' translations, and the host's, which has ASID 0, are cached side by side
 * (APM Vol. 2, "TLB Control"). A VMCB with ASID 0 is refused with VMEXIT_INVALID ("Canonicalization
 * and Consistency Checks"), which is -1 in the 64 bits of EXITCODE.
 *
 * Caught here: translations of two ASIDs mixed up, global ones above all; nested translations that
 * are not tagged, so that two N_CR3 meet; the guest's translations seen by the host; ASID 0
 * accepted (R39). That is where hypervisors that give L2 an ASID of their own choice go wrong.
 *
 * Never checked: that something is still cached (P10, P23). What drops translations is the subject
 * of svm_flush.c.
 */
#include "test.h"

SUBJECT(asid, "ASIDs kept apart: guests from each other, nested tables, and the host");

#define TAGS   "APM Vol. 2, \"TLB Control\""
#define CHECKS "APM Vol. 2, \"Canonicalization and Consistency Checks\""
#define NEEDS  "svm svm_allowed svm_nested_paging"
#define FLAGS  (P | RW | US | A | D)
#define SPACES 4

static struct vmcb_control *control(struct l2 *l2)
{
	return &svm_guest(l2)->vmcb->control;
}

TEST(asid_0_is_refused, "VMRUN with ASID 0 ends in VMEXIT_INVALID", CHECKS, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, FLAGS, 50);
	struct access read = read_access(page.linear, 8);
	struct l2_outcome outcome;

	control(l2)->guest_asid = 0;
	outcome = l2_attempt(l2, read);
	expect(outcome.exited && outcome.exit.kind == L2_ENTRY_FAILED, "exit code 0x%llx",
	       (unsigned long long)outcome.exit.reason);
	control(l2)->guest_asid = svm_asids() - 1;
	expect_l2_read(l2, read, frame_word(50));
}

TEST(vmexit_invalid_fills_exitcode, "VMEXIT_INVALID is -1 in all 64 bits of EXITCODE", CHECKS,
     NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, FLAGS, 51);
	struct l2_outcome outcome;

	control(l2)->guest_asid = 0;
	outcome = l2_attempt(l2, read_access(page.linear, 8));
	expect(outcome.exit.reason == VMEXIT_INVALID, "exit code 0x%llx",
	       (unsigned long long)outcome.exit.reason);
}

/* Address spaces with a page at the same linear address, each under an ASID of its own. */
static void visit_spaces(uint64_t flags)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct random random = random_start(flags);
	uint64_t cr3[SPACES];
	linear_t linear;

	l2->cr4 |= flags & G ? CR4_PGE : 0;
	for (unsigned i = 0; i < SPACES; i++) {
		if (i)
			l2_new_space(l2);
		cr3[i] = l2->cr3;
		linear = l2_map(l2, PT, flags, 60 + i).linear;
	}
	for (unsigned i = 0; i < 400; i++) {
		unsigned n = (unsigned)random_below(&random, SPACES);

		control(l2)->guest_asid = n + 1;
		l2->cr3 = cr3[n];
		expect_l2_read(l2, read_access(linear, 8), frame_word(60 + n));
	}
}

TEST(asids_are_kept_apart, "the same linear address under several ASIDs leads to each one's frame",
     TAGS, NEEDS)
{
	visit_spaces(FLAGS);
}

TEST(each_bit_of_an_asid_keeps_translations_apart,
     "two ASIDs that differ in one bit lead each to its own frame", TAGS, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	linear_t linear = l2_map(l2, PT, FLAGS, 64).linear;
	uint64_t cr3[] = {l2->cr3, 0};

	l2_new_space(l2);
	cr3[1] = l2->cr3;
	l2_map(l2, PT, FLAGS, 65);
	for (unsigned bit = 1; 1 + bit < svm_asids(); bit *= 2) {
		second_invalidate(&l2->second, SECOND_FLUSH_ALL);
		for (unsigned i = 0; i < 8; i++) {
			control(l2)->guest_asid = i & 1 ? 1 ^ bit : 1;
			if (!control(l2)->guest_asid)
				control(l2)->guest_asid = 2; /* 0 is the host's */
			l2->cr3 = cr3[i & 1];
			expect_l2_read(l2, read_access(linear, 8), frame_word(64 + (i & 1)));
		}
	}
}

TEST(global_translations_are_kept_apart, "a global translation is used under its own ASID only",
     TAGS, NEEDS)
{
	visit_spaces(FLAGS | G);
}

/* A second root of nested tables that differs from the first in the frame of one page. */
static uint64_t other_root(struct l2 *l2, gpa_t gpa, gpa_t frame)
{
	const struct paging_format *format = l2->second.model.format;
	uint64_t root = 0, *above = &root;

	for (int level = format->top; level >= PT; level--) {
		gpa_t copy = frame_alloc();
		uint64_t *entry = second_entry(&l2->second, gpa, (enum level)level);

		memcpy(identity(copy), table_of(entry), PAGE_4K);
		*above = (*above & ~ENTRY_ADDRESS) | copy.value;
		above = (uint64_t *)identity(copy) +
			level_index(format, (enum level)level, gpa.value);
	}
	*above = (*above & ~ENTRY_ADDRESS) | frame.value;
	return root;
}

TEST(asids_with_nested_tables_of_their_own_are_kept_apart,
     "the same guest under two ASIDs with two N_CR3 sees each one's frame", TAGS, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, FLAGS, 70);
	uint64_t roots[] = {control(l2)->n_cr3, other_root(l2, page.gpa, filled_frame(71))};

	for (unsigned i = 0; i < 100; i++) {
		unsigned n = (i ^ i >> 2) & 1;

		control(l2)->guest_asid = n + 1;
		control(l2)->n_cr3 = roots[n];
		expect_l2_read(l2, read_access(page.linear, 8), frame_word(70 + n));
	}
}

TEST(translations_of_the_host_are_kept_apart,
     "a linear address of L2's and the same one of the host's lead to each one's frame", TAGS,
     NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, FLAGS | G, 72);
	struct page own;

	unused_linear(); /* the PML4E that the page of L2's has, too */
	own = map_page_at_linear(page.linear, PT, filled_frame(73), FLAGS);
	for (unsigned i = 0; i < 100; i++) {
		expect_l2_read(l2, read_access(page.linear, 8), frame_word(72));
		expect_read(read_access(own.linear, 8), frame_word(73));
	}
}
