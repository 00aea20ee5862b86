/* SPDX-License-Identifier: BSD-2-Clause
 *
 * INS and OUTS: the memory operand of a string I/O instruction.
 *
 * It is translated, checked and marked as any other operand: OUTS reads, INS writes, a fault comes
 * before the transfer that it belongs to and leaves the bytes of earlier iterations transferred
 * (SDM Vol. 2, "INS/INSB/INSW/INSD", "REP/REPE/REPZ/REPNE/REPNZ"; Vol. 3, "Paging", R16, R17).
 *
 * Caught here: under a hypervisor with hardware-assisted paging nearly every access is the
 * processor's own, but not these: ports are emulated, so that the hypervisor walks the guest's
 * tables itself, with its own idea of rights, CR0.WP, SMAP, protection keys, flags and error codes
 * (KN14, KN15 and KS26 for ordinary guests), page by page for REP; and one that write-protects
 * tables has to notice that INS changed one (KS03).
 *
 * The port is the scratch register of COM1, which gives back what it was given; without one the
 * cases are skipped. Not checked: operands of 2 and 4 bytes, the I/O permission bitmap, IOPL.
 */
#include "test.h"

SUBJECT(string_io, "INS and OUTS against rights, flags, page borders and live tables");

#define NEEDS	 "serial_scratch"
#define RIGHTS	 "SDM Vol. 3, \"Access Rights\"; Vol. 2, \"INS/INSB/INSW/INSD\""
#define FLAGS	 "SDM Vol. 3, \"Accessed and Dirty Flags\""
#define CROSSING "SDM Vol. 2, \"REP/REPE/REPZ/REPNE/REPNZ\""
#define TABLES	 "SDM Vol. 3, \"Invalidation of TLBs and Paging-Structure Caches\""

enum { USER, SUPERVISOR, SUPERVISOR_WITH_AC, WAYS };
enum { TAG = 31, SENTINEL = 0xc3, VALUE = 0x5e };

static struct access port_access(enum instruction instruction, linear_t linear, unsigned way)
{
	struct access access = instruction_access(instruction, linear, VALUE);

	access.user = way == USER;
	access.ac = way == SUPERVISOR_WITH_AC;
	return access;
}

static bool is_input(enum instruction instruction)
{
	return instruction_table[instruction].writes == ALWAYS;
}

static unsigned bytes_of(enum instruction instruction)
{
	return instruction_table[instruction].size;
}

/* Memory before and after, and what the port holds. Input leaves its value in the port itself. */
static void expect_transfer(enum instruction instruction, const struct outcome *outcome,
			    const uint8_t *memory, const uint8_t *before)
{
	unsigned bytes = bytes_of(instruction);
	bool completed = outcome->vector == NO_VECTOR;

	if (is_input(instruction)) {
		for (unsigned i = 0; completed && i < bytes; i++)
			expect(memory[i] == VALUE, "byte %u of what was input is 0x%x", i,
			       memory[i]);
		return;
	}
	expect(in8(SERIAL_SCRATCH) == (completed ? before[bytes - 1] : SENTINEL),
	       "vector %u, and the port holds 0x%x", outcome->vector, in8(SERIAL_SCRATCH));
}

/* In the ways from `first` on. */
static void try_all_at(const struct subject *subject, unsigned first, unsigned ways)
{
	const uint8_t *memory = (const uint8_t *)subject->memory;

	for (int i = FIRST_PORT_INSTRUCTION; i <= (int)LAST_PORT_INSTRUCTION; i++) {
		for (unsigned way = first; way < first + ways; way++) {
			uint8_t before[16];
			struct outcome outcome;

			*subject->memory = frame_word(TAG + way);
			memcpy(before, memory, sizeof(before));
			invalidate(subject->target, INVLPG);
			out8(SERIAL_SCRATCH, SENTINEL);
			outcome = expect_as_modelled(
				port_access((enum instruction)i, subject->target, way));
			expect_transfer((enum instruction)i, &outcome, memory, before);
		}
	}
}

