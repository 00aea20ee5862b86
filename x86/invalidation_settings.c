/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Invalidations while rights are limited as kernels do it, and by a CR3 that differs in its hints.
 *
 * What an invalidation drops does not depend on CR0.WP, SMEP, SMAP or EFLAGS.AC, neither when a
 * translation was used nor now; and a MOV to CR3 drops what it drops, too, if only PWT or PCD of
 * the value are others (SDM Vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches";
 * R9 to R11).
 *
 * Caught here: caches kept apart by mode, as emulators have them for SMAP, of which one is
 * forgotten by INVLPG of a large page or by MOV to CR3 (QT22, BX02, AC01); a MOV to CR3 that is
 * skipped since "the root is the same" (XS29). Most other images invalidate with SMEP and SMAP off.
 *
 * Not checked: fetches (invalidation_sequences).
 */
#include "test.h"

SUBJECT(invalidation_settings, "invalidations under WP, SMEP and SMAP, and by PWT and PCD of CR3");

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define ALL    (P | RW | US)

enum { OLD = 31, NEW = 32, SETTINGS = 8 };

static void set_settings(unsigned n)
{
	n & 1 ? clear_cr0(CR0_WP) : set_cr0(CR0_WP);
	if (has(FEATURE_smep))
		n & 2 ? set_cr4(CR4_SMEP) : clear_cr4(CR4_SMEP);
	if (has(FEATURE_smap))
		n & 4 ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
}

/* Pieces of the page, the first and the last among them. */
static const uint32_t pieces[] = {0, 0x3000, 0xff000, 0x100000, 0x1ff000};

static gpa_t make_frame(uint64_t bytes, uint32_t tag)
{
	gpa_t frame = frames_alloc(bytes);

	for (unsigned i = 0; i < COUNT_OF(pieces) && pieces[i] < bytes; i++)
		frame_fill(gpa_plus(frame, pieces[i]), PAGE_4K, tag);
	return frame;
}

/* What may use a page, and so may have cached it: the supervisor, with AC, user mode. */
static void use_pieces(const struct page *page, uint32_t tag)
{
	bool user_page = *page->entry[page->level] & US;

	for (unsigned i = 0; i < COUNT_OF(pieces) && pieces[i] < page->bytes; i++) {
		struct access read = read_access(linear_plus(page->linear, pieces[i] + 8), 8);
		struct access write = write_access(read.linear, 8, frame_word(tag));

		if (!user_page || !(read_cr4() & CR4_SMAP)) {
			expect_read(read, frame_word(tag));
			attempt(write);
		}
		expect_read(with_ac(read), frame_word(tag));
		attempt(with_ac(write));
		if (user_page) {
			expect_read(as_user(read), frame_word(tag));
			attempt(as_user(write));
		}
	}
}

static void try_flushes(enum level level, uint64_t flags)
{
	static const enum invalidation flushes[] = {INVLPG, MOV_CR3, CR4_PGE_TWICE};
	uint64_t bytes = level == PT ? PAGE_4K : PAGE_2M;
	gpa_t frames[2] = {make_frame(bytes, OLD), make_frame(bytes, NEW)};
	struct page page = map_page_at(level, frames[0], flags);
	uint64_t old = *page.entry[level], new = old ^ frames[0].value ^ frames[1].value;

	for (unsigned i = 0; i < 2 * COUNT_OF(flushes); i++) {
		use_pieces(&page, i & 1 ? NEW : OLD);
		write_entry(&page, level, i & 1 ? old : new, flushes[i / 2]);
		use_pieces(&page, i & 1 ? OLD : NEW);
	}
}

TEST(flushes_drop_what_was_used_under_any_setting,
     "INVLPG, MOV to CR3 and CR4.PGE drop translations used under each of WP, SMEP, SMAP and AC",
     MANUAL, "")
{
	for (unsigned n = 0; n < SETTINGS; n++) {
		set_settings(n);
		for (unsigned i = 0; i < 4; i++)
			try_flushes(i & 1 ? PD : PT, i & 2 ? ALL : P | RW);
		release_pages();
	}
}

/* What the entry would be if it led to copies of the tables below, the last of which to `frame`. */
static uint64_t other_path(const struct page *page, enum level level, gpa_t frame)
{
	gpa_t lower = frame;

	for (int at = PT; at < (int)level; at++) {
		const uint64_t *old = table_of(page->entry[at]);
		uint64_t *table = identity(frame_alloc());

		memcpy(table, old, PAGE_4K);
		table[page->entry[at] - old] = lower.value | ALL;
		lower = gpa_of(table);
	}
	return lower.value | ALL;
}

TEST(a_root_with_other_hints_drops_translations,
     "MOV to CR3 that changes PWT and PCD alone drops translations and upper levels", MANUAL, "")
{
	static const uint64_t hints[] = {CR3_PWT, CR3_PCD, CR3_PWT | CR3_PCD};
	uint64_t root = read_cr3();

	for (unsigned n = 0; n < 4 * COUNT_OF(hints); n++) {
		enum level level = (enum level)(PT + n % 4);
		struct page page = map_page_at(PT, filled_frame(OLD), ALL);

		for (uint32_t tag = OLD + 1; tag < OLD + 4; tag++) {
			expect_read(read_access(page.linear, 8), frame_word(tag - 1));
			expect_read(as_user(fetch_access(page.linear)), tag - 1);
			write_entry(&page, level, other_path(&page, level, filled_frame(tag)),
				    NO_FLUSH);
			write_cr3(read_cr3() ^ hints[n / 4]);
			expect_read(read_access(page.linear, 8), frame_word(tag));
			expect_read(as_user(fetch_access(page.linear)), tag);
		}
		write_cr3(root);
	}
}
