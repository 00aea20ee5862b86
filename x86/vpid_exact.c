/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VPIDs and EPT pointers as tags, to the bit, and invalidations to what they reach.
 *
 * What is cached is tagged with all 16 bits of the VPID and with bits 51:12 of the EPT pointer.
 * INVVPID of an address drops the whole large page that it lies in, for fetches as for data; INVEPT
 * of a single context asks for bits 51:12 of its operand alone; INVLPG and MOV to CR3 of L2 reach
 * what its VPID has cached under every EPT pointer. And no tag holds CR0.WP, SMEP or SMAP: what a
 * VM entry loads there counts at once (SDM Vol. 3, "Creating and Using Cached Translation
 * Information", "Operations that Invalidate Cached Mappings", "Determination of Access Rights").
 *
 * Caught here: tags with too few bits, or with too many; an invalidation that drops a piece of a
 * page, one of two TLBs, or what the current EPT pointer has cached (R37; KN05, KN06, BX03); rights
 * decided when a translation was cached and not when it is used (R25, KS18). Hypervisors that keep
 * translations of L2 for later make such mistakes in what they look their shadows up by.
 *
 * Never checked: that something is still cached (P10, P23).
 */
#include "test.h"

SUBJECT(vpid_exact, "all bits of VPIDs and EPT pointers as tags; what invalidations reach");

#define MANUAL	 "SDM Vol. 3, \"Operations that Invalidate Cached Mappings\""
#define KEPT	 "SDM Vol. 3, \"Creating and Using Cached Translation Information\""
#define NEEDS	 "vmx vmx_allowed ept ept_4level invept vpid"
#define INVVPIDS NEEDS " invvpid invvpid_address invvpid_single invvpid_all"
#define TAG	 9
#define FLAGS	 (P | RW | US | A | D)
#define OLD	 41
#define NEW	 42

static void use_vpid(unsigned vpid)
{
	vmwrite(VMCS_VIRTUAL_PROCESSOR_IDENTIFIER, vpid);
}

TEST(each_bit_of_a_vpid_keeps_mappings_apart,
     "two VPIDs that differ in one bit lead each to its own frame", KEPT, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .tag = TAG);
	linear_t linear = l2_map(l2, PT, FLAGS, OLD).linear;
	uint64_t first = l2->cr3, second;

	l2_new_space(l2);
	second = l2->cr3;
	l2_map(l2, PT, FLAGS, NEW);
	for (unsigned i = 0; i < 4 * 16; i++) {
		unsigned vpid = i & 1 ? 0x5a5a : 0x0123;

		l2->cr3 = first;
		use_vpid(vpid);
		expect_l2_read(l2, read_access(linear, 8), frame_word(OLD));
		l2->cr3 = second;
		use_vpid(vpid ^ 1u << i / 4);
		expect_l2_read(l2, read_access(linear, 8), frame_word(NEW));
		l2->cr3 = first;
		use_vpid(vpid);
		expect_l2_read(l2, read_access(linear, 8), frame_word(OLD));
		invvpid(INVVPID_ALL_CONTEXT, 0, LINEAR(0));
	}
}

/* A page that L2 has read and executed, and the frame that it will lead to. */
struct moving {
	struct l2 *l2;
	struct l2_page page;
	gpa_t other;
};

static struct moving make_moving(enum level level, uint64_t flags)
{
	struct moving moving = {.l2 = l2_start(L2_4LEVEL, .tag = TAG, .second_of_pages = level),
				.other = filled_frame(NEW)};

	moving.l2->cr4 |= flags & G ? CR4_PGE : 0;
	moving.page = l2_map(moving.l2, level, flags, OLD);
	return moving;
}

static void expect_tag(const struct moving *moving, uint32_t tag)
{
	linear_t at = moving->page.linear;

	expect_l2_read(moving->l2, read_access(at, 8), frame_word(tag));
	expect_l2_read(moving->l2, fetch_access(at), tag);
	expect_l2_read(moving->l2, as_user(fetch_access(at)), tag);
}

