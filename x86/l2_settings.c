/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What L2 changes for itself counts at its next access: WP, SMEP, SMAP, INVPCID; and what its own
 * paging structures and CR3 must not hold.
 *
 * Between a VM entry and the next exit L2 sets and clears CR0.WP, CR4.SMEP and SMAP over pages that
 * it has just used, and executes INVPCID; no exit flushes anything for it (SDM Vol. 3,
 * "Determination of Access Rights", "Operations that Invalidate Cached Mappings"; R25). Address
 * bits from MAXPHYADDR on are reserved in L2's entries, and are its page fault before the second
 * level sees the address; in CR3 they are its #GP (R2, R23, KS22). PKRU is one register for L1 and
 * L2, and decides in L2 by L2's CR4.PKE. PSE-36 gives a 32-bit L2 physical addresses of 40 bits.
 *
 * Caught here: rights of L2 that were decided when something was cached, flushes of L2 that are
 * done for L1, addresses of L2 cut short or passed on unchecked. Hypervisors leave most of this to
 * the processor; emulators and shadows ask for L2 by functions that were written for L1.
 *
 * Not checked: PGE, INVLPG, MOV to CR3 (own_flushes_of_l2).
 */
#include "test.h"

SUBJECT(l2_settings, "L2's own WP, SMEP, SMAP and INVPCID; reserved address bits; keys; PSE-36");

#define RIGHTS \
	"SDM Vol. 3, \"Determination of Access Rights\"; APM Vol. 2, \"Page-Protection Checks\""
#define FLUSHES "SDM Vol. 3, \"Operations that Invalidate Cached Mappings\""
#define NEEDS	"second_level"
#define FLAGS	(P | RW | US | A | D)
#define CR0_NE	(1ull << 5) /* which VMX fixes */
#define TAG	46
#define OTHER	47
#define KEY	6
#define LAM	61 /* the first of two bits of CR3 */

static struct access load_cr0(const struct l2_page *page, uint64_t cr0)
{
	return instruction_access(INSTRUCTION_mov_to_cr0, page->linear,
				  cr0 | (has(FEATURE_svm) ? 0 : CR0_NE));
}

static uint64_t cr4_value(uint64_t cr4)
{
	return cr4 | (has(FEATURE_svm) ? 0 : CR4_VMXE);
}

/* All of these steps complete, and then the last one ends in #PF. */
static void expect_denied(struct l2 *l2, const struct access *steps, unsigned count, uint64_t error)
{
	struct l2_run run;

	second_invalidate(&l2->second, SECOND_FLUSH);
	l2_run_steps(l2, steps, count, &run);
	expect(run.done == count - 1 && !run.end.exited && run.end.outcome.vector == VECTOR_PF &&
		       run.end.outcome.error_code == error,
	       "step %u: exited %u, %s, error code 0x%llx instead of 0x%llx", run.done,
	       run.end.exited, vector_name(run.end.outcome.vector),
	       (unsigned long long)run.end.outcome.error_code, (unsigned long long)error);
}

TEST(wp_takes_effect_at_once,
     "after L2's MOV to CR0 that sets or clears WP its next write to a read-only page goes by it",
     RIGHTS, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, P | A | D, TAG);
	const uint64_t off = l2->cr0 & ~(uint64_t)CR0_WP;
	const struct access write = write_access(page.linear, 8, frame_word(TAG));
	const struct access steps[] = {read_access(page.linear, 8),
				       load_cr0(&page, off),
				       write,
				       load_cr0(&page, off | CR0_WP),
				       read_access(page.linear, 8),
				       load_cr0(&page, off),
				       write,
				       load_cr0(&page, off | CR0_WP),
				       write};

	expect_denied(l2, steps, COUNT_OF(steps), PF_P | PF_W);
}

TEST(smep_takes_effect_at_once,
     "after L2's MOV to CR4 that sets SMEP its next fetch from a user-mode page faults", RIGHTS,
     NEEDS " smep nx")
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, FLAGS, TAG);
	const uint64_t off = cr4_value(l2->cr4 & ~(uint64_t)CR4_SMEP);
	const struct access steps[] = {
		fetch_access(page.linear),
		instruction_access(INSTRUCTION_mov_to_cr4, page.linear, off | CR4_SMEP),
		read_access(page.linear, 8),
		instruction_access(INSTRUCTION_mov_to_cr4, page.linear, off),
		fetch_access(page.linear),
		instruction_access(INSTRUCTION_mov_to_cr4, page.linear, off | CR4_SMEP),
		fetch_access(page.linear)};

	l2->efer |= EFER_NXE;
	expect_denied(l2, steps, COUNT_OF(steps), PF_P | PF_ID);
}

