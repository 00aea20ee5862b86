/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 4-MByte pages above 4 GBytes, which 32-bit paging reaches by PSE-36.
 *
 * Bits 20:13 of a PDE that maps 4 MBytes are bits 39:32 of the page's address, as far as MAXPHYADDR
 * goes (SDM Vol. 3, "32-Bit Paging"; APM Vol. 2, "4-Mbyte Page Translation"; R8). They take part in
 * everything: data, fetches, accessed and dirty flags, invalidation.
 *
 * Caught here: addresses cut off at 32 bits, on the way through a PDE or in what is cached of it;
 * the bits put in at a wrong place; INVLPG or a comparison of frames that looks at 32 bits; a guest
 * frame number taken from bits 31:22 alone, or from 31:12 as in a PTE. Hypervisors see this format
 * so rarely that their walkers of 32-bit tables are seldom tried with it.
 *
 * Not checked: which bits are reserved (walk_32bit does); bits beyond what the machine has of
 * memory, but that they lead to no other memory (P26).
 */
#include "test.h"

SUBJECT(pse36, "4-MByte pages above 4 GBytes under 32-bit paging");
BUILT_FOR_32BIT;

#define MANUAL	     "SDM Vol. 3, \"32-Bit Paging\""
#define MANUAL_FLUSH "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define BYTES_4M     (4 * MBYTE)
#define LOW	     (96 * MBYTE) /* frames of cases do not come that far */
#define HIGH	     (4 * GBYTE + LOW)
#define PSE36_SHIFT  19 /* from a bit of the PDE to that of the address */
#define FIRST_BIT    13
#define BIT_OF_4G    (1ull << FIRST_BIT)
#define LOW_TAG	     100
#define HIGH_TAG     200

static const uint32_t offsets[] = {0, 0x1238, PAGE_2M - 8, PAGE_2M, 0x2ff7f8, BYTES_4M - 8};

/* What the page at LOW + 4 GBytes holds is written and read under PAE paging. */
static void write_high(uint32_t tag)
{
	run_under_pae();
	for (unsigned i = 0; i < COUNT_OF(offsets); i++) {
		gpa_t half = GPA(HIGH + (offsets[i] & PAGE_2M));
		struct legacy_page page = legacy_map(PD, half, P | RW | US);
		linear_t at = linear_plus(page.linear, offsets[i] % PAGE_2M);
		uint64_t word = frame_word(tag + i);

		attempt(write_access(at, 4, (uint32_t)word));
		attempt(write_access(linear_plus(at, 4), 4, word >> 32));
	}
	switch_to_32bit();
	processor_changed();
}

static uint32_t read_high(unsigned i)
{
	struct legacy_page page;
	uint32_t value;

	run_under_pae();
	page = legacy_map(PD, GPA(HIGH + (offsets[i] & PAGE_2M)), P | RW | US);
	value = (uint32_t)attempt(read_access(linear_plus(page.linear, offsets[i] % PAGE_2M), 4))
			.value[0];
	switch_to_32bit();
	processor_changed();
	return value;
}

static volatile uint64_t *low_word(unsigned i)
{
	return (uint64_t *)identity(GPA(LOW + offsets[i]));
}

static void write_both(void)
{
	write_high(HIGH_TAG);
	for (uint32_t i = 0; i < COUNT_OF(offsets); i++)
		*low_word(i) = frame_word(LOW_TAG + i);
}

static void expect_low_untouched(void)
{
	for (uint32_t i = 0; i < COUNT_OF(offsets); i++)
		expect(*low_word(i) == frame_word(LOW_TAG + i),
		       "the frame 4 GBytes below holds 0x%llx at 0x%x",
		       (unsigned long long)*low_word(i), offsets[i]);
}

static void set_pde(const struct legacy_page *page, uint64_t bits)
{
	legacy_write(page, PD, LOW | bits | P | RW | US | PS);
	invalidate(page->linear, INVLPG);
}

static struct legacy_page map_low(void)
{
	set_cr4(CR4_PSE);
	return legacy_map(PD, GPA(LOW), P | RW | US);
}

