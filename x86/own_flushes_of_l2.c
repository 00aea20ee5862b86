/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What L2 drops itself, between one VM entry and the next exit.
 *
 * L2 uses a page, stores another PTE or PDE for it through a second page, executes INVLPG, MOV to
 * CR3 or two MOVs to CR4 that change PGE, and uses the page again. No exit flushes anything for it:
 * these instructions act on what is cached for L2's VPID or ASID (SDM Vol. 3, "Operations that
 * Invalidate Cached Mappings"; APM Vol. 2, "TLB Management").
 *
 * Caught here: flushes by L2 that do nothing, that act on L1's translations, or on those of one
 * dimension, as a hypervisor has it that counts on flushes at entries and exits (XS29, KN06, KN09).
 *
 * Each way to flush is used for PTEs, for entries above that lead to other structures, and for PDEs
 * of 2-MByte pages, global or not; and for PTEs of an L2 under 32-bit and PAE paging. Not checked:
 * VPIDs and ASIDs (vpid_own_flushes, svm_flush), that anything is stale before the flush (P10).
 */
#include "test.h"

SUBJECT(own_flushes_of_l2, "INVLPG and MOVs to CR3 and CR4 by L2, within one VM entry");

#define MANUAL                                                                           \
	"SDM Vol. 3, \"Operations that Invalidate Cached Mappings\"; APM Vol. 2, \"TLB " \
	"Management\""
#define NEEDS "second_level nx"
#define FLAGS (P | RW | US | A | D)
#define TAG   41
#define OTHER 42

/* A page of L2's that shows one of its structures. */
static linear_t window_to(struct l2 *l2, const struct l2_page *page, enum level level)
{
	struct l2_page window = l2_map(l2, PT, FLAGS, 0);

	l2_write_entry(l2, &window, PT, (page->entry_gpa[level] & ~(PAGE_4K - 1)) | FLAGS);
	return linear_plus(LINEAR(window.linear.value & ~(PAGE_4K - 1)),
			   page->entry_gpa[level] % PAGE_4K);
}

/* In VMX non-root operation CR4.VMXE has to be 1. */
static struct access load_cr4(linear_t linear, uint64_t cr4)
{
	return instruction_access(INSTRUCTION_mov_to_cr4, linear,
				  cr4 | (has(FEATURE_svm) ? 0 : CR4_VMXE));
}

enum own_flush { WITH_INVLPG, WITH_MOV_TO_CR3, WITH_PGE, WITH_INVLPG_ELSEWHERE };

static unsigned add_flush(struct l2 *l2, enum own_flush flush, linear_t linear,
			  struct access *steps)
{
	switch (flush) {
	case WITH_INVLPG:
	case WITH_INVLPG_ELSEWHERE:
		steps[0] = instruction_access(INSTRUCTION_invlpg, linear, 0);
		return 1;
	case WITH_MOV_TO_CR3:
		steps[0] = instruction_access(INSTRUCTION_mov_to_cr3, linear, l2->cr3);
		return 1;
	default:
		steps[0] = load_cr4(linear, l2->cr4 ^ CR4_PGE);
		steps[1] = load_cr4(linear, l2->cr4);
		return 2;
	}
}

/* The entry that leads to OTHER in place of the page's own: its last entry, in place of a large
 * page one where OTHER is at the page's offset; or copies of the structures from `changed` down. */
static uint64_t other_entry(struct l2 *l2, const struct l2_page *page, enum level changed)
{
	uint64_t entry = *(volatile uint64_t *)page->entry[page->level];
	uint64_t offset = page->gpa.value & (page->bytes - 1);
	gpa_t gpa = l2_place(l2, filled_frame(OTHER), PT, false), copy;

	if (page->level > PT) {
		gpa.value &= ~(page->bytes - 1);
		second_map(&l2->second, gpa_plus(gpa, offset), filled_frame(OTHER), PT, SECOND_ALL);
	}
	entry = gpa.value | (entry & ~ENTRY_ADDRESS);
	for (unsigned level = page->level; level < changed; level++) {
		copy = frame_alloc();
		memcpy(identity(copy), identity(l2_frame_of(l2, page->table[level])), PAGE_4K);
		*(uint64_t *)identity(gpa_plus(copy, page->entry_gpa[level] % PAGE_4K)) = entry;
		entry = l2_place(l2, copy, PT, false).value | P | RW | US | A;
	}
	return entry;
}

/* Uses the page, replaces its entry at `changed`, flushes, uses it again. A large page of L2's is
 * one in the second level, too, or many. */
