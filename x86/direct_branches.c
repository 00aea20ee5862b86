/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Direct branches into a page that is remapped.
 *
 * The target of a JMP or Jcc is fetched through the translation of its own page, as it is after
 * the last invalidation, however often the branch was taken before (SDM Vol. 3, "Operations that
 * Invalidate TLBs and Paging-Structure Caches"). The branch stands in one page and is not touched;
 * its target's page gets another frame, loses P or gets XD, and is invalidated alone.
 *
 * Caught here: translated code that is chained to the code of its target, or decoded branches that
 * remember where they led, and that an invalidation of the target's page does not undo. Binary
 * translators and emulators with traces; page_crossing_fetch (BX11) has the instruction in both
 * pages, all other tests jump through a register.
 *
 * MOV to CR3 and INVLPG are serializing instructions ("Serializing Instructions"): the one behind
 * them is fetched after them, and so through the new translation even if it is of the same page.
 * Code that was translated or prefetched along with them is caught here.
 *
 * Not checked: CALL and RET, which need a stack; stores to the target (code_aliases).
 */
#include "test.h"

SUBJECT(direct_branches,
	"JMP, Jcc, MOV to CR3 and INVLPG: code goes on in a page that is remapped");

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define TAG    51
#define OTHER  52
#define TIMES  6 /* each branch is taken before it counts */

enum branch { JMP_NEAR, JMP_SHORT, JZ_NEAR, BRANCHES };

struct scene {
	struct page_pair pair;
	gpa_t other;
	uint64_t target;
	struct access fetch;
};

/* The branch's bytes end at `end` in the first page. */
static struct scene make_scene(enum branch branch, bool user)
{
	static const struct {
		uint8_t bytes[4], count, size, end; /* `count` before a displacement of `size` */
	} code[BRANCHES] = {
		{{0xe9}, 1, 4, 0x80}, {{0xeb}, 1, 1, 0x10}, {{0x31, 0xc0, 0x0f, 0x84}, 4, 4, 0x20}};
	struct scene scene = {.pair = map_page_pair(0, TAG), .other = filled_frame(OTHER)};
	uint64_t end = scene.pair.border.value - code[branch].end;
	uint64_t start = end - code[branch].size - code[branch].count;
	uint8_t *at = (uint8_t *)identity(scene.pair.frame[0]) + start % PAGE_4K;
	uint32_t displacement;

	scene.target = scene.pair.border.value + 0x40;
	displacement = (uint32_t)(scene.target - end);
	memcpy(at, code[branch].bytes, code[branch].count);
	memcpy(at + code[branch].count, &displacement, code[branch].size);
	scene.fetch = fetch_access(LINEAR(start));
	scene.fetch.user = user;
	set_page_pair(&scene.pair, scene.pair.good[0], scene.pair.good[1]);
	return scene;
}

static void expect_tag(const struct scene *scene, uint32_t tag)
{
	for (unsigned i = 0; i < TIMES; i++)
		expect_read(scene->fetch, tag);
}

/* Only the target's page is invalidated. */
static void set_target(const struct scene *scene, uint64_t entry, enum invalidation then)
{
	*(volatile uint64_t *)scene->pair.entry[1] = entry;
	invalidate(LINEAR(scene->target), then);
}

static void expect_fault(const struct scene *scene, uint64_t error_code)
{
	struct outcome outcome = attempt(scene->fetch);

	error_code |= scene->fetch.user ? PF_U : 0;
	expect(outcome.vector == VECTOR_PF && outcome.cr2 == scene->target &&
		       outcome.error_code == error_code,
	       "%s, error code 0x%llx, CR2 0x%llx, not 0x%llx and 0x%llx",
	       vector_name(outcome.vector), (unsigned long long)outcome.error_code,
	       (unsigned long long)outcome.cr2, (unsigned long long)error_code,
	       (unsigned long long)scene->target);
}

static void try_branches(void (*try)(const struct scene *scene))
{
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	for (unsigned n = 0; n < 2 * BRANCHES; n++) {
		struct scene scene = make_scene((enum branch)(n / 2), n & 1);

		try(&scene);
	}
}

static void try_frames(const struct scene *scene)
{
	static const enum invalidation flushes[] = {INVLPG, MOV_CR3, CR4_PGE_TWICE};
	const uint64_t flags = P | RW | US | A | D;

	for (unsigned i = 0; i < 2 * COUNT_OF(flushes); i++) {
		expect_tag(scene, TAG);
		set_target(scene, scene->other.value | flags, flushes[i / 2]);
		expect_tag(scene, OTHER);
		set_target(scene, scene->pair.frame[1].value | flags, flushes[i / 2]);
	}
}

TEST(a_branch_leads_to_the_frame_that_is_mapped,
     "JMP and Jcc go on in the frame that their target's page has since it was invalidated", MANUAL,
     "")
{
	try_branches(try_frames);
}

static void try_faults(const struct scene *scene)
{
	for (unsigned i = 0; i < 4; i++) {
		expect_tag(scene, TAG);
		set_target(scene, scene->pair.good[1] & ~P, i & 1 ? MOV_CR3 : INVLPG);
		expect_fault(scene, has(FEATURE_nx) ? PF_ID : 0);
		set_target(scene, scene->pair.good[1], INVLPG);
		expect_tag(scene, TAG);
		if (!has(FEATURE_nx))
			continue;
		set_target(scene, scene->pair.good[1] | XD, i & 1 ? MOV_CR3 : INVLPG);
		expect_fault(scene, PF_P | PF_ID);
		set_target(scene, scene->pair.good[1], INVLPG);
	}
}

TEST(a_branch_into_a_page_that_is_gone_faults_there,
     "JMP and Jcc into a page that has lost P or got XD raise #PF with the target in CR2", MANUAL,
     "")
{
	try_branches(try_faults);
}

#define BEHIND 0x7c0 /* the offset at which the instruction ends */

/* It has RDX as its operand. Both frames hold it at the same place, with another word behind it. */
static struct page map_instruction(enum level level, const uint8_t code[3], gpa_t frame[2])
{
	for (uint32_t i = 0; i < 2; i++) {
		frame[i] = level == PT ? frame_alloc() : frames_alloc(PAGE_2M);
		frame_fill(frame[i], PAGE_4K, TAG + i);
		memcpy((uint8_t *)identity(frame[i]) + BEHIND - 3, code, 3);
	}
	return map_page_at(level, frame[0], P | RW | A | D);
}

/* The page has changed when the instruction is executed, which may come from either frame. */
static void try_behind(enum level level, const uint8_t code[3], bool is_invlpg)
{
	gpa_t frame[2];
	struct page page = map_instruction(level, code, frame);
	uint64_t flags = *page.entry[level] ^ frame[0].value;
	struct access fetch = fetch_access(linear_plus(page.linear, BEHIND - 3));
	struct outcome outcome;

	fetch.value[1] = is_invlpg ? page.linear.value : read_cr3();
	for (uint32_t i = 0; i < 2 * TIMES; i++) {
		expect_read(fetch_access(linear_plus(page.linear, BEHIND)), TAG + i % 2);
		write_entry(&page, level, frame[~i & 1].value | flags, NO_FLUSH);
		outcome = attempt_rightly(fetch); /* which invalidates as it goes */
		expect(outcome.vector == NO_VECTOR && outcome.value[0] == TAG + ~i % 2,
		       "round %u: %s, tag %u", i, vector_name(outcome.vector),
		       (unsigned)outcome.value[0]);
		invalidate(page.linear, MOV_CR3);
	}
}

TEST(code_behind_mov_to_cr3_is_that_of_the_new_frame,
     "The instruction behind MOV to CR3 is that of the frame which its page has by now",
     "SDM Vol. 3, \"Serializing Instructions\"", "")
{
	static const uint8_t mov_rdx_to_cr3[] = {0x0f, 0x22, 0xda};

	try_behind(PT, mov_rdx_to_cr3, false);
	try_behind(PD, mov_rdx_to_cr3, false);
}

TEST(code_behind_invlpg_is_that_of_the_new_frame,
     "The instruction behind INVLPG of its own page is that of the frame which it has by now",
     "SDM Vol. 3, \"Serializing Instructions\"", "")
{
	static const uint8_t invlpg_of_rdx[] = {0x0f, 0x01, 0x3a};

	try_behind(PT, invlpg_of_rdx, true);
	try_behind(PD, invlpg_of_rdx, true);
}
