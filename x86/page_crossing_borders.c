/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Operands and instructions that straddle a border of 2 MBytes, 1 GByte or 512 GBytes.
 *
 * The second page of such an access has another page table, page directory, PDPT or PML4E; its
 * linear address is the first one's plus 4 KBytes, with the carry in all upper bits (SDM Vol. 3,
 * "4-Level Paging and 5-Level Paging", "Page-Fault Exceptions"; R19 to R21, R31).
 *
 * Caught here: a second page that is looked for in the first one's table, or at an address of which
 * the carry stopped at some bit; an upper entry of the second page that is not checked since the
 * first one's was (XS09, BX11). Other images have both pages in one page table.
 *
 * Not checked: rights of the pages themselves (page_crossing, page_crossing_settings); borders at
 * which the size of pages changes (page_sizes); the ends of the canonical halves.
 */
#include "test.h"

SUBJECT(page_crossing_borders, "accesses over borders of 2 MBytes, 1 GByte and 512 GBytes");

#define MANUAL "SDM Vol. 3, \"4-Level Paging and 5-Level Paging\""
#define ENTRY  (P | RW | US)
#define BEFORE 3 /* bytes in the first page */
#define TAG    0x445566

static const enum instruction instructions[] = {INSTRUCTION_read8,   INSTRUCTION_write8,
						INSTRUCTION_lock_or, INSTRUCTION_read16,
						INSTRUCTION_write16, INSTRUCTION_fetch};

/* The pages on both sides; `entry` holds those of the second one. */
struct border {
	linear_t linear; /* of the second page */
	gpa_t frame[2];
	uint64_t *entry[PML4 + 1];
	enum level level; /* of the uppermost entry that differs */
};

static uint64_t *new_table(uint64_t *parent)
{
	gpa_t table = frame_alloc();

	*(volatile uint64_t *)parent = table.value | ENTRY;
	return identity(table);
}

/* The last page of an entry of `level`, and the first of the next entry. */
static struct border make_border(uint64_t start, enum level level)
{
	struct border border = {.frame = {filled_frame(1), filled_frame(2)}, .level = level};
	uint64_t bytes = level_bytes(current_format(), level);
	struct page first;

	border.linear = LINEAR((start & ~(2 * bytes - 1)) + bytes);
	first = map_page_at_linear(LINEAR(border.linear.value - PAGE_4K), PT, border.frame[0],
				   ENTRY);
	if (level == PML4) {
		struct page second = map_page_at_linear(border.linear, PT, border.frame[1], ENTRY);

		memcpy(border.entry, second.entry, sizeof(border.entry));
		return border;
	}
	for (int at = PML4; at >= (int)level; at--)
		border.entry[at] = first.entry[at] + (at == (int)level);
	for (int at = (int)level - 1; at >= PT; at--)
		border.entry[at] = new_table(border.entry[at + 1]);
	*(volatile uint64_t *)border.entry[PT] = border.frame[1].value | ENTRY;
	return border;
}

static void flush(const struct border *border)
{
	invalidate(LINEAR(border->linear.value - PAGE_4K), INVLPG);
	invalidate(border->linear, INVLPG);
}

static struct access crossing(const struct border *border, unsigned n, bool user)
{
	struct access access =
		instruction_access(instructions[n], LINEAR(border->linear.value - BEFORE), 0);

	access.user = user;
	access.value[0] = 0x1122334455667788;
	access.value[1] = 0x99aabbccddeeff00;
	return access;
}

static void place_code(const struct border *border)
{
	uint64_t code = frame_word(TAG);

	memcpy((char *)identity(border->frame[0]) + PAGE_4K - BEFORE, &code, BEFORE);
	memcpy(identity(border->frame[1]), (char *)&code + BEFORE, sizeof(code) - BEFORE);
}

/* What memory holds over the border. */
static uint64_t word_over(const struct border *border)
{
	uint64_t word;

	memcpy(&word, (char *)identity(border->frame[0]) + PAGE_4K - BEFORE, BEFORE);
	memcpy((char *)&word + BEFORE, identity(border->frame[1]), sizeof(word) - BEFORE);
	return word;
}

