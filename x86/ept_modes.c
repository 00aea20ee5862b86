/* SPDX-License-Identifier: BSD-2-Clause
 *
 * EPT under each of L2's paging modes: none, 32-bit, PAE, 4-level, 5-level.
 *
 * EPT translates guest-physical addresses whatever made them (SDM Vol. 3, "EPT Overview"). With
 * CR0.PG = 0 a linear address is a guest-physical one. In PAE mode the PDPTEs are registers, loaded
 * from the VMCS by VM entry and from memory by MOV to CR3; that load is an access of its own, which
 * may violate, and then without a valid linear address ("PDPTE Checking"; "Exit Qualification for
 * EPT Violations", bit 7).
 *
 * Caught here: an unpaged L2 that is not translated (QT11) or a 32-bit one that is taken for
 * unpaged (QT12); entries of the wrong width; PDPTEs taken from memory where they are registers, or
 * the reverse (XS34, R40); a PDPTE load that is reported as if it had a linear address (R35).
 *
 * The model judges all modes alike. Not checked here: paging itself in those modes without EPT.
 */
#include "test.h"

SUBJECT(ept_modes, "EPT under each paging mode of L2, and PDPTE loads");

#define MANUAL "SDM Vol. 3, \"EPT Translation Mechanism\""
#define PDPTES "SDM Vol. 3, \"Exit Qualification for EPT Violations\""
#define NEEDS  "vmx vmx_allowed ept ept_4level invept"

struct accesses {
	struct access list[6];
};

static struct accesses all_accesses(linear_t linear)
{
	const struct access read = read_access(linear, 4);
	const struct access write = write_access(linear, 4, (uint32_t)frame_word(26));
	const struct access fetch = fetch_access(linear);

	return (struct accesses){
		{read, write, fetch, as_user(read), as_user(write), as_user(fetch)}};
}

static void try_accesses(struct l2 *l2, linear_t linear)
{
	const struct accesses accesses = all_accesses(linear);

	for (unsigned i = 0; i < COUNT_OF(accesses.list); i++)
		expect_l2_as_modelled(l2, accesses.list[i]);
}

/* All rights of the page at each level of EPT. */
static void try_page(struct l2 *l2, const struct l2_page *page)
{
	for (unsigned level = second_page_level(&l2->second, page->gpa); level < PDPT; level++) {
		for (unsigned rights = 0; rights < 8; rights++) {
			second_allow(&l2->second, page->gpa, level, rights, SECOND_NO_FLUSH);
			try_accesses(l2, page->linear);
		}
		second_allow(&l2->second, page->gpa, level, SECOND_ALL, SECOND_NO_FLUSH);
	}
}

/* All rights of each of L2's structures, and every combination of L2's own rights. */
static void try_structures(struct l2 *l2, struct l2_page *page)
{
	uint64_t leaf = (page->gpa.value & ~(page->bytes - 1)) | A | D;

	for (unsigned structure = page->level; structure <= MOST_LEVELS && page->entry[structure];
	     structure++) {
		for (unsigned rights = 0; rights < 8; rights++) {
			second_allow(&l2->second, GPA(page->entry_gpa[structure]), PT, rights,
				     SECOND_NO_FLUSH);
			try_accesses(l2, page->linear);
		}
		second_allow(&l2->second, GPA(page->entry_gpa[structure]), PT, SECOND_ALL,
			     SECOND_NO_FLUSH);
	}
	for (unsigned own = 0; own < 8; own++) {
		l2_write_entry(l2, page, page->level,
			       leaf | (page->level > PT ? PS : 0) | (own & 1 ? P : 0) |
				       (own & 2 ? RW : 0) | (own & 4 ? US : 0));
		try_accesses(l2, page->linear);
	}
}

static void try_mode(enum l2_mode mode, bool accessed_dirty)
{
	for (unsigned level = PT; level <= PD; level++) {
		for (unsigned second = PT; second <= PD; second++) {
			struct l2 *l2 = l2_start(mode, .second_of_pages = second,
						 .accessed_dirty = accessed_dirty);
			struct l2_page page = l2_map(l2, level, P | RW | US | A | D, 21);

			if (accessed_dirty)
				second_set_flags(&l2->second, false, false);
			try_page(l2, &page);
			if (mode != L2_UNPAGED)
				try_structures(l2, &page);
		}
	}
}

TEST(an_unpaged_l2_is_translated_by_ept_alone,
     "with CR0.PG = 0 EPT translates L2's linear addresses and its rights hold", MANUAL,
     NEEDS " unrestricted_guest")
{
	try_mode(L2_UNPAGED, false);
}