TEST(reads_and_fetches_reach_above_4_gbytes,
     "A PDE with bit 13 set leads to the 4 MBytes that lie 4 GBytes higher", MANUAL,
     "pse36 ram_above_4g")
{
	struct legacy_page page;

	write_both();
	page = map_low();
	for (uint32_t i = 0; i < 2 * COUNT_OF(offsets); i++) {
		uint32_t tag = (i & 1 ? HIGH_TAG : LOW_TAG) + i / 2;
		linear_t at = linear_plus(page.linear, offsets[i / 2]);

		set_pde(&page, i & 1 ? BIT_OF_4G : 0);
		expect_read(read_access(at, 4), (uint32_t)frame_word(tag));
		expect_read(as_user(read_access(at, 4)), (uint32_t)frame_word(tag));
		expect_read(fetch_access(at), tag);
		expect_read(as_user(fetch_access(at)), tag);
	}
}

TEST(writes_reach_above_4_gbytes,
     "Writes through such a PDE change that memory, and not the one 4 GBytes below", MANUAL,
     "pse36 ram_above_4g")
{
	struct legacy_page page;

	write_both();
	for (uint32_t i = 0; i < COUNT_OF(offsets); i++) {
		struct access access;

		page = map_low();
		set_pde(&page, BIT_OF_4G);
		access = write_access(linear_plus(page.linear, offsets[i]), 4, 0xabcd0000 + i);
		access.user = i & 1;
		expect_as_modelled(access);
		expect(read_high(i) == 0xabcd0000 + i, "offset 0x%x was not written", offsets[i]);
	}
	expect_low_untouched();
}

TEST(rights_and_flags_are_those_of_the_pde,
     "R/W, U/S, A and D of such a PDE are those of any other", MANUAL, "pse36 ram_above_4g")
{
	struct legacy_page page;

	write_both();
	page = map_low();
	for (unsigned i = 0; i < 4 * 6; i++) {
		struct access access =
			i % 3 == 0   ? read_access(page.linear, 4)
			: i % 3 == 1 ? write_access(page.linear, 4, (uint32_t)frame_word(HIGH_TAG))
				     : fetch_access(page.linear);

		access.user = i / 3 & 1;
		legacy_write(&page, PD,
			     LOW | BIT_OF_4G | P | PS | (i / 6 & 1 ? RW : 0) |
				     (i / 6 & 2 ? US : 0));
		invalidate(page.linear, INVLPG);
		expect_as_modelled(access);
	}
	expect_low_untouched();
}

TEST(invlpg_follows_a_change_of_the_upper_bits,
     "After INVLPG a PDE that differs in bit 13 alone leads elsewhere, at every offset",
     MANUAL_FLUSH, "pse36 ram_above_4g")
{
	struct legacy_page page;

	write_both();
	page = map_low();
	for (uint32_t round = 0; round < 2 * COUNT_OF(offsets); round++) {
		legacy_write(&page, PD,
			     LOW | (round & 1 ? BIT_OF_4G : 0) | P | RW | US | PS | A | D);
		invalidate(linear_plus(page.linear, offsets[round / 2]), INVLPG);
		for (uint32_t i = 0; i < COUNT_OF(offsets); i++)
			expect_read(read_access(linear_plus(page.linear, offsets[i]), 4),
				    (uint32_t)frame_word((round & 1 ? HIGH_TAG : LOW_TAG) + i));
	}
}

/* Where there is no memory, anything but other memory may be read, and a write is lost. */
TEST(each_upper_bit_leads_to_other_memory,
     "A store through a PDE with one of bits 20:13 set changes no memory elsewhere", MANUAL,
     "pse36 ram_at_96m")
{
	struct legacy_page page = map_low();
	unsigned last = maxphyaddr() < 40 ? maxphyaddr() : 40;

	for (unsigned bit = FIRST_BIT; bit < last - PSE36_SHIFT; bit++) {
		if (is_ram(GPA(LOW | 1ull << (bit + PSE36_SHIFT)), PAGE_4K))
			continue;
		for (uint32_t i = 0; i < COUNT_OF(offsets); i++)
			*low_word(i) = frame_word(LOW_TAG + i);
		set_pde(&page, 1ull << bit);
		for (unsigned i = 0; i < COUNT_OF(offsets); i++)
			attempt(write_access(linear_plus(page.linear, offsets[i]), 4, bit));
		expect_low_untouched();
	}
}
