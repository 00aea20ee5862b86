/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Nested paging under each of L2's paging modes: none, 32-bit, PAE, 4-level, 5-level.
 *
 * Nested tables translate guest-physical addresses whatever made them. With CR0.PG = 0 a linear
 * address is a guest-physical one, and is translated all the same (APM Vol. 2, "Nested Paging";
 * "Nested Table Walk"). The format of nested tables is the host's, never the guest's. In PAE mode
 * the PDPTEs are read through nested tables like any other structure of L2's, by VMRUN and MOV to
 * CR3 or by the walk (P13).
 *
 * Caught here: an unpaged L2 that is not translated (QT11) or a 32-bit one that is taken for
 * unpaged (QT12); nested tables walked in the guest's mode (QT14, QT15, BX10); entries of the wrong
 * width; PDPTEs read at the wrong address or without translation (KN18, R40).
 *
 * The model judges all modes alike. Not checked: when exactly PDPTEs are read, and a reserved bit
 * in them found; hosts with 32-bit or PAE paging.
 */
#include "test.h"

SUBJECT(npt_modes, "nested paging under each paging mode of L2, and PDPTEs");

#define MANUAL	   "APM Vol. 2, \"Nested Paging\"; \"Nested Table Walk\""
#define LEGACY_PAE "APM Vol. 2, \"Legacy PAE Mode\" in \"Nested Paging\""
#define NEEDS	   "svm svm_allowed svm_nested_paging nx"
#define RIGHTS	   (RW | US | XD)

static void try_accesses(struct l2 *l2, linear_t linear)
{
	const struct access read = read_access(linear, 4);
	const struct access write = write_access(linear, 4, (uint32_t)frame_word(26));
	const struct access fetch = fetch_access(linear);
	const struct access all[] = {read,	    write,	    fetch,
				     as_user(read), as_user(write), as_user(fetch)};

	for (unsigned i = 0; i < COUNT_OF(all); i++)
		expect_l2_as_modelled(l2, all[i]);
}

/* Every combination of rights in one nested entry, and that entry not present. */
static void try_nested_rights(struct l2 *l2, gpa_t gpa, enum level level, linear_t linear)
{
	volatile uint64_t *entry = second_entry(&l2->second, gpa, level);
	uint64_t good = *entry;

	for (unsigned number = 0; number < 9; number++) {
		*entry = (good & ~RIGHTS) | (number & 1 ? RW : 0) | (number & 2 ? US : 0) |
			 (number & 4 ? XD : 0);
		if (number == 8)
			*entry = good & ~P;
		try_accesses(l2, linear);
	}
	*entry = good;
}

/* The page, each of L2's structures, and every combination of L2's own rights. */
static void try_page(struct l2 *l2, struct l2_page *page)
{
	uint64_t leaf = (page->gpa.value & ~(page->bytes - 1)) | A | D;

	for (unsigned level = second_page_level(&l2->second, page->gpa); level < PDPT; level++)
		try_nested_rights(l2, page->gpa, level, page->linear);
	if (l2->mode == L2_UNPAGED)
		return;
	for (unsigned structure = page->level; structure <= MOST_LEVELS && page->entry[structure];
	     structure++)
		try_nested_rights(l2, GPA(page->entry_gpa[structure]), PT, page->linear);
	for (unsigned own = 0; own < 8; own++) {
		l2_write_entry(l2, page, page->level,
			       leaf | (page->level > PT ? PS : 0) | (own & 1 ? P : 0) |
				       (own & 2 ? RW : 0) | (own & 4 ? US : 0));
		try_accesses(l2, page->linear);
	}
}

static void try_mode(enum l2_mode mode)
{
	for (unsigned level = PT; level <= (mode == L2_UNPAGED ? PT : PD); level++) {
		for (unsigned second = PT; second <= PD; second++) {
			struct l2 *l2 = l2_start(mode, .second_of_pages = second);
			struct l2_page page = l2_map(l2, level, P | RW | US | A | D, 21);

			try_page(l2, &page);
		}
	}
}

TEST(an_unpaged_l2_is_translated_by_nested_tables_alone,
     "with CR0.PG = 0 nested tables translate L2's linear addresses and their rights hold", MANUAL,
     NEEDS)
{
	try_mode(L2_UNPAGED);
}

TEST(a_32_bit_l2_is_translated_in_both_dimensions,
     "32-bit paging with 4-KByte and 4-MByte pages works under nested tables", MANUAL, NEEDS)
{
	try_mode(L2_32BIT);
}

TEST(a_pae_l2_is_translated_in_both_dimensions,
     "PAE paging with 4-KByte and 2-MByte pages works under nested tables", MANUAL, NEEDS)
{
	try_mode(L2_PAE);
}

