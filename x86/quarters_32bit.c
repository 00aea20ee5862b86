/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Page tables in each quarter of a linear space of 4 GBytes, edited while all of them are in use.
 *
 * A page directory of 32-bit paging covers all four GBytes, those of PAE paging one each, found by
 * registers. After INVLPG, or MOV to CR3, a PTE counts as it is in memory, wherever in the space
 * its page lies (SDM Vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches").
 *
 * Caught here: shadow pagers, which make four directories of one, or have four roots, and forget
 * one of them: its page tables are not brought up to date, or a store to a PDE changes the entry of
 * another quarter (KS13, KS24).
 *
 * The first and the last quarter hold the image's identity map, of which one entry is lent. Not
 * checked: large pages and other events (invalidation_32bit, invalidation_pae).
 */
#include "test.h"

SUBJECT(quarters_32bit, "page tables in each GByte of the linear space, edited while in use");
BUILT_FOR_32BIT;

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define ALL    (P | RW | US)

enum { QUARTERS = 4, INDEX = 201, TAG = 41 };

struct quarter {
	linear_t linear;
	char *pde, *pte;
	uint64_t old, new; /* of the PDE */
};

static uint64_t get(const char *entry)
{
	return current_format()->entry_bytes == 8 ? *(const volatile uint64_t *)entry
						  : *(const volatile uint32_t *)entry;
}

static void put(char *entry, uint64_t value)
{
	if (current_format()->entry_bytes == 8)
		*(volatile uint64_t *)entry = value;
	else
		*(volatile uint32_t *)entry = (uint32_t)value;
}

/* 448 MBytes into each GByte, where images have no memory and machines no device. */
static struct quarter make_quarter(uint32_t n)
{
	uint32_t at = n * (uint32_t)PAGE_1G + 0x1c000000, bytes = current_format()->entry_bytes;
	const uint64_t *pdptes = current_pdptes();
	gpa_t directory = pdptes ? GPA(pdptes[n] & ENTRY_ADDRESS) : current_root();
	char *table = identity(frame_alloc());
	gpa_t frames = frames_alloc(2 * PAGE_4K);
	struct quarter quarter = {
		.linear = LINEAR(at + INDEX * PAGE_4K),
		.pde = (char *)identity(directory) + bytes * level_index(current_format(), PD, at),
		.pte = table + INDEX * bytes,
		.new = gpa_of(table).value | ALL,
	};

	memset(table, 0, PAGE_4K);
	frame_fill(frames, 2 * PAGE_4K, TAG + n);
	put(quarter.pte, frames.value | ALL);
	quarter.old = get(quarter.pde);
	put(quarter.pde, quarter.new);
	return quarter;
}

static void use(const struct quarter *quarter)
{
	expect_as_modelled(read_access(quarter->linear, 4));
	expect_as_modelled(as_user(write_access(quarter->linear, 1, 0xb8)));
}

static void edit(const struct quarter *quarter, unsigned n)
{
	static const uint64_t bits[] = {RW, US, PAGE_4K, P, D};

	if (n % 6 == 5)
		put(quarter->pde, get(quarter->pde) ^ US);
	else
		put(quarter->pte, get(quarter->pte) ^ bits[n % 6]);
}

static void try_quarters(enum invalidation then)
{
	struct quarter quarter[QUARTERS];

	for (uint32_t i = 0; i < QUARTERS; i++) {
		quarter[i] = make_quarter(i);
		invalidate(quarter[i].linear, INVLPG);
	}
	for (unsigned n = 0; n < 24; n++) {
		for (unsigned i = 0; i < QUARTERS; i++)
			use(&quarter[i]);
		for (unsigned i = 0; i < QUARTERS; i++)
			edit(&quarter[i], n / 2 + i);
		if (then != INVLPG)
			invalidate(quarter[0].linear, then);
		for (unsigned i = 0; i < QUARTERS; i++) {
			if (then == INVLPG)
				invalidate(quarter[(n + i) % QUARTERS].linear, INVLPG);
			use(&quarter[(n + i) % QUARTERS]);
		}
	}
	for (unsigned i = 0; i < QUARTERS; i++) {
		put(quarter[i].pde, quarter[i].old);
		invalidate(quarter[i].linear, INVLPG);
	}
}

TEST(mov_to_cr3_brings_each_quarter_up_to_date,
     "32-bit paging: PTEs and PDEs of each GByte were edited: after MOV to CR3 each counts", MANUAL,
     "")
{
	try_quarters(MOV_CR3);
}

TEST(invlpg_brings_each_quarter_up_to_date,
     "32-bit paging: PTEs and PDEs of each GByte were edited: after INVLPG each counts", MANUAL, "")
{
	try_quarters(INVLPG);
}

TEST(mov_to_cr3_brings_each_pae_directory_up_to_date,
     "PAE paging: PTEs and PDEs of each GByte were edited: after MOV to CR3 each counts", MANUAL,
     "pae")
{
	run_under_pae();
	try_quarters(MOV_CR3);
}

TEST(invlpg_brings_each_pae_directory_up_to_date,
     "PAE paging: PTEs and PDEs of each GByte were edited: after INVLPG each counts", MANUAL, "pae")
{
	run_under_pae();
	try_quarters(INVLPG);
}
