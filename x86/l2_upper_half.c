/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Linear addresses of L2 whose bits 63:47 are 1.
 *
 * An exit names them with all 64 bits: the address of a #PF in the exit qualification or EXITINFO2,
 * that of an EPT violation in the guest-linear address; INVVPID and INVLPGA take them so (SDM Vol.
 * 3, "Basic VM-Exit Information", "INVVPID - Invalidate Translations Based on VPID"; APM Vol. 2,
 * "Exception Intercepts", "INVLPGA").
 *
 * Caught here: addresses that lose their upper bits on the way to L1, which would map another page
 * for its guest, or on the way to an invalidation, which then misses the page (R31, R35; KN06,
 * KN14). Kernels live in the upper half, but most tests of a hypervisor do not.
 *
 * The page is mapped in the lower half, too, by a second PML4E. Not checked: 57-bit addresses.
 */
#include "test.h"

SUBJECT(l2_upper_half, "addresses of L2 in the upper half: exits and invalidations");

#define MANUAL "SDM Vol. 3, \"Basic VM-Exit Information\"; APM Vol. 2, \"Exception Intercepts\""
#define DROPS  "SDM Vol. 3, \"Operations that Invalidate Cached Mappings\"; APM Vol. 2, \"INVLPGA\""
#define NEEDS  "second_level"
#define FLAGS  (P | RW | US | A | D)
#define UPPER  0xffff800000000000ull
#define TAG    12
#define OLD    41
#define NEW    42

struct scene {
	struct l2 *l2;
	struct l2_page page;
	linear_t upper;
};

static struct scene make_scene(uint64_t flags)
{
	struct scene scene = {
		.l2 = l2_start(L2_4LEVEL,
			       .tag = has(FEATURE_svm) || has_vmx(VMX_FEATURE_vpid) ? TAG : 0)};
	volatile uint64_t *root = identity(scene.l2->root_frame);
	unsigned index;

	scene.page = l2_map(scene.l2, PT, flags, OLD);
	index = level_index(&paging_4level, PML4, scene.page.linear.value);
	root[256 + index] = root[index];
	scene.upper = LINEAR(scene.page.linear.value | UPPER);
	return scene;
}

TEST(accesses_are_those_of_the_lower_half,
     "rights and flags of L2's entries are the same in the upper half, and #PF has the address",
     MANUAL, NEEDS)
{
	static const uint64_t flags[] = {P | RW | US, P | US, P | RW, P, RW | US};

	for (unsigned i = 0; i < COUNT_OF(flags); i++) {
		struct scene scene = make_scene(flags[i]);

		for (unsigned n = 0; n < ACCESS_WAYS; n++)
			expect_l2_as_modelled(scene.l2,
					      nth_access(n, linear_plus(scene.upper, 0x7a8)));
	}
}

static void expect_whole_address(const struct scene *scene, gpa_t place, struct access access)
{
	struct l2_outcome outcome;

	second_allow(&scene->l2->second, place, PT, 0, SECOND_FLUSH_ALL);
	outcome = l2_attempt(scene->l2, access);
	expect(outcome.exited && outcome.exit.kind == L2_VIOLATION &&
		       outcome.exit.gpa == place.value && outcome.exit.linear_valid,
	       "exit kind %u at 0x%llx", outcome.exit.kind, (unsigned long long)outcome.exit.gpa);
	expect(outcome.exit.linear == scene->upper.value, "0x%llx instead of 0x%llx",
	       (unsigned long long)outcome.exit.linear, (unsigned long long)scene->upper.value);
	second_allow(&scene->l2->second, place, PT, SECOND_ALL, SECOND_FLUSH_ALL);
}

TEST(a_violation_has_the_whole_address,
     "the guest-linear address of an EPT violation has all 64 bits, of an access and of its walk",
     "SDM Vol. 3, \"Exit Qualification\"", NEEDS " vmx")
{
	struct scene scene = make_scene(FLAGS);
	const gpa_t places[] = {scene.page.gpa, GPA(scene.page.entry_gpa[PT])};

	for (unsigned i = 0; i < COUNT_OF(places); i++)
		for (unsigned n = 0; n < ACCESS_WAYS; n++)
			expect_whole_address(&scene, places[i], nth_access(n, scene.upper));
}

static void expect_tag(const struct scene *scene, uint32_t tag)
{
	expect_l2_read(scene->l2, read_access(scene->upper, 8), frame_word(tag));
	expect_l2_read(scene->l2, fetch_access(scene->upper), tag);
}

TEST(invalidations_reach_the_upper_half,
     "INVVPID of an address, or INVLPGA, drops a page of the upper half, global or not", DROPS,
     NEEDS)
{
	if (!has(FEATURE_svm) && !has_vmx(VMX_FEATURE_invvpid_address))
		end_case_skipped("invvpid_address", "not offered here: INVVPID of an address");
	for (unsigned global = 0; global < 2; global++) {
		uint64_t flags = FLAGS | (global ? G : 0);
		struct scene scene = make_scene(flags);

		scene.l2->cr4 |= global ? CR4_PGE : 0;
		expect_tag(&scene, OLD);
		l2_write_entry(scene.l2, &scene.page, PT,
			       l2_place(scene.l2, filled_frame(NEW), PT, false).value | flags);
		if (has(FEATURE_svm))
			invlpga(scene.upper, TAG);
		else
			invvpid(INVVPID_INDIVIDUAL_ADDRESS, TAG, scene.upper);
		expect_tag(&scene, NEW);
	}
}
