/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L2's PCIDs: invalidations by L1 reach all of them, and those by L2 the ones that they name.
 *
 * What L2 caches is tagged with the VPID and with L2's PCID. INVVPID and INVEPT know nothing of
 * PCIDs: they drop what all of them have cached (SDM Vol. 3, "Operations that Invalidate Cached
 * Mappings"). INVPCID of L2 drops an address or all of the PCID in its descriptor, or of all PCIDs;
 * a change of CR4.PGE by L2 and INVLPG of a global page reach all PCIDs as well (SDM Vol. 3,
 * "Operations that Invalidate TLBs and Paging-Structure Caches").
 *
 * Caught here: invalidations that look at the PCID that L2 used last, or at the root that is in
 * CR3, and leave what the others have cached (R12, R37; KN05, KN06). Hypervisors keep several roots
 * of L2 with their shadows at hand, and forget those that are not current.
 *
 * A page is cached under two PCIDs and moves; one operation follows with either PCID as the current
 * one, and each PCID that it names has to see it. Never checked: that something is still cached
 * (P10, P23).
 */
#include "test.h"

SUBJECT(l2_pcids, "what INVVPID, INVEPT and L2's own flushes drop of L2's PCIDs");

#define BY_L1	"SDM Vol. 3, \"Operations that Invalidate Cached Mappings\""
#define BY_L2	"SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define NEEDS	"vmx vmx_allowed ept ept_4level invept vpid pcid pge"
#define FLAGS	(P | RW | US | A | D)
#define OLD	51
#define NEW	52
#define TAG	3 /* VPID */
#define PCIDS	2
#define NO_PCID PCIDS

static const uint16_t pcids[PCIDS] = {0x002, 0x803};

struct scene {
	struct l2 *l2;
	struct l2_page page, elsewhere, descriptor;
	gpa_t other;	 /* L2-physical, of the frame that the page moves to */
	uint64_t cr3, g; /* without a PCID; G of the page */
};

static struct scene start(uint64_t g)
{
	struct scene scene = {.l2 = l2_start(L2_4LEVEL, .tag = TAG), .g = g};
	struct l2 *l2 = scene.l2;

	scene.page = l2_map(l2, PT, FLAGS | g, OLD);
	scene.elsewhere = l2_map(l2, PT, FLAGS, 0);
	scene.descriptor = l2_map(l2, PT, FLAGS, 0);
	scene.other = l2_place(l2, filled_frame(NEW), PT, false);
	scene.cr3 = l2->cr3;
	l2->cr4 |= CR4_PCIDE | CR4_PGE;
	if (vmx_allows_secondary(SECONDARY_ENABLE_INVPCID))
		vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
			vmread(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) |
				SECONDARY_ENABLE_INVPCID);
	return scene;
}

static void use_pcid(const struct scene *scene, unsigned n)
{
	scene->l2->cr3 = scene->cr3 | pcids[n];
}

static void expect_tag(const struct scene *scene, uint32_t tag)
{
	expect_l2_read(scene->l2, read_access(scene->page.linear, 8), frame_word(tag));
	expect_l2_read(scene->l2, fetch_access(scene->page.linear), tag);
}

/* Where the page leads: by L2's entry for it, or by that of the second level. */
static void move_to(const struct scene *scene, bool second, bool other)
{
	gpa_t frame = other ? l2_frame_of(scene->l2, scene->other) : scene->page.frame;
	gpa_t gpa = other ? scene->other : scene->page.gpa;

	if (second)
		second_edit(&scene->l2->second, scene->page.gpa, PT, SECOND_NO_FLUSH,
			    .clear = ENTRY_ADDRESS, .set = frame.value);
	else
		l2_write_entry(scene->l2, &scene->page, PT, gpa.value | FLAGS | scene->g);
}

/* `named`: the PCID that has to see the page at its new place; NO_PCID: each. */
typedef void operation_function(const struct scene *scene, unsigned operand, unsigned named);

static void try_operation(operation_function *operation, unsigned operand, unsigned named,
			  uint64_t g, bool second)
{
	struct scene scene = start(g);

	for (unsigned last = 0; last < PCIDS; last++) {
		progress("operand %u for PCID %u while PCID %u is current", operand, named, last);
		second_invalidate(&scene.l2->second, SECOND_FLUSH_ALL);
		for (unsigned n = 0; n < PCIDS; n++) {
			use_pcid(&scene, n);
			expect_tag(&scene, OLD);
		}
		move_to(&scene, second, true);
		use_pcid(&scene, last);
		expect_l2_completes(scene.l2, read_access(scene.elsewhere.linear, 8));
		operation(&scene, operand, named);
		for (unsigned n = 0; n < PCIDS; n++) {
			if (named != NO_PCID && n != named)
				continue;
			use_pcid(&scene, n);
			expect_tag(&scene, NEW);
		}
		move_to(&scene, second, false);
	}
}

static void by_invvpid(const struct scene *scene, unsigned type, unsigned named)
{
	(void)named;
	invvpid(type, TAG, scene->page.linear);
}

