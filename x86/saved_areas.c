/* SPDX-License-Identifier: BSD-2-Clause
 *
 * FXSAVE and FXRSTOR: every part of their 512 bytes is an ordinary access.
 *
 * The area is written or read with the rights of the privilege level that executes the instruction,
 * all of it (SDM Vol. 2, "FXSAVE", "FXRSTOR"; SDM Vol. 3, "Determination of Access Rights"). In a
 * second page the part that lies there needs rights, is reported with CR2 in that page, and sets
 * that page's flags.
 *
 * Caught here: emulated state saving that checks the first bytes alone, or that uses the
 * hypervisor's supervisor rights for them (KS26), and D that is forgotten for pages written by it.
 *
 * Not checked: which bytes were stored before a fault (P18); the last 48 bytes, which are
 * software's own; XSAVE, which may leave out what is in its initial configuration (P17).
 */
#include "test.h"

SUBJECT(saved_areas, "FXSAVE, FXRSTOR, XSAVE and XRSTOR across pages with different rights");

#define MANUAL "SDM Vol. 2, \"FXSAVE\"; SDM Vol. 3, \"Determination of Access Rights\""
#define USED   416 /* bytes that the instructions use: legacy state and 16 XMM registers */

/* What an access of its own to the second part would end in. */
static void try_area(const struct page_pair *pair, enum instruction instruction, unsigned before,
		     bool user, uint64_t second)
{
	struct access access =
		instruction_access(instruction, LINEAR(pair->border.value - before), 0);
	struct access part = instruction == INSTRUCTION_fxsave ? write_access(pair->border, 8, 0)
							       : read_access(pair->border, 8);
	struct model_outcome wanted;
	struct outcome outcome;

	access.user = part.user = user;
	set_page_pair(pair, pair->good[0] & ~(A | D), second);
	wanted = modelled_outcome(part);
	memset(identity(gpa_plus(pair->frame[0], PAGE_4K - before)), 0, before);
	memset(identity(pair->frame[1]), 0, 512 - before);
	outcome = attempt(access);
	expect(outcome.vector == wanted.vector &&
		       (outcome.vector == NO_VECTOR || outcome.error_code == wanted.error_code),
	       "%s, %u bytes in the first page, second entry 0x%llx: vector %u, error code 0x%llx",
	       instruction_table[instruction].text, before, (unsigned long long)second,
	       outcome.vector, (unsigned long long)outcome.error_code);
	if (outcome.vector != NO_VECTOR) {
		expect(outcome.cr2 >= pair->border.value &&
			       outcome.cr2 < pair->border.value + USED - before,
		       "CR2 0x%llx", (unsigned long long)outcome.cr2);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		uint64_t flags = instruction == INSTRUCTION_fxsave ? A | D : A;

		expect((*(volatile uint64_t *)pair->entry[i] & flags) == flags,
		       "entry %u is 0x%llx after %s", i,
		       (unsigned long long)*(volatile uint64_t *)pair->entry[i],
		       instruction_table[instruction].text);
	}
}

static void try_instruction(enum instruction instruction)
{
	struct page_pair pair = map_page_pair(0, 0);
	uint64_t frame = pair.frame[1].value;
	const uint64_t entries[] = {frame | P | RW | US, frame | P | US, frame | P | RW, frame | P,
				    frame | RW | US};

	for (unsigned n = 0; n < 2 * COUNT_OF(entries); n++)
		for (unsigned before = 16; before < USED; before += 16)
			try_area(&pair, instruction, before, n & 1, entries[n / 2]);
}

TEST(fxsave_writes_with_the_rights_of_its_mode,
     "FXSAVE needs the rights of a write to both pages of its area, and marks both", MANUAL, "fxsr")
{
	try_instruction(INSTRUCTION_fxsave);
}

