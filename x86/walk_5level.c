/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 5-level paging: a fifth structure on top, and linear addresses of 57 bits.
 *
 * With CR4.LA57 = 1 the walk begins at a PML5E, chosen by bits 56:48 of the linear address, and
 * everything that holds for four levels holds for five: rights combine over all of them, A is set
 * in all of them, PS and address bits from MAXPHYADDR on are reserved in the PML5E, INVLPG drops
 * what is cached of it. Bits 63:56 of a linear address must be alike. LA57 cannot change in 64-bit
 * mode: each case goes through compatibility mode and CR0.PG = 0 to get there (SDM Vol. 3, "4-Level
 * Paging and 5-Level Paging", "Paging-Mode Enabling"; SDM Vol. 1, "Canonical Addressing"; APM Vol.
 * 2, "Long-Mode Page Translation").
 *
 * Caught here: a level forgotten, in rights, flags or invalidation; addresses cut to 48 bits, in
 * CR2 too (R31); reserved bits of the PML5E taken for ignored ones; a switch of the mode that is
 * accepted in 64-bit mode (QT20), or keeps translations. Shadow pagers grow a level here, which
 * little software uses, and hypervisors have to emulate the switch.
 *
 * The axes are walk_4level's, with one entry more: by default at most two entries differ from ones
 * that allow everything, -g exhaustive tries all. Not checked: P in the error code of reserved-bit
 * faults (reserved_bits does), non-canonical operands of stack instructions (canonical_addresses).
 */
#include "test.h"

SUBJECT(walk_5level, "five levels of structures and 57-bit linear addresses");

#define MANUAL	    "SDM Vol. 3, \"4-Level Paging and 5-Level Paging\""
#define LOWER_END   0x0100000000000000ull /* the first non-canonical address */
#define UPPER_START 0xff00000000000000ull
#define TAG	    71
static struct subject enter_and_map(enum level level)
{
	enter_5level_paging();
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	return map_subject(level, P | RW | US, TAG);
}

#define ACCESSES 9

static void try_accesses(linear_t linear)
{
	for (unsigned n = 0; n < ACCESSES; n++) {
		struct access access = n % 3 == 0   ? read_access(linear, 8)
				       : n % 3 == 1 ? write_access(linear, 8, frame_word(TAG))
						    : fetch_access(linear);

		access.user = n < 3;
		access.ac = n >= 6;
		expect_as_modelled(access);
	}
}

static void try_levels(enum level level)
{
	enter_5level_paging();
	try_walks(level, ALL_WALK_AXES);
}

TEST(rights_of_five_levels_combine_for_4_kbyte_pages,
     "R/W, U/S and XD of PML5E, PML4E, PDPTE, PDE and PTE together decide on each access", MANUAL,
     "la57")
{
	try_levels(PT);
}

TEST(rights_of_four_levels_combine_for_2_mbyte_pages,
     "R/W, U/S and XD of PML5E, PML4E, PDPTE and PDE together decide on each access", MANUAL,
     "la57")
{
	try_levels(PD);
}

TEST(rights_of_three_levels_combine_for_1_gbyte_pages,
     "R/W, U/S and XD of PML5E, PML4E and PDPTE together decide on each access", MANUAL,
     "la57 pages_1g")
{
	try_levels(PDPT);
}

/* Every combination of flags that may stand there before, for a read and for a write. */
TEST(all_five_entries_are_marked,
     "An access sets A at five levels and a write D in the last entry, whatever was set before",
     "SDM Vol. 3, \"Accessed and Dirty Flags\"", "la57")
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		struct subject subject = enter_and_map((enum level)level);

		for (unsigned before = 0; before < 64; before++) {
			for (unsigned user = 0; user < 4; user++) {
				struct access access =
					user & 1 ? write_access(subject.target, 8, frame_word(TAG))
						 : read_access(subject.target, 8);

				for (int at = level; at <= PML5; at++)
					edit_entry(&subject.page, (enum level)at, NO_FLUSH,
						   .clear = A | D,
						   .set = (before >> at & 1 ? A : 0) |
							  (at == level && (before & 1) ? D : 0));
				invalidate(subject.target, MOV_CR3);
				access.user = user >> 1;
				expect_as_modelled(access);
			}
		}
	}
}

