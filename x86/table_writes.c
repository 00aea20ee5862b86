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
 * tear, misplace or repeat it: stores of part of an entry (XS25), across entries and across tables
 * (XS24), locked and failing ones, strings, stack pushes, vector and descriptor stores (KS25,
 * KS26), stores through a larger page or from user mode (XS23), through a table that maps itself
 * (R27); or it may catch the store and not bring its own tables up to date (KS03, KS13, KS24).
 * Emulators with cached walks miss stores through an alias.
 *
 * A check is the whole table's content, then outcome, flags and data of accesses through the entry.
 * Not checked: what accesses do before the invalidation.
 */
#include "test.h"

SUBJECT(table_writes, "tables in use, written by every kind of store through every alias");

#define MANUAL "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""

enum { OLD = 81, NEW = 82, INDEX = 200 };

#define OFFSET 0x800

static gpa_t filled_frame(uint32_t tag)
{
	gpa_t frame = frame_alloc();

	frame_fill(frame, PAGE_4K, tag);
	return frame;
}

/* A page in use whose entry at `level` is to be rewritten, and the value that leads to other data.
 */
struct subject {
	struct page page;
	enum level level;
	uint64_t *table;
	unsigned index;
	uint64_t old, new;
};

static struct subject make_subject(enum level level)
{
	struct subject subject = {.level = level};
	uint64_t linear = unused_linear().value;
	gpa_t lower = filled_frame(NEW);

	for (int at = PT; at <= PDPT; at++)
		linear |= (uint64_t)INDEX << paging_4level.level[at].shift;
	subject.page = map_page_at_linear(LINEAR(linear), PT, filled_frame(OLD), P | RW | US);
	for (int at = PT; at < (int)level; at++) {
		gpa_t table = frame_alloc();

		((uint64_t *)identity(table))[INDEX] = lower.value | P | RW | US;
		lower = table;
	}
	subject.table = table_of(subject.page.entry[level]);
	subject.index = (unsigned)(subject.page.entry[level] - subject.table);
	subject.old = *subject.page.entry[level] | A;
	subject.new = lower.value | P | RW | US;
	return subject;
}

static void use(const struct subject *subject)
{
	linear_t linear = linear_plus(subject->page.linear, OFFSET);

	attempt(read_access(linear, 8));
	attempt(as_user(write_access(linear, 1, 0xb8)));
	attempt(fetch_access(linear));
}

/* Accesses of all kinds, after an invalidation: judged by the model from what memory holds. */
static void expect_followed(const struct subject *subject)
{
	linear_t linear = linear_plus(subject->page.linear, OFFSET);

	expect_as_modelled(read_access(linear, 8));
	expect_as_modelled(as_user(fetch_access(linear)));
	expect_as_modelled(as_user(write_access(linear, 1, 0xb8)));
	expect_as_modelled(write_access(linear, 8, read_cr3() /* anything */));
	attempt(write_access(linear, 8, frame_word(NEW)));
}

/* The flag that the processor may set in another entry of the root at any time. */
static uint64_t without_a(const struct subject *subject, uint64_t entry)
{
	return subject->level == PML4 ? entry & ~A : entry;
}

static uint64_t expected_table[512];

static void remember_table(const struct subject *subject, uint64_t value)
{
	memcpy(expected_table, subject->table, PAGE_4K);
	expected_table[subject->index] = value;
}

/* One check, however many entries it compares. */
static void expect_table(const struct subject *subject, const char *method, bool covers_line)
{
	count_check();
	for (unsigned i = 0; i < 512; i++) {
		uint64_t is = without_a(subject, subject->table[i]);
		uint64_t wanted = without_a(subject, expected_table[i]);

		if (is == wanted || (covers_line && i != subject->index))
			continue;
		expect(is == wanted, "%s to entry %u of the %s left 0x%llx in entry %u, not 0x%llx",
		       method, subject->index, current_format()->level[subject->level].entry_name,
		       (unsigned long long)is, i, (unsigned long long)wanted);
	}
}

static void reset_table(const struct subject *subject)
{
	if (subject->level != PML4)
		memset(subject->table, 0, PAGE_4K);
	*(volatile uint64_t *)&subject->table[subject->index] = subject->old;
	invalidate(subject->page.linear, MOV_CR3);
}

/* One store of `value` by `method` to the entry at `alias`, which is in use; then the invalidation.
 */
