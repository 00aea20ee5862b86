/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/legacy_invalidation.h"

#include "check/expect.h"
#include "check/legacy_axes.h"
#include "check/state.h"
#include "cpu/features.h"
#include "libc/string.h"
#include "mem/frames.h"

#define ALL (P | RW | US)

enum { OLD = 41, NEW = 42, OFFSETS = 5, ACCESSES = 6, ROOTS = 5 };

/* Places all over a page: a large one's may be cached in pieces. */
static uint64_t nth_offset(enum level level, unsigned n)
{
	uint64_t bytes = level_bytes(current_format(), level);
	const uint64_t offsets[OFFSETS] = {0, bytes / 2 - 8, bytes / 2, bytes - 8, bytes / 4 * 3};

	return offsets[n];
}

static gpa_t filled_memory(enum level level, uint32_t tag)
{
	gpa_t memory = frames_alloc(level_bytes(current_format(), level));

	for (unsigned i = 0; i < OFFSETS; i++)
		frame_fill(GPA((memory.value + nth_offset(level, i)) & ~(PAGE_4K - 1)), PAGE_4K,
			   tag);
	return memory;
}

static struct access nth_access_of(unsigned n, linear_t linear)
{
	struct access access = n % 3 == 0   ? read_access(linear, 4)
			       : n % 3 == 1 ? fetch_access(linear)
					    : write_access(linear, 1, 0xb8); /* as it is */

	access.user = n < 3;
	return access;
}

static void use(linear_t linear)
{
	for (unsigned n = 0; n < ACCESSES; n++)
		attempt(nth_access_of(n, linear));
}

static void expect_tag(linear_t linear, uint32_t tag)
{
	expect_read(fetch_access(linear), tag);
	expect_read(as_user(fetch_access(linear)), tag);
	expect_read(as_user(read_access(linear, 4)), (uint32_t)frame_word(tag));
	expect_read(read_access(linear, 4), (uint32_t)frame_word(tag));
}

static uint64_t page_entry(enum level level, gpa_t frame, uint64_t flags)
{
	return frame.value | ALL | flags | (level > PT ? PS : 0);
}

void try_moved_page(enum level level, uint64_t flags, enum invalidation how)
{
	gpa_t memory[2] = {filled_memory(level, OLD), filled_memory(level, NEW)};
	struct legacy_page page = legacy_map(level, memory[0], ALL | flags);

	for (unsigned round = 0; round < 2 * OFFSETS; round++) {
		unsigned now = ~round & 1;

		for (unsigned i = 0; i < OFFSETS; i++)
			use(linear_plus(page.linear, nth_offset(level, i)));
		legacy_write(&page, level, page_entry(level, memory[now], flags));
		invalidate(linear_plus(page.linear, nth_offset(level, round / 2)), how);
		for (unsigned i = 0; i < OFFSETS; i++)
			expect_tag(linear_plus(page.linear, nth_offset(level, i)), now ? NEW : OLD);
		expect_as_modelled(
			write_access(page.linear, 4, (uint32_t)frame_word(now ? NEW : OLD)));
	}
}

void try_each_change_of_pge(void)
{
	for (unsigned n = 0; n < 4; n++)
		try_moved_page(n & 1 ? PD : PT, n & 2 ? G : 0, CR4_PGE_ONCE);
}

void try_paging_off(void)
{
	for (unsigned n = 0; n < 2; n++) {
		try_moved_page(PT, 0, CR0_PG_TWICE);
		try_moved_page(PD, 0, CR0_PG_TWICE);
		if (!has(FEATURE_pge))
			return;
		set_cr4(CR4_PGE);
		try_moved_page(PT, G, CR0_PG_TWICE);
		try_moved_page(PD, G, CR0_PG_TWICE);
	}
}

/* The entry without the bits; each access in turn is the first one afterwards. */
static void try_taking(const struct legacy_page *page, enum level level, uint64_t bits,
		       enum invalidation how)
{
	uint64_t good = legacy_entry(page, level);