static void by_invept(const struct scene *scene, unsigned type, unsigned named)
{
	(void)named;
	invept(type, type == INVEPT_ALL_CONTEXT ? 0 : eptp_of(&scene->l2->second));
}

TEST(invvpid_reaches_all_pcids,
     "INVVPID of an address, of a VPID or of all drops what each PCID of L2 has cached", BY_L1,
     NEEDS " invvpid invvpid_address invvpid_single invvpid_all")
{
	for (unsigned type = INVVPID_INDIVIDUAL_ADDRESS; type <= INVVPID_ALL_CONTEXT; type++) {
		try_operation(by_invvpid, type, NO_PCID, 0, false);
		try_operation(by_invvpid, type, NO_PCID, G, false);
	}
	if (has_vmx(VMX_FEATURE_invvpid_retaining_globals))
		try_operation(by_invvpid, INVVPID_SINGLE_CONTEXT_RETAINING_GLOBALS, NO_PCID, 0,
			      false);
}

TEST(invept_reaches_all_pcids,
     "INVEPT of an EPT pointer or of all drops what each PCID of L2 has cached", BY_L1,
     NEEDS " invept_single invept_all")
{
	for (unsigned type = INVEPT_SINGLE_CONTEXT; type <= INVEPT_ALL_CONTEXT; type++) {
		try_operation(by_invept, type, NO_PCID, G, true);
		try_operation(by_invept, type, NO_PCID, 0, false);
	}
}

/* INVPCID by L2, with a descriptor in its memory. */
static void by_invpcid(const struct scene *scene, unsigned type, unsigned named)
{
	uint64_t *words = identity(scene->descriptor.frame);

	words[0] = named == NO_PCID ? 0 : pcids[named];
	words[1] = named == NO_PCID ? 0 : scene->page.linear.value;
	expect_l2_completes(
		scene->l2, instruction_access(INSTRUCTION_invpcid, scene->descriptor.linear, type));
}

TEST(invpcid_of_l2_reaches_the_pcids_that_it_names,
     "L2's INVPCID drops what the PCID in its descriptor has cached, or all PCIDs", BY_L2,
     NEEDS " invpcid")
{
	if (!vmx_allows_secondary(SECONDARY_ENABLE_INVPCID))
		end_case_skipped("vmx_invpcid", "not offered here: INVPCID for guests of VMX");
	for (unsigned named = 0; named < PCIDS; named++) {
		try_operation(by_invpcid, 0, named, 0, false);
		try_operation(by_invpcid, 1, named, 0, false);
	}
	try_operation(by_invpcid, 2, NO_PCID, 0, false);
	try_operation(by_invpcid, 2, NO_PCID, G, false);
	try_operation(by_invpcid, 3, NO_PCID, 0, false);
}

static void by_pge(const struct scene *scene, unsigned operand, unsigned named)
{
	uint64_t cr4 = (scene->l2->cr4 ^ CR4_PGE) | CR4_VMXE;

	(void)operand;
	(void)named;
	expect_l2_completes(scene->l2, instruction_access(INSTRUCTION_mov_to_cr4,
							  scene->elsewhere.linear, cr4));
}

TEST(a_change_of_pge_by_l2_reaches_all_pcids,
     "L2's MOV to CR4 that changes PGE drops what each of its PCIDs has cached", BY_L2, NEEDS)
{
	try_operation(by_pge, 0, NO_PCID, 0, false);
	try_operation(by_pge, 0, NO_PCID, G, false);
}

static void by_invlpg(const struct scene *scene, unsigned operand, unsigned named)
{
	(void)operand;
	(void)named;
	expect_l2_completes(scene->l2,
			    instruction_access(INSTRUCTION_invlpg, scene->page.linear, 0));
}

TEST(invlpg_of_l2_reaches_a_global_page_of_all_pcids,
     "L2's INVLPG drops a global translation, whichever PCID it was cached under", BY_L2, NEEDS)
{
	try_operation(by_invlpg, 0, NO_PCID, G, false);
}

TEST(each_bit_of_a_pcid_keeps_mappings_apart,
     "L2's roots under PCIDs that differ in one bit each lead to their own frames", BY_L2, NEEDS)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .tag = TAG);
	uint64_t cr3[PCIDS];
	struct l2_page page;

	for (unsigned n = 0; n < PCIDS; n++) {
		if (n)
			l2_new_space(l2);
		cr3[n] = l2->cr3;
		page = l2_map(l2, PT, FLAGS, OLD + n);
	}
	l2->cr4 |= CR4_PCIDE | CR4_PGE;
	for (unsigned bit = 0; bit < 12; bit++) {
		for (unsigned i = 0; i < 2 * PCIDS; i++) {
			unsigned n = i % PCIDS;

			l2->cr3 = cr3[n] | (pcids[1] ^ (n ? 1u << bit : 0));
			expect_l2_read(l2, read_access(page.linear, 8), frame_word(OLD + n));
			expect_l2_read(l2, fetch_access(page.linear), OLD + n);
		}
		second_invalidate(&l2->second, SECOND_FLUSH_ALL);
	}
}