/* mov (%rdi), %rcx; mov %rax, %cr4; mov (%rdi), %rdx; ud2 */
static const uint8_t read_set_read[] = {0x48, 0x8b, 0x0f, 0x0f, 0x22, 0xe0,
					0x48, 0x8b, 0x17, 0x0f, 0x0b};

TEST(smap_takes_effect_at_once,
     "after L2's MOV to CR4 that sets SMAP its next read of a user-mode page faults", RIGHTS,
     NEEDS " smap")
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, FLAGS, TAG), code = l2_map(l2, PT, P | RW | A | D, 0);
	struct l2_registers registers = {.rax = cr4_value(l2->cr4 | CR4_SMAP),
					 .rdi = page.linear.value,
					 .rip = code.linear.value,
					 .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	memcpy(identity(code.frame), read_set_read, sizeof(read_set_read));
	l2->backend->enter(l2, &registers, &exit);
	expect(registers.rcx == frame_word(TAG), "L2 first read 0x%llx",
	       (unsigned long long)registers.rcx);
	expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_PF && exit.error_code == PF_P &&
		       exit.rip == code.linear.value + 6,
	       "vector %u, error code 0x%llx, RIP 0x%llx", exit.vector,
	       (unsigned long long)exit.error_code, (unsigned long long)exit.rip);
}

static void try_invpcid(unsigned type, uint64_t flags)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, FLAGS | flags, TAG), window = l2_map(l2, PT, FLAGS, 0);
	struct l2_page descriptor = l2_map(l2, PT, FLAGS, 0);
	uint64_t *words = identity(descriptor.frame);
	gpa_t other = l2_place(l2, filled_frame(OTHER), PT, false);
	const struct access steps[] = {
		read_access(page.linear, 8),
		fetch_access(page.linear),
		write_access(linear_plus(window.linear, page.entry_gpa[PT] % PAGE_4K), 8,
			     other.value | FLAGS | flags),
		instruction_access(INSTRUCTION_invpcid, descriptor.linear, type),
		read_access(page.linear, 8),
		fetch_access(page.linear)};
	struct l2_run run;

	l2_write_entry(l2, &window, PT, (page.entry_gpa[PT] & ~(PAGE_4K - 1)) | FLAGS);
	words[0] = 0;
	words[1] = page.linear.value;
	l2->cr4 |= CR4_PGE;
	if (!has(FEATURE_svm))
		vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
			vmread(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) |
				SECONDARY_ENABLE_INVPCID);
	second_invalidate(&l2->second, SECOND_FLUSH);
	l2_run_steps(l2, steps, COUNT_OF(steps), &run);
	expect(run.done == COUNT_OF(steps), "type %u: step %u: %s", type, run.done,
	       vector_name(run.end.outcome.vector));
	expect(run.value[4] == frame_word(OTHER) && run.value[5] == OTHER,
	       "type %u: L2 read 0x%llx, executed %llu", type, (unsigned long long)run.value[4],
	       (unsigned long long)run.value[5]);
}

TEST(invpcid_of_l2_drops_its_translations,
     "after L2's INVPCID of any type its accesses use the entry that it stored before", FLUSHES,
     NEEDS " invpcid")
{
	if (!has(FEATURE_svm) && !vmx_allows_secondary(SECONDARY_ENABLE_INVPCID))
		end_case_skipped("vmx_invpcid", "not offered here: INVPCID for guests of VMX");
	for (unsigned type = 0; type < 4; type++)
		try_invpcid(type, 0);
	try_invpcid(2, G);
}

/* P beside RSVD is for other images (QT01). */
static void expect_reserved(struct l2 *l2, struct access access)
{
	unsigned wanted = PF_RSVD | (access.user ? PF_U : 0);
	struct l2_outcome outcome;

	second_invalidate(&l2->second, SECOND_FLUSH);
	outcome = l2_attempt(l2, access);
	expect(!outcome.exited && outcome.outcome.vector == VECTOR_PF &&
		       (outcome.outcome.error_code & ~(uint64_t)(PF_P | PF_ID)) == wanted &&
		       outcome.outcome.cr2 == access.linear.value,
	       "exited %u at 0x%llx, %s, error code 0x%llx", outcome.exited,
	       (unsigned long long)outcome.exit.gpa, vector_name(outcome.outcome.vector),
	       (unsigned long long)outcome.outcome.error_code);
}