	for (unsigned first = 0; first < ACCESSES; first++) {
		use(page->linear);
		legacy_write(page, level, (good | A | D) & ~bits);
		invalidate(page->linear, how);
		for (unsigned n = 0; n < ACCESSES; n++)
			expect_as_modelled(nth_access_of((first + n) % ACCESSES, page->linear));
		legacy_write(page, level, good);
		invalidate(page->linear, how);
	}
}

void try_taken_rights(enum level level, enum invalidation how)
{
	static const uint64_t taken[] = {RW, US, P, A | D};
	struct legacy_page page = legacy_map(level, filled_memory(level, OLD), ALL);

	for (int at = level; at <= PD; at++)
		for (unsigned i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
			try_taking(&page, (enum level)at, taken[i], how);
}

static void fill_table(volatile void *first_entry, gpa_t frame)
{
	unsigned bytes = current_format()->entry_bytes;
	char *table = (char *)((uintptr_t)first_entry & ~(uintptr_t)(PAGE_4K - 1));
	struct legacy_page page = {0};

	for (unsigned at = 0; at < PAGE_4K; at += bytes) {
		page.entry[PT] = table + at;
		legacy_write(&page, PT, frame.value | ALL);
	}
}

static void try_new_table_after(linear_t (*operand)(const struct legacy_page *page))
{
	uint64_t covered = level_bytes(current_format(), PD);
	struct legacy_page page = legacy_map(PT, filled_frame(OLD), ALL), entry = page;
	gpa_t table = frame_alloc();

	fill_table(page.entry[PT], page.frame);
	fill_table(identity(table), filled_frame(NEW));
	expect_tag(page.linear, OLD);
	legacy_write(&page, PD, table.value | ALL);
	invalidate(operand(&page), INVLPG);
	for (uint64_t offset = 0; offset < covered; offset += 7 * PAGE_4K) {
		linear_t linear = LINEAR((page.linear.value & ~(covered - 1)) + offset);
		uintptr_t old_table = (uintptr_t)page.entry[PT] & ~(uintptr_t)(PAGE_4K - 1);

		entry.entry[PT] =
			(char *)old_table + offset / PAGE_4K * current_format()->entry_bytes;
		/* With A = 1 it was used or prefetched: its translation may still be cached. */
		if (!(legacy_entry(&entry, PT) & A))
			expect_tag(linear, NEW);
	}
}

static linear_t the_page(const struct legacy_page *page)
{
	return page->linear;
}

static linear_t its_neighbour(const struct legacy_page *page)
{
	return LINEAR(page->linear.value ^ PAGE_4K);
}

static linear_t somewhere_else(const struct legacy_page *page)
{
	(void)page;
	return LINEAR(0x08000000);
}

void try_new_table(void)
{
	for (unsigned i = 0; i < 4; i++) {
		try_new_table_after(the_page);
		try_new_table_after(its_neighbour);
		try_new_table_after(somewhere_else);
	}
}

/* With the old rights an access may fault once, which drops them. */
static void expect_after_fault(linear_t linear, unsigned n)
{
	struct outcome outcome = attempt(nth_access_of(n, linear));

	expect(outcome.vector == NO_VECTOR || outcome.vector == VECTOR_PF, "%s",
	       vector_name(outcome.vector));
	expect_as_modelled(nth_access_of(n, linear));
}

void try_widened_entries(void)
{
	static const uint64_t given[] = {RW, US, RW | US};

	for (unsigned round = 0; round < 12; round++) {
		struct legacy_page page = map_legacy_subject(PT, OLD);
		enum level level = round & 1 ? PD : PT;
		uint64_t good = legacy_entry(&page, level);

		legacy_write(&page, level, good & ~P);
		invalidate(page.linear, INVLPG);
		use(page.linear);
		use(LINEAR(page.linear.value ^ PAGE_4K));
		legacy_write(&page, level, good);
		for (unsigned n = 0; n < ACCESSES; n++)
			expect_as_modelled(nth_access_of((round + n) % ACCESSES, page.linear));
		for (unsigned i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
			/* With both flags, since what is cached may say that they are set. */
			legacy_write(&page, level, (good | A | D) & ~given[i]);
			invalidate(page.linear, INVLPG);
			use(page.linear);
			legacy_write(&page, level, good | A | D);
			for (unsigned n = 0; n < ACCESSES; n++)
				expect_after_fault(page.linear, (round + n) % ACCESSES);
		}
	}
}

/* Not present and invalidated in between: one INVLPG for the large page, one for each small one
 * that was used. */
void try_size_changes(void)
{
	gpa_t memory = filled_memory(PD, OLD);
	struct legacy_page large = legacy_map(PD, memory, ALL);
	gpa_t table = frame_alloc();

	fill_table(identity(table), filled_frame(NEW));
	for (unsigned round = 0; round < 8; round++) {
		bool small = ~round & 1;

		for (unsigned i = 0; i < OFFSETS; i++) {
			use(linear_plus(large.linear, nth_offset(PD, i)));
			expect_as_modelled(
				read_access(linear_plus(large.linear, nth_offset(PD, i)), 4));
		}
		legacy_write(&large, PD, 0);
		for (unsigned i = small ? round % OFFSETS : 0; i < OFFSETS;
		     i += small ? OFFSETS : 1)
			invalidate(linear_plus(large.linear, nth_offset(PD, i)),
				   round & 2 ? MOV_CR3 : INVLPG);
		expect_as_modelled(read_access(large.linear, 4));
		legacy_write(&large, PD, small ? table.value | ALL : page_entry(PD, memory, 0));
		for (unsigned i = 0; i < OFFSETS; i++) {
			linear_t linear = linear_plus(large.linear, nth_offset(PD, i));

			expect_tag(linear, small ? NEW : OLD);
			expect_as_modelled(as_user(write_access(linear, 1, 0xb8)));
			expect_as_modelled(write_access(linear, 1, 0xb8));
		}
	}
}

/* The page's directory is copied, and for PAE paging the PDPT that references it. */
struct legacy_root make_legacy_root(const struct legacy_page *page, uint32_t tag)
{
	uintptr_t old = (uintptr_t)page->entry[PD] & ~(uintptr_t)(PAGE_4K - 1);
	gpa_t directory = frame_alloc(), table = frame_alloc();
	struct legacy_root root = {.address = directory, .page = *page};

	memcpy(identity(directory), (void *)old, PAGE_4K);
	root.page.entry[PD] = (char *)identity(directory) + ((uintptr_t)page->entry[PD] - old);
	legacy_write(&root.page, PD, table.value | ALL);
	root.page.entry[PT] =
		(char *)identity(table) + ((uintptr_t)page->entry[PT] & (uintptr_t)(PAGE_4K - 1));
	legacy_write(&root.page, PT, filled_frame(tag).value | ALL);
	if (current_pdptes()) {
		root.address = frame_alloc();
		memcpy(identity(root.address), (void *)pdptes_in_memory(), PDPTE_REGISTERS * 8);
		((uint64_t *)identity(root.address))[page->linear.value >> PDPTE_SHIFT] =
			directory.value | P;
	}
	return root;
}

static void enter_root(const struct legacy_root *root)
{
	mov_to_cr3(root->address.value);
	if (current_pdptes())
		note_pdptes();
}

void try_roots(void)
{
	struct legacy_page page = map_legacy_subject(PT, OLD);
	struct legacy_root root[ROOTS];
	uint32_t tag[ROOTS];

	for (uint32_t i = 0; i < ROOTS; i++)
		root[i] = make_legacy_root(&page, tag[i] = 100 + i);
	for (uint32_t round = 0; round < 40; round++) {
		unsigned now = round * 3 % ROOTS, other = (now + 1 + round % 3) % ROOTS;

		enter_root(&root[now]);
		expect_tag(page.linear, tag[now]);
		use(page.linear);
		tag[other] = 200 + round;
		legacy_write(&root[other].page, PT, filled_frame(tag[other]).value | ALL);
		expect_tag(page.linear, tag[now]);
		enter_root(&root[other]);
		expect_tag(page.linear, tag[other]);
		expect_as_modelled(as_user(write_access(page.linear, 1, 0xb8)));
		if (round % 4 == 3) {
			tag[other] = 300 + round;
			legacy_write(&root[other].page, PT, filled_frame(tag[other]).value | ALL);
			invalidate(page.linear, INVLPG);
			expect_tag(page.linear, tag[other]);
		}
	}
}
