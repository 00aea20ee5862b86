/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every kind of instruction against accessed and dirty flags, and what it does to memory.
 *
 * An instruction that writes, if only as part of a read-modify-write, is a write for R/W and D; one
 * that reads sets A alone (SDM Vol. 3, "Accessed and Dirty Flags"). What a failing CMPXCHG writes
 * is left open (P17).
 *
 * Caught here: read-modify-write instructions taken for reads (R17); D lost when the translation
 * was cached by a read (V803); D set by a write that faults (R16, XS17); instructions that an
 * emulator of instructions gets wrong when it has to make the access itself (KS26, V805). The
 * effect on memory and register is compared with the same instruction on ordinary memory.
 *
 * Not checked: instructions that need features beyond SSE2; partial effects of long stores (P18).
 */
#include "test.h"

SUBJECT(instruction_flags, "accessed and dirty flags, and effects, of every kind of instruction");

#define MANUAL "SDM Vol. 3, \"Accessed and Dirty Flags\""

static void clear_all_flags(const struct subject *subject, enum invalidation then)
{
	for (int level = PML4; level >= (int)subject->page.level; level--)
		*(volatile uint64_t *)subject->page.entry[level] &= ~(A | D);
	invalidate(subject->target, then);
}

/* What the instruction does to memory and to RAX, found out on a page of the identity map. */
static void check_effect(struct subject *subject, struct access access, struct outcome outcome,
			 const uint64_t *before)
{
	gpa_t twin = frame_alloc();
	uint64_t *memory = identity(gpa_plus(twin, 0x240));
	struct outcome reference;

	memcpy(memory, before, 16);
	access.linear = LINEAR((uintptr_t)memory);
	access.user = false;
	reference = attempt(access);
	expect(outcome.value[0] == reference.value[0], "%s left 0x%llx, not 0x%llx in its register",
	       instruction_table[access.instruction].text, (unsigned long long)outcome.value[0],
	       (unsigned long long)reference.value[0]);
	expect(!memcmp(subject->memory, memory, 16), "%s left 0x%llx, not 0x%llx in memory",
	       instruction_table[access.instruction].text, (unsigned long long)subject->memory[0],
	       (unsigned long long)memory[0]);
}

/* CALL stores where it was called from, and SIDT and SLDT are compared in one mode only. */
static bool effect_depends_on_mode(enum instruction instruction)
{
	return instruction == INSTRUCTION_call || instruction == INSTRUCTION_pushf ||
	       instruction == INSTRUCTION_fetch;
}

static void try_instruction(enum level level, enum instruction instruction, bool user)
{
	struct subject subject = map_subject(level, P | RW | US, 31);
	struct access access = instruction_access(instruction, subject.target, 0x1234567);
	uint64_t before[2];
	struct outcome outcome;

	if (!has(instruction_table[instruction].need))
		return;
	if (instruction == INSTRUCTION_cmpxchg)
		access.value[0] = subject.memory[0];
	access.user = user;
	memcpy(before, subject.memory, 16);
	clear_all_flags(&subject, INVLPG);
	outcome = expect_as_modelled(access);
	if (outcome.vector == NO_VECTOR && !effect_depends_on_mode(instruction))
		check_effect(&subject, access, outcome, before);
}

/* Instructions are grouped by what an emulator of instructions would share, so that one that it
 * lacks hides no other. */
static void try_instructions(enum instruction first, enum instruction last)
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		for (int i = first; i <= (int)last; i++) {
			try_instruction((enum level)level, (enum instruction)i, false);
			try_instruction((enum level)level, (enum instruction)i, true);
			release_pages();
		}
	}
}

#define SETS_FLAGS(name, first, last, promise)                             \
	TEST(name, promise, MANUAL, "")                                    \
	{                                                                  \
		try_instructions(INSTRUCTION_##first, INSTRUCTION_##last); \
	}

SETS_FLAGS(moves_set_the_flags_of_what_they_do, read1, write16,
	   "MOVs of 1 to 16 bytes set A, and D where they write")
SETS_FLAGS(reads_and_fetches_set_accessed_only, fetch, pop,
	   "Instructions that only read, and fetches, set A and never D")
SETS_FLAGS(read_modify_writes_set_dirty, or, cmpxchg8b,
	   "Instructions that read and write set A and D")
TEST(cmpxchg16b_sets_the_flags_of_a_write,
     "CMPXCHG16B that fails sets A, and D as its write cycle wants", MANUAL, "cmpxchg16b")
{
	try_instructions(INSTRUCTION_cmpxchg16b, INSTRUCTION_cmpxchg16b);
}

/* The code of both inverts RAX first. */
static void try_exchange(enum level level, enum instruction instruction, bool user, bool cached)
{
	struct subject subject = map_subject(level, P | RW | US, 31);
	struct access access = instruction_access(instruction, subject.target, ~subject.memory[0]);
	struct outcome outcome;

	access.value[1] =
		instruction == INSTRUCTION_cmpxchg16b ? subject.memory[1] : subject.memory[0] >> 32;
	access.user = user;
	clear_all_flags(&subject, INVLPG);
	if (cached)
		attempt(as_user(read_access(subject.target, 8)));
	outcome = attempt(access);
	expect(outcome.vector == NO_VECTOR && subject.memory[0] != frame_word(31),
	       "%s: vector %u, memory 0x%llx", instruction_table[instruction].text, outcome.vector,
	       (unsigned long long)subject.memory[0]);
	expect_flags(&subject.page, level, A | D, A | D);
}

TEST(long_exchanges_that_succeed_set_dirty,
     "CMPXCHG8B and CMPXCHG16B that exchange set A and D, whatever is cached", MANUAL, "cmpxchg8b")
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		for (unsigned n = 0; n < 4; n++) {
			try_exchange((enum level)level, INSTRUCTION_cmpxchg8b, n & 1, n & 2);
			if (has(FEATURE_cmpxchg16b))
				try_exchange((enum level)level, INSTRUCTION_cmpxchg16b, n & 1,
					     n & 2);
		}
		release_pages();
	}
}