TEST(a_32_bit_l2_is_translated_in_both_dimensions,
     "32-bit paging with 4-KByte and 4-MByte pages works under EPT", MANUAL, NEEDS)
{
	try_mode(L2_32BIT, false);
}

TEST(a_pae_l2_is_translated_in_both_dimensions,
     "PAE paging with 4-KByte and 2-MByte pages works under EPT", MANUAL, NEEDS)
{
	try_mode(L2_PAE, false);
}

TEST(a_4_level_l2_is_translated_in_both_dimensions,
     "4-level paging with 4-KByte and 2-MByte pages works under EPT", MANUAL, NEEDS)
{
	try_mode(L2_4LEVEL, false);
}

TEST(a_5_level_l2_is_translated_in_both_dimensions,
     "5-level paging with 4-KByte and 2-MByte pages works under EPT", MANUAL, NEEDS " la57")
{
	try_mode(L2_5LEVEL, false);
}

TEST(flags_for_ept_are_kept_in_each_mode,
     "accessed and dirty flags for EPT follow the accesses of unpaged, 32-bit and PAE guests",
     "SDM Vol. 3, \"Accessed and Dirty Flags for EPT\"",
     NEEDS " ept_accessed_dirty unrestricted_guest")
{
	struct l2 *l2;

	for (unsigned mode = L2_UNPAGED; mode <= L2_PAE; mode++) {
		struct l2_page page;
		struct accesses accesses;

		l2 = l2_start(mode, .accessed_dirty = true);
		page = l2_map(l2, PT, P | RW | US, 22);
		accesses = all_accesses(page.linear);
		for (unsigned i = 0; i < COUNT_OF(accesses.list); i++) {
			second_set_flags(&l2->second, false, false);
			if (mode != L2_UNPAGED)
				l2_set_flags(l2, &page, 0);
			expect_l2_as_modelled(l2, accesses.list[i]);
		}
	}
}

TEST(pdptes_are_registers_in_l2,
     "VM entry loads L2's PDPTEs from the VMCS; what is in memory does not matter",
     "SDM Vol. 3, \"Loading Page-Directory-Pointer-Table Entries\"", NEEDS)
{
	struct l2 *l2 = l2_start(L2_PAE);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 23);

	expect_l2_as_modelled(l2, read_access(page.linear, 4));
	memset(identity(l2->root_frame), 0xff, 32);
	expect_l2_as_modelled(l2, read_access(page.linear, 4));
	second_allow(&l2->second, l2->root, PT, 0, SECOND_FLUSH);
	expect_l2_as_modelled(l2, read_access(page.linear, 4));
	l2->pdpte[page.linear.value >> 30] = 0;
	expect_l2_page_fault(l2, read_access(page.linear, 4), 0);
}

#define CODE_BYTES 7
static const uint8_t to_cr3[CODE_BYTES] = {0x0f, 0x22, 0xd8, 0x0f, 0x0b}; /* %eax; ud2 */
static const uint8_t to_cr3_sysexit[CODE_BYTES] = {0x0f, 0x22, 0xd8, 0x0f, 0x35, 0x0f, 0x0b};

/* L2 executes MOV to CR3 of its own root in PAE mode; SYSEXIT goes on at CPL 3 behind it. */
static struct l2_exit load_cr3_by(struct l2 *l2, const struct l2_page *page, const uint8_t *code)
{
	struct l2_registers registers = {.rax = l2->root.value,
					 .rdx = page->linear.value + 5,
					 .rip = page->linear.value,
					 .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	memcpy(identity(page->frame), code, CODE_BYTES);
	l2->user = false;
	l2->backend->enter(l2, &registers, &exit);
	return exit;
}

static struct l2_exit load_cr3(struct l2 *l2, const struct l2_page *page)
{
	return load_cr3_by(l2, page, to_cr3);
}

static bool completed(const struct l2_exit *exit, const struct l2_page *page)
{
	return exit->kind == L2_EXCEPTION && exit->vector == VECTOR_UD &&
	       exit->rip == page->linear.value + 3;
}

TEST(a_load_of_pdptes_can_violate,
     "MOV to CR3 in PAE mode whose PDPT EPT does not let read is a violation without a valid "
     "linear address",
     PDPTES, NEEDS)
{
	struct l2 *l2 = l2_start(L2_PAE);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 24);
	struct l2_exit exit = load_cr3(l2, &page);

