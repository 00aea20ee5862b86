/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What drops translations of an ASID: TLB_CONTROL, INVLPGA, and L2's own invalidations.
 *
 * TLB_CONTROL in the VMCB says what VMRUN drops: 1 everything of all ASIDs; 3, with FlushByAsid,
 * everything of this one; 7 of this one but global translations. INVLPGA drops one page of one
 * ASID. MOV to CR3, a change of CR4.PGE and INVLPG that the guest executes without an intercept act
 * on its own ASID (APM Vol. 2, "TLB Flush", "Invalidate Page, Alternate ASID", "TLB Control").
 *
 * Caught here: flushes that reach only the ASID that runs or only one dimension; a new ASID that
 * still sees something; INVLPGA for the wrong ASID or for part of a large page (BX12, QT22); L2's
 * own flushes lost, because the hypervisor maps ASIDs and forgets to pass them on (R39).
 *
 * Each change of a translation is followed by exactly one of these, and what the access sees after
 * it has to be what memory says. Never checked: that something is still cached (P10, P23).
 */
#include "test.h"

SUBJECT(svm_flush, "what TLB_CONTROL, INVLPGA and L2's own flushes drop");

#define FLUSH	 "APM Vol. 2, \"TLB Flush\""
#define TAGS	 "APM Vol. 2, \"TLB Control\""
#define INVLPGAS "APM Vol. 2, \"Invalidate Page, Alternate ASID\""
#define NEEDS	 "svm svm_allowed svm_nested_paging"
#define FLAGS	 (P | RW | US | A | D)
#define ASID	 2

static struct vmcb_control *control(struct l2 *l2)
{
	return &svm_guest(l2)->vmcb->control;
}

/* Nothing is cached for any ASID, and the next VM entry drops nothing. */
static void forget_everything(struct l2 *l2, linear_t linear)
{
	second_invalidate(&l2->second, SECOND_FLUSH_ALL);
	l2_attempt(l2, read_access(linear, 8));
}

/* What leads to another frame, and has to be seen after a flush. */
enum change { LEAF, LEAF_2M, UPPER, NESTED_LEAF, CHANGES };

struct moved {
	struct l2 *l2;
	struct l2_page page;
	enum change change;
	gpa_t other; /* frame */
};

#define OLD 80
#define NEW 81

static struct moved new_moved(enum change change, uint64_t flags)
{
	struct moved moved = {.l2 = l2_start(L2_4LEVEL, .tag = ASID), .change = change};

	moved.l2->cr4 |= flags & G ? CR4_PGE : 0;
	if (change == LEAF_2M)
		moved.l2->options.second_of_pages = PD;
	moved.page = l2_map(moved.l2, change == LEAF_2M ? PD : PT, flags, OLD);
	moved.other = filled_frame(NEW);
	return moved;
}

/* The page becomes the other one, by one store; nothing is invalidated. */
static void move(struct moved *moved)
{
	struct l2 *l2 = moved->l2;
	struct l2_page *page = &moved->page;
	volatile uint64_t *entry = (volatile uint64_t *)page->entry[page->level];
	uint64_t offset = page->gpa.value & (page->bytes - 1);
	gpa_t table;

	switch (moved->change) {
	case LEAF:
		*entry = l2_place(l2, moved->other, PT, false).value | (*entry & ~ENTRY_ADDRESS);
		break;
	case LEAF_2M: /* the other frame lies at the old one's offset in a large page of L2's */
		table = l2_place(l2, GPA(0), PT, false);
		table.value &= ~(PAGE_2M - 1);
		second_map(&l2->second, gpa_plus(table, offset), moved->other, PT, SECOND_ALL);
		*entry = table.value | (*entry & ~ENTRY_ADDRESS);
		break;
	case UPPER: /* another page table, that leads to the other frame */
		table = frame_alloc();
		((uint64_t *)identity(table))[level_index(&paging_4level, PT, page->linear.value)] =
			l2_place(l2, moved->other, PT, false).value | (*entry & ~ENTRY_ADDRESS);
		*(volatile uint64_t *)page->entry[PD] =
			l2_place(l2, table, PT, false).value | P | RW | US | A;
		break;
	default:
		second_edit(&l2->second, page->gpa, PT, SECOND_NO_FLUSH, .clear = ENTRY_ADDRESS,
			    .set = moved->other.value);
	}
}

