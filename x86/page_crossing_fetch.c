/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions that straddle two pages.
 *
 * Both pages are translated and checked for the fetch. If the second is bad, #PF has its error
 * code, CR2 in it, and RIP at the instruction's first byte, in the first page (SDM Vol. 3,
 * "Page-Fault Exceptions"; R21). After INVLPG of either page the instruction is executed from both
 * as they are then, whatever was decoded before ("Operations that Invalidate TLBs and
 * Paging-Structure Caches").
 *
 * Caught here: a decoded instruction kept when its second page was remapped or became bad (BX11);
 * CR2 or RIP of the wrong page; rights of the second page not checked for a fetch. Emulators cache
 * what they decoded under the first page's address; hypervisors fetch across pages by hand when
 * they emulate an instruction.
 *
 * The instruction is a MOV of an immediate, split after its first to fourth byte: what it loads
 * tells which bytes were executed. Not checked: instructions in memory that changes without a
 * remapping.
 */
#include "test.h"

SUBJECT(page_crossing_fetch, "instructions that straddle two pages, and remapping of one of them");

#define MANUAL_FAULTS "SDM Vol. 3, \"Page-Fault Exceptions\""
#define MANUAL_CACHES "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""

static const uint32_t old_tag = 0x11223344, new_tag = 0x55667788;

/* The code over two frames, `before` bytes of it in the first. */
static void place_code(gpa_t first, gpa_t second, unsigned before, uint32_t tag)
{
	uint64_t code = frame_word(tag);

	memcpy((char *)identity(first) + PAGE_4K - before, &code, before);
	memcpy(identity(second), (char *)&code + before, 8 - before);
}

/* What is loaded when the first page holds the code with one tag and the second that with another.
 */
static uint32_t mixed(uint32_t first_tag, uint32_t second_tag, unsigned before)
{
	uint32_t mask = before > 1 ? (1u << (8 * (before - 1))) - 1 : 0;

	return (first_tag & mask) | (second_tag & ~mask);
}

/* Two pages with the code, and other frames with other code. */
struct subject_code {
	struct page_pair pair;
	gpa_t other[2];
	struct access fetch;
	unsigned before;
};

static struct subject_code make_code(unsigned before, bool user)
{
	struct subject_code code = {.pair = map_page_pair(1, 2), .before = before};

	code.other[0] = frame_alloc();
	code.other[1] = frame_alloc();
	place_code(code.pair.frame[0], code.pair.frame[1], before, old_tag);
	place_code(code.other[0], code.other[1], before, new_tag);
	code.fetch = fetch_access(LINEAR(code.pair.border.value - before));
	code.fetch.user = user;
	set_page_pair(&code.pair, code.pair.good[0], code.pair.good[1]);
	return code;
}

static void for_all_splits(void (*try)(struct subject_code *code))
{
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	for (unsigned i = 0; i < 8; i++) {
		struct subject_code code = make_code(1 + i / 2, i & 1);

		try(&code);
	}
}

/* Changes one page's PTE and invalidates that page alone. */
static void set_page(const struct subject_code *code, unsigned which, uint64_t entry)
{
	*(volatile uint64_t *)code->pair.entry[which] = entry;
	invalidate(which ? code->pair.border : code->pair.page.linear, INVLPG);
}

static void expect_fault_in(const struct subject_code *code, unsigned bad)
{
	struct access bad_part = code->fetch;
	uint64_t from = bad ? code->pair.border.value : code->fetch.linear.value;
	uint64_t to = bad ? from + 8 : code->pair.border.value;
	struct model_outcome wanted;
	struct outcome outcome;

	bad_part.linear = LINEAR(from);
	wanted = modelled_outcome(bad_part);
	outcome = attempt(code->fetch);
	expect(outcome.vector == VECTOR_PF && outcome.error_code == wanted.error_code,
	       "%u bytes in the first page, page %u bad: %s error code 0x%llx, not 0x%llx",
	       code->before, bad, vector_name(outcome.vector),
	       (unsigned long long)outcome.error_code, (unsigned long long)wanted.error_code);
	expect(outcome.cr2 >= from && outcome.cr2 < to, "CR2 0x%llx is not in 0x%llx to 0x%llx",
	       (unsigned long long)outcome.cr2, (unsigned long long)from,
	       (unsigned long long)to - 1);
	expect(outcome.rip == code->fetch.linear.value, "RIP 0x%llx, not 0x%llx",
	       (unsigned long long)outcome.rip, (unsigned long long)code->fetch.linear.value);
}

/* Not present; for user mode a supervisor page; execute-disable. */
static void expect_faults_of_spoiled(const struct subject_code *code, unsigned which)
{
	uint64_t good = code->pair.good[which];

	set_page(code, which, good & ~P);
	expect_fault_in(code, which);
	if (code->fetch.user) {
		set_page(code, which, good & ~US);
		expect_fault_in(code, which);
	}
	if (has(FEATURE_nx)) {
		set_page(code, which, good | XD);
		expect_fault_in(code, which);
	}
}

static void try_good_pages(struct subject_code *code)
{
	expect_read(code->fetch, old_tag);
	expect_read(code->fetch, old_tag);
}

TEST(instruction_over_two_good_pages_is_executed,
     "An instruction whose bytes stand in two pages is executed", MANUAL_FAULTS, "")
{
	for_all_splits(try_good_pages);
}

static void try_bad_second(struct subject_code *code)
{
	expect_faults_of_spoiled(code, 1);
}

TEST(fetch_over_a_bad_second_page_faults_there,
     "#PF of a fetch has the second page's error code, CR2 there, and RIP in the first page",
     MANUAL_FAULTS, "")
{
	for_all_splits(try_bad_second);
}

static void try_bad_first(struct subject_code *code)
{
	expect_faults_of_spoiled(code, 0);
	set_page(code, 0, code->pair.good[0]);
	expect_read(code->fetch, old_tag);
	expect_faults_of_spoiled(code, 0);
}

TEST(fetch_over_a_bad_first_page_faults_there,
     "#PF of a fetch has the first page's error code, before and after an execution", MANUAL_FAULTS,
     "")
{
	for_all_splits(try_bad_first);
}

static void try_spoiling(struct subject_code *code)
{
	expect_read(code->fetch, old_tag);
	expect_faults_of_spoiled(code, 1);
	set_page(code, 1, code->pair.good[1]);
	expect_read(code->fetch, old_tag);
}

TEST(second_page_made_bad_faults_after_an_execution,
     "After INVLPG of the second page an instruction executed before is checked again there",
     MANUAL_CACHES, "")
{
	for_all_splits(try_spoiling);
}

static void try_remapping_first(struct subject_code *code)
{
	expect_read(code->fetch, old_tag);
	set_page(code, 0, code->other[0].value | P | RW | US);
	expect_read(code->fetch, mixed(new_tag, old_tag, code->before));
	set_page(code, 0, code->pair.good[0]);
	expect_read(code->fetch, old_tag);
}

TEST(remapped_first_page_is_executed,
     "After INVLPG of the first page its new frame's bytes are executed", MANUAL_CACHES, "")
{
	for_all_splits(try_remapping_first);
}

static void try_remapping_second(struct subject_code *code)
{
	expect_read(code->fetch, old_tag);
	set_page(code, 1, code->other[1].value | P | RW | US);
	expect_read(code->fetch, mixed(old_tag, new_tag, code->before));
	set_page(code, 1, code->pair.good[1]);
	expect_read(code->fetch, old_tag);
}

TEST(remapped_second_page_is_executed,
     "After INVLPG of the second page its new frame's bytes are executed", MANUAL_CACHES, "")
{
	for_all_splits(try_remapping_second);
}

static void try_accessed(struct subject_code *code)
{
	uint64_t *const *entry = code->pair.entry;

	set_page_pair(&code->pair, code->pair.good[0] & ~(uint64_t)(A | D),
		      code->pair.good[1] & ~(uint64_t)(A | D));
	expect_read(code->fetch, old_tag);
	for (unsigned i = 0; i < 2; i++)
		expect((*entry[i] & (A | D)) == A, "%u bytes in the first page: entry %u is 0x%llx",
		       code->before, i, (unsigned long long)*entry[i]);
}

TEST(both_pages_are_marked_accessed,
     "Executing an instruction in two pages sets A of both pages' entries, and D of neither",
     "SDM Vol. 3, \"Accessed and Dirty Flags\"", "")
{
	for_all_splits(try_accessed);
}
