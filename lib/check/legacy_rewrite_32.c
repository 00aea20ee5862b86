/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Stores to tables in use by every method; legacy_shared_32.c has the rest.
 */
#include "check/expect.h"
#include "check/legacy_rewrite.h"
#include "check/state.h"
#include "cpu/features.h"
#include "libc/string.h"
#include "mem/frames.h"
#include "paging/edit.h"
#include "paging/legacy.h"

#define LINEAR_AT    0xa0000000u /* in none of the linear addresses that legacy_map() gives */
#define RECURSIVE_AT 0xa8000000u
#define OFFSET	     0x800
#define ALL	     (P | RW | US)

enum { OLD = 81, NEW = 82, INDEX = 201 };

struct rewrite {
	struct legacy_page page;
	enum level level;
	unsigned bytes, index;
	char *table;
	uint64_t old, new;
};

static uint64_t get(const void *table, unsigned bytes, unsigned index)
{
	return bytes == 8 ? ((const volatile uint64_t *)table)[index]
			  : ((const volatile uint32_t *)table)[index];
}

static void put(void *table, unsigned bytes, unsigned index, uint64_t value)
{
	if (bytes == 8)
		((volatile uint64_t *)table)[index] = value;
	else
		((volatile uint32_t *)table)[index] = (uint32_t)value;
}

static struct rewrite make_rewrite(enum level level)
{
	struct rewrite rewrite = {.level = level, .bytes = current_format()->entry_bytes};
	gpa_t lower = filled_frame(NEW);

	rewrite.page = legacy_map_at(LINEAR(LINEAR_AT + INDEX * PAGE_4K), PT, filled_frame(OLD),
				     P | RW | US);
	if (level == PD) {
		gpa_t table = frame_alloc();

		put(identity(table), rewrite.bytes, INDEX, lower.value | ALL);
		lower = table;
	}
	rewrite.table = (char *)((uintptr_t)rewrite.page.entry[level] & ~(uintptr_t)(PAGE_4K - 1));
	rewrite.index =
		(unsigned)((char *)rewrite.page.entry[level] - rewrite.table) / rewrite.bytes;
	rewrite.old = legacy_entry(&rewrite.page, level) | A;
	rewrite.new = lower.value | ALL;
	return rewrite;
}

static void use(const struct rewrite *rewrite)
{
	linear_t linear = linear_plus(rewrite->page.linear, OFFSET);

	attempt(read_access(linear, 4));
	attempt(as_user(write_access(linear, 1, 0xb8)));
	attempt(fetch_access(linear));
}

static void expect_followed(const struct rewrite *rewrite)
{
	linear_t linear = linear_plus(rewrite->page.linear, OFFSET);

	expect_as_modelled(read_access(linear, 4));
	expect_as_modelled(as_user(fetch_access(linear)));
	expect_as_modelled(as_user(write_access(linear, 1, 0xb8)));
	expect_as_modelled(write_access(linear, 4, (uint32_t)frame_word(NEW)));
}

static char expected_table[PAGE_4K];

/* The directory is the image's own, in which other entries are in use: they may get flags. One
 * check, however many entries it compares. */
static void expect_table(const struct rewrite *rewrite, const char *method)
{
	uint64_t open = rewrite->level == PD ? A | D : 0;

	count_check();
	for (unsigned i = 0; i < PAGE_4K / rewrite->bytes; i++) {
		uint64_t is = get(rewrite->table, rewrite->bytes, i);
		uint64_t wanted = get(expected_table, rewrite->bytes, i);

		if (is == wanted || (i != rewrite->index && ((is ^ wanted) & ~open) == 0))
			continue;
		expect(is == wanted, "%s to entry %u of the %s left 0x%llx in entry %u, not 0x%llx",
		       method, rewrite->index, current_format()->level[rewrite->level].entry_name,
		       (unsigned long long)is, i, (unsigned long long)wanted);
	}
}