static void expect_tag(struct moved *moved, uint32_t tag)
{
	expect_l2_read(moved->l2, read_access(moved->page.linear, 8), frame_word(tag));
	expect_l2_read(moved->l2, as_user(read_access(moved->page.linear, 8)), frame_word(tag));
	expect_l2_read(moved->l2, fetch_access(moved->page.linear), tag);
}

static void try_tlb_control(uint8_t value, uint64_t flags)
{
	for (enum change change = LEAF; change < CHANGES; change++) {
		struct moved moved = new_moved(change, flags);

		forget_everything(moved.l2, moved.page.linear);
		expect_tag(&moved, OLD);
		move(&moved);
		svm_guest(moved.l2)->tlb_control = value;
		expect_tag(&moved, NEW);
	}
}

TEST(tlb_control_1_drops_everything, "TLB_CONTROL = 1 drops all translations of the ASID that runs",
     FLUSH, NEEDS)
{
	try_tlb_control(TLB_CONTROL_FLUSH_ALL, FLAGS);
	try_tlb_control(TLB_CONTROL_FLUSH_ALL, FLAGS | G);
}

TEST(tlb_control_3_drops_the_asid, "TLB_CONTROL = 3 drops all translations of this ASID", FLUSH,
     NEEDS " svm_flush_by_asid")
{
	try_tlb_control(TLB_CONTROL_FLUSH_ASID, FLAGS);
	try_tlb_control(TLB_CONTROL_FLUSH_ASID, FLAGS | G);
}

TEST(tlb_control_7_drops_what_is_not_global,
     "TLB_CONTROL = 7 drops all translations of this ASID that are not global", FLUSH,
     NEEDS " svm_flush_by_asid")
{
	try_tlb_control(TLB_CONTROL_FLUSH_NON_GLOBALS, FLAGS);
}

TEST(tlb_control_1_drops_other_asids, "TLB_CONTROL = 1 of one ASID drops what is cached for others",
     FLUSH, NEEDS)
{
	for (enum change change = LEAF; change < CHANGES; change++) {
		struct moved moved = new_moved(change, FLAGS | G);
		struct l2_page other = l2_map(moved.l2, PT, FLAGS, 82);

		forget_everything(moved.l2, other.linear);
		expect_tag(&moved, OLD);
		move(&moved);
		control(moved.l2)->guest_asid = ASID + 1;
		svm_guest(moved.l2)->tlb_control = TLB_CONTROL_FLUSH_ALL;
		expect_l2_read(moved.l2, read_access(other.linear, 8), frame_word(82));
		control(moved.l2)->guest_asid = ASID;
		expect_tag(&moved, NEW);
	}
}

TEST(a_new_asid_sees_nothing_old, "under an ASID of which nothing is cached memory decides", TAGS,
     NEEDS)
{
	for (enum change change = LEAF; change < CHANGES; change++) {
		struct moved moved = new_moved(change, FLAGS | G);

		forget_everything(moved.l2, moved.page.linear);
		expect_tag(&moved, OLD);
		move(&moved);
		control(moved.l2)->guest_asid = ASID + 1;
		expect_tag(&moved, NEW);
	}
}

/* Changes of L2's own last entry, which an invalidation of the page has to show. */
static void try_invlpga(enum change change, uint64_t flags, uint64_t offset)
{
	struct moved moved = new_moved(change, flags);

	forget_everything(moved.l2, moved.page.linear);
	expect_tag(&moved, OLD);
	move(&moved);
	invlpga(LINEAR(moved.page.linear.value ^ offset), ASID);
	expect_tag(&moved, NEW);
}

TEST(invlpga_drops_a_page_of_an_asid,
     "INVLPGA drops the translation of one page in the ASID that it names, global or not", INVLPGAS,
     NEEDS)
{
	try_invlpga(LEAF, FLAGS, 0);
	try_invlpga(LEAF, FLAGS | G, 0x9f8);
}

TEST(invlpga_drops_all_of_a_large_page,
     "INVLPGA with any address of a 2-MByte page drops its translation", INVLPGAS, NEEDS)
{
	try_invlpga(LEAF_2M, FLAGS, 0);
	try_invlpga(LEAF_2M, FLAGS | G, 0x1b5000);
}