/* Each right of the entry at each level, and all of them together. */
static void try_rights(uint64_t also, unsigned first, unsigned ways)
{
	struct subject subject = map_subject(PT, P | RW | US, TAG);
	uint64_t good[PML4 + 1];

	for (int level = PT; level <= PML4; level++)
		good[level] = *subject.page.entry[level];
	for (int level = PT; level <= PML4; level++) {
		for (unsigned rights = 0; rights < 8; rights++) {
			uint64_t entry = good[level] & ~(P | RW | US | A | D);

			entry |= (rights & 1 ? P : 0) | (rights & 2 ? RW : 0) |
				 (rights & 4 ? US : 0);
			write_entry(&subject.page, (enum level)level, entry | also, INVLPG);
			try_all_at(&subject, first, ways);
		}
		write_entry(&subject.page, (enum level)level, good[level], INVLPG);
	}
}

TEST(rights_of_all_levels_hold_for_string_io,
     "INS needs R/W of every level where CR0.WP is set, OUTS only that entries are present", RIGHTS,
     NEEDS)
{
	try_rights(0, SUPERVISOR, 1);
}

TEST(rights_of_all_levels_hold_for_string_io_of_user_mode,
     "At CPL 3 INS needs U/S and R/W of every level, OUTS needs U/S", RIGHTS, NEEDS)
{
	try_rights(0, USER, 1);
}

TEST(supervisor_input_may_write_read_only_pages_without_wp,
     "With CR0.WP = 0 supervisor-mode INS writes read-only pages", RIGHTS, NEEDS)
{
	clear_cr0(CR0_WP);
	try_rights(0, SUPERVISOR, 1);
}

TEST(smap_holds_for_string_io,
     "CR4.SMAP keeps supervisor-mode INS and OUTS off user-mode pages unless EFLAGS.AC is 1",
     RIGHTS, NEEDS " smap")
{
	set_cr4(CR4_SMAP);
	try_rights(0, SUPERVISOR, 2);
}

TEST(execute_disable_does_not_matter_to_string_io, "XD has no say in INS and OUTS", RIGHTS,
     NEEDS " nx")
{
	try_rights(XD, SUPERVISOR, 1);
}

static void try_flags(unsigned way)
{
	for (int level = PT; level <= (int)largest_page(); level++) {
		for (int i = FIRST_PORT_INSTRUCTION; i <= (int)LAST_PORT_INSTRUCTION; i++) {
			struct subject subject = map_subject((enum level)level, P | RW | US, TAG);

			for (int at = PML4; at >= level; at--)
				*(volatile uint64_t *)subject.page.entry[at] &= ~(A | D);
			invalidate(subject.target, INVLPG);
			expect_as_modelled(port_access((enum instruction)i, subject.target, way));
			release_pages();
		}
	}
}

TEST(string_io_sets_flags,
     "OUTS sets A of all entries, INS D of the last one too, in all page sizes", FLAGS, NEEDS)
{
	try_flags(SUPERVISOR);
}

TEST(string_io_of_user_mode_sets_flags, "the same at CPL 3, where IOPL allows it", FLAGS, NEEDS)
{
	try_flags(USER);
}

/* REP over the border with `before` bytes in the first page, the second one as `entry` says. */
static void try_border(const struct page_pair *pair, enum instruction instruction, unsigned before,
		       uint64_t entry, unsigned way)
{
	struct access access = port_access(instruction, LINEAR(pair->border.value - before), way);
	uint8_t *first = (uint8_t *)identity(pair->frame[0]) + PAGE_4K - before;
	uint8_t *second = identity(pair->frame[1]), old = 0x11;
	struct outcome outcome;

	memset(first, 0x22, before);
	memset(second, old, 8);
	out8(SERIAL_SCRATCH, SENTINEL);
	set_page_pair(pair, pair->good[0] & ~(A | D), entry);
	outcome = attempt(access);
	expect(outcome.vector == VECTOR_PF && outcome.cr2 == pair->border.value &&
		       outcome.rip == outcome.expected_rip,
	       "%s, %u bytes before the border: vector %u, CR2 0x%llx, RIP 0x%llx instead of "
	       "0x%llx",
	       instruction_table[instruction].text, before, outcome.vector,
	       (unsigned long long)outcome.cr2, (unsigned long long)outcome.rip,
	       (unsigned long long)outcome.expected_rip);
	expect(outcome.error_code == ((entry & P ? PF_P : 0) | (way == USER ? PF_U : 0) |
				      (is_input(instruction) ? PF_W : 0)),
	       "error code 0x%llx", (unsigned long long)outcome.error_code);
	expect(*second == old, "the second page was written");
	if (is_input(instruction)) {
		expect(first[0] == VALUE && first[before - 1] == VALUE,
		       "the first page holds 0x%x and 0x%x", first[0], first[before - 1]);
		expect_flags(&pair->page, PT, A | D, A | D);
	} else {
		expect(in8(SERIAL_SCRATCH) == 0x22, "the port holds 0x%x", in8(SERIAL_SCRATCH));
		expect_flags(&pair->page, PT, A | D, A);
	}
}

