/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Vectors of 32 and 64 bytes that straddle two pages.
 *
 * Such a load or store is one access: both pages are translated and checked before anything is
 * written, CR2 lies in the part of the operand that is in the bad page, and a store that faults has
 * changed nothing (SDM Vol. 3, "Page-Fault Exceptions", "Program or Task Continuity"; R19, R20).
 *
 * Caught here: vectors that an emulator handles in pieces of 8 or 16 bytes, of which the first are
 * written before the second page is checked, or the last are checked with other rights (V805,
 * XS09). What is true of shorter operands (page_crossing) needs not be of these: instruction
 * emulators learned them last.
 *
 * Not checked: VEX-encoded vectors of 16 bytes, masked ones (P17), addresses that are not
 * canonical.
 */
#include "test.h"

SUBJECT(page_crossing_vectors, "vectors of 32 and 64 bytes that straddle two pages");

#define MANUAL	    "SDM Vol. 3, \"Page-Fault Exceptions\""
#define CR4_OSXSAVE (1ull << 18)
#define XCR0_AVX    0x7u
#define XCR0_AVX512 0xe7u
#define MOST	    64

enum { FIRST = 91, SECOND = 92 };

static void write_xcr0(uint64_t value)
{
	__asm__ volatile("xsetbv" : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0));
}

static void restore_xcr0(void)
{
	write_cr4(read_cr4() | CR4_OSXSAVE);
	write_xcr0(1);
}

/* Ends the case as skipped where the processor has no such state, or shows it but has #UD for the
 * instructions, as TCG for a guest of its guest. */
static void enable_vectors(uint32_t state, enum instruction load)
{
	struct page page = map_page(P | RW | US);

	if ((cpuid(0xd, 0).eax & state) != state)
		end_case_skipped("vector_state", "XSAVE does not manage these vectors here");
	set_cr4(CR4_OSXSAVE);
	at_case_end(restore_xcr0);
	write_xcr0(state);
	if (attempt(instruction_access(load, page.linear, 0)).vector == VECTOR_UD)
		end_case_skipped("vector_instructions", "these vectors raise #UD here");
}

/* What is around the border, as the frames hold it. */
static void copy_memory(const struct page_pair *pair, uint8_t *to)
{
	memcpy(to, (char *)identity(pair->frame[0]) + PAGE_4K - MOST, MOST);
	memcpy(to + MOST, identity(pair->frame[1]), MOST);
}

static void expect_fault_in(const struct page_pair *pair, struct access access, unsigned bad)
{
	unsigned bytes = instruction_table[access.instruction].size;
	uint64_t from = bad ? pair->border.value : access.linear.value;
	uint64_t to = bad ? access.linear.value + bytes : pair->border.value;
	uint8_t was[2 * MOST], is[2 * MOST];
	struct access bad_part = access;
	struct model_outcome wanted;
	struct outcome outcome;

	bad_part.linear = LINEAR(from);
	wanted = modelled_outcome(bad_part);
	if (wanted.vector == MODEL_COMPLETES)
		return; /* not bad for this kind of access */
	copy_memory(pair, was);
	outcome = attempt(access);
	copy_memory(pair, is);
	expect(outcome.vector == VECTOR_PF && outcome.error_code == wanted.error_code,
	       "%s %s, page %u bad: %s error code 0x%llx, not 0x%llx",
	       access.user ? "user" : "supervisor", instruction_table[access.instruction].text, bad,
	       vector_name(outcome.vector), (unsigned long long)outcome.error_code,
	       (unsigned long long)wanted.error_code);
	expect(outcome.cr2 >= from && outcome.cr2 < to, "CR2 0x%llx is not in 0x%llx to 0x%llx",
	       (unsigned long long)outcome.cr2, (unsigned long long)from,
	       (unsigned long long)to - 1);
	expect(!memcmp(was, is, sizeof(was)), "%s faulted, but changed memory",
	       instruction_table[access.instruction].text);
}

/* Not present, read-only, supervisor-only. */
static uint64_t spoil(uint64_t entry, unsigned how)
{
	return how == 0 ? entry & ~P : how == 1 ? entry & ~RW : entry & ~US;
}

/* Cold, and with both pages read before. */
static void try_faults(const struct page_pair *pair, struct access access)
{
	for (unsigned i = 0; i < 2 * 2 * 3; i++) {
		unsigned bad = i & 1, how = i / 4;

		set_page_pair(pair, bad ? pair->good[0] : spoil(pair->good[0], how),
			      bad ? spoil(pair->good[1], how) : pair->good[1]);
		if (i & 2) {
			attempt(read_access(pair->page.linear, 8));
			attempt(read_access(pair->border, 8));
		}
		expect_fault_in(pair, access, bad);
	}
}

static void try_splits(enum instruction instruction)
{
	static const uint8_t splits[] = {1, 7, 8, 15, 16, 24, 31, 32, 48, 63};
	struct page_pair pair = map_page_pair(FIRST, SECOND);

	for (unsigned i = 0; i < 2 * COUNT_OF(splits); i++) {
		struct access access;

		if (splits[i / 2] >= instruction_table[instruction].size)
			break;
		access = instruction_access(instruction, LINEAR(pair.border.value - splits[i / 2]),
					    0);
		access.user = i & 1;
		try_faults(&pair, access);
	}
}