/* One instruction of L2's own, which has to complete; then its page is the other one. */
static void try_own_flush(enum change change, uint64_t flags, enum instruction instruction,
			  uint64_t value)
{
	struct moved moved = new_moved(change, flags);
	linear_t linear = moved.page.linear;
	uint64_t values[] = {[INSTRUCTION_mov_to_cr3 - INSTRUCTION_mov_to_cr0] = moved.l2->cr3,
			     [INSTRUCTION_mov_to_cr4 - INSTRUCTION_mov_to_cr0] = moved.l2->cr4};

	forget_everything(moved.l2, linear);
	expect_tag(&moved, OLD);
	move(&moved);
	if (instruction != INSTRUCTION_invlpg)
		value ^= values[instruction - INSTRUCTION_mov_to_cr0];
	expect_l2_completes(moved.l2, instruction_access(instruction, linear, value));
	expect_tag(&moved, NEW);
}

TEST(mov_to_cr3_of_l2_drops_what_is_not_global,
     "MOV to CR3 in the guest drops the translations of its ASID that are not global", TAGS, NEEDS)
{
	for (enum change change = LEAF; change <= UPPER; change++)
		try_own_flush(change, FLAGS, INSTRUCTION_mov_to_cr3, 0);
}

TEST(a_change_of_pge_by_l2_drops_everything,
     "MOV to CR4 in the guest that changes PGE drops all translations of its ASID", TAGS,
     NEEDS " pge")
{
	for (enum change change = LEAF; change <= UPPER; change++)
		try_own_flush(change, FLAGS | G, INSTRUCTION_mov_to_cr4, CR4_PGE);
}

TEST(g_is_ignored_while_pge_is_clear,
     "with CR4.PGE = 0 of the guest TLB_CONTROL = 7 drops pages with G = 1, too", TAGS,
     NEEDS " svm_flush_by_asid")
{
	struct moved moved = new_moved(LEAF, FLAGS | G);

	moved.l2->cr4 &= ~CR4_PGE;
	forget_everything(moved.l2, moved.page.linear);
	expect_tag(&moved, OLD);
	move(&moved);
	svm_guest(moved.l2)->tlb_control = TLB_CONTROL_FLUSH_NON_GLOBALS;
	expect_tag(&moved, NEW);
}

TEST(invlpg_of_l2_drops_the_page, "INVLPG in the guest drops the page's translation in its ASID",
     TAGS, NEEDS)
{
	for (enum change change = LEAF; change <= UPPER; change++) {
		try_own_flush(change, FLAGS, INSTRUCTION_invlpg, 0);
		try_own_flush(change, FLAGS | G, INSTRUCTION_invlpg, 0);
	}
}

TEST(an_intercepted_invlpg_gives_its_address,
     "EXITINFO1 of an intercept of INVLPG is the operand's linear address",
     "APM Vol. 2, \"INVLPG and INVLPGA\" in \"Decode Assists\"", NEEDS " svm_decode_assists")
{
	static const uint64_t offsets[] = {0, 1, 0x9a8, PAGE_4K - 1};
	struct l2 *l2 = l2_start(L2_4LEVEL, .tag = ASID);
	struct l2_page page = l2_map(l2, PT, FLAGS, OLD);
	const linear_t starts[] = {page.linear, LINEAR(0xffff800000123000), LINEAR(0x7fff000)};

	control(l2)->intercept_3 |= VMCB_INTERCEPT_3_INVLPG;
	for (unsigned i = 0; i < COUNT_OF(starts) * COUNT_OF(offsets); i++) {
		linear_t at =
			linear_plus(starts[i / COUNT_OF(offsets)], offsets[i % COUNT_OF(offsets)]);
		struct l2_outcome outcome =
			l2_attempt(l2, instruction_access(INSTRUCTION_invlpg, at, 0));

		expect(outcome.exited && outcome.exit.reason == VMEXIT_INVLPG &&
			       outcome.exit.qualification == at.value,
		       "exit code 0x%llx, EXITINFO1 0x%llx instead of 0x%llx",
		       (unsigned long long)outcome.exit.reason,
		       (unsigned long long)outcome.exit.qualification,
		       (unsigned long long)at.value);
	}
}