static void expect_completes(const struct border *border, unsigned n, bool user)
{
	struct access access = crossing(border, n, user);
	uint64_t before;
	struct outcome outcome;

	place_code(border);
	before = word_over(border);
	outcome = attempt(access);
	expect(outcome.vector == NO_VECTOR, "%s at 0x%llx raised %s",
	       instruction_table[instructions[n]].text, (unsigned long long)access.linear.value,
	       vector_name(outcome.vector));
	if (instructions[n] == INSTRUCTION_fetch)
		expect(outcome.value[0] == TAG, "executed 0x%llx",
		       (unsigned long long)outcome.value[0]);
	else if (instruction_table[instructions[n]].writes == NEVER)
		expect(outcome.value[0] == before, "read 0x%llx, not 0x%llx",
		       (unsigned long long)outcome.value[0], (unsigned long long)before);
	else
		expect(word_over(border) == (access.value[0] |
					     (instructions[n] == INSTRUCTION_lock_or ? before : 0)),
		       "wrote 0x%llx", (unsigned long long)word_over(border));
}

/* One of the second page's entries is missing or forbids user mode. */
static void expect_fault(const struct border *border, unsigned n, enum level level, uint64_t bit)
{
	struct access access = crossing(border, n, true), part = access;
	uint64_t good = *border->entry[level];
	struct model_outcome wanted;
	struct outcome outcome;
	bool is_rmw = instruction_table[instructions[n]].reads &&
		      instruction_table[instructions[n]].writes != NEVER;

	*(volatile uint64_t *)border->entry[level] = good & ~bit;
	flush(border);
	part.linear = border->linear;
	wanted = modelled_outcome(part);
	outcome = attempt(access);
	/* W of read-modify-writes: page_crossing */
	expect(outcome.vector == VECTOR_PF &&
		       !((outcome.error_code ^ wanted.error_code) & (is_rmw ? ~PF_W : ~0u)),
	       "%s, level %d: %s, error code 0x%llx instead of 0x%llx",
	       instruction_table[instructions[n]].text, level, vector_name(outcome.vector),
	       (unsigned long long)outcome.error_code, (unsigned long long)wanted.error_code);
	expect(outcome.cr2 >= border->linear.value && outcome.cr2 < border->linear.value + 16,
	       "CR2 0x%llx", (unsigned long long)outcome.cr2);
	*(volatile uint64_t *)border->entry[level] = good;
	flush(border);
}

static void try_border(uint64_t start, enum level level)
{
	struct border border = make_border(start, level);

	for (unsigned n = 0; n < COUNT_OF(instructions); n++) {
		flush(&border);
		expect_completes(&border, n, false);
		expect_completes(&border, n, true);
		for (int at = PT; at <= (int)level; at++) {
			expect_fault(&border, n, (enum level)at, P);
			expect_fault(&border, n, (enum level)at, US);
		}
	}
}

static void try_level(enum level level)
{
	static const uint64_t starts[] = {0x0000140000000000, 0x00007b7fffffffff & ~0x7fffffffffull,
					  0xffff8a8000000000, 0xffffe00000000000};

	for (unsigned i = 0; i < COUNT_OF(starts); i++)
		try_border(starts[i] + (level == PML4 ? 0 : 0x1234567000), level);
}

TEST(accesses_continue_in_the_next_page_table,
     "An access over a border of 2 MBytes goes on in the first page of the next page table", MANUAL,
     "")
{
	try_level(PD);
}

TEST(accesses_continue_in_the_next_page_directory,
     "An access over a border of 1 GByte goes on in the first page of the next page directory",
     MANUAL, "")
{
	try_level(PDPT);
}

TEST(accesses_continue_under_the_next_pml4e,
     "An access over a border of 512 GBytes goes on in the first page under the next PML4E", MANUAL,
     "")
{
	try_level(PML4);
}