/* In a large page the other frame lies where the old one does. */
static void move(const struct moving *moving)
{
	const struct l2_page *page = &moving->page;
	uint64_t entry = *(volatile uint64_t *)page->entry[page->level] & ~ENTRY_ADDRESS;
	gpa_t area = l2_place(moving->l2, GPA(0), PT, false);

	area.value &= ~(page->bytes - 1);
	second_map(&moving->l2->second, gpa_plus(area, page->gpa.value & (page->bytes - 1)),
		   moving->other, PT, SECOND_ALL);
	l2_write_entry(moving->l2, page, page->level, area.value | entry);
}

/* INVVPID with an address of the page in which nothing was used. */
static void try_invvpid(unsigned type, enum level level, uint64_t flags)
{
	struct moving moving = make_moving(level, flags);

	expect_tag(&moving, OLD);
	move(&moving);
	invvpid(type, TAG, LINEAR(moving.page.linear.value ^ (level == PD ? 0x1b5008 : 0x9f8)));
	expect_tag(&moving, NEW);
}

TEST(invvpid_drops_whole_pages_for_data_and_fetches,
     "after INVVPID of any address in a page, of any size, reads and fetches see its new entry",
     MANUAL, INVVPIDS)
{
	for (int level = PT; level <= PD; level++) {
		for (unsigned type = 0; type < 4; type++) {
			bool keeps = type == INVVPID_SINGLE_CONTEXT_RETAINING_GLOBALS;

			if (keeps && !has_vmx(VMX_FEATURE_invvpid_retaining_globals))
				continue;
			try_invvpid(type, (enum level)level, FLAGS);
			if (!keeps)
				try_invvpid(type, (enum level)level, FLAGS | G);
		}
	}
}

/* G = 1 without CR4.PGE is no global translation. */
TEST(g_is_ignored_while_pge_is_clear,
     "with CR4.PGE = 0 of L2 INVVPID that retains globals, and MOV to CR3, drop pages with G = 1",
     MANUAL, INVVPIDS)
{
	for (unsigned i = 0; i < 2; i++) {
		struct moving moving = make_moving(PT, FLAGS | G);
		struct access load = {INSTRUCTION_mov_to_cr3, .linear = LINEAR(moving.l2->cr3),
				      .value = {moving.l2->cr3}};

		if (!(i ? has_vmx(VMX_FEATURE_invvpid_retaining_globals)
			: vmx_lets_guests_load_cr3()))
			continue;
		moving.l2->cr4 &= ~CR4_PGE;
		expect_tag(&moving, OLD);
		move(&moving);
		if (i)
			invvpid(INVVPID_SINGLE_CONTEXT_RETAINING_GLOBALS, TAG, moving.page.linear);
		else
			expect_l2_completes(moving.l2, load);
		expect_tag(&moving, NEW);
	}
}

/* The EPT entry of the page leads elsewhere; then INVEPT with an operand that VM entry would take
 * and that has the same bits 51:12. */
static void try_invept(uint64_t difference)
{
	struct moving moving = make_moving(PT, FLAGS);
	uint64_t pointer = eptp_of(&moving.l2->second);

	expect_tag(&moving, OLD);
	*second_entry(&moving.l2->second, moving.page.gpa, PT) = 0;
	second_map(&moving.l2->second, moving.page.gpa, moving.other, PT, SECOND_ALL);
	invept(INVEPT_SINGLE_CONTEXT, pointer ^ difference);
	expect_tag(&moving, NEW);
}

TEST(invept_asks_for_the_root_alone,
     "INVEPT of an EPT pointer that differs in bits 11:0 drops what its root has cached", MANUAL,
     NEEDS " invept_single")
{
	try_invept(0);
	if (has_vmx(VMX_FEATURE_ept_accessed_dirty))
		try_invept(EPTP_ACCESSED_DIRTY);
}

