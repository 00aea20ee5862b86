/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L1's own translations over an entry into L2 and the exit from it.
 *
 * With VPID disabled VM entry and VM exit each drop everything that is cached under VPID 0, which
 * is L1's (SDM Vol. 3, "Operations that Invalidate Cached Mappings"). Under SVM the host has ASID
 * 0: TLB_CONTROL = 1 drops the translations of all ASIDs, the host's as well, and INVLPGA with ASID
 * 0 drops a page of the host's own (APM Vol. 2, "TLB Flush", "Invalidate Page, Alternate ASID").
 *
 * Caught here: a hypervisor that keeps L1's shadow or TLB over L2 and thinks of L2's alone when it
 * is told to drop (R39, R40). L1 would go on with a page that it has moved.
 *
 * Never checked: that something is still cached, with VPID or TLB_CONTROL = 0.
 */
#include "test.h"

SUBJECT(l1_translations, "what VM transitions, TLB_CONTROL and INVLPGA drop of L1's own");

#define VMX_MANUAL "SDM Vol. 3, \"Operations that Invalidate Cached Mappings\""
#define SVM_MANUAL "APM Vol. 2, \"TLB Flush\""
#define OLD	   71
#define NEW	   72

/* A page of L1's that is in use, and moves. */
struct moved {
	struct page page;
	gpa_t other;
};

static struct moved use_and_move(enum level level, uint64_t flags)
{
	struct moved moved = {.page = map_page_at(PT, filled_frame(OLD), flags)};
	uint64_t *entry = moved.page.entry[level];
	gpa_t table;

	moved.other = filled_frame(NEW);
	expect_read(read_access(moved.page.linear, 8), frame_word(OLD));
	expect_read(fetch_access(moved.page.linear), OLD);
	if (level == PT) {
		*entry = moved.other.value | flags;
		return moved;
	}
	table = frame_alloc();
	((uint64_t *)identity(table))[level_index(&paging_4level, PT, moved.page.linear.value)] =
		moved.other.value | flags;
	*entry = table.value | P | RW | US;
	return moved;
}

static void expect_new(const struct moved *moved)
{
	expect_read(read_access(moved->page.linear, 8), frame_word(NEW));
	expect_read(fetch_access(moved->page.linear), NEW);
}

static struct l2_page start(struct l2 **l2)
{
	*l2 = l2_start(L2_4LEVEL);
	return l2_map(*l2, PT, P | RW | US | A | D, 73);
}

TEST(without_vpid_transitions_drop_what_is_cached_for_l1,
     "After a VM entry and exit with VPID disabled L1 sees what it changed before, global or not",
     VMX_MANUAL, "vmx vmx_allowed ept ept_4level invept")
{
	struct l2 *l2;
	struct l2_page page = start(&l2);

	for (unsigned i = 0; i < 8; i++) {
		struct moved moved =
			use_and_move(i & 1 ? PT : PD, P | RW | A | D | (i & 2 ? G : 0));

		expect_l2_read(l2, read_access(page.linear, 8), frame_word(73));
		expect_new(&moved);
	}
}

TEST(tlb_control_1_drops_what_is_cached_for_the_host,
     "After VMRUN with TLB_CONTROL = 1 the host sees what it changed before, global or not",
     SVM_MANUAL, "svm svm_allowed svm_nested_paging")
{
	struct l2 *l2;
	struct l2_page page = start(&l2);

	for (unsigned i = 0; i < 8; i++) {
		struct moved moved =
			use_and_move(i & 1 ? PT : PD, P | RW | A | D | (i & 2 ? G : 0));

		svm_guest(l2)->tlb_control = TLB_CONTROL_FLUSH_ALL;
		expect_l2_read(l2, read_access(page.linear, 8), frame_word(73));
		expect_new(&moved);
	}
}

TEST(invlpga_of_asid_0_drops_a_page_of_the_host,
     "After INVLPGA with ASID 0 the host sees where its page has moved, global or not",
     "APM Vol. 2, \"Invalidate Page, Alternate ASID\"", "svm svm_allowed svm_nested_paging")
{
	svm_on();
	for (unsigned i = 0; i < 4; i++) {
		struct moved moved = use_and_move(PT, P | RW | A | D | (i & 1 ? G : 0));

		invlpga(linear_plus(moved.page.linear, i & 2 ? 0x9a8 : 0), 0);
		expect_new(&moved);
	}
}