/* Read over one border, written over another. */
static void try_copies(enum instruction load, enum instruction store)
{
	struct page_pair from = map_page_pair(FIRST, SECOND), to = map_page_pair(3, 4);
	unsigned bytes = instruction_table[load].size;
	uint8_t wanted[2 * MOST], found[2 * MOST];

	set_page_pair(&from, from.good[0], from.good[1]);
	set_page_pair(&to, to.good[0], to.good[1]);
	for (unsigned before = 1; before < bytes; before++) {
		unsigned after = bytes - before;
		struct outcome outcome;

		copy_memory(&from, wanted);
		copy_memory(&to, found);
		memcpy(found + MOST - after, wanted + MOST - before, bytes);
		memcpy(wanted, found, sizeof(wanted));
		outcome = attempt(instruction_access(load, LINEAR(from.border.value - before), 0));
		expect(outcome.vector == NO_VECTOR, "a load raised %s",
		       vector_name(outcome.vector));
		outcome = attempt(instruction_access(store, LINEAR(to.border.value - after), 0));
		expect(outcome.vector == NO_VECTOR, "a store raised %s",
		       vector_name(outcome.vector));
		copy_memory(&to, found);
		expect(!memcmp(found, wanted, sizeof(found)),
		       "%u bytes over a border came out otherwise, %u in the first page", bytes,
		       before);
	}
}

TEST(loads_of_32_bytes_fault_in_the_bad_page,
     "#PF of a 32-byte load has the bad page's error code and CR2 in it", MANUAL, "avx")
{
	enable_vectors(XCR0_AVX, INSTRUCTION_read32);
	try_splits(INSTRUCTION_read32);
}

TEST(stores_of_32_bytes_fault_in_the_bad_page_and_change_nothing,
     "#PF of a 32-byte store has the bad page's error code; the good page is unchanged", MANUAL,
     "avx")
{
	enable_vectors(XCR0_AVX, INSTRUCTION_read32);
	try_splits(INSTRUCTION_write32);
}

TEST(loads_of_64_bytes_fault_in_the_bad_page,
     "#PF of a 64-byte load has the bad page's error code and CR2 in it", MANUAL, "avx512f")
{
	enable_vectors(XCR0_AVX512, INSTRUCTION_read64);
	try_splits(INSTRUCTION_read64);
}

TEST(stores_of_64_bytes_fault_in_the_bad_page_and_change_nothing,
     "#PF of a 64-byte store has the bad page's error code; the good page is unchanged", MANUAL,
     "avx512f")
{
	enable_vectors(XCR0_AVX512, INSTRUCTION_read64);
	try_splits(INSTRUCTION_write64);
}

TEST(vectors_over_two_good_pages_are_one_operand,
     "A vector that straddles two pages is read from and written to both frames", MANUAL, "avx")
{
	enable_vectors(XCR0_AVX, INSTRUCTION_read32);
	try_copies(INSTRUCTION_read32, INSTRUCTION_write32);
	if (has(FEATURE_avx512f)) {
		enable_vectors(XCR0_AVX512, INSTRUCTION_read64);
		try_copies(INSTRUCTION_read64, INSTRUCTION_write64);
	}
}

/* A gather of 8 times the 4 bytes that lie over the border, in a page of code; at CPL 3, and with
 * the translations that the supervisor has cached. */
TEST(gathers_read_with_the_rights_of_user_mode,
     "Each element of VPGATHERDD is read with the rights of user mode, byte by byte", MANUAL, "avx")
{
	static const uint8_t gather[] = {0xc5, 0xed, 0x76, 0xd2, 0xc5, 0xf5, 0xef,
					 0xc9, 0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x0f};
	struct page code = map_page(P | RW | US);
	struct page_pair pair = map_page_pair(FIRST, SECOND);
	struct access run = as_user(fetch_access(code.linear));
	uint8_t *to = identity(code.frame);
	uint64_t back = frame_word(1);

	if (!(cpuid(7, 0).ebx & 1u << 5))
		end_case_skipped("avx2", "the processor has no gathers");
	enable_vectors(XCR0_AVX, INSTRUCTION_read32);
	memcpy(to, "\x48\xbf", 2); /* mov $operand, %rdi */
	memcpy(to + 10, gather, sizeof(gather));
	memcpy(to + 10 + sizeof(gather), &back, 8);
	for (unsigned n = 0; n < 3 * 2 * 3; n++) {
		uint64_t from = pair.border.value - n % 3 - 1, taken = n / 6 == 0   ? P
								       : n / 6 == 1 ? US
										    : 0;
		unsigned bad = n / 3 & 1;
		struct outcome outcome;

		memcpy(to + 2, &from, 8);
		set_page_pair(&pair, bad ? pair.good[0] : pair.good[0] & ~taken,
			      bad ? pair.good[1] & ~taken : pair.good[1]);
		attempt(read_access(pair.page.linear, 8));
		attempt(read_access(pair.border, 8));
		outcome = attempt(run);
		if (outcome.vector == VECTOR_UD)
			end_case_skipped("vector_instructions", "gathers raise #UD here");
		expect(taken ? outcome.vector == VECTOR_PF &&
				       outcome.error_code == (taken == P ? PF_U : PF_P | PF_U) &&
				       (outcome.cr2 >= pair.border.value) == bad
			     : outcome.vector == NO_VECTOR,
		       "page %u without 0x%llx: %s, error code 0x%llx, CR2 0x%llx", bad,
		       (unsigned long long)taken, vector_name(outcome.vector),
		       (unsigned long long)outcome.error_code, (unsigned long long)outcome.cr2);
	}
}
