/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Shadow stacks: pages that only shadow-stack accesses write.
 *
 * With CR4.CET = 1 a page is a shadow-stack page when its entry has R/W = 0 and D = 1 and all
 * entries above have R/W = 1. CALL, INCSSP, WRSS and their like reach such pages alone, of user
 * mode those with U/S = 1 in every entry; other accesses find a read-only page. The error code has
 * SS = 1 for shadow-stack accesses, whatever denies them. CET needs CR0.WP = 1 (SDM Vol. 1,
 * "Shadow Stacks"; SDM Vol. 3, "Determination of Access Rights", "Page-Fault Exceptions").
 *
 * Caught here: shadow-stack writes let through by the rights of ordinary ones, or the reverse, also
 * by a translation that the other kind has cached; D or an upper R/W not looked at; SS left out or
 * set for ordinary accesses; U/S of WRUSS, which is a user-mode access at CPL 0; D set by hand
 * where R/W = 0, which makes a shadow-stack page of a read-only one (P8).
 *
 * Not checked: shadow-stack accesses of supervisor mode, tokens, #CP, far transfers.
 */
#include "test.h"

SUBJECT(shadow_stack, "shadow-stack pages, and accesses of both kinds to them");

#define MANUAL	      "SDM Vol. 3, \"Determination of Access Rights\""
#define MANUAL_CET    "SDM Vol. 3, \"Control Registers\""
#define ALL_ENTRIES   (P | RW | US)
#define TAG	      81
#define SHADOW_WAYS   4
#define CACHED_ROUNDS 8

static void enable_shadow_stacks(void)
{
	set_cr4(CR4_CET);
	write_msr_until_end(MSR_PL3_SSP, 0);
	write_msr_until_end(MSR_U_CET, CET_SH_STK_EN | CET_WR_SHSTK_EN);
}

/* The nth way of user mode to make a shadow-stack access to 8 bytes; SSP is set for it. */
static struct access nth_shadow_access(unsigned n, linear_t linear)
{
	struct access access = instruction_access((enum instruction)(SHADOW_STACK_INSTRUCTIONS + n),
						  linear, frame_word(TAG));

	access.user = access.instruction != INSTRUCTION_wruss;
	if (access.instruction == INSTRUCTION_shadow_call)
		write_msr(MSR_PL3_SSP, linear.value + 8);
	else
		write_msr(MSR_PL3_SSP, linear.value);
	return access;
}

/* Of the page's entry P, R/W, U/S and D; of each above R/W and U/S. */
static void set_entries(const struct page *page, unsigned combination)
{
	enum level level = page->level;
	uint64_t entry = *page->entry[level] & ~(P | RW | US | A | D);

	entry |= (combination & 1 ? RW : 0) | (combination & 2 ? 0 : D) |
		 (combination & 4 ? 0 : US) | (combination & 8 ? 0 : P);
	write_entry(page, level, entry, NO_FLUSH);
	combination >>= 4;
	for (int at = level + 1; at <= PML4; at++, combination >>= 2) {
		entry = (*page->entry[at] & ~A) | RW | US;
		entry &= ~((combination & 1 ? RW : 0) | (combination & 2 ? US : 0));
		write_entry(page, (enum level)at, entry, NO_FLUSH);
	}
	invalidate(page->linear, MOV_CR3);
}

static void try_all(enum level level, unsigned ways,
		    struct access (*nth)(unsigned n, linear_t linear))
{
	struct subject subject = map_subject(level, ALL_ENTRIES, TAG);
	unsigned combinations = 1u << (4 + 2 * (PML4 - level));

	enable_shadow_stacks();
	for (unsigned i = 0; i < combinations; i++) {
		for (unsigned n = 0; n < ways; n++) {
			set_entries(&subject.page, i);
			expect_as_modelled(nth(n, subject.target));
		}
	}
}

TEST(shadow_stack_accesses_need_a_shadow_stack_page,
     "Only R/W = 0 and D = 1 in the PTE under R/W = 1 and U/S = 1 everywhere let them through",
     MANUAL, "cet_ss")
{
	try_all(PT, SHADOW_WAYS, nth_shadow_access);
}