static void try_borders(unsigned way)
{
	struct page_pair pair = map_page_pair(TAG, TAG + 1);
	uint64_t missing = pair.good[1] & ~P, read_only = pair.good[1] & ~RW;

	for (unsigned before = 1; before < 8; before++) {
		try_border(&pair, INSTRUCTION_rep_outs, before, missing, way);
		try_border(&pair, INSTRUCTION_rep_ins, before, missing, way);
		try_border(&pair, INSTRUCTION_rep_ins, before, read_only, way);
		if (way == USER)
			try_border(&pair, INSTRUCTION_rep_outs, before, pair.good[1] & ~US, way);
	}
}

TEST(faults_in_the_second_page_come_after_the_first_page_is_done,
     "REP INS and REP OUTS into a bad page fault at its first byte, with all before it done",
     CROSSING, NEEDS)
{
	try_borders(SUPERVISOR);
}

TEST(faults_of_user_mode_in_the_second_page_come_after_the_first_page_is_done,
     "the same at CPL 3, where IOPL allows it", CROSSING, NEEDS)
{
	try_borders(USER);
}

/* The entry's bytes one by one, each by way of the port. */
static void input_entry(uint64_t *entry, uint64_t value)
{
	for (unsigned i = 0; i < sizeof(value); i++) {
		struct access access = instruction_access(
			INSTRUCTION_ins, LINEAR((uintptr_t)entry + i), value >> 8 * i & 0xff);

		expect(attempt(access).vector == NO_VECTOR, "INS into a table faulted");
	}
	expect(*(volatile uint64_t *)entry == value, "the entry is 0x%llx, not 0x%llx",
	       (unsigned long long)*(volatile uint64_t *)entry, (unsigned long long)value);
}

/* What the entry at `level` has to be to lead to other data: copies of the tables below it. */
static uint64_t other_value(const struct page *page, enum level level)
{
	gpa_t lower = filled_frame(TAG + 1);

	for (int at = PT; at < (int)level; at++) {
		gpa_t table = frame_alloc();
		const uint64_t *old = table_of(page->entry[at]);

		memcpy(identity(table), old, PAGE_4K);
		((uint64_t *)identity(table))[page->entry[at] - old] = lower.value | P | RW | US;
		lower = table;
	}
	return lower.value | P | RW | US;
}

TEST(entries_written_by_input_are_followed,
     "Entries of all levels that INS writes byte by byte lead where they say, after INVLPG", TABLES,
     NEEDS)
{
	for (int level = PT; level <= PDPT; level++) {
		struct subject subject = map_subject(PT, P | RW | US, TAG);
		uint64_t *entry = subject.page.entry[level];
		uint64_t value[2] = {*entry, other_value(&subject.page, (enum level)level)};

		for (unsigned i = 0; i < 6; i++) {
			attempt(read_access(subject.target, 8));
			input_entry(entry, value[~i & 1]);
			invalidate(subject.target, INVLPG);
			expect_as_modelled(read_access(subject.target, 8));
			expect_as_modelled(as_user(fetch_access(subject.target)));
			expect_as_modelled(as_user(write_access(subject.target, 1, 0xb8)));
		}
	}
}