static void try_store(const struct subject *subject, const struct store_method *method,
		      volatile uint64_t *alias, uint64_t value, enum invalidation then)
{
	reset_table(subject);
	use(subject);
	remember_table(subject, value);
	method->store(alias, value);
	expect_table(subject, method->name, method->covers_line);
	invalidate(subject->page.linear, then);
	expect_followed(subject);
}

/* Frame changed, rights taken, made not present; and made present, which needs no invalidation. */
static void try_method(const struct subject *subject, const struct store_method *method,
		       volatile uint64_t *alias)
{
	uint64_t new = subject->new;

	if (!has(method->need) || (method->covers_line && subject->level == PML4))
		return;
	try_store(subject, method, alias, new, INVLPG);
	try_store(subject, method, alias, new | A | PCD, MOV_CR3);
	try_store(subject, method, alias, (new | A) & ~RW, INVLPG);
	try_store(subject, method, alias, (new | A) & ~P, INVLPG);
	*(volatile uint64_t *)&subject->table[subject->index] = subject->old & ~P;
	invalidate(subject->page.linear, INVLPG);
	expect_followed(subject);
	method->store(alias, new | A | D);
	expect_followed(subject);
}

/* Every method at every level; `map` makes the alias through which the table is written. */
static void try_all(volatile uint64_t *(*map)(const struct subject *subject))
{
	for (int level = PT; level <= PML4; level++) {
		for (unsigned i = 0; i < STORE_METHODS; i++) {
			struct subject subject = make_subject((enum level)level);

			try_method(&subject, &store_methods[i], map(&subject));
			reset_table(&subject);
		}
		release_pages();
	}
}

static volatile uint64_t *through_identity_map(const struct subject *subject)
{
	return &subject->table[subject->index];
}

static volatile uint64_t *pointer(const struct page *page, uint64_t offset)
{
	return (volatile uint64_t *)(uintptr_t)(page->linear.value + offset);
}

static volatile uint64_t *through_4_kbyte_alias(const struct subject *subject)
{
	struct page alias = map_page_at(PT, gpa_of(subject->table), P | RW);

	return pointer(&alias, subject->index * 8ull);
}

static volatile uint64_t *through_2_mbyte_alias(const struct subject *subject)
{
	uint64_t table = gpa_of(subject->table).value, page = table & ~(PAGE_2M - 1);
	struct page alias = map_page_at(PD, GPA(page), P | RW);

	return pointer(&alias, table - page + subject->index * 8ull);
}

static volatile uint64_t *through_read_only_alias(const struct subject *subject)
{
	struct page alias = map_page_at(PT, gpa_of(subject->table), P);

	return pointer(&alias, subject->index * 8ull);
}

TEST(stores_through_the_identity_map_are_followed,
     "Every kind of store to a live entry at any level, through a 2-MByte page that maps all of "
     "memory",
     MANUAL, "")
{
	try_all(through_identity_map);
}

TEST(stores_through_a_4_kbyte_alias_are_followed,
     "Every kind of store to a live entry at any level, through a second 4-KByte page", MANUAL, "")
{
	try_all(through_4_kbyte_alias);
}

TEST(stores_through_a_2_mbyte_alias_are_followed,
     "Every kind of store to a live entry at any level, through a second 2-MByte page", MANUAL, "")
{
	try_all(through_2_mbyte_alias);
}

TEST(stores_through_a_read_only_alias_are_followed,
     "With CR0.WP = 0, every kind of store to a live entry through a page with R/W = 0", MANUAL, "")
{
	clear_cr0(CR0_WP);
	try_all(through_read_only_alias);
}

/* User mode has no table of store methods: its stores are accesses like any other. */
static void try_user_store(enum level level, enum instruction instruction)
{
	struct subject subject = make_subject(level);
	struct page alias = map_page_at(PT, gpa_of(subject.table), P | RW | US);
	struct access access = as_user(instruction_access(
		instruction, linear_plus(alias.linear, subject.index * 8ull), subject.new));

	for (unsigned i = 0; i < 4; i++) {
		reset_table(&subject);
		use(&subject);
		remember_table(&subject, subject.new);
		expect_as_modelled(access);
		expect_table(&subject, instruction_table[instruction].text, false);
		invalidate(subject.page.linear, i & 1 ? MOV_CR3 : INVLPG);
		expect_followed(&subject);
	}
	reset_table(&subject);
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