TEST(fxrstor_reads_with_the_rights_of_its_mode,
     "FXRSTOR needs the rights of a read of both pages of its area, and marks both", MANUAL, "fxsr")
{
	try_instruction(INSTRUCTION_fxrstor);
}

#define CPUID_XSAVE (1u << 26)
#define CR4_OSXSAVE (1ull << 18)
#define HEADER	    512 /* bytes before the header of an XSAVE area */

/* The instruction with RDI = its area and EDX:EAX = 1, in a page of code. */
static struct outcome run_on_area(const struct page *code, linear_t area, const uint8_t bytes[3],
				  bool user)
{
	static const uint8_t mask[] = {0xb8, 1,	   0,	0,
				       0,    0x31, 0xd2}; /* mov $1, %eax; xor %edx, %edx */
	struct access access = fetch_access(code->linear);
	uint8_t *to = identity(code->frame);
	uint64_t back = frame_word(1);

	memcpy(to, "\x48\xbf", 2); /* mov $area, %rdi */
	memcpy(to + 2, &area.value, 8);
	memcpy(to + 10, mask, sizeof(mask));
	memcpy(to + 17, bytes, 3);
	memcpy(to + 20, &back, 8);
	access.user = user;
	return attempt(access);
}

/* The legacy area in the first page, the header in the second one. XSAVE reads the header's first
 * bytes and writes them: where both are denied either is reported. */
static void try_header(const uint8_t instruction[3], bool writes)
{
	struct page code = map_page(P | RW | US);
	struct page_pair pair = map_page_pair(0, 0);
	linear_t area = LINEAR(pair.border.value - HEADER);
	static const uint64_t taken[] = {0, P, US, RW};

	if (!(cpuid(1, 0).ecx & CPUID_XSAVE))
		end_case_skipped("xsave", "the processor has no XSAVE");
	set_cr4(CR4_OSXSAVE);
	for (unsigned n = 0; n < 4 * COUNT_OF(taken); n++) {
		uint64_t lost = taken[n / 4];
		bool user = n & 1,
		     fails = lost == P || (lost == US && user) || (lost == RW && writes);
		uint64_t code_wanted = (lost == P ? 0 : PF_P) | (user ? PF_U : 0);
		struct outcome outcome;

		memset(identity(pair.frame[0]), 0, PAGE_4K);
		memset(identity(pair.frame[1]), 0, PAGE_4K);
		set_page_pair(&pair, pair.good[0], (pair.good[1] & ~lost) & ~(A | D));
		if (n & 2)
			attempt(write_access(linear_plus(pair.border, 0x800), 8, 0));
		outcome = run_on_area(&code, area, instruction, user);
		expect(outcome.vector == (fails ? VECTOR_PF : NO_VECTOR) &&
			       (!fails || (outcome.error_code & ~PF_W) == code_wanted),
		       "without 0x%llx: %s, error code 0x%llx", (unsigned long long)lost,
		       vector_name(outcome.vector), (unsigned long long)outcome.error_code);
		if (!fails)
			expect(!(~*(volatile uint64_t *)pair.entry[1] & (writes ? A | D : A)),
			       "the header's PTE is 0x%llx",
			       (unsigned long long)*(volatile uint64_t *)pair.entry[1]);
	}
}

TEST(xsave_writes_its_header_with_the_rights_of_its_mode,
     "XSAVE needs the rights of a write to the page of its header, and marks it",
     "SDM Vol. 1, \"XSAVE Area\"; Vol. 3, \"Determination of Access Rights\"", "")
{
	try_header((const uint8_t[]){0x0f, 0xae, 0x27}, true);
}

TEST(xrstor_reads_its_header_with_the_rights_of_its_mode,
     "XRSTOR needs the rights of a read of the page of its header, and marks it",
     "SDM Vol. 1, \"XSAVE Area\"; Vol. 3, \"Determination of Access Rights\"", "")
{
	try_header((const uint8_t[]){0x0f, 0xae, 0x2f}, false);
}
