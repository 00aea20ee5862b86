/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Code that is stored through another linear address than it is executed at.
 *
 * Caches hold physical memory: bytes stored through any address that leads to a frame are what is
 * executed there, once the processor has serialised (SDM Vol. 3, "Self-Modifying Code"). Here a
 * frame is executed through one page and stored through another, by user or supervisor mode, with
 * different page sizes, then executed again behind the exception or IRET that ends each attempt.
 *
 * Caught here: translated or decoded code that is kept by its linear address, or given up only for
 * stores of the address space, the privilege level or the page size that executes it; code pages
 * whose write protection is lost with one of their aliases, or with a fresh dirty flag. Emulators
 * and binary translators; shadow pagers that track code pages.
 *
 * Not checked: stores by another processor (cross-modifying code needs a protocol of its own).
 */
#include "test.h"

SUBJECT(code_aliases, "code stored through another page than it is executed at");

#define MANUAL "SDM Vol. 3, \"Self-Modifying Code\""
#define FLAGS  (P | RW | US)
#define ROUNDS 6

/* One frame, through pages of several sizes. */
struct aliases {
	gpa_t frame;
	linear_t at[3];
};

static struct aliases map_aliases(void)
{
	struct aliases aliases = {.frame = filled_frame(1)};

	aliases.at[0] = map_page_at(PT, aliases.frame, FLAGS).linear;
	aliases.at[1] = map_page_at(PT, aliases.frame, FLAGS).linear;
	aliases.at[2] = map_covering_page(PD, aliases.frame);
	return aliases;
}

static void execute(linear_t linear, bool user, uint32_t tag)
{
	struct access fetch = fetch_access(linear);

	fetch.user = user;
	expect_read(fetch, tag);
}

/* Executed at one alias, stored at another by this instruction, executed again. */
static void try_store(const struct aliases *aliases, unsigned number, enum instruction instruction)
{
	linear_t executed = linear_plus(aliases->at[number % 3], 0x7c0);
	linear_t stored = linear_plus(aliases->at[number / 3 % 3], 0x7c0);
	bool fetch_as_user = number / 9 & 1, store_as_user = number / 18 & 1;

	for (uint32_t tag = 2; tag < 2 + ROUNDS; tag++) {
		struct access store = instruction_access(instruction, stored, frame_word(tag));

		store.value[1] = store.value[0];
		store.user = store_as_user;
		execute(executed, fetch_as_user, tag - 1);
		expect(attempt(store).vector == NO_VECTOR, "the store faults");
		execute(executed, fetch_as_user, tag);
	}
	frame_fill(aliases->frame, PAGE_4K, 1);
	execute(executed, fetch_as_user, 1);
}

TEST(stores_through_an_alias_are_executed,
     "A frame is executed as it was stored, whichever page and mode the store and the fetch used",
     MANUAL, "")
{
	static const enum instruction stores[] = {INSTRUCTION_write8, INSTRUCTION_xchg,
						  INSTRUCTION_stos, INSTRUCTION_push,
						  INSTRUCTION_movnti};
	struct aliases aliases = map_aliases();

	for (unsigned number = 0; number < 36; number++)
		for (unsigned i = 0; i < COUNT_OF(stores); i++)
			if (has(instruction_table[stores[i]].need))
				try_store(&aliases, number, stores[i]);
}

/* The page that stores is clean, dirty, and clean again, or loses and gets back R/W. */
TEST(stores_after_a_change_of_the_alias_are_executed,
     "Stores through a page that has just become clean or writable are executed as stored", MANUAL,
     "")
{
	gpa_t frame = filled_frame(1);
	struct page executed = map_page_at(PT, frame, FLAGS),
		    stored = map_page_at(PT, frame, FLAGS);

	for (uint32_t tag = 2; tag < 34; tag++) {
		struct access store = write_access(stored.linear, 8, frame_word(tag));

		store.user = tag & 1;
		if (tag & 2)
			edit_entry(&stored, PT, INVLPG, .clear = A | D);
		if (tag & 4) {
			edit_entry(&stored, PT, INVLPG, .clear = RW);
			expect_page_fault(as_user(store), PF_P | PF_W | PF_U);
			edit_entry(&stored, PT, INVLPG, .set = RW);
		}
		expect(attempt(store).vector == NO_VECTOR, "the store faults");
		execute(executed.linear, tag & 8, tag);
	}
}

/* JMP of 2 bytes, `before` of them and of what is before them in the first page of a pair; its
 * displacement, the last byte, decides on which of several fetched words is reached. */
#define WORDS 8

struct jump {
	struct page_pair pair, alias;
	uint64_t at; /* of the JMP */
};

static uint8_t *byte_at(const struct jump *jump, uint64_t linear)
{
	bool second = linear >= jump->pair.border.value;

	return (uint8_t *)identity(jump->pair.frame[second]) + linear % PAGE_4K;
}

/* The words are behind the border; the alias is another pair of pages over the frames. */
static struct jump make_jump(unsigned before)
{
	struct jump jump = {.pair = map_page_pair(0, 0), .alias = map_page_pair(0, 0)};

	jump.at = jump.pair.border.value - before;
	for (uint32_t i = 0; i < WORDS; i++) {
		uint64_t word = frame_word(i), to = jump.pair.border.value + 0x10 + 8 * i;

		memcpy(byte_at(&jump, to), &word, 8);
	}
	*byte_at(&jump, jump.at) = 0xeb;
	for (unsigned i = 0; i < 2; i++)
		jump.alias.good[i] ^= jump.alias.frame[i].value ^ jump.pair.frame[i].value;
	set_page_pair(&jump.pair, jump.pair.good[0], jump.pair.good[1]);
	set_page_pair(&jump.alias, jump.alias.good[0], jump.alias.good[1]);
	return jump;
}

static uint8_t displacement_to(const struct jump *jump, uint32_t word)
{
	return (uint8_t)(jump->pair.border.value + 0x10 + 8 * word - jump->at - 2);
}

/* A store of `size` bytes from `start` on, of what is there already but for the displacement. */
static struct access store_to(const struct jump *jump, uint64_t start, unsigned size, uint32_t word)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		((uint8_t *)&value)[i] = start + i == jump->at + 1 ? displacement_to(jump, word)
								   : *byte_at(jump, start + i);
	return write_access(LINEAR(start), size, value);
}

static void try_jump(const struct jump *jump, unsigned size, bool through_alias, bool user)
{
	uint32_t word = 0;

	*byte_at(jump, jump->at + 1) = displacement_to(jump, word);
	execute(LINEAR(jump->at), user, word);
	for (unsigned n = 0; n < 2 * size; n++) {
		uint64_t start = jump->at + 1 - n / 2;
		struct access store = store_to(jump, start, size, word = (word + 1) % WORDS);

		if (through_alias)
			store.linear.value += jump->alias.border.value - jump->pair.border.value;
		store.user = user;
		expect(attempt(store).vector == NO_VECTOR, "the store faults");
		execute(LINEAR(jump->at), user, word);
	}
}

TEST(stores_over_any_part_of_the_code_are_executed,
     "A store of 1 to 8 bytes that begins before an instruction and changes its last byte is "
     "executed as stored, wherever the border of two pages is",
     MANUAL, "")
{
	static const unsigned before[] = {0, 1, 2, 5, 40};

	for (unsigned i = 0; i < COUNT_OF(before); i++) {
		struct jump jump = make_jump(before[i]);

		for (unsigned n = 0; n < 4 * 4; n++)
			try_jump(&jump, 1u << n / 4, n & 1, n & 2);
		release_pages();
	}
}
