/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Accesses from 32-bit code segments while the processor is in IA-32e mode.
 *
 * In compatibility mode programs have addresses of 32 bits, and the upper halves of registers do
 * not matter. Addresses are translated by the same 4-level or 5-level structures as in 64-bit mode,
 * with the same rights, flags and error codes; CR2 holds 32 bits (SDM Vol. 3, "Linear-Address
 * Pre-Processing", "Determination of Access Rights"; APM Vol. 2, "Compatibility Mode"; R32).
 *
 * Caught here: the format of PAE paging, with its reserved bits 62:52, chosen by the code segment;
 * rights or XD that are looked at in 64-bit mode only; CR2 or RIP with an upper half; A and D lost
 * by software walkers of another width. Emulators of instructions, and page walkers that ask for
 * the code segment instead of EFER.LMA.
 *
 * Not checked: where addresses wrap, and invalidation (linear_address_wrap does).
 */
#include "test.h"

SUBJECT(compatibility_mode, "accesses from 32-bit code segments in IA-32e mode");

#define MANUAL	       "SDM Vol. 3, \"Linear-Address Pre-Processing\""
#define MANUAL_RIGHTS  "SDM Vol. 3, \"Determination of Access Rights\""
#define MANUAL_ENTRIES "SDM Vol. 3, \"4-Level Paging and 5-Level Paging\""
#define LINEAR_PAGE    LINEAR(0x56789000) /* all indexes differ */
#define LINEAR_LARGE   LINEAR(0x9a600000)
#define TARGET	       0x7f8
#define TAG	       71

/* The ways of nth_access() with operands of 4 bytes. */
static struct access nth_compatibility_access(unsigned n, linear_t linear)
{
	struct access access = in_compatibility_mode(nth_access(n, linear));

	if (access.instruction != INSTRUCTION_fetch)
		access.instruction--;
	return access;
}

static void try_accesses(linear_t linear, unsigned first)
{
	for (unsigned n = 0; n < ACCESS_WAYS; n++)
		expect_as_modelled(nth_compatibility_access((first + n) % ACCESS_WAYS, linear));
}

enum { WITH_WP = 1, WITH_SMEP = 2, WITH_SMAP = 4, WITH_NXE = 8, CONTROLS = 16 };

static bool set_controls(unsigned controls)
{
	if (((controls & WITH_SMEP) && !has(FEATURE_smep)) ||
	    ((controls & WITH_SMAP) && !has(FEATURE_smap)) ||
	    ((controls & WITH_NXE) && !has(FEATURE_nx)))
		return false;
	(controls & WITH_WP) ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
	(controls & WITH_SMEP) ? set_cr4(CR4_SMEP) : clear_cr4(CR4_SMEP);
	(controls & WITH_SMAP) ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
	(controls & WITH_NXE) ? set_efer(EFER_NXE) : clear_efer(EFER_NXE);
	return true;
}

static uint64_t rights_of(unsigned combination)
{
	return (combination & 1 ? RW : 0) | (combination & 2 ? US : 0) | (combination & 4 ? XD : 0);
}

/* The page's entries from the PDE down, with these rights and all flags clear. */
static void set_rights(const struct page *page, unsigned combination)
{
	for (int at = page->level; at <= PD; at++, combination >>= 3)
		write_entry(page, (enum level)at,
			    (*page->entry[at] & ~(RW | US | XD | A | D)) |
				    rights_of(combination & 7),
			    NO_FLUSH);
	invalidate(page->linear, MOV_CR3);
}

static void try_rights(linear_t linear, enum level level)
{
	unsigned combinations = level == PT ? 64 : 8;
	struct page page;

	use_low_pages();
	page = map_low_target(linear, level, TAG);
	for (unsigned controls = 0; controls < CONTROLS; controls++) {
		if (!set_controls(controls))
			continue;
		for (unsigned i = 0; i < combinations * ACCESS_WAYS; i++) {
			set_rights(&page, i / ACCESS_WAYS);
			expect_as_modelled(nth_compatibility_access(i % ACCESS_WAYS,
								    linear_plus(linear, TARGET)));
		}
		frame_fill(page.frame, PAGE_4K, TAG);
	}
}

TEST(rights_are_those_of_64_bit_mode,
     "R/W, U/S and XD of PDE and PTE decide with WP, SMEP, SMAP and NXE as in 64-bit mode",
     MANUAL_RIGHTS, "")
{
	try_rights(LINEAR_PAGE, PT);
}

TEST(rights_of_large_pages_are_those_of_64_bit_mode,
     "R/W, U/S and XD of a PDE that maps 2 MBytes decide as in 64-bit mode", MANUAL_RIGHTS, "")
{
	try_rights(LINEAR_LARGE, PD);
}

/* Which are reserved, and which PAE paging would reserve, the model knows. */
TEST(entries_are_those_of_4_level_paging,
     "Bits 62:52 are ignored, those from MAXPHYADDR to 51 reserved, in PDPTE, PDE and PTE",
     MANUAL_ENTRIES, "")
{
	struct page page;

	use_low_pages();
	page = map_low_target(LINEAR_PAGE, PT, TAG);
	for (int level = PT; level <= PDPT; level++) {
		uint64_t good = *page.entry[level] & ~(A | D);

		for (unsigned bit = 1; bit < 64; bit++) {
			if (bit >= 12 && bit < first_reserved_address_bit())
				continue;
			if (level > PT && 1ull << bit == PS)
				continue;
			write_entry(&page, (enum level)level, good ^ 1ull << bit, MOV_CR3);
			try_accesses(linear_plus(LINEAR_PAGE, TARGET), bit);
		}
		write_entry(&page, (enum level)level, good, MOV_CR3);
	}
}

TEST(missing_entries_fault_with_32_bits_of_cr2,
     "P = 0 in PDPTE, PDE or PTE raises #PF with CR2 below 4 GBytes", MANUAL, "")
{
	static const uint32_t linear[] = {0x40000000, 0x7fffeff8, 0x80000000,
					  0xbf9ffff8, 0xc0000000, 0xfffff7f8};
	const uint64_t *window; /* the PDPTE that CPL 3 itself needs */

	use_low_pages();
	window = map_low_page(LINEAR(LOW_WINDOW - PAGE_2M), PD, GPA(0), 0).entry[PDPT];
	for (unsigned i = 0; i < COUNT_OF(linear); i++) {
		struct page page = map_low_target(LINEAR(linear[i] & ~0xfffu), PT, TAG);

		for (int level = page.entry[PDPT] == window ? PD : PDPT; level >= PT; level--) {
			uint64_t good = *page.entry[level];

			write_entry(&page, (enum level)level, good & ~P, MOV_CR3);
			write_cr2(~0ull); /* of which nothing may stay */
			try_accesses(LINEAR(linear[i]), i);
			write_entry(&page, (enum level)level, good, MOV_CR3);
		}
		try_accesses(LINEAR(linear[i]), i);
	}
}

TEST(jumps_ignore_the_upper_half_of_the_register,
     "A jump through a register goes to its lower 32 bits, and so does RIP", MANUAL, "")
{
	struct page page;

	use_low_pages();
	page = map_low_target(LINEAR_PAGE, PT, TAG);
	for (unsigned i = 0; i < 8; i++) {
		struct access access = in_compatibility_mode(fetch_access(page.linear));

		access.user = i & 1;
		access.value[0] = i & 2 ? 0x0000000100000000 : 0xffff800000000000;
		write_entry(&page, PT, page.frame.value | (i & 4 ? P : 0) | US, INVLPG);
		expect_as_modelled(access);
	}
}

static void try_instructions(const unsigned *instructions, unsigned count)
{
	struct page page;

	use_low_pages();
	page = map_low_target(LINEAR_PAGE, PT, TAG);
	for (unsigned i = 0; i < count * 16; i++) {
		enum instruction instruction = (enum instruction)instructions[i / 16];
		struct access access = in_compatibility_mode(instruction_access(
			instruction, linear_plus(LINEAR_PAGE, TARGET), frame_word(TAG)));

		if (!has(instruction_table[instruction].need))
			continue;
		access.user = i & 1;
		write_entry(&page, PT,
			    page.frame.value | (i & 2 ? P : 0) | (i & 4 ? RW : 0) |
				    (i & 8 ? US : 0),
			    INVLPG);
		expect_as_modelled(access);
	}
}

TEST(every_instruction_is_translated,
     "String, stack and 16-byte operands have the same rights, flags and error codes",
     MANUAL_RIGHTS, "")
{
	static const unsigned instructions[] = {
		INSTRUCTION_read1,   INSTRUCTION_read2,	  INSTRUCTION_read16, INSTRUCTION_write1,
		INSTRUCTION_write2,  INSTRUCTION_write16, INSTRUCTION_test,   INSTRUCTION_bt,
		INSTRUCTION_lods,    INSTRUCTION_scas,	  INSTRUCTION_pop,    INSTRUCTION_stos,
		INSTRUCTION_movs,    INSTRUCTION_movhps,  INSTRUCTION_push,   INSTRUCTION_call,
		INSTRUCTION_stmxcsr, INSTRUCTION_rep_movs};

	try_instructions(instructions, COUNT_OF(instructions));
}

TEST(read_modify_writes_are_writes,
     "Read-modify-writes, with LOCK or without, need R/W, and fault with W = 1", MANUAL_RIGHTS, "")
{
	static const unsigned instructions[] = {INSTRUCTION_or,	     INSTRUCTION_inc,
						INSTRUCTION_neg1,    INSTRUCTION_add2,
						INSTRUCTION_lock_or, INSTRUCTION_xchg,
						INSTRUCTION_xadd,    INSTRUCTION_cmpxchg8b,
						INSTRUCTION_bts,     INSTRUCTION_cmpxchg_fails};

	try_instructions(instructions, COUNT_OF(instructions));
}

TEST(five_level_structures_are_walked_too,
     "With CR4.LA57 = 1 compatibility mode is translated by 5-level paging", MANUAL_ENTRIES, "la57")
{
	gpa_t top = frame_alloc();
	uint64_t *pml5 = identity(top);
	struct page page;

	use_low_pages();
	page = map_low_target(LINEAR_PAGE, PT, TAG);
	pml5[0] = current_root().value | P | RW | US;
	enter_5level_root(top);
	for (unsigned i = 0; i < 64; i++) {
		set_rights(&page, i);
		try_accesses(linear_plus(LINEAR_PAGE, TARGET), i);
	}
}

TEST(protection_keys_decide_as_in_64_bit_mode,
     "PKRU decides on data accesses of user mode from a 32-bit code segment, cached or not",
     "SDM Vol. 3, \"Protection Keys\"", "pku")
{
	const unsigned key = 5;
	struct page page;

	use_low_pages();
	page = map_low_target(LINEAR_PAGE, PT, TAG);
	set_cr4(CR4_PKE);
	write_entry(&page, PT, *page.entry[PT] | entry_key(key), MOV_CR3);
	for (uint32_t i = 0; i < 2 * 8; i++) {
		set_pkru(key_rights(key, i % 4));
		for (unsigned n = 0; n < 3; n++) { /* of user mode */
			linear_t linear = linear_plus(LINEAR_PAGE, TARGET);

			if (i < 8)
				invalidate(linear, INVLPG);
			expect_as_modelled(nth_compatibility_access(n, linear));
		}
	}
}
