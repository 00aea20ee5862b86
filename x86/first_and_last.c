/* SPDX-License-Identifier: BSD-2-Clause
 *
 * First and last: entries of tables, bytes of pages, entries that lead to their own table.
 *
 * Rights are those of all entries of the walk wherever in its table each stands, A and D are set
 * wherever in its page an access is, and by each width (SDM Vol. 3, "Determination of Access
 * Rights"; "Accessed and Dirty Flags"; R3, R15). A PML4E that leads to the PML4 table itself is an
 * entry of each level in turn; as the last one it gets D (R27).
 *
 * An INVLPG drops the translation of each of these, too (R9).
 *
 * Caught here: tables walked or cached in groups of entries, with a border wrongly drawn (KS13,
 * KS38); paths of their own for accesses at a page's end; A and D once per entry and walk (XS41).
 *
 * Not checked: accesses over the end (page_crossing).
 */
#include "test.h"

SUBJECT(first_and_last, "first and last entries of tables and bytes of pages; self-maps");

#define MANUAL_RIGHTS "SDM Vol. 3, \"Determination of Access Rights\""
#define MANUAL_FLAGS  "SDM Vol. 3, \"Accessed and Dirty Flags\""
#define ALL	      (P | RW | US)
#define TAG	      41

static void try_accesses(linear_t linear)
{
	for (unsigned n = 0; n < 6; n++)
		expect_as_modelled(nth_access(n, linear));
}

/* Each right taken from each entry of the walk, and the entry's presence. */
static void try_rights(const struct page *page)
{
	static const uint64_t changes[] = {0, RW, US, XD, P};

	for (int level = PML4; level >= (int)page->level; level--) {
		for (unsigned i = 0; i < COUNT_OF(changes); i++) {
			if (changes[i] == XD && !has(FEATURE_nx))
				continue;
			*(volatile uint64_t *)page->entry[level] ^= changes[i];
			invalidate(page->linear, MOV_CR3);
			try_accesses(page->linear);
			*(volatile uint64_t *)page->entry[level] ^= changes[i];
			invalidate(page->linear, MOV_CR3);
		}
	}
}

/* A and D of each entry, which accesses set again. */
static void try_flags(const struct page *page)
{
	for (unsigned n = 0; n < ACCESS_WAYS; n++) {
		for (int level = PML4; level >= (int)page->level; level--)
			edit_entry(page, (enum level)level, NO_FLUSH, .clear = A | D);
		invalidate(page->linear, MOV_CR3);
		expect_as_modelled(nth_access(n, page->linear));
	}
}

/* Another frame, then INVLPG: of the first byte of the page and of the last. */
static void try_frames(const struct page *page)
{
	uint64_t old = *page->entry[page->level];
	gpa_t other = page->level == PT ? frame_alloc() : frames_alloc(PAGE_2M);

	for (unsigned n = 0; n < 4; n++) {
		uint32_t tag = n & 1 ? TAG : TAG + 1;

		try_accesses(page->linear); /* with writes of their own */
		frame_fill(page->frame, PAGE_4K, TAG);
		frame_fill(other, PAGE_4K, TAG + 1);
		write_entry(page, page->level, n & 1 ? old : (old & ~ENTRY_ADDRESS) | other.value,
			    NO_FLUSH);
		invalidate(linear_plus(page->linear, n & 2 ? page->bytes - 1 : 0), INVLPG);
		expect_read(read_access(page->linear, 8), frame_word(tag));
		expect_read(as_user(read_access(page->linear, 8)), frame_word(tag));
	}
}

/* The index is the same at every level below the top; there it is 254 or 256 for two of them. */
static linear_t indexed_linear(unsigned index, enum level page_level)
{
	uint64_t linear = index == 1   ? 0x00007f0000000000
			  : index == 7 ? 0xffff800000000000
				       : unused_linear().value;

	for (int level = page_level; level <= PDPT; level++)
		linear |= (uint64_t)index << current_format()->level[level].shift;
	return LINEAR(linear);
}

static void try_places(enum level level)
{
	static const unsigned places[] = {0, 1, 7, 8, 255, 256, 510, 511};

	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	for (unsigned i = 0; i < COUNT_OF(places); i++) {
		gpa_t frame = level == PT ? frame_alloc() : frames_alloc(PAGE_2M);
		struct page page = map_page_at_linear(indexed_linear(places[i], level), level,
						      frame, ALL | A | D);

		frame_fill(frame, PAGE_4K, TAG);
		try_rights(&page);
		try_flags(&page);
		try_frames(&page);
		release_pages();
	}
}

TEST(entries_of_4_kbyte_pages_have_rights_in_each_place,
     "The first, last and middle entries of each table on the way to a 4-KByte page have rights",
     MANUAL_RIGHTS, "")
{
	try_places(PT);
}

TEST(entries_of_2_mbyte_pages_have_rights_in_each_place,
     "The first, last and middle entries of each table on the way to a 2-MByte page have rights",
     MANUAL_RIGHTS, "")
{
	try_places(PD);
}

