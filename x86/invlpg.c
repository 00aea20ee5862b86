/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What INVLPG must drop.
 *
 * INVLPG invalidates every cached translation of the page that contains its operand, of whatever
 * size and global or not, however many pieces of it are cached; and all paging-structure-cache
 * entries of the current PCID, whatever the address (SDM Vol. 3, "Operations that Invalidate TLBs
 * and Paging-Structure Caches"; APM Vol. 2, "TLB Management"). With a non-canonical operand it does
 * nothing. What may stay cached without it is not asserted: after an edit without invalidation the
 * old and the new translation are both right (P1, P2).
 *
 * Caught here: only the named 4 KBytes of a large page dropped (QT22, every TLB or shadow pager
 * that splinters large pages); global translations kept (BX03, ER02, ER09); upper-level changes
 * missed because one leaf was dropped (paging-structure caches, XS41); data and fetch translations
 * dropped unevenly (BX11); the operand's offset in the page mishandled; non-canonical operands that
 * fault or kill (XS04, XS10).
 *
 * Pieces of large pages are the subject of invlpg_large_pages. The first case shows whether this
 * machine caches anything that an INVLPG could drop: the others cannot fail on one that does not.
 */
#include "test.h"

SUBJECT(invlpg, "what INVLPG must drop: leaf translations, global or not, and upper levels");

#define MANUAL	    "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""

#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u

enum { OLD = 41, NEW = 42 };

static uint64_t pointing_to(uint64_t entry, gpa_t frame)
{
	return (entry & ~ENTRY_ADDRESS) | frame.value;
}

TEST(unflushed_edit_shows_the_old_or_the_new_translation,
     "Without INVLPG an access uses the old or the new translation, never a third (P1)", MANUAL, "")
{
	unsigned old = 0;

	for (unsigned i = 0; i < 32; i++) {
		struct page page = map_page_at(PT, filled_frame(OLD), P | RW | US);
		gpa_t frame = filled_frame(NEW);
		uint64_t value;

		expect_read(read_access(page.linear, 8), frame_word(OLD));
		write_entry(&page, PT, pointing_to(*page.entry[PT], frame), NO_FLUSH);
		value = attempt(read_access(page.linear, 8)).value[0];
		expect(value == frame_word(OLD) || value == frame_word(NEW), "read 0x%llx",
		       (unsigned long long)value);
		old += value == frame_word(OLD);
		invalidate(page.linear, INVLPG);
		expect_read(read_access(page.linear, 8), frame_word(NEW));
	}
	note("%u of 32 edits left a stale translation in use before INVLPG%s", old,
	     old ? "" : ": nothing seems to be cached here, a lost invalidation cannot show");
}

/* Fills every cache that one address can be in, in both modes. */
static void use_everywhere(linear_t linear)
{
	attempt(read_access(linear, 8));
	attempt(as_user(read_access(linear, 8)));
	attempt(fetch_access(linear));
	attempt(as_user(fetch_access(linear)));
	attempt(write_access(linear, 1, 0xb8)); /* the byte that is there */
	attempt(as_user(write_access(linear, 1, 0xb8)));
}

/* Every kind of access must see `tag`, and a write must reach that frame. */
static void expect_everywhere(linear_t linear, uint32_t tag)
{
	expect_read(fetch_access(linear), tag);
	expect_read(as_user(fetch_access(linear)), tag);
	expect_read(as_user(read_access(linear, 8)), frame_word(tag));
	expect_read(read_access(linear, 8), frame_word(tag));
}

TEST(drops_a_4_kbyte_translation_at_any_offset,
     "After INVLPG anywhere in the page every access uses the new frame", MANUAL, "")
{
	static const uint64_t offsets[] = {0, 1, 8, 0x7ff, 0x800, 0xff8, 0xfff};

	for (unsigned i = 0; i < COUNT_OF(offsets); i++) {
		gpa_t old = filled_frame(OLD);
		struct page page = map_page_at(PT, old, P | RW | US);

		use_everywhere(page.linear);
		use_everywhere(linear_plus(page.linear, 0xff0));
		write_entry(&page, PT, pointing_to(*page.entry[PT], filled_frame(NEW)), NO_FLUSH);
		invalidate(linear_plus(page.linear, offsets[i]), INVLPG);
		expect_everywhere(linear_plus(page.linear, 0xff0), NEW);
		expect_everywhere(page.linear, NEW);
		expect_as_modelled(as_user(write_access(page.linear, 8, 1)));
		expect_as_modelled(write_access(linear_plus(page.linear, 8), 8, 2));
		expect(*(uint64_t *)identity(old) == frame_word(OLD), "the old frame was written");
	}
}

/* One right or flag after another is taken from a translation in full use. */
static void try_taking(enum level page_level, enum level level, uint64_t set, uint64_t clear)
{
	gpa_t frame = page_level == PT ? frame_alloc() : frames_alloc(PAGE_2M);
	struct page page = map_page_at(page_level, frame, P | RW | US);
	const struct access read = read_access(page.linear, 8);
	const struct access write = write_access(page.linear, 8, frame_word(OLD));
	const struct access fetch = fetch_access(page.linear);
	const struct access all[] = {as_user(read), as_user(write), as_user(fetch),
				     read,	    write,	    fetch};

	frame_fill(frame, PAGE_4K, OLD);
	for (unsigned first = 0; first < COUNT_OF(all); first++) {
		use_everywhere(page.linear);
		edit_entry(&page, level, INVLPG, .set = set, .clear = clear);
		for (unsigned i = 0; i < COUNT_OF(all); i++)
			expect_as_modelled(all[(first + i) % COUNT_OF(all)]);
		edit_entry(&page, level, INVLPG, .set = clear, .clear = set);
	}
}

TEST(taken_rights_are_gone_at_every_level,
     "After INVLPG of the page, rights taken at any level are missing for every access", MANUAL, "")
{
	for (int page_level = PT; page_level <= PD; page_level++) {
		for (int level = page_level; level <= PML4; level++) {
			try_taking((enum level)page_level, (enum level)level, 0, RW);
			try_taking((enum level)page_level, (enum level)level, 0, US);
			try_taking((enum level)page_level, (enum level)level, 0, P);
			try_taking((enum level)page_level, (enum level)level, 0, A | D);
		}
	}
}

TEST(forbidden_execution_is_seen_at_every_level,
     "After INVLPG of the page, XD set at any level forbids fetches", MANUAL, "nx")
{
	set_efer(EFER_NXE);
	for (int page_level = PT; page_level <= PD; page_level++)
		for (int level = page_level; level <= PML4; level++)
			try_taking((enum level)page_level, (enum level)level, XD, 0);
}

TEST(drops_global_translations, "INVLPG drops global translations too", MANUAL, "pge")
{
	set_cr4(CR4_PGE);
	for (unsigned i = 0; i < 8; i++) {
		struct page page = map_page_at(PT, filled_frame(OLD), P | RW | US | G);

		use_everywhere(page.linear);
		write_entry(&page, PT, pointing_to(*page.entry[PT], filled_frame(NEW)), INVLPG);
		expect_everywhere(page.linear, NEW);
	}
}

/* A subtree over 512 pages of the given level is replaced by another; an address in it was used
 * before, so that its upper entries are cached. INVLPG of an address elsewhere must drop those, so
 * that addresses never used before are translated by the new subtree. */
static void try_new_subtree(enum level level, linear_t (*operand)(const struct page *page))
{
	gpa_t old_frame = filled_frame(OLD), new_frame = filled_frame(NEW);
	struct page page = map_page_at(PT, old_frame, P | RW | US);
	gpa_t new_table = frame_alloc(), lower = new_frame;
	uint64_t *leaf_table = table_of(page.entry[PT]);
	uint64_t *table;

	for (unsigned i = 0; i < 512; i++)
		leaf_table[i] = old_frame.value | P | RW | US;
	/* New structures down from `level`: every entry of each leads to the same next one. */
	for (int at = PT; at < (int)level; at++) {
		new_table = frame_alloc();
		table = identity(new_table);
		for (unsigned i = 0; i < 512; i++)
			table[i] = lower.value | P | RW | US;
		lower = new_table;
	}
	expect_read(read_access(page.linear, 8), frame_word(OLD));
	expect_read(as_user(fetch_access(page.linear)), OLD);
	write_entry(&page, level, new_table.value | P | RW | US, NO_FLUSH);
	invalidate(operand(&page), INVLPG);
	for (unsigned i = 0; i < 512; i += 7) {
		linear_t linear = LINEAR((page.linear.value & ~(PAGE_2M - 1)) + i * PAGE_4K);

		/* An old leaf with A = 1 was used or prefetched: its translation may still be
		 * cached. */
		if (leaf_table[i] & A)
			continue;
		expect_read(read_access(linear, 8), frame_word(NEW));
		expect_read(as_user(fetch_access(linear)), NEW);
	}
}

static linear_t the_page(const struct page *page)
{
	return page->linear;
}

static linear_t its_neighbour(const struct page *page)
{
	return LINEAR(page->linear.value ^ PAGE_4K);
}

static linear_t somewhere_else(const struct page *page)
{
	(void)page;
	return LINEAR(0x00007abcdef01000);
}

TEST(drops_upper_level_entries_whatever_the_address,
     "After INVLPG of any address a replaced PDE, PDPTE or PML4E is used for addresses not used "
     "before",
     MANUAL, "")
{
	for (int level = PD; level <= PML4; level++) {
		try_new_subtree((enum level)level, the_page);
		try_new_subtree((enum level)level, its_neighbour);
		try_new_subtree((enum level)level, somewhere_else);
	}
}

TEST(non_canonical_operand_does_nothing,
     "INVLPG of a non-canonical address neither faults nor harms", "SDM Vol. 2, \"INVLPG\"", "")
{
	static const uint64_t operands[] = {0x0000800000000000, 0xffff7fffffffffff,
					    0x8000000000000000, 0x0100000000000000,
					    0xfffe800000000000, 0x0001000000001000};
	struct page page = map_page_at(PT, filled_frame(OLD), P | RW | US);

	for (unsigned i = 0; i < COUNT_OF(operands); i++) {
		struct access access =
			instruction_access(INSTRUCTION_invlpg, LINEAR(operands[i]), 0);
		struct outcome outcome = attempt(access);

		expect(outcome.vector == NO_VECTOR, "INVLPG of 0x%llx raised %s",
		       (unsigned long long)operands[i], vector_name(outcome.vector));
		expect_everywhere(page.linear, OLD);
	}
}

TEST(user_mode_may_not_invalidate, "INVLPG at CPL 3 raises #GP(0)", "SDM Vol. 2, \"INVLPG\"", "")
{
	struct page page = map_page_at(PT, filled_frame(OLD), P | RW | US);

	expect_exception(as_user(instruction_access(INSTRUCTION_invlpg, page.linear, 0)), VECTOR_GP,
			 0);
	expect_everywhere(page.linear, OLD);
}

/* The base is a register in 64-bit mode; EDI as the address gives an offset of 32 bits. */
static void invlpg_through_fs(uint64_t offset, bool of_32_bits)
{
	if (of_32_bits)
		__asm__ volatile("invlpg %%fs:(%%edi)" : : "D"(offset) : "memory");
	else
		__asm__ volatile("invlpg %%fs:(%%rdi)" : : "D"(offset) : "memory");
}

static void invlpg_through_gs(uint64_t offset, bool of_32_bits)
{
	if (of_32_bits)
		__asm__ volatile("invlpg %%gs:(%%edi)" : : "D"(offset) : "memory");
	else
		__asm__ volatile("invlpg %%gs:(%%rdi)" : : "D"(offset) : "memory");
}

static void try_segment_base(uint32_t msr, void (*drop)(uint64_t offset, bool of_32_bits))
{
	static const int64_t offsets[] = {0, 0x7f8, 0x12345678, -0x1000, -0x7000000000};
	struct page page = map_page_at(PT, filled_frame(OLD), P | RW | US);
	gpa_t frame[2] = {page.frame, filled_frame(NEW)};

	write_msr_until_end(msr, read_msr(msr));

	for (unsigned i = 0; i < 4 * COUNT_OF(offsets); i++) {
		int64_t offset = offsets[i / 4];
		bool of_32_bits = (i & 2) && offset >= 0;

		invalidate(page.linear, INVLPG);
		expect_read(read_access(page.linear, 8), frame_word(i & 1 ? NEW : OLD));
		write_entry(&page, PT, pointing_to(*page.entry[PT], frame[!(i & 1)]), NO_FLUSH);
		write_msr(msr, page.linear.value + 8 - (uint64_t)offset);
		drop((uint64_t)offset, of_32_bits);
		processor_event(EVENT_INVLPG, page.linear.value + 8, NULL);
		expect_read(read_access(page.linear, 8), frame_word(i & 1 ? OLD : NEW));
		expect_read(fetch_access(page.linear), i & 1 ? OLD : NEW);
	}
}

TEST(invlpg_adds_the_base_of_fs_or_gs,
     "INVLPG with an FS or GS prefix drops the page at base plus offset", MANUAL, "")
{
	try_segment_base(MSR_FS_BASE, invlpg_through_fs);
	try_segment_base(MSR_GS_BASE, invlpg_through_gs);
}