/* False: the method is not for this format or processor. */
static bool store(const struct rewrite *rewrite, const struct legacy_store *method, void *alias,
		  uint64_t value)
{
	memcpy(expected_table, rewrite->table, PAGE_4K);
	put(expected_table, rewrite->bytes, rewrite->index, value);
	if (!legacy_store(method, alias, rewrite->bytes, value))
		return false;
	expect_table(rewrite, method->name);
	return true;
}

static void reset(const struct rewrite *rewrite, uint64_t value)
{
	legacy_write(&rewrite->page, rewrite->level, value);
	invalidate(rewrite->page.linear, MOV_CR3);
	use(rewrite);
}

static bool try_store(const struct rewrite *rewrite, const struct legacy_store *method, void *alias,
		      uint64_t value, enum invalidation then)
{
	reset(rewrite, rewrite->old);
	if (!store(rewrite, method, alias, value))
		return false;
	invalidate(rewrite->page.linear, then);
	expect_followed(rewrite);
	return true;
}

/* Frame changed, rights taken, made not present; and made present, which needs no invalidation. */
static void try_method(const struct rewrite *rewrite, const struct legacy_store *method,
		       void *alias)
{
	uint64_t new = rewrite->new, xd = processor_now()->rules.execute_disable ? XD : 0;

	if (!try_store(rewrite, method, alias, new, INVLPG))
		return;
	try_store(rewrite, method, alias, new | A | PCD, MOV_CR3);
	try_store(rewrite, method, alias, (new | A | xd) & ~RW, INVLPG);
	try_store(rewrite, method, alias, (new | A) & ~P, INVLPG);
	reset(rewrite, rewrite->old & ~P);
	store(rewrite, method, alias, new | A | D);
	expect_followed(rewrite);
}

static void *pointer(linear_t linear)
{
	return (void *)(uintptr_t)linear.value;
}

static void *through_identity_map(const struct rewrite *rewrite)
{
	return rewrite->table + rewrite->index * rewrite->bytes;
}

static void *through_4_kbyte_alias(const struct rewrite *rewrite)
{
	struct legacy_page alias = legacy_map(PT, gpa_of(rewrite->table), P | RW);

	return pointer(linear_plus(alias.linear, rewrite->index * rewrite->bytes));
}

static void *through_read_only_alias(const struct rewrite *rewrite)
{
	struct legacy_page alias = legacy_map(PT, gpa_of(rewrite->table), P);

	return pointer(linear_plus(alias.linear, rewrite->index * rewrite->bytes));
}

/* A PDE that references its own directory: its part of the linear space shows all page tables of
 * the directory, one a page, and the directory itself. */
static void *through_recursive_map(const struct rewrite *rewrite)
{
	struct legacy_page map = legacy_map_at(LINEAR(RECURSIVE_AT), PT, GPA(0), 0);
	gpa_t directory = gpa_of((void *)((uintptr_t)map.entry[PD] & ~(uintptr_t)(PAGE_4K - 1)));
	unsigned page;

	legacy_write(&map, PD, directory.value | P | RW | US);
	page = level_index(current_format(), PD, rewrite->level == PT ? LINEAR_AT : RECURSIVE_AT);
	return pointer(LINEAR(RECURSIVE_AT + page * PAGE_4K + rewrite->index * rewrite->bytes));
}

static void try_everywhere(const struct legacy_store *method, enum level level)
{
	static void *(*const aliases[])(const struct rewrite *rewrite) = {
		through_identity_map, through_4_kbyte_alias, through_recursive_map,
		through_read_only_alias};

	for (unsigned i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		bool read_only = aliases[i] == through_read_only_alias;
		struct rewrite rewrite = make_rewrite(level);

		if (read_only)
			clear_cr0(CR0_WP);
		try_method(&rewrite, method, aliases[i](&rewrite));
		if (read_only)
			set_cr0(CR0_WP);
	}
	release_pages();
}

void try_legacy_stores(enum legacy_store_group group)
{
	for (const struct legacy_store *method = legacy_stores[group]; method->name; method++) {
		try_everywhere(method, PT);
		try_everywhere(method, PD);
	}
}