TEST(global_pages_have_the_rights_of_others,
     "With CR4.PGE = 1 and G in the last entry the rights are those of all entries", MANUAL_RIGHTS,
     "")
{
	set_cr4(CR4_PGE);
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	for (int level = PT; level <= PD; level++) {
		gpa_t frame = level == PT ? frame_alloc() : frames_alloc(PAGE_2M);
		struct page page = map_page_at((enum level)level, frame, ALL | A | D | G);
		uint64_t good = *page.entry[level];

		frame_fill(frame, PAGE_4K, TAG);
		for (unsigned n = 0; n < 16; n++) {
			write_entry(&page, (enum level)level,
				    good ^ ((n & 1 ? RW : 0) | (n & 2 ? US : 0) |
					    (n & 4 && has(FEATURE_nx) ? XD : 0) | (n & 8 ? P : 0)),
				    INVLPG);
			try_accesses(page.linear);
		}
	}
}

TEST(page_0_is_a_page_like_others,
     "Entries of linear address 0 have rights and flags, and INVLPG drops their translations",
     MANUAL_RIGHTS, "")
{
	struct page page;

	use_low_pages();
	page = map_low_page(LINEAR(0), PT, filled_frame(TAG), ALL | A | D);
	for (unsigned i = 0; i < 4; i++) {
		write_entry(&page, PT, page.frame.value | P | (i & 1 ? RW : 0) | (i & 2 ? US : 0),
			    INVLPG);
		try_accesses(page.linear);
	}
	write_entry(&page, PT, page.frame.value | ALL, INVLPG);
	try_frames(&page);
}

/* Places and sizes of an access do not matter to rights either. */
TEST(each_place_in_a_page_has_its_rights,
     "An access of 1 to 16 bytes anywhere in a page needs the rights of its mode", MANUAL_RIGHTS,
     "")
{
	static const uint64_t flags[] = {P | RW, P | US, P | RW | US};

	for (unsigned i = 0; i < 2 * COUNT_OF(flags); i++) {
		enum level level = i & 1 ? PD : PT;
		uint64_t bytes = i & 1 ? PAGE_2M : PAGE_4K;
		struct page page = map_page_at(level, frames_alloc(bytes), flags[i / 2] | A | D);

		for (unsigned size = 1; size <= 16; size *= 2) {
			for (unsigned at = 0; at < 128; at++) {
				linear_t linear = linear_plus(page.linear,
							      at / 2 * (bytes / 64) + at % 2 * 5);

				expect_as_modelled(as_user(read_access(linear, size)));
				expect_as_modelled(as_user(write_access(linear, size, 0)));
				expect_as_modelled(write_access(linear, size, 0));
			}
		}
	}
}

static void try_width(const struct page *page, uint64_t offset, unsigned size)
{
	linear_t linear = linear_plus(page->linear, offset);

	for (unsigned n = 0; n < 4; n++) {
		struct access access = n & 1 ? write_access(linear, size, frame_word(TAG))
					     : read_access(linear, size);

		access.user = n & 2;
		edit_entry(page, page->level, INVLPG, .clear = A | D);
		expect_as_modelled(access);
	}
}

TEST(each_place_in_a_page_marks_it,
     "An access of 1 to 16 bytes sets A, and D if it writes, at the first and last bytes of a page",
     MANUAL_FLAGS, "")
{
	for (int level = PT; level <= PD; level++) {
		uint64_t bytes = level == PT ? PAGE_4K : PAGE_2M;
		struct page page = map_page_at((enum level)level, frames_alloc(bytes), ALL);

		for (unsigned size = 1; size <= 16; size *= 2) {
			for (unsigned i = 0; i < 16; i++) {
				try_width(&page, i, size);
				try_width(&page, bytes - size - i, size);
				try_width(&page, bytes / 16 * i + 8, size);
			}
		}
	}
}

/* The PML4E that leads to its own table, used as an entry of level `level` and all those below. */
TEST(an_entry_of_its_own_table_gets_both_flags,
     "A write through a PML4E that leads to its own table sets A and D in it, a read A alone",
     MANUAL_FLAGS, "")
{
	uint64_t linear = unused_linear().value, *root = identity(image_root());
	uint64_t slot = linear >> 39 & 511, self, spare = slot * 8 + 8;
	volatile uint64_t *entry = &root[slot];

	for (unsigned at = 0; at < 4; at++)
		spare = root[spare / 8] ? spare + 8 : spare;
	for (int level = PT; level <= PDPT; level++)
		linear |= slot << current_format()->level[level].shift;
	self = linear | spare;
	for (unsigned n = 0; n < 8; n++) {
		struct access access =
			n & 1 ? write_access(LINEAR(self), 8, 0) : read_access(LINEAR(self), 8);
		uint64_t preset = (n & 2 ? A : 0) | (n & 4 ? D : 0);

		*entry = image_root().value | P | RW | preset;
		invalidate(LINEAR(self), MOV_CR3);
		expect(attempt(access).vector == NO_VECTOR, "the access faults");
		expect((*entry & (A | D)) == (preset | A | (n & 1 ? D : 0)),
		       "the entry was 0x%llx before and is 0x%llx", (unsigned long long)preset,
		       (unsigned long long)*entry);
	}
	*entry = 0;
	invalidate(LINEAR(self), MOV_CR3);
}
