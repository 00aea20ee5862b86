/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CPL 1 and CPL 2 are supervisor mode to paging.
 *
 * An access is a user-mode access at CPL 3 alone; at CPL 0, 1 and 2 it is a supervisor-mode one,
 * which reaches pages with U/S = 0, obeys CR0.WP, SMEP and SMAP, is excused from SMAP by
 * EFLAGS.AC, and has U/S = 0 in its error code (SDM Vol. 3, "Determination of Access Rights",
 * "Page-Fault Exceptions"; APM Vol. 2, "Page-Protection Checks"; R3, R4, R18).
 *
 * Caught here: a mode taken from CPL != 0, from RPL or from the segment's DPL, or SMEP and SMAP
 * asked at CPL 0 alone. Hypervisors and emulators ask for the mode at each walk that they make
 * themselves, and hardly any system uses the levels between. What another privilege level has
 * cached of the page before must not matter.
 *
 * Not checked: implicit accesses (implicit_accesses); compatibility mode.
 */
#include "test.h"

SUBJECT(privilege_levels,
	"data accesses and fetches at CPL 1 and CPL 2 against U/S, WP, SMEP, SMAP");

#define MANUAL	   "SDM Vol. 3, \"Determination of Access Rights\""
#define TAG	   37
#define LEVEL_CODE 0x00af9b000000ffffull /* 64-bit, accessed; DPL in bits 46:45 */
#define LEVEL_DATA 0x00cf93000000ffffull
#define DPL_SHIFT  45

/* Who used the page before, so that what was cached then could be used. */
enum before { NOBODY, CPL_0, CPL_3, BEFORE };

struct levels {
	struct page page;
	linear_t stack;
};

static struct levels start(uint64_t flags)
{
	struct levels levels = {.page = map_page(flags)};

	frame_fill(levels.page.frame, PAGE_4K, TAG);
	levels.stack = LINEAR(frame_alloc().value + PAGE_4K);
	return levels;
}

static void load_segments(unsigned cpl)
{
	uint64_t gdt[GDT_ENTRIES];

	copy_gdt(gdt);
	gdt[GDT_SPARE_SEL / 8] = LEVEL_CODE | (uint64_t)cpl << DPL_SHIFT;
	gdt[GDT_SYSTEM_SEL / 8] = LEVEL_DATA | (uint64_t)cpl << DPL_SHIFT;
	load_gdt_copy(gdt);
}

static void prepare_page(const struct levels *levels, enum before before)
{
	*levels->page.entry[PT] &= ~(uint64_t)(A | D);
	invalidate(levels->page.linear, INVLPG);
	if (before == NOBODY)
		return;
	for (unsigned n = 0; n < 3; n++) {
		struct access access = nth_access(n, levels->page.linear);

		access.user = before == CPL_3;
		attempt(access);
	}
}

static void try_access(const struct levels *levels, unsigned cpl, struct access access,
		       enum before before)
{
	struct model_outcome wanted;
	struct outcome outcome;
	uint64_t entry;

	prepare_page(levels, before);
	wanted = modelled_outcome(access);
	outcome = attempt_at_level(access, (uint16_t)(GDT_SPARE_SEL | cpl),
				   (uint16_t)(GDT_SYSTEM_SEL | cpl), levels->stack);
	if (wanted.vector == MODEL_COMPLETES) {
		expect(outcome.vector == NO_VECTOR, "%s, error code 0x%llx",
		       vector_name(outcome.vector), (unsigned long long)outcome.error_code);
		entry = *levels->page.entry[PT];
		expect(entry & A && (entry & D || access.instruction != INSTRUCTION_write8),
		       "the entry is 0x%llx", (unsigned long long)entry);
		return;
	}
	expect(outcome.vector == VECTOR_PF && outcome.error_code == wanted.error_code,
	       "%s, error code 0x%llx instead of 0x%llx", vector_name(outcome.vector),
	       (unsigned long long)outcome.error_code, (unsigned long long)wanted.error_code);
	expect(outcome.cr2 == access.linear.value, "CR2 0x%llx", (unsigned long long)outcome.cr2);
}

/* Supervisor mode's six ways to use the page. */
static void try_page(uint64_t flags)
{
	struct levels levels = start(flags);

	for (unsigned cpl = 1; cpl < 3; cpl++) {
		load_segments(cpl);
		for (unsigned i = 0; i < 6 * BEFORE; i++) {
			struct access access = nth_access(3 + i % 6, levels.page.linear);

			progress("flags 0x%llx, CPL %u, way %u, used before by %u",
				 (unsigned long long)flags, cpl, i % 6, i / 6);
			try_access(&levels, cpl, access, (enum before)(i / 6));
		}
	}
}

TEST(rights_are_those_of_supervisor_mode,
     "At CPL 1 and 2 pages with U/S = 0 are reached, and R/W counts as CR0.WP says", MANUAL, "")
{
	static const uint16_t flags[] = {P, P | RW, P | US, P | RW | US, RW | US};

	for (unsigned wp = 0; wp < 2; wp++) {
		wp ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
		for (unsigned i = 0; i < COUNT_OF(flags); i++)
			try_page(flags[i]);
	}
}

TEST(smep_denies_fetches, "At CPL 1 and 2 SMEP denies fetches from pages with U/S = 1", MANUAL,
     "smep")
{
	set_cr4(CR4_SMEP);
	try_page(P | RW | US);
	try_page(P | RW);
}

TEST(smap_denies_data_accesses,
     "At CPL 1 and 2 SMAP denies data accesses to pages with U/S = 1 unless EFLAGS.AC = 1", MANUAL,
     "smap")
{
	set_cr4(CR4_SMAP);
	try_page(P | RW | US);
	try_page(P | US);
	try_page(P | RW);
}

TEST(xd_denies_fetches, "At CPL 1 and 2 XD denies fetches from pages of either mode", MANUAL, "nx")
{
	set_efer(EFER_NXE);
	try_page(P | RW | XD);
	try_page(P | RW | US | XD);
}
