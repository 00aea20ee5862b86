/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The upper bits of physical addresses under the two kinds of paging of 32-bit mode.
 *
 * The address in a PDE or PTE of PAE paging has MAXPHYADDR bits, that in a PDE or PTE of 32-bit
 * paging 32, and that in a PDE which maps 4 MBytes up to 40 (SDM Vol. 3, "32-Bit Paging", "PAE
 * Paging"; APM Vol. 2, "Legacy-Mode Page Translation"; R8). So an entry in which one of them is set
 * leads to other memory than without it, or to none.
 *
 * Caught here: addresses cut to 32 bits, or to 31, on the way through an entry or in what is cached
 * of it (QT08, HX02): a 32-bit variable for a frame where 64-bit mode has one of 64 bits, a mask of
 * another format. Each kind of page and table has a case of its own, as walkers read each by lines
 * of its own.
 *
 * Where there is no memory anything but other memory may be read, and a write is lost (P26); so
 * nothing but the memory at the address without the bit is looked at, and no memory above 4 GBytes
 * is needed. Not checked: memory that is there (pse36, high_memory), PDPTEs and CR3 that lead
 * nowhere.
 */
#include "test.h"

SUBJECT(address_bits_legacy, "every bit of physical addresses counts under 32-bit and PAE paging");
BUILT_FOR_32BIT;

#define MANUAL_32BIT "SDM Vol. 3, \"32-Bit Paging\""
#define MANUAL_PAE   "SDM Vol. 3, \"PAE Paging\""
#define LOW	     (96 * MBYTE) /* frames of cases do not come that far */
#define TABLE	     (LOW + 0x40000)
#define LOW_TAG	     100
#define HERE	     ((uint32_t)frame_word(LOW_TAG))
#define PSE36_SHIFT  19 /* from a bit of the PDE to that of the address */
#define PSE36_BITS   40

static const uint32_t offsets[] = {0, 0x7f8, PAGE_4K - 8, 0x123458, PAGE_2M - 8};

static volatile uint32_t *low_word(uint32_t offset)
{
	return (uint32_t *)identity(GPA(LOW + offset));
}

/* The page's entry leads elsewhere by now: what is written and read there is not at LOW. */
static void expect_elsewhere(const struct legacy_page *page, uint64_t entry)
{
	for (unsigned i = 0; i < COUNT_OF(offsets) && offsets[i] < page->bytes; i++) {
		linear_t at = linear_plus(page->linear, offsets[i]);
		struct outcome outcome;

		*low_word(offsets[i]) = HERE;
		outcome = attempt(read_access(at, 4));
		expect(outcome.vector != NO_VECTOR || outcome.value[0] != HERE,
		       "a read through entry 0x%llx reached 0x%llx", (unsigned long long)entry,
		       LOW + offsets[i]);
		for (unsigned user = 0; user < 2; user++) {
			struct access access = write_access(at, 4, 0xabcd0000 + i);

			access.user = user;
			attempt(access);
			expect(*low_word(offsets[i]) == HERE,
			       "a store through entry 0x%llx reached 0x%llx",
			       (unsigned long long)entry, LOW + offsets[i]);
		}
	}
}

static bool is_memory(uint64_t address)
{
	return is_ram(GPA(address), PAGE_4K);
}

/* With the bit and without it by turns, so that something is cached of both. */
static void try_frame_bit(const struct legacy_page *page, uint64_t in_entry, uint64_t in_address)
{
	const uint64_t flags = P | RW | US | (page->level == PD ? PS : 0);

	if (is_memory(LOW | in_address))
		return;
	legacy_write(page, page->level, LOW | flags);
	invalidate(page->linear, INVLPG);
	*low_word(0) = HERE;
	expect_read(read_access(page->linear, 4), HERE);
	legacy_write(page, page->level, LOW | in_entry | flags);
	invalidate(page->linear, INVLPG);
	expect_elsewhere(page, LOW | in_entry | flags);
}

/* A page table at LOW maps the page; the PDE leads to another one, or to none. */
static void try_table_bit(uint64_t bit)
{
	const uint64_t table = TABLE, to = filled_frame(LOW_TAG).value | P | RW | US;
	struct legacy_page page = legacy_map(PT, filled_frame(1), P | RW | US), other = page;
	const unsigned in_table = (uintptr_t)page.entry[PT] & (PAGE_4K - 1);
	struct outcome outcome;

	if (is_memory(table | bit))
		return;
	memset(identity(GPA(table)), 0, PAGE_4K);
	other.entry[PT] = (char *)identity(GPA(table)) + in_table;
	legacy_write(&other, PT, to);
	legacy_write(&page, PD, table | bit | P | RW | US);
	invalidate(page.linear, INVLPG);
	outcome = attempt(read_access(page.linear, 4));
	expect(outcome.vector != NO_VECTOR || outcome.value[0] != HERE,
	       "the page table at 0x%llx is used for 0x%llx", (unsigned long long)table,
	       (unsigned long long)(table | bit));
	expect(legacy_entry(&other, PT) == to, "an entry of the page table at 0x%llx is marked",
	       (unsigned long long)table);
	legacy_write(&page, PD, table | P | RW | US);
	invalidate(page.linear, INVLPG);
	expect_read(read_access(page.linear, 4), HERE);
}

/* With memory wherever such a bit leads there is nothing that the case could tell. */
static void need_a_hole(uint64_t beside, unsigned first, unsigned end)
{
	if (!is_memory(beside))
		end_case_skipped("memory", "there is no memory at 96 MBytes");
	for (unsigned bit = first; bit < end; bit++)
		if (!is_memory(beside | 1ull << bit))
			return;
	end_case_skipped("hole", "memory is wherever such an address bit leads");
}

static void try_frame_bits(enum level level, unsigned first, unsigned end)
{
	struct legacy_page page = legacy_map(level, GPA(LOW), P | RW | US);

	need_a_hole(LOW, first, end);
	for (unsigned bit = first; bit < end; bit++) {
		progress("bit %u", bit);
		try_frame_bit(&page, 1ull << bit, 1ull << bit);
	}
}

static void try_table_bits(unsigned first, unsigned end)
{
	need_a_hole(TABLE, first, end);
	for (unsigned bit = first; bit < end; bit++) {
		progress("bit %u", bit);
		try_table_bit(1ull << bit);
	}
}

TEST(pae_4_kbyte_frames_keep_their_upper_bits,
     "A PTE of PAE paging with one of bits MAXPHYADDR-1:32 set leads to no memory below",
     MANUAL_PAE, "pae")
{
	run_under_pae();
	try_frame_bits(PT, 32, maxphyaddr());
}

TEST(pae_2_mbyte_frames_keep_their_upper_bits,
     "A PDE that maps 2 MBytes with one of bits MAXPHYADDR-1:32 set leads to no memory below",
     MANUAL_PAE, "pae")
{
	run_under_pae();
	try_frame_bits(PD, 32, maxphyaddr());
}

TEST(pae_page_tables_keep_their_upper_bits,
     "A PDE with one of bits MAXPHYADDR-1:32 set uses no page table below 4 GBytes", MANUAL_PAE,
     "pae")
{
	run_under_pae();
	try_table_bits(32, maxphyaddr());
}

/* Bits 31:28, as far as there is no memory. */
TEST(frames_of_32_bit_paging_keep_bit_31,
     "A PTE of 32-bit paging with one of bits 31:28 set leads to no memory below", MANUAL_32BIT, "")
{
	try_frame_bits(PT, 28, 32);
}

TEST(large_frames_of_32_bit_paging_keep_bit_31,
     "A PDE that maps 4 MBytes with one of bits 31:28 set leads to no memory below", MANUAL_32BIT,
     "pse")
{
	set_cr4(CR4_PSE);
	try_frame_bits(PD, 28, 32);
}

TEST(page_tables_of_32_bit_paging_keep_bit_31,
     "A PDE of 32-bit paging with one of bits 31:28 set uses no page table below", MANUAL_32BIT, "")
{
	try_table_bits(28, 32);
}

TEST(pse36_frames_keep_their_upper_bits,
     "A PDE that maps 4 MBytes with one of bits 20:13 set leads to no memory below 4 GBytes",
     MANUAL_32BIT, "pse36")
{
	unsigned end = maxphyaddr() < PSE36_BITS ? maxphyaddr() : PSE36_BITS;
	struct legacy_page page;

	set_cr4(CR4_PSE);
	need_a_hole(LOW, 32, end);
	page = legacy_map(PD, GPA(LOW), P | RW | US);
	for (unsigned bit = 32; bit < end; bit++)
		try_frame_bit(&page, 1ull << (bit - PSE36_SHIFT), 1ull << bit);
}