	expect(completed(&exit, &page), "exit kind %u, reason %llu, vector %u", exit.kind,
	       (unsigned long long)exit.reason, exit.vector);
	second_allow(&l2->second, l2->root, PT, 0, SECOND_FLUSH);
	exit = load_cr3(l2, &page);
	expect(exit.kind == L2_VIOLATION && exit.gpa == l2->root.value, "exit kind %u at 0x%llx",
	       exit.kind, (unsigned long long)exit.gpa);
	expect(exit.access == SECOND_READ && exit.rights == 0, "access %u, rights %u", exit.access,
	       exit.rights);
	expect(!exit.linear_valid, "qualification 0x%llx", (unsigned long long)exit.qualification);
	expect(exit.rip == page.linear.value, "RIP 0x%llx", (unsigned long long)exit.rip);
}

TEST(a_load_of_pdptes_sets_the_accessed_flag,
     "MOV to CR3 in PAE mode sets the accessed flag of the EPT entry for the PDPT, not dirty",
     "SDM Vol. 3, \"Accessed and Dirty Flags for EPT\"", NEEDS " ept_accessed_dirty")
{
	struct l2 *l2 = l2_start(L2_PAE, .accessed_dirty = true);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 28);
	struct l2_exit exit;
	uint64_t flags;

	second_set_flags(&l2->second, false, false);
	second_invalidate(&l2->second, SECOND_FLUSH);
	exit = load_cr3(l2, &page);
	expect(completed(&exit, &page), "exit kind %u, reason %llu, vector %u", exit.kind,
	       (unsigned long long)exit.reason, exit.vector);
	flags = *second_entry(&l2->second, l2->root, PT) & (EPT_A | EPT_D);
	expect(flags == EPT_A, "the flags are 0x%llx", (unsigned long long)flags);
}

TEST(a_bad_pdpte_is_a_fault_of_l2,
     "MOV to CR3 in PAE mode of a PDPT with a reserved bit set is #GP "
     "in L2, not an exit",
     "SDM Vol. 3, \"PDPTE Registers\"", NEEDS)
{
	struct l2 *l2 = l2_start(L2_PAE);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 25);
	struct l2_exit exit;

	*(volatile uint64_t *)identity(l2->root_frame) = P | 1ull << 1;
	exit = load_cr3(l2, &page);
	expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_GP && !exit.error_code,
	       "exit kind %u, vector %u, error code %llu", exit.kind, exit.vector,
	       (unsigned long long)exit.error_code);
}

static void try_saved_pdptes(const uint8_t *code, uint64_t end)
{
	struct l2 *l2 = l2_start(L2_PAE);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 27);
	volatile uint64_t *pdptes = identity(l2->root_frame);
	unsigned used = (unsigned)(page.linear.value >> 30), other = (used + 1) % 3;
	struct l2_exit exit;

	vmwrite(VMCS_GUEST_SYSENTER_CS, 8);
	expect_l2_as_modelled(l2, read_access(page.linear, 4));
	pdptes[other] = pdptes[used];
	exit = load_cr3_by(l2, &page, code);
	expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD &&
		       exit.rip == page.linear.value + end,
	       "exit kind %u, reason %llu, vector %u", exit.kind, (unsigned long long)exit.reason,
	       exit.vector);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t saved = vmread(VMCS_GUEST_PDPTE0 + 2 * i);

		expect(saved == pdptes[i], "PDPTE %u is 0x%llx instead of 0x%llx", i,
		       (unsigned long long)saved, (unsigned long long)pdptes[i]);
	}
	if (code == to_cr3_sysexit)
		return; /* L2 is where nothing else here expects it */
	page.linear.value ^= (uint64_t)(used ^ other) << 30;
	expect_l2_read(l2, read_access(page.linear, 4), *(volatile uint32_t *)identity(page.frame));
}

#define MANUAL_SAVES "SDM Vol. 3, \"Saving Guest State\"; \"Guest Non-Register State\""

TEST(a_vm_exit_saves_the_pdptes,
     "PDPTEs that L2 loaded by MOV to CR3 are in the VMCS after a VM exit, and the next entry uses "
     "them",
     MANUAL_SAVES, NEEDS)
{
	try_saved_pdptes(to_cr3, 3);
}

TEST(a_vm_exit_at_cpl_3_saves_the_pdptes,
     "PDPTEs that L2 loaded before it went to CPL 3 are saved by a VM exit from there as well",
     MANUAL_SAVES, NEEDS)
{
	if (!(cpuid(1, 0).edx >> 11 & 1))
		end_case_skipped("sysexit", "no SYSENTER and SYSEXIT");
	try_saved_pdptes(to_cr3_sysexit, 5);
}
