/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CLFLUSH, CLFLUSHOPT and CLWB are reads of one byte to paging.
 *
 * They are subject to all the checks of a byte load: P, U/S, SMAP; a fault has W = 0, also in a
 * read-only page; and they set the accessed flag, never the dirty flag (SDM Vol. 2, "CLFLUSH -
 * Flush Cache Line", "CLFLUSHOPT", "CLWB"; APM Vol. 3, "CLFLUSH").
 *
 * Caught here: the instructions taken for ones that do nothing, so that user mode may name any
 * address, or for writes, because they write back (R16, R17; XS08). Emulators and instruction
 * emulators have no cache to flush and tend to forget the rest.
 *
 * Not checked: what they do to caches.
 */
#include "test.h"

SUBJECT(cache_lines, "CLFLUSH, CLFLUSHOPT and CLWB against rights and flags");

#define MANUAL "SDM Vol. 2, \"CLFLUSH - Flush Cache Line\""
#define TAG    12

/* The operand is (%rax); bits of CPUID's EBX, of leaf 7, or EDX, of leaf 1. */
struct flush {
	const char *name;
	uint8_t bytes, code[4];
	unsigned leaf, bit;
};

static const struct flush clflush = {"CLFLUSH", 3, {0x0f, 0xae, 0x38}, 1, 19};
static const struct flush clflushopt = {"CLFLUSHOPT", 4, {0x66, 0x0f, 0xae, 0x38}, 7, 23};
static const struct flush clwb = {"CLWB", 4, {0x66, 0x0f, 0xae, 0x30}, 7, 24};

static bool is_offered(const struct flush *flush)
{
	struct cpuid answer = cpuid(flush->leaf, 0);

	return (flush->leaf == 1 ? answer.edx : answer.ebx) >> flush->bit & 1;
}

/* The instruction, then what every filled frame has: executed as a fetch. */
static struct page code_page(const struct flush *flush, uint64_t flags)
{
	struct page page = map_page(flags);
	const uint64_t word = frame_word(TAG);

	memcpy(identity(page.frame), flush->code, flush->bytes);
	memcpy(identity(gpa_plus(page.frame, flush->bytes)), &word, sizeof(word));
	return page;
}

static void try_flush(const struct flush *flush, const struct page *page, linear_t code, bool user)
{
	struct access access = fetch_access(code), read = read_access(page->linear, 1);
	struct model_outcome wanted;
	struct outcome outcome;
	uint64_t entry;

	access.user = read.user = user;
	access.value[0] = page->linear.value + 0x35;
	invalidate(page->linear, INVLPG);
	wanted = modelled_outcome(read);
	outcome = attempt(access);
	entry = *page->entry[PT];
	if (wanted.vector == MODEL_COMPLETES) {
		expect(outcome.vector == NO_VECTOR && outcome.value[0] == TAG, "%s: %s",
		       flush->name, vector_name(outcome.vector));
		expect((entry & (A | D)) == A, "%s: the entry is 0x%llx", flush->name,
		       (unsigned long long)entry);
		return;
	}
	expect(outcome.vector == VECTOR_PF && outcome.error_code == wanted.error_code,
	       "%s: %s, error code 0x%llx instead of 0x%llx", flush->name,
	       vector_name(outcome.vector), (unsigned long long)outcome.error_code,
	       (unsigned long long)wanted.error_code);
	expect(outcome.cr2 / PAGE_4K == page->linear.value / PAGE_4K, "%s: CR2 0x%llx", flush->name,
	       (unsigned long long)outcome.cr2);
	expect(!(entry & D), "%s: the entry is 0x%llx", flush->name, (unsigned long long)entry);
}

static void try_all(const struct flush *flush)
{
	static const uint16_t flags[] = {P | RW | US, P | US, P | RW, P, RW | US};

	if (!is_offered(flush))
		end_case_skipped("cache_line_instruction", "not offered here: the instruction");
	for (unsigned i = 0; i < 2 * COUNT_OF(flags); i++) {
		bool user = i & 1;
		struct page code = code_page(flush, user ? P | RW | US : P | RW);
		struct page page = map_page(flags[i / 2]);

		progress("flags 0x%x, %s mode", flags[i / 2], user ? "user" : "supervisor");
		try_flush(flush, &page, code.linear, user);
		if (!user && has(FEATURE_smap)) {
			set_cr4(CR4_SMAP);
			*page.entry[PT] = page.frame.value | flags[i / 2];
			try_flush(flush, &page, code.linear, false);
			clear_cr4(CR4_SMAP);
		}
	}
}

TEST(clflush_is_a_read, "CLFLUSH faults as a read of one byte does, and sets A and not D", MANUAL,
     "")
{
	try_all(&clflush);
}

TEST(clflushopt_is_a_read, "CLFLUSHOPT faults as a read of one byte does, and sets A and not D",
     MANUAL, "")
{
	try_all(&clflushopt);
}

TEST(clwb_is_a_read, "CLWB faults as a read of one byte does, and sets A and not D", MANUAL, "")
{
	try_all(&clwb);
}