TEST(a_4_level_l2_is_translated_in_both_dimensions,
     "4-level paging with 4-KByte and 2-MByte pages works under nested tables", MANUAL, NEEDS)
{
	try_mode(L2_4LEVEL);
}

TEST(a_5_level_l2_is_translated_in_both_dimensions,
     "5-level paging with 4-KByte and 2-MByte pages works under nested tables", MANUAL,
     NEEDS " la57")
{
	try_mode(L2_5LEVEL);
}

TEST(nested_tables_of_a_host_with_5_levels_have_5_levels,
     "with the host's CR4.LA57 = 1 N_CR3 is the root of 5-level tables, whatever L2's paging mode "
     "is",
     MANUAL, NEEDS " la57")
{
	enter_5level_paging();
	for (unsigned mode = L2_UNPAGED; mode < L2_MODES; mode++)
		try_mode(mode);
}

TEST(flags_of_nested_tables_are_kept_in_each_mode,
     "accessed and dirty flags of nested tables follow the accesses of 32-bit and PAE guests",
     MANUAL, NEEDS)
{
	for (unsigned mode = L2_32BIT; mode <= L2_PAE; mode++) {
		struct l2 *l2 = l2_start(mode);
		struct l2_page page = l2_map(l2, PT, P | RW | US, 22);
		const struct access all[] = {read_access(page.linear, 4), fetch_access(page.linear),
					     write_access(page.linear, 4, 22),
					     as_user(write_access(page.linear, 2, 22))};

		for (unsigned i = 0; i < COUNT_OF(all); i++) {
			second_set_flags(&l2->second, false, false);
			l2_set_flags(l2, &page, 0);
			expect_l2_as_modelled(l2, all[i]);
		}
	}
}

/* A walk that has to read a PDPTE which nested tables do not let it read as a user write. */
static void expect_pdpte_fault(struct l2 *l2, struct access access, uint64_t error)
{
	struct l2_outcome outcome;

	second_invalidate(&l2->second, SECOND_FLUSH_ALL);
	outcome = l2_attempt(l2, access);
	expect(outcome.exited && outcome.exit.kind == L2_VIOLATION, "exit kind %u, reason 0x%llx",
	       outcome.exit.kind, (unsigned long long)outcome.exit.reason);
	expect(outcome.exit.qualification == (error | NPF_TABLE), "EXITINFO1 0x%llx",
	       (unsigned long long)outcome.exit.qualification);
	expect(outcome.exit.gpa >> 5 == l2->root.value >> 5, "EXITINFO2 0x%llx",
	       (unsigned long long)outcome.exit.gpa);
}

TEST(a_pdpt_lies_where_bits_11_to_5_of_cr3_say,
     "the PDPT of a PAE guest is found at any multiple of 32 bytes in its page", MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_PAE);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 28);
	char *memory = identity(l2->root_frame);
	uint64_t pdptes[4];

	memcpy(pdptes, memory, sizeof(pdptes));
	for (unsigned at = 0; at < PAGE_4K; at = at ? 2 * at : sizeof(pdptes)) {
		memset(memory, 0, PAGE_4K);
		memcpy(memory + at, pdptes, sizeof(pdptes));
		l2->cr3 = l2->root.value + at;
		second_invalidate(&l2->second, SECOND_FLUSH_ALL);
		expect_l2_read(l2, read_access(page.linear, 4), (uint32_t)frame_word(28));
	}
}

TEST(pdptes_are_read_through_nested_tables,
     "PDPTEs that nested tables do not let be read as a user write are #NPF in the walk", MANUAL,
     NEEDS)
{
	struct l2 *l2 = l2_start(L2_PAE);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 23);
	struct access read = read_access(page.linear, 4);

	expect_l2_as_modelled(l2, read);
	second_allow(&l2->second, l2->root, PT, SECOND_READ, SECOND_NO_FLUSH);
	expect_pdpte_fault(l2, read, NPF_P | NPF_W | NPF_U);
	second_edit(&l2->second, l2->root, PT, SECOND_NO_FLUSH, .set = RW, .clear = US);
	expect_pdpte_fault(l2, as_user(read), NPF_P | NPF_W | NPF_U);
	second_allow(&l2->second, l2->root, PT, 0, SECOND_NO_FLUSH);
	expect_pdpte_fault(l2, fetch_access(page.linear), NPF_W | NPF_U);
	second_edit(&l2->second, l2->root, PT, SECOND_NO_FLUSH, .set = P | RW | US);
	expect_l2_as_modelled(l2, read);
}