/* Another root with the same content is another EPT pointer. */
static uint64_t twin_of(const struct second_level *second)
{
	gpa_t root = frame_alloc();

	memcpy(identity(root), identity(GPA(second->model.root)), PAGE_4K);
	return (eptp_of(second) & ~ENTRY_ADDRESS) | root.value;
}

/* Cached under one EPT pointer, invalidated by L2 under another. */
static void try_other_pointer(struct access flush)
{
	struct moving moving = make_moving(PT, FLAGS);
	uint64_t first = eptp_of(&moving.l2->second), second = twin_of(&moving.l2->second);

	if (flush.instruction == INSTRUCTION_invlpg)
		flush.linear = moving.page.linear;
	else
		flush.value[0] = flush.linear.value = moving.l2->cr3;
	expect_tag(&moving, OLD);
	vmwrite(VMCS_EPT_POINTER, second);
	expect_tag(&moving, OLD);
	move(&moving);
	expect_l2_completes(moving.l2, flush);
	expect_tag(&moving, NEW);
	vmwrite(VMCS_EPT_POINTER, first);
	expect_tag(&moving, NEW);
}

TEST(flushes_of_l2_reach_all_ept_pointers,
     "INVLPG and MOV to CR3 of L2 drop what its VPID has cached under other EPT pointers", MANUAL,
     NEEDS)
{
	try_other_pointer((struct access){INSTRUCTION_invlpg});
	if (vmx_lets_guests_load_cr3())
		try_other_pointer((struct access){INSTRUCTION_mov_to_cr3});
}

/* The nth access is a read, write or fetch (n % 3) of user mode, supervisor mode, or that with
 * EFLAGS.AC = 1 (n / 3). */
static bool wp_allows(unsigned n, bool set)
{
	return n % 3 != 1 || (n / 3 && !set);
}

static bool smep_allows(unsigned n, bool set)
{
	return n % 3 != 2 || !(n / 3 && set);
}

static bool smap_allows(unsigned n, bool set)
{
	return n % 3 == 2 || !(n / 3 == 1 && set);
}

/* Each access under both values of the bit in turn, with nothing invalidated in between. */
static void try_bit(uint64_t flags, bool in_cr0, uint64_t bit,
		    bool (*is_allowed)(unsigned n, bool set))
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .tag = TAG);
	struct l2_page page = l2_map(l2, PT, flags | A | D, OLD);
	uint64_t *reg = in_cr0 ? &l2->cr0 : &l2->cr4;

	for (unsigned i = 0; i < 4 * ACCESS_WAYS; i++) {
		unsigned n = i / 4;
		bool set = i & 1;
		struct l2_outcome outcome;

		*reg = set ? *reg | bit : *reg & ~bit;
		outcome = l2_attempt(l2, nth_access(n, page.linear));
		expect(!outcome.exited && outcome.outcome.vector ==
						  (is_allowed(n, set) ? NO_VECTOR : VECTOR_PF),
		       "access %u with the bit %s: %s", n, set ? "set" : "clear",
		       outcome.exited ? "an exit" : vector_name(outcome.outcome.vector));
	}
}

TEST(wp_of_a_vm_entry_counts_at_once,
     "CR0.WP that a VM entry loads decides on writes, whatever its VPID has cached",
     "SDM Vol. 3, \"Determination of Access Rights\"", NEEDS)
{
	try_bit(P | US, true, CR0_WP, wp_allows);
}

TEST(smep_of_a_vm_entry_counts_at_once,
     "CR4.SMEP that a VM entry loads decides on fetches, whatever its VPID has cached",
     "SDM Vol. 3, \"Determination of Access Rights\"", NEEDS " smep")
{
	try_bit(P | RW | US, false, CR4_SMEP, smep_allows);
}

TEST(smap_of_a_vm_entry_counts_at_once,
     "CR4.SMAP that a VM entry loads decides on accesses, whatever its VPID has cached",
     "SDM Vol. 3, \"Determination of Access Rights\"", NEEDS " smap")
{
	try_bit(P | RW | US, false, CR4_SMAP, smap_allows);
}
