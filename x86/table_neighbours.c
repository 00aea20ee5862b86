/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entries next to one in use, which a hypervisor may make ready along with it.
 *
 * Each access has the rights of all entries on its own way, sets the flags of its own, and faults
 * for the reserved bits of its own, whatever was used next to it before (SDM Vol. 3, "Determination
 * of Access Rights", "Accessed and Dirty Flags", "Page-Fault Exceptions").
 *
 * Caught here, in shadow pagers that fill entries in advance where A is set already: neighbours
 * without the rights of the entries above (KS01, KS38), writable although D is clear (V803), or not
 * looked at for reserved bits; the same for an entry that INVLPG makes ready anew.
 *
 * So A is set in all neighbours from the start. Where it is clear, and pages that are not present:
 * lazy_construction. Not checked: who is made ready, and when.
 */
#include "test.h"

SUBJECT(table_neighbours, "entries next to one in use, made ready early and yet as they are");

#define MANUAL_RIGHTS "SDM Vol. 3, \"Determination of Access Rights\""
#define MANUAL_FLAGS  "SDM Vol. 3, \"Accessed and Dirty Flags\""
#define MANUAL_FAULTS "SDM Vol. 3, \"Page-Fault Exceptions\""
#define ALL	      (P | RW | US)

enum { PAGES = 16, INDEX = 24, TAG = 90, ACCESSES = 6 /* of nth_access(), at both levels */ };

static gpa_t frames[PAGES];

static void make_frames(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		frames[i] = filled_frame(TAG + i);
}

/* Pages in a row, by PTEs next to each other. */
struct row {
	struct page page; /* the first */
	linear_t linear[PAGES];
	volatile uint64_t *entry; /* PAGES of them */
};

/* PTE n gets `flags`[n], `changed` bits of the entry at `level` above are the
 * other way round. */
static struct row make_row(const uint64_t *flags, enum level level, uint64_t changed)
{
	linear_t start =
		LINEAR(unused_linear().value | 5 * PAGE_1G | 9 * PAGE_2M | INDEX * PAGE_4K);
	struct row row;

	row.page = map_page_at_linear(start, PT, frames[0], ALL);
	row.entry = row.page.entry[PT];
	for (unsigned i = 0; i < PAGES; i++) {
		row.linear[i] = linear_plus(start, i * PAGE_4K + 16 * i);
		row.entry[i] = frames[i].value | flags[i];
	}
	*row.page.entry[level] ^= changed;
	invalidate(start, MOV_CR3);
	return row;
}

static uint64_t offered(uint64_t rights)
{
	return has(FEATURE_nx) ? rights : rights & ~XD;
}

/* All rights, D set or clear, next to each other in an order that `salt` changes. */
static void mixed_flags(uint64_t *flags, unsigned salt)
{
	for (unsigned i = 0; i < PAGES; i++) {
		unsigned n = 5 * i + salt;

		flags[i] = P | A | offered((n & 1 ? RW : 0) | (n & 2 ? US : 0) | (n & 4 ? XD : 0)) |
			   (n & 8 ? D : 0);
	}
}

/* One of the pages first, then all of them in turn from there on. */
static void use_row(const struct row *row, unsigned first, unsigned with, unsigned then)
{
	expect_as_modelled(nth_access(with, row->linear[first]));
	for (unsigned i = 1; i <= PAGES; i++)
		expect_as_modelled(nth_access(then, row->linear[(first + i) % PAGES]));
}

/* Twice: as a new table, in a frame that was none before, and as one in use before the flush. */
static void try_row(const uint64_t *flags, enum level level, uint64_t changed, unsigned n)
{
	struct row row = make_row(flags, level, changed);
	unsigned with = n % ACCESSES, then = n / ACCESSES % ACCESSES;

	use_row(&row, n % PAGES, with, then);
	for (unsigned i = 0; i < PAGES; i++)
		row.entry[i] = (row.entry[i] & ~D) ^ (i % 3 ? 0 : RW);
	invalidate(row.page.linear, MOV_CR3);
	use_row(&row, (n + 3) % PAGES, then, with);
}

TEST(neighbours_have_the_rights_of_the_entries_above,
     "A page next to one in use has the rights of its own PTE and of each entry above it",
     MANUAL_RIGHTS, "")
{
	static const uint64_t changes[] = {RW, US, XD};
	uint64_t flags[PAGES];
	unsigned n = 0;

	make_frames();
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	watch_attempts();
	for (int level = PD; level <= PML4; level++) {
		for (unsigned i = 0; i < COUNT_OF(changes); i++) {
			for (unsigned orders = 0; orders < 12; orders++, n += 7) {
				mixed_flags(flags, n);
				try_row(flags, (enum level)level, offered(changes[i]), n);
			}
		}
	}
}

TEST(neighbours_get_d_by_their_own_writes,
     "A write to a page next to one in use sets its D, whatever D of the other one was",
     MANUAL_FLAGS, "")
{
	uint64_t flags[PAGES];

	make_frames();
	watch_attempts();
	for (unsigned n = 0; n < ACCESSES * ACCESSES; n++) {
		for (unsigned i = 0; i < PAGES; i++)
			flags[i] = ALL | A | ((i * 7 + n) % 4 ? 0 : D);
		try_row(flags, PD, 0, n);
	}
}

static void try_reserved_bit(uint64_t reserved)
{
	uint64_t flags[PAGES];

	make_frames();
	watch_attempts();
	for (unsigned n = 0; n < ACCESSES * ACCESSES; n++) {
		for (unsigned i = 0; i < PAGES; i++)
			flags[i] = ALL | A | ((i + n) % 3 ? 0 : reserved);
		try_row(flags, PD, 0, n);
	}
}

TEST(neighbours_fault_for_their_own_reserved_address_bits,
     "A page next to one in use faults for bit 51 of its PTE, and only for its own", MANUAL_FAULTS,
     "reserved_address_bits")
{
	if (is_permitted("P15"))
		end_case_skipped("reserved_address_bits",
				 "bits from the guest's MAXPHYADDR on are not virtualised (P15)");
	try_reserved_bit(1ull << 51);
}

/* A bit that is no part of an address, for those who find no memory at a wrong one anyway. */
TEST(neighbours_fault_for_their_own_xd_while_nxe_is_clear,
     "With EFER.NXE = 0 a page next to one in use faults for XD of its PTE, and only for its own",
     MANUAL_FAULTS, "nx")
{
	set_efer(EFER_NXE);
	clear_cr0(CR0_WP); /* who notes NXE along with other settings does so now */
	set_cr0(CR0_WP);
	clear_efer(EFER_NXE);
	try_reserved_bit(XD);
}

/* Edits one PTE through another mapping of its table, so that a shadow pager which leaves tables
 * alone until then learns of it by INVLPG. */
static void edit_one(const struct row *row, volatile uint64_t *alias, unsigned n)
{
	static const uint64_t changes[] = {RW, D, US, A, RW | D, XD, A | D, P};
	unsigned i = n * 5 % PAGES;

	alias[i] ^= offered(changes[n % COUNT_OF(changes)]);
	invalidate(row->linear[i], INVLPG);
	expect_as_modelled(nth_access(n / 2 % ACCESSES, row->linear[i]));
	expect_as_modelled(nth_access(n % ACCESSES, row->linear[i ^ 1]));
	expect_as_modelled(as_user(write_access(row->linear[i], 8, frame_word(TAG))));
	expect_as_modelled(write_access(row->linear[i], 8, frame_word(TAG)));
}

TEST(entry_after_invlpg_has_the_rights_of_the_entries_above,
     "A PTE that was edited has, after INVLPG, its rights and those of the entries above it",
     MANUAL_RIGHTS, "")
{
	static const uint64_t changes[] = {0, RW, US, XD};
	uint64_t flags[PAGES];

	make_frames();
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	watch_attempts();
	for (unsigned turn = 0; turn < 3 * COUNT_OF(changes); turn++) {
		struct row row;
		struct page alias;

		mixed_flags(flags, turn);
		row = make_row(flags, (enum level)(PD + turn % 3), offered(changes[turn / 3]));
		alias = map_page_at(PT, gpa_of(table_of(row.page.entry[PT])), P | RW);
		use_row(&row, turn, 0, 3);
		for (unsigned n = 0; n < 48; n++)
			edit_one(&row, (volatile uint64_t *)(uintptr_t)alias.linear.value + INDEX,
				 n);
	}
}

/* A fault at one of several entries next to each other, all of which lead to what the first one
 * leads to; then another one becomes present, and nothing is invalidated. */
static void try_making_present(enum level level, unsigned missing, unsigned made)
{
	enum { ENTRIES = 10 };
	uint64_t linear = unused_linear().value | 5 * PAGE_1G | 9 * PAGE_2M | INDEX * PAGE_4K;
	struct page page = map_page_at_linear(LINEAR(linear), PT, filled_frame(TAG), ALL);
	uint64_t bytes = 1ull << current_format()->level[level].shift, good = *page.entry[level];
	volatile uint64_t *entries = page.entry[level];

	for (unsigned i = 0; i < ENTRIES; i++)
		entries[i] = good & ~P;
	invalidate(page.linear, MOV_CR3);
	for (unsigned n = 0; n < 3; n++) {
		struct access absent = nth_access(n, linear_plus(page.linear, missing * bytes));
		struct access present = nth_access(n, linear_plus(page.linear, made * bytes));

		expect(attempt(absent).vector == VECTOR_PF, "an absent entry is used");
		entries[made] = good;
		expect(attempt(present).vector == NO_VECTOR,
		       "entry %u faults since entry %u was missing", made, missing);
		entries[made] = good & ~P;
		invalidate(page.linear, MOV_CR3);
	}
	for (unsigned i = 0; i < ENTRIES; i++)
		entries[i] = 0;
	invalidate(page.linear, MOV_CR3);
}

TEST(neighbours_of_a_missing_entry_are_used_once_they_are_present,
     "An entry that becomes present is used at once although its neighbour has just been missing",
     "SDM Vol. 3, \"Optional Invalidation\"", "")
{
	watch_attempts();
	for (int level = PT; level <= PDPT; level++)
		for (unsigned i = 0; i < 10; i++)
			try_making_present((enum level)level, i, (i * 3 + 1) % 10);
}