/* Refused by VMRUN, which may load PDPTEs; or #PF with RSVD when a walk comes to the PDPTE. */
static void try_reserved_pdptes(uint64_t reserved)
{
	struct l2 *l2 = l2_start(L2_PAE);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 29);
	unsigned index = (unsigned)(page.linear.value >> 30);
	volatile uint64_t *pdpte = (volatile uint64_t *)identity(l2->root_frame) + index;
	uint64_t good = *pdpte;

	for (unsigned bit = 1; bit < 64; bit++) {
		struct l2_outcome outcome;

		if (!(reserved >> bit & 1))
			continue;
		*pdpte = l2->pdpte[index] = good | 1ull << bit;
		second_invalidate(&l2->second, SECOND_FLUSH_ALL);
		outcome = l2_attempt(l2, read_access(page.linear, 4));
		expect(outcome.exited ? outcome.exit.kind == L2_ENTRY_FAILED
				      : outcome.outcome.vector == VECTOR_PF &&
						(outcome.outcome.error_code & PF_RSVD),
		       "bit %u: exited %u, %s, error code 0x%llx", bit, outcome.exited,
		       vector_name(outcome.outcome.vector),
		       (unsigned long long)outcome.outcome.error_code);
	}
	*pdpte = l2->pdpte[index] = good;
	second_invalidate(&l2->second, SECOND_FLUSH_ALL);
	expect_l2_as_modelled(l2, read_access(page.linear, 4));
}

TEST(bits_2_to_1_and_8_to_5_of_pdptes_are_reserved,
     "a present PDPTE with one of these bits set translates nothing", LEGACY_PAE, NEEDS)
{
	try_reserved_pdptes(0x1e6);
}

TEST(bits_of_pdptes_beyond_maxphyaddr_are_reserved,
     "a present PDPTE with one of these bits set, 63 included, translates nothing", LEGACY_PAE,
     NEEDS)
{
	try_reserved_pdptes(~((1ull << first_reserved_address_bit()) - 1));
}

TEST(pdptes_changed_in_memory_count_after_vmrun,
     "VMRUN with a flush makes L2 use the PDPTEs that are in its memory then", MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_PAE);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 24);
	unsigned index = (unsigned)(page.linear.value >> 30);
	volatile uint64_t *pdpte = (volatile uint64_t *)identity(l2->root_frame) + index;
	uint64_t good = *pdpte;

	expect_l2_as_modelled(l2, read_access(page.linear, 4));
	*pdpte = l2->pdpte[index] = 0;
	second_invalidate(&l2->second, SECOND_FLUSH_ALL);
	expect_l2_page_fault(l2, read_access(page.linear, 4), 0);
	*pdpte = l2->pdpte[index] = good;
	expect_l2_as_modelled(l2, read_access(page.linear, 4));
}

/* A PAE directory and page table that map two pages from 1 GByte on: code, and a filled frame. */
static gpa_t make_directory(gpa_t code, uint32_t tag)
{
	gpa_t directory = frame_alloc(), table = frame_alloc();
	uint64_t *entries = identity(table);

	*(uint64_t *)identity(directory) = table.value | P | RW | US;
	entries[0] = code.value | P | RW | US;
	entries[1] = filled_frame(tag).value | P | RW | US;
	return directory;
}

TEST(pdptes_are_loaded_without_nested_paging,
     "with nested paging off VMRUN uses the PDPTEs that the guest's CR3 leads to in host memory",
     "APM Vol. 2, \"VMRUN\"; \"Legacy PAE mode\"", NEEDS)
{
	static const uint8_t program[] = {0x8b, 0x07, 0x0f, 0x0b}; /* mov (%edi), %eax; ud2 */
	struct l2 *l2 = l2_start(L2_PAE);
	gpa_t code = frame_alloc(), pdpt = gpa_plus(frame_alloc(), 0x460);
	const gpa_t directories[] = {make_directory(code, 41), make_directory(code, 42)};
	volatile uint64_t *pdptes = identity(pdpt);

	memcpy(identity(code), program, sizeof(program));
	svm_guest(l2)->vmcb->control.np_enable = 0;
	l2->cr3 = pdpt.value;
	for (unsigned i = 0; i < 6; i++) {
		struct l2_registers registers = {
			.rdi = PAGE_1G + PAGE_4K, .rip = PAGE_1G, .rflags = RFLAGS_FIXED};
		struct l2_exit exit;

		pdptes[1] = directories[i & 1].value | P;
		second_invalidate(&l2->second, SECOND_FLUSH_ALL);
		l2->backend->enter(l2, &registers, &exit);
		expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD,
		       "exit kind %u, vector %u, reason 0x%llx", exit.kind, exit.vector,
		       (unsigned long long)exit.reason);
		expect((uint32_t)registers.rax == (uint32_t)frame_word(41 + (i & 1)), "read 0x%x",
		       (uint32_t)registers.rax);
	}
}