SETS_FLAGS(bit_operations_set_dirty, bts, setcc, "BTS, BTR and SETcc set A and D")
SETS_FLAGS(string_and_stack_stores_set_dirty, stos, pop_memory,
	   "STOS, MOVS, PUSH, CALL and POP to memory set A and D")
SETS_FLAGS(vector_stores_set_dirty, movnti, movhps, "MOVNTI and vector stores set A and D")
SETS_FLAGS(floating_point_and_system_stores_set_dirty, fistp, sldt,
	   "FISTP, FNSTCW, STMXCSR, SIDT and SLDT set A and D")

static void try_write_after(enum level level, enum instruction instruction, struct access first,
			    bool user)
{
	struct subject subject = map_subject(level, P | RW | US, 31);
	struct access access = instruction_access(instruction, subject.target, 0x7654321);

	if (!has(instruction_table[instruction].need) ||
	    instruction_table[instruction].writes != ALWAYS)
		return;
	if (instruction == INSTRUCTION_cmpxchg)
		access.value[0] = subject.memory[0];
	access.user = user;
	first.linear = subject.target;
	clear_all_flags(&subject, INVLPG);
	expect_as_modelled(first);
	expect_as_modelled(access);
	expect_flags(&subject.page, subject.page.level, A | D, A | D);
}

TEST(write_sets_dirty_after_a_read_was_cached,
     "A write sets D although a read or a fetch of either mode has used the same translation",
     MANUAL, "")
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		for (int i = 0; i < ORDINARY_INSTRUCTIONS; i++) {
			for (unsigned n = 0; n < 8; n++) {
				struct access first =
					n & 1 ? fetch_access(LINEAR(0)) : read_access(LINEAR(0), 8);

				first.user = n & 2;
				try_write_after((enum level)level, (enum instruction)i, first,
						n & 4);
			}
			release_pages();
		}
	}
}

/* A cached, clean, read-only translation: the write must fault and leave D alone, each time. */
TEST(denied_write_leaves_dirty_clear,
     "A write that faults sets no D, although a read has used the translation", MANUAL, "")
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		struct subject subject = map_subject((enum level)level, P | US, 31);

		for (int i = 0; i < ORDINARY_INSTRUCTIONS; i++) {
			struct access access =
				instruction_access((enum instruction)i, subject.target, 3);

			if (!has(instruction_table[i].need) ||
			    instruction_table[i].writes != ALWAYS)
				continue;
			clear_all_flags(&subject, INVLPG);
			expect_as_modelled(read_access(subject.target, 8));
			expect_as_modelled(access);
			expect_as_modelled(as_user(access));
			expect_flags(&subject.page, (enum level)level, D, 0);
		}
	}
}

/* Not present, so that even the load of a read-modify-write faults: it was made with the intention
 * to write. */
static void try_missing_page(enum instruction instruction)
{
	struct subject subject = map_subject(PT, RW | US, 31);
	struct access access = instruction_access(instruction, subject.target, 3);

	if (!has(instruction_table[instruction].need) ||
	    instruction_table[instruction].writes != ALWAYS)
		return;
	expect_as_modelled(access);
	expect_as_modelled(as_user(access));
	write_entry(&subject.page, PT, *subject.page.entry[PT] | P, INVLPG);
	edit_entry(&subject.page, PT, INVLPG, .clear = US);
	expect_as_modelled(as_user(access));
	release_pages();
}

#define MISSING(name, first, last, promise)                                     \
	TEST(name, promise, "SDM Vol. 3, \"Page-Fault Exceptions\"", "")        \
	{                                                                       \
		for (int i = INSTRUCTION_##first; i <= INSTRUCTION_##last; i++) \
			try_missing_page((enum instruction)i);                  \
	}

MISSING(store_to_a_missing_page_is_reported_as_a_write, setcc, sldt,
	"#PF of a store to a page that is not present or not the user's has W = 1")
MISSING(locked_access_to_a_missing_page_is_reported_as_a_write, xchg, bts,
	"#PF of a locked read-modify-write to such a page has W = 1")
MISSING(read_modify_write_of_a_missing_page_is_reported_as_a_write, or, shld,
	"#PF of a read-modify-write of such a page has W = 1, though it starts with a load")