static void try_own_flush(enum level level, enum level second, enum level changed, uint64_t flags,
			  enum own_flush flush)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .second_of_pages = second);
	struct l2_page page = l2_map(l2, level, FLAGS | flags, TAG);
	bool elsewhere = flush == WITH_INVLPG_ELSEWHERE;
	linear_t flushed = LINEAR(page.linear.value ^ (elsewhere ? page.bytes / 2 : 0));
	struct access steps[MOST_STEPS] = {read_access(page.linear, 8), fetch_access(page.linear)};
	linear_t window = window_to(l2, &page, changed);
	unsigned again = 3, count;
	struct l2_run run;

	l2_run_steps(l2, steps, 1, &run); /* so that its list is mapped in copies of structures */
	steps[2] = write_access(window, 8, other_entry(l2, &page, changed));
	l2->cr4 |= CR4_PGE;
	again += add_flush(l2, flush, flushed, steps + again);
	steps[again] = read_access(page.linear, 8);
	steps[again + 1] = fetch_access(page.linear);
	count = elsewhere ? again + 1 : again + 2;
	second_invalidate(&l2->second, SECOND_FLUSH);
	l2_run_steps(l2, steps, count, &run);
	expect(run.done == count, "%u of %u steps complete", run.done, count);
	expect(run.value[0] == frame_word(TAG) && run.value[1] == TAG,
	       "before its flush L2 read 0x%llx", (unsigned long long)run.value[0]);
	expect(run.value[again] == frame_word(OTHER), "after its flush L2 read 0x%llx",
	       (unsigned long long)run.value[again]);
	expect(elsewhere || run.value[again + 1] == OTHER, "after its flush L2 executed page %llu",
	       (unsigned long long)run.value[again + 1]);
}

static void try_own_flushes(uint64_t flags, enum own_flush flush)
{
	try_own_flush(PT, PD, PT, flags, flush);
	try_own_flush(PD, PT, PD, flags, flush);
	for (unsigned changed = PT; changed <= PML4; changed++) {
		try_own_flush(PT, PT, (enum level)changed, flags, flush);
		if (changed > PT)
			try_own_flush(PD, PD, (enum level)changed, flags, flush);
	}
}

TEST(invlpg_shows_what_l2_changed,
     "accesses after L2's INVLPG use the PTE or PDE that L2 stored just before it", MANUAL, NEEDS)
{
	try_own_flushes(0, WITH_INVLPG);
	try_own_flushes(G, WITH_INVLPG);
}

TEST(invlpg_anywhere_drops_a_large_page,
     "L2's INVLPG elsewhere in a large page drops it, large or not in the second level", MANUAL,
     NEEDS)
{
	for (int second = PT; second <= PD; second++) {
		try_own_flush(PD, (enum level)second, PD, 0, WITH_INVLPG_ELSEWHERE);
		try_own_flush(PD, (enum level)second, PD, G, WITH_INVLPG_ELSEWHERE);
	}
}

TEST(mov_to_cr3_shows_what_l2_changed,
     "accesses after L2's MOV to CR3 use the PTE or PDE that L2 stored just before it", MANUAL,
     NEEDS)
{
	if (!has(FEATURE_svm) && !vmx_lets_guests_load_cr3())
		end_case_skipped("no_cr3_load_exiting", "CR3-load exiting cannot be turned off");
	try_own_flushes(0, WITH_MOV_TO_CR3);
}

TEST(a_change_of_pge_shows_what_l2_changed,
     "accesses after L2's change of CR4.PGE use the PTE or PDE that L2 stored just before it",
     MANUAL, NEEDS " pge")
{
	try_own_flushes(0, WITH_PGE);
	try_own_flushes(G, WITH_PGE);
}

/* mov (%edi), %ecx; mov %eax, (%esi); then one of these; mov (%edi), %edx; ud2: for L2 of 32 bits
 */
static const uint8_t before_flush[] = {0x8b, 0x0f, 0x89, 0x06},
		     after_flush[] = {0x8b, 0x17, 0x0f, 0x0b};
static const uint8_t flushes[][3] = {[WITH_INVLPG] = {0x0f, 0x01, 0x3f},     /* invlpg (%edi) */
				     [WITH_MOV_TO_CR3] = {0x0f, 0x22, 0xdb}, /* mov %ebx, %cr3 */
				     [WITH_PGE] = {0x0f, 0x22, 0xe5}};	     /* mov %ebp, %cr4 */