/* Each bit of a PML5E but P, alone. */
TEST(each_bit_of_a_pml5e_is_reserved_or_ignored,
     "PS, bits 51:MAXPHYADDR and, without EFER.NXE, XD are reserved in a PML5E", MANUAL, "la57")
{
	struct subject subject = enter_and_map(PT);
	uint64_t good = *subject.page.entry[PML5] | A;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned bit = 1; bit < 64; bit++) {
			if (bit >= 12 && bit < first_reserved_address_bit())
				continue;
			write_entry(&subject.page, PML5, good ^ 1ull << bit, MOV_CR3);
			try_accesses(subject.target);
		}
		write_entry(&subject.page, PML5, 0, MOV_CR3);
		try_accesses(subject.target);
		clear_efer(EFER_NXE);
	}
}

/* The same bits in the entries below, where some of them have another meaning than in four levels'
 * root. */
TEST(each_bit_of_the_other_entries_is_reserved_or_ignored,
     "Each bit of PML4E, PDPTE, PDE and PTE means under five levels what it does under four",
     MANUAL, "la57")
{
	struct subject subject = enter_and_map(PT);

	for (int level = PT; level <= PML4; level++) {
		uint64_t good = *subject.page.entry[level] | A;

		for (unsigned bit = 1; bit < 64; bit++) {
			if ((bit >= 12 && bit < first_reserved_address_bit()) ||
			    (level < PML4 && bit == 7))
				continue;
			write_entry(&subject.page, (enum level)level, good ^ 1ull << bit, MOV_CR3);
			try_accesses(subject.target);
		}
		write_entry(&subject.page, (enum level)level, good, MOV_CR3);
	}
}

/* The PML5E leads to structures of a second page, and back. */
TEST(invlpg_drops_what_is_cached_of_a_pml5e, "After INVLPG an access uses the PML5E as it is now",
     "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\"", "la57")
{
	struct subject one = enter_and_map(PT), two;
	uint64_t first = *one.page.entry[PML5], second;

	two = one;
	two.page = map_page_at_linear(linear_plus(one.page.linear, 1ull << 55), PT,
				      filled_frame(TAG + 1), P | RW | US);
	second = *two.page.entry[PML5];
	for (unsigned i = 0; i < 8; i++) {
		write_entry(&one.page, PML5, i & 1 ? second : first, INVLPG);
		expect_read(read_access(one.target, 8), frame_word(TAG + (i & 1)));
		expect_read(as_user(read_access(one.target, 8)), frame_word(TAG + (i & 1)));
	}
	write_entry(&one.page, PML5, 0, INVLPG);
	try_accesses(one.target);
}

/* Each of the bits below the border chooses another PML5E or PML4E, which is not present. */
TEST(bits_56_to_39_of_the_address_count,
     "An address with one of bits 56:39 changed does not lead to the same page", MANUAL, "la57")
{
	struct subject subject = enter_and_map(PT);

	try_accesses(subject.target);
	for (unsigned bit = 39; bit < 56; bit++)
		try_accesses(LINEAR(subject.target.value ^ 1ull << bit));
	try_accesses(LINEAR(subject.target.value ^ 0x1ffull << 55)); /* bits 63:55 */
}

static void expect_refused(uint64_t linear)
{
	for (unsigned user = 0; user < 2; user++) {
		struct access access = read_access(LINEAR(linear), 8);

		access.user = user;
		expect_exception(access, VECTOR_GP, 0);
		access = write_access(LINEAR(linear), 8, 0);
		access.user = user;
		expect_exception(access, VECTOR_GP, 0);
	}
}