TEST(address_bits_are_reserved_in_entries_of_l2,
     "bits from MAXPHYADDR to 51 of L2's entries at each level are its page fault",
     "SDM Vol. 3, \"Page-Fault Exceptions\"", NEEDS " reserved_address_bits")
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, FLAGS, TAG);

	if (is_permitted("P15"))
		end_case_skipped("reserved_address_bits",
				 "bits from the guest's MAXPHYADDR on are not virtualised (P15)");
	for (int level = PT; level <= PML4; level++) {
		uint64_t good = *(volatile uint64_t *)page.entry[level];

		for (unsigned bit = maxphyaddr(); bit < 52; bit++) {
			l2_write_entry(l2, &page, (enum level)level, good | 1ull << bit);
			expect_reserved(l2, read_access(page.linear, 8));
			expect_reserved(l2, as_user(fetch_access(page.linear)));
		}
		l2_write_entry(l2, &page, (enum level)level, good);
	}
}

TEST(address_bits_are_reserved_in_cr3_of_l2,
     "L2's MOV to CR3 with a bit from MAXPHYADDR on set is #GP in L2",
     "SDM Vol. 3, \"Control Registers\"; APM Vol. 2, \"CR3 Register\"", NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);
	struct l2_page page = l2_map(l2, PT, FLAGS, TAG);

	if (!has(FEATURE_svm) && !vmx_lets_guests_load_cr3())
		end_case_skipped("no_cr3_load_exiting", "CR3-load exiting cannot be turned off");
	for (unsigned bit = first_reserved_address_bit(); bit < 64; bit++) {
		struct l2_outcome outcome;

		if (has(FEATURE_lam) && (bit == LAM || bit == LAM + 1))
			continue;
		outcome = l2_attempt(l2, instruction_access(INSTRUCTION_mov_to_cr3, page.linear,
							    l2->cr3 | 1ull << bit));
		expect(!outcome.exited && outcome.outcome.vector == VECTOR_GP &&
			       outcome.outcome.error_code == 0,
		       "bit %u: exited %u, reason 0x%llx, %s", bit, outcome.exited,
		       (unsigned long long)outcome.exit.reason,
		       vector_name(outcome.outcome.vector));
	}
}

TEST(pkru_decides_in_l2,
     "with CR4.PKE = 1 in L2 PKRU denies L2's user-mode data accesses, not fetches",
     "SDM Vol. 3, \"Protection Keys\"", NEEDS " pku")
{
	struct l2 *l2;
	struct l2_page page;
	linear_t at;

	set_cr4(CR4_PKE);
	l2 = l2_start(L2_4LEVEL);
	page = l2_map(l2, PT, FLAGS | entry_key(KEY), TAG);
	at = page.linear;
	l2->cr4 |= CR4_PKE;
	for (unsigned i = 0; i < 2; i++) {
		set_pkru(0);
		expect_l2_completes(l2, as_user(write_access(at, 8, frame_word(TAG))));
		set_pkru(key_rights(KEY, KEY_ACCESS_DISABLE));
		expect_l2_page_fault(l2, as_user(read_access(at, 8)), PF_P | PF_U | PF_PK);
		expect_l2_read(l2, as_user(fetch_access(at)), TAG);
		set_pkru(key_rights(KEY, KEY_WRITE_DISABLE));
		expect_l2_read(l2, as_user(read_access(at, 8)), frame_word(TAG));
		expect_l2_page_fault(l2, as_user(write_access(at, 8, 1)),
				     PF_P | PF_W | PF_U | PF_PK);
	}
}

TEST(pse36_reaches_beyond_4_gbytes,
     "bits 20:13 of a PDE for 4 MBytes are bits 39:32 of a 32-bit L2's physical address",
     "SDM Vol. 3, \"32-Bit Paging\"", NEEDS " pse36")
{
	struct l2 *l2 = l2_start(L2_32BIT);
	struct l2_page page = l2_map(l2, PD, FLAGS, TAG);
	uint64_t offset = page.gpa.value & (page.bytes - 1);

	for (unsigned bit = 32; bit < 40 && bit < maxphyaddr(); bit++) {
		uint64_t base = 1ull << bit | 0x40000000;

		second_map(&l2->second, GPA(base + offset), filled_frame(100 + bit), PT,
			   SECOND_ALL);
		l2_write_entry(l2, &page, PD, 0x40000000 | 1ull << (bit - 32 + 13) | PS | FLAGS);
		second_invalidate(&l2->second, SECOND_FLUSH);
		expect_l2_read(l2, read_access(page.linear, 4), (uint32_t)frame_word(100 + bit));
	}
}