static void try_own_flush_of_32_bits(enum l2_mode mode, uint64_t flags, enum own_flush flush)
{
	struct l2 *l2 = l2_start(mode);
	struct l2_page page = l2_map(l2, PT, FLAGS | flags, TAG);
	struct l2_page code = l2_map(l2, PT, FLAGS & ~(uint64_t)US, 0);
	linear_t window = window_to(l2, &page, PT);
	uint64_t other = l2_place(l2, filled_frame(OTHER), PT, false).value | FLAGS | flags;
	uint8_t *bytes = identity(code.frame);
	struct l2_registers registers = {.rax = other,
					 .rdi = page.linear.value,
					 .rsi = window.value,
					 .rip = code.linear.value,
					 .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	l2->cr4 |= CR4_PGE;
	registers.rbx = l2->cr3;
	registers.rbp = (l2->cr4 ^ CR4_PGE) | (has(FEATURE_svm) ? 0 : CR4_VMXE);
	memcpy(bytes, before_flush, sizeof(before_flush));
	memcpy(bytes + sizeof(before_flush), flushes[flush], sizeof(flushes[flush]));
	memcpy(bytes + sizeof(before_flush) + sizeof(flushes[flush]), after_flush,
	       sizeof(after_flush));
	second_invalidate(&l2->second, SECOND_FLUSH);
	l2->backend->enter(l2, &registers, &exit);
	expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD,
	       "exit kind %u, reason 0x%llx, vector %u at 0x%llx", exit.kind,
	       (unsigned long long)exit.reason, exit.vector, (unsigned long long)exit.linear);
	expect((uint32_t)registers.rcx == (uint32_t)frame_word(TAG) &&
		       (uint32_t)registers.rdx == (uint32_t)frame_word(OTHER),
	       "mode %u, flush %u: L2 read 0x%x, then 0x%x", mode, flush, (uint32_t)registers.rcx,
	       (uint32_t)registers.rdx);
}

TEST(flushes_by_an_l2_of_32_bits_show_what_it_changed,
     "under 32-bit and PAE paging an access after L2's INVLPG, MOV to CR3 or change of PGE uses "
     "the "
     "PTE that L2 stored before it",
     MANUAL, NEEDS " pge")
{
	bool loads_cr3 = has(FEATURE_svm) || vmx_lets_guests_load_cr3();

	for (unsigned mode = L2_32BIT; mode <= L2_PAE; mode++) {
		for (unsigned flush = WITH_INVLPG; flush <= WITH_PGE; flush++) {
			if (flush == WITH_MOV_TO_CR3 && !loads_cr3)
				continue;
			try_own_flush_of_32_bits((enum l2_mode)mode, 0, (enum own_flush)flush);
			if (flush != WITH_MOV_TO_CR3)
				try_own_flush_of_32_bits((enum l2_mode)mode, G,
							 (enum own_flush)flush);
		}
	}
}

/* mov %eax, (%edi); mov %ebx, %cr0; mov %eax, (%edi); ud2 */
static const uint8_t write_set_write[] = {0x89, 0x07, 0x0f, 0x22, 0xc3, 0x89, 0x07, 0x0f, 0x0b};

TEST(wp_of_an_l2_of_32_bits_takes_effect_at_once,
     "under 32-bit and PAE paging L2's MOV to CR0 that sets WP denies its next write",
     "SDM Vol. 3, \"Determination of Access Rights\"", NEEDS)
{
	for (unsigned mode = L2_32BIT; mode <= L2_PAE; mode++) {
		struct l2 *l2 = l2_start((enum l2_mode)mode);
		struct l2_page page = l2_map(l2, PT, FLAGS & ~(uint64_t)(US | RW), TAG);
		struct l2_page code = l2_map(l2, PT, FLAGS & ~(uint64_t)US, 0);
		struct l2_registers registers = {.rax = TAG,
						 .rbx = l2->cr0 | CR0_WP | 1u << 5, /* NE */
						 .rdi = page.linear.value,
						 .rip = code.linear.value,
						 .rflags = RFLAGS_FIXED};
		struct l2_exit exit;

		l2->cr0 &= ~(uint64_t)CR0_WP;
		memcpy(identity(code.frame), write_set_write, sizeof(write_set_write));
		l2->backend->enter(l2, &registers, &exit);
		expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_PF &&
			       exit.error_code == (PF_P | PF_W) &&
			       exit.rip == code.linear.value + 5,
		       "mode %u: vector %u, error code 0x%llx, RIP 0x%llx", mode, exit.vector,
		       (unsigned long long)exit.error_code, (unsigned long long)exit.rip);
	}
}