TEST(the_border_is_at_57_bits,
     "Accesses where bits 63:56 are not alike raise #GP(0); those up to there do not",
     "SDM Vol. 1, \"Canonical Addressing\"", "la57")
{
	static const uint64_t pages[] = {LOWER_END - PAGE_4K, UPPER_START, 0 - PAGE_4K,
					 0x0000800000000000, 0x00ff800000000000};

	enter_5level_paging();
	for (unsigned i = 0; i < COUNT_OF(pages); i++) {
		uint64_t linear = pages[i];

		try_accesses(LINEAR(linear + 0x7f8)); /* nothing is mapped there yet */
		map_page_at_linear(LINEAR(linear), PT, filled_frame(TAG), P | RW | US);
		invalidate(LINEAR(linear), INVLPG);
		try_accesses(LINEAR(linear));
		try_accesses(LINEAR(linear + PAGE_4K - 8));
		for (unsigned bit = 56; bit < 64; bit++)
			expect_refused((linear + 0x7f8) ^ 1ull << bit);
		release_pages();
	}
	map_page_at_linear(LINEAR(pages[0]), PT, filled_frame(TAG), P | RW | US);
	expect_refused(LOWER_END);
	expect_refused(LOWER_END - 7);
	expect_refused(UPPER_START - 8);
	expect_refused(UPPER_START - 7);
}

TEST(la57_cannot_change_in_64_bit_mode,
     "MOV to CR4 that changes LA57 raises #GP(0) and changes nothing",
     "SDM Vol. 3, \"Control Registers\", LA57", "la57")
{
	for (unsigned i = 0; i < 2; i++) {
		uint64_t cr4 = read_cr4();

		expect_exception(
			instruction_access(INSTRUCTION_mov_to_cr4, LINEAR(0), cr4 ^ CR4_LA57),
			VECTOR_GP, 0);
		expect(read_cr4() == cr4, "CR4 is 0x%llx", (unsigned long long)read_cr4());
		enter_5level_paging();
	}
}

/* One linear address leads to one page under 4-level paging and to another one under a root for
 * 5-level paging; both pages are global. */
TEST(a_switch_of_the_mode_keeps_no_translation,
     "Clearing CR0.PG drops all translations: after it each mode uses its own structures",
     "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\"", "la57")
{
	struct subject subject = map_subject(PT, P | RW | US | G, TAG);
	uint64_t *pml4e = subject.page.entry[PML4], first = *pml4e;
	gpa_t root = frame_alloc(), pml4;

	map_page_at_linear(subject.page.linear, PT, filled_frame(TAG + 1), P | RW | US | G);
	pml4 = copy_root();
	*pml4e = first;
	*(uint64_t *)identity(root) = pml4.value | P | RW | US;
	set_cr4(CR4_PGE);
	for (unsigned i = 0; i < 3; i++) {
		expect_read(read_access(subject.target, 8), frame_word(TAG));
		enter_5level_root(root);
		expect_read(read_access(subject.target, 8), frame_word(TAG + 1));
		leave_5level_paging();
	}
}

/* The top bit of the PML5E's index is bit 56, and in canonical addresses bits 63:57 are like it. */
TEST(both_halves_have_pml5es_of_their_own,
     "An address and the one with bits 63:56 set are translated by different PML5Es", MANUAL,
     "la57")
{
	struct subject low = enter_and_map(PT);
	linear_t high = LINEAR(low.target.value | UPPER_START);

	map_page_at_linear(LINEAR(low.page.linear.value | UPPER_START), PT, filled_frame(TAG + 1),
			   P | RW | US);
	for (unsigned i = 0; i < 8; i++) {
		struct access read = read_access(i & 1 ? high : low.target, 8);
		struct access other = read_access(i & 1 ? low.target : high, 8);

		if (i & 4)
			invalidate(low.target, MOV_CR3);
		read.user = other.user = i & 2;
		expect_read(read, frame_word(TAG + (i & 1)));
		expect_read(other, frame_word(TAG + !(i & 1)));
		expect_read(fetch_access(high), TAG + 1);
		expect_read(fetch_access(low.target), TAG);
	}
}
