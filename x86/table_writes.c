/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Live paging structures written by every instruction that can store, through every way to reach
 * them.
 *
 * Paging structures are ordinary memory: any store changes them, and after the required
 * invalidation (or none, where P becomes 1) the processor uses what memory holds (SDM Vol. 3,
 * "Invalidation of TLBs and Paging-Structure Caches", "Propagation of Paging-Structure Changes to
 * Multiple Processors"; R26 to R28).
 *
 * Caught here: a hypervisor that write-protects tables has to emulate the store, and may lose,
 * tear, misplace or repeat it: stores of part of an entry (XS25), across entries (across tables:
 * table_shapes), locked and failing ones, strings, stack pushes, vector and descriptor stores
 * (KS25, KS26), stores through a larger page or from user mode (XS23), through a table that maps
 * itself (R27); or it may catch the store and not bring its own tables up to date (KS03, KS13,
 * KS24). Emulators with cached walks miss stores through an alias.
 *
 * A check is the whole table's content, then outcome, flags and data of accesses through the entry.
 * Not checked: what accesses do before the invalidation.
 */
#include "test.h"

SUBJECT(table_writes, "tables in use, written by every kind of store through every alias");

#define MANUAL "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""

enum { OLD = 81, NEW = 82, INDEX = 200 };

#define OFFSET 0x800

/* A page in use whose entry at `level` is to be rewritten, and the value that leads to other data.
 */
struct rewrite {
	struct page page;
	enum level level;
	uint64_t *table;
	unsigned index;
	uint64_t old, new;
};

static struct rewrite make_rewrite(enum level level)
{
	struct rewrite rewrite = {.level = level};
	uint64_t linear = unused_linear().value;
	gpa_t lower = filled_frame(NEW);

	for (int at = PT; at <= PDPT; at++)
		linear |= (uint64_t)INDEX << paging_4level.level[at].shift;
	rewrite.page = map_page_at_linear(LINEAR(linear), PT, filled_frame(OLD), P | RW | US);
	for (int at = PT; at < (int)level; at++) {
		gpa_t table = frame_alloc();

		((uint64_t *)identity(table))[INDEX] = lower.value | P | RW | US;
		lower = table;
	}
	rewrite.table = table_of(rewrite.page.entry[level]);
	rewrite.index = (unsigned)(rewrite.page.entry[level] - rewrite.table);
	rewrite.old = *rewrite.page.entry[level] | A;
	rewrite.new = lower.value | P | RW | US;
	return rewrite;
}

static void use(const struct rewrite *rewrite)
{
	linear_t linear = linear_plus(rewrite->page.linear, OFFSET);

	attempt(read_access(linear, 8));
	attempt(as_user(write_access(linear, 1, 0xb8)));
	attempt(fetch_access(linear));
}

/* Accesses of all kinds, after an invalidation: judged by the model from what memory holds. */
static void expect_followed(const struct rewrite *rewrite)
{
	linear_t linear = linear_plus(rewrite->page.linear, OFFSET);

	expect_as_modelled(read_access(linear, 8));
	expect_as_modelled(as_user(fetch_access(linear)));
	expect_as_modelled(as_user(write_access(linear, 1, 0xb8)));
	expect_as_modelled(write_access(linear, 8, read_cr3() /* anything */));
	attempt(write_access(linear, 8, frame_word(NEW)));
}

/* The flag that the processor may set in another entry of the root at any time. */
static uint64_t without_a(const struct rewrite *rewrite, uint64_t entry)
{
	return rewrite->level == PML4 ? entry & ~A : entry;
}

static uint64_t expected_table[512];

static void remember_table(const struct rewrite *rewrite, uint64_t value)
{
	memcpy(expected_table, rewrite->table, PAGE_4K);
	expected_table[rewrite->index] = value;
}

/* One check, however many entries it compares. */
static void expect_table(const struct rewrite *rewrite, const char *method, bool covers_line)
{
	count_check();
	for (unsigned i = 0; i < 512; i++) {
		uint64_t is = without_a(rewrite, rewrite->table[i]);
		uint64_t wanted = without_a(rewrite, expected_table[i]);

		if (is == wanted || (covers_line && i != rewrite->index))
			continue;
		expect(is == wanted, "%s to entry %u of the %s left 0x%llx in entry %u, not 0x%llx",
		       method, rewrite->index, current_format()->level[rewrite->level].entry_name,
		       (unsigned long long)is, i, (unsigned long long)wanted);
	}
}

static void reset_table(const struct rewrite *rewrite)
{
	if (rewrite->level != PML4)
		memset(rewrite->table, 0, PAGE_4K);
	*(volatile uint64_t *)&rewrite->table[rewrite->index] = rewrite->old;
	invalidate(rewrite->page.linear, MOV_CR3);
}

/* One store of `value` by `method` to the entry at `alias`, which is in use; then the invalidation.
 */
static void try_store(const struct rewrite *rewrite, const struct store_method *method,
		      volatile uint64_t *alias, uint64_t value, enum invalidation then)
{
	reset_table(rewrite);
	use(rewrite);
	remember_table(rewrite, value);
	store_by_method(alias, value, method);
	expect_table(rewrite, method->name, method->covers_line);
	invalidate(rewrite->page.linear, then);
	expect_followed(rewrite);
}

/* Frame changed, rights taken, made not present; and made present, which needs no invalidation. */
static void try_method(const struct rewrite *rewrite, const struct store_method *method,
		       volatile uint64_t *alias)
{
	uint64_t new = rewrite->new;

	if (!has(method->need) || (method->covers_line && rewrite->level == PML4))
		return;
	try_store(rewrite, method, alias, new, INVLPG);
	try_store(rewrite, method, alias, new | A | PCD, MOV_CR3);
	try_store(rewrite, method, alias, (new | A) & ~RW, INVLPG);
	try_store(rewrite, method, alias, (new | A) & ~P, INVLPG);
	*(volatile uint64_t *)&rewrite->table[rewrite->index] = rewrite->old & ~P;
	invalidate(rewrite->page.linear, INVLPG);
	expect_followed(rewrite);
	store_by_method(alias, new | A | D, method);
	expect_followed(rewrite);
}

static volatile uint64_t *through_identity_map(const struct rewrite *rewrite)
{
	return &rewrite->table[rewrite->index];
}

static volatile uint64_t *pointer(const struct page *page, uint64_t offset)
{
	return (volatile uint64_t *)(uintptr_t)(page->linear.value + offset);
}

static volatile uint64_t *through_4_kbyte_alias(const struct rewrite *rewrite)
{
	struct page alias = map_page_at(PT, gpa_of(rewrite->table), P | RW);

	return pointer(&alias, rewrite->index * 8ull);
}

static volatile uint64_t *through_2_mbyte_alias(const struct rewrite *rewrite)
{
	uint64_t table = gpa_of(rewrite->table).value, page = table & ~(PAGE_2M - 1);
	struct page alias = map_page_at(PD, GPA(page), P | RW);

	return pointer(&alias, table - page + rewrite->index * 8ull);
}

static volatile uint64_t *through_read_only_alias(const struct rewrite *rewrite)
{
	struct page alias = map_page_at(PT, gpa_of(rewrite->table), P);

	return pointer(&alias, rewrite->index * 8ull);
}

static volatile uint64_t *(*const aliases[])(const struct rewrite *rewrite) = {
	through_identity_map, through_4_kbyte_alias, through_2_mbyte_alias};

/* One method at every level through every alias; with CR0.WP = 0 also through a read-only one. */
static void try_everywhere(const struct store_method *method)
{
	for (int level = PT; level <= PML4; level++) {
		for (unsigned i = 0; i < COUNT_OF(aliases); i++) {
			struct rewrite rewrite = make_rewrite((enum level)level);

			try_method(&rewrite, method, aliases[i](&rewrite));
		}
		clear_cr0(CR0_WP);
		{
			struct rewrite rewrite = make_rewrite((enum level)level);

			try_method(&rewrite, method, through_read_only_alias(&rewrite));
		}
		set_cr0(CR0_WP);
		release_pages();
	}
}

/* Methods are grouped by what an emulator of instructions would share, so that one that it lacks
 * hides no other. */
static void try_methods(enum store first, enum store last)
{
	for (int i = first; i <= (int)last; i++)
		try_everywhere(&store_methods[i]);
}

#define STORES(name, first, last, promise, needs) \
	TEST(name, promise, MANUAL, needs)        \
	{                                         \
		try_methods(first, last);         \
	}

STORES(moves_of_every_size_are_followed, STORE_MOV8, STORE_MOV1,
       "Entries written by MOV of 8, 4, 2 and 1 bytes, in both orders", "")
STORES(moves_across_entries_are_followed, STORE_MOV8_CROSSING, STORE_MOV2_CROSSING,
       "Entries written by MOVs that straddle the border to a neighbour", "")
STORES(exchanges_are_followed, STORE_XCHG, STORE_CMPXCHG8B,
       "Entries written by XCHG, CMPXCHG (failing and succeeding) and CMPXCHG8B", "")
STORES(exchanges_of_16_bytes_are_followed, STORE_CMPXCHG16B, STORE_CMPXCHG16B,
       "Entries written by CMPXCHG16B", "cmpxchg16b")
STORES(locked_operations_are_followed, STORE_LOCK_AND_OR, STORE_LOCK_XOR,
       "Entries written by locked AND, OR, XOR, BTS, BTR, BTC and XADD", "")
STORES(arithmetic_is_followed, STORE_ADD, STORE_NOT_NEG, "Entries written by ADD, INC, NOT and NEG",
       "")
STORES(string_stores_are_followed, STORE_REP_MOVSB, STORE_STOSQ,
       "Entries written by MOVS and STOS, repeated, forwards and backwards", "")
STORES(vector_stores_are_followed, STORE_MOVDQA, STORE_MOVHPS, "Entries written from XMM registers",
       "sse2")
STORES(non_temporal_stores_are_followed, STORE_MOVNTI, STORE_MOVNTDQ,
       "Entries written by MOVNTI and MOVNTDQ", "sse2")
STORES(stack_stores_are_followed, STORE_PUSH, STORE_POP,
       "Entries written by PUSH, PUSHF and POP to memory, the stack on the table", "")
STORES(call_is_followed, STORE_CALL, STORE_CALL, "An entry written by CALL as its return address",
       "")
STORES(sgdt_is_followed, STORE_SGDT, STORE_SGDT, "An entry written by SGDT", "")
STORES(fxsave_is_followed, STORE_FXSAVE, STORE_FXSAVE, "An entry written by FXSAVE among others",
       "fxsr")

/* User mode has no table of store methods: its stores are accesses like any other. */
static void try_user_store(enum level level, enum instruction instruction)
{
	struct rewrite rewrite = make_rewrite(level);
	struct page alias = map_page_at(PT, gpa_of(rewrite.table), P | RW | US);
	struct access access = as_user(instruction_access(
		instruction, linear_plus(alias.linear, rewrite.index * 8ull), rewrite.new));

	for (unsigned i = 0; i < 4; i++) {
		reset_table(&rewrite);
		use(&rewrite);
		remember_table(&rewrite, rewrite.new);
		expect_as_modelled(access);
		expect_table(&rewrite, instruction_table[instruction].text, false);
		invalidate(rewrite.page.linear, i & 1 ? MOV_CR3 : INVLPG);
		expect_followed(&rewrite);
	}
	reset_table(&rewrite);
}

TEST(stores_from_user_mode_are_followed,
     "A store to a live entry made at CPL 3 through a page with U/S = 1", MANUAL, "")
{
	static const enum instruction stores[] = {
		INSTRUCTION_write8, INSTRUCTION_xchg,	INSTRUCTION_stos,
		INSTRUCTION_push,   INSTRUCTION_movnti,
	};

	for (int level = PT; level <= PML4; level++)
		for (unsigned i = 0; i < COUNT_OF(stores); i++)
			try_user_store((enum level)level, stores[i]);
}