TEST(large_pages_can_be_shadow_stack_pages,
     "R/W = 0 and D = 1 in a PDE or PDPTE that maps a page make it a shadow-stack page", MANUAL,
     "cet_ss")
{
	for (int level = PD; level <= (int)largest_page(); level++)
		try_all((enum level)level, SHADOW_WAYS, nth_shadow_access);
}

TEST(other_accesses_find_a_read_only_page,
     "Reads and fetches treat a shadow-stack page as any other, writes fault without SS and set no "
     "D",
     MANUAL, "cet_ss")
{
	try_all(PT, ACCESS_WAYS, nth_access);
}

TEST(data_of_shadow_stacks_is_memory,
     "WRSS, WRUSS and CALL write the frame, and reads find it; a denied one changes nothing",
     MANUAL, "cet_ss")
{
	struct subject subject = map_subject(PT, P | US | D, TAG);

	enable_shadow_stacks();
	for (unsigned n = 0; n < 6; n++) {
		struct access access = nth_shadow_access(n % 3, subject.target);
		uint64_t wanted = frame_word(1000 + n);

		access.value[0] = wanted;
		if (n >= 3)
			edit_entry(&subject.page, PT, INVLPG, .set = RW);
		*subject.memory = 0;
		attempt(access);
		if (n >= 3)
			wanted = 0;
		else if (access.instruction == INSTRUCTION_shadow_call)
			wanted = *subject.memory; /* an address in the window */
		expect(*subject.memory == wanted && (n >= 3 || wanted),
		       "%s left 0x%llx, not 0x%llx", instruction_table[access.instruction].text,
		       (unsigned long long)*subject.memory, (unsigned long long)wanted);
		if (n < 3)
			expect_read(as_user(read_access(subject.target, 8)), wanted);
	}
}

/* By turns, without invalidation: what one kind of access has cached is nothing for the other. */
TEST(cached_translations_keep_the_kinds_apart,
     "What shadow-stack accesses have cached lets no ordinary write through, and the reverse",
     MANUAL, "cet_ss")
{
	struct subject shadow = map_subject(PT, P | US | D | A, TAG);
	struct subject plain = map_subject(PT, P | RW | US | D | A, TAG);

	enable_shadow_stacks();
	for (unsigned round = 0; round < CACHED_ROUNDS; round++) {
		for (unsigned n = 0; n < SHADOW_WAYS; n++) {
			expect_as_modelled(nth_shadow_access(n, shadow.target));
			expect_as_modelled(as_user(write_access(shadow.target, 8, 1)));
			expect_as_modelled(write_access(shadow.target, 8, 1));
			expect_as_modelled(as_user(write_access(plain.target, 8, 1)));
			expect_as_modelled(nth_shadow_access(n, plain.target));
			expect_as_modelled(as_user(read_access(plain.target, 8)));
		}
	}
}

TEST(protection_keys_are_for_shadow_stacks_too,
     "PKRU's AD denies shadow-stack accesses, WD those that write", MANUAL, "cet_ss pku")
{
	struct subject subject = map_subject(PT, P | US | D | A | entry_key(5), TAG);

	enable_shadow_stacks();
	set_cr4(CR4_PKE);
	for (uint32_t rights = 0; rights < 4; rights++) {
		set_pkru(key_rights(5, rights));
		for (unsigned n = 0; n < SHADOW_WAYS; n++)
			expect_as_modelled(nth_shadow_access(n, subject.target));
	}
}

TEST(cet_needs_wp, "CR4.CET = 1 with CR0.WP = 0 is refused from both sides with #GP(0)", MANUAL_CET,
     "cet_ss")
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4();

	clear_cr0(CR0_WP);
	expect_exception(instruction_access(INSTRUCTION_mov_to_cr4, LINEAR(0), cr4 | CR4_CET),
			 VECTOR_GP, 0);
	set_cr0(CR0_WP);
	set_cr4(CR4_CET);
	expect_exception(instruction_access(INSTRUCTION_mov_to_cr0, LINEAR(0), cr0 & ~CR0_WP),
			 VECTOR_GP, 0);
	expect(read_cr0() & CR0_WP, "CR0.WP is clear");
}
