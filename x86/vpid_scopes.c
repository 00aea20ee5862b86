/* SPDX-License-Identifier: BSD-2-Clause
 *
 * INVVPID and INVEPT reach every context that they name, whichever ran last.
 *
 * Translations of L2 are cached under a VPID and an EPT pointer. INVVPID of a VPID drops them under
 * all EPT pointers, INVEPT of an EPT pointer under all VPIDs, and either one of all contexts drops
 * everything, for data and for fetches (SDM Vol. 3, "Operations that Invalidate Cached Mappings";
 * "INVVPID", "INVEPT").
 *
 * Caught here: an invalidation that is done for the VMCS that is current, or for the pair that ran
 * last, and leaves what the others have cached (R37; KN05, KN06). Hypervisors keep one shadow for
 * each pair, and look at one.
 *
 * Four contexts have the same page cached; then it moves, one operation follows, and each context
 * that the operation names has to see it. Never checked: that something is still cached (P10, P23);
 * large pages (vpid_exact); operands that are refused (vpid_operands, ept_contexts).
 */
#include "test.h"

SUBJECT(vpid_scopes, "what INVVPID and INVEPT drop in contexts that are not current");

#define MANUAL	 "SDM Vol. 3, \"Operations that Invalidate Cached Mappings\""
#define NEEDS	 "vmx vmx_allowed ept ept_4level invept vpid"
#define INVVPIDS NEEDS " invvpid invvpid_address invvpid_single invvpid_all"
#define FLAGS	 (P | RW | US | A | D)
#define OLD	 61
#define NEW	 62
#define CONTEXTS 4
#define ALL	 0xfu /* contexts, as a mask */

struct scene {
	struct l2 *l2;
	struct l2_page page, elsewhere;
	gpa_t other; /* L2-physical, of the frame that the page moves to */
	uint64_t eptp[2];
};

/* Context n has VPID 1 + n % 2 and EPT pointer n / 2. */
static void use_context(const struct scene *scene, unsigned n)
{
	vmwrite(VMCS_VIRTUAL_PROCESSOR_IDENTIFIER, 1 + n % 2);
	vmwrite(VMCS_EPT_POINTER, scene->eptp[n / 2]);
}

/* The second EPT pointer leads to the same tables by a top table of its own. */
static struct scene start(void)
{
	struct scene scene = {.l2 = l2_start(L2_4LEVEL, .tag = 1)};
	struct second_level second = scene.l2->second;
	gpa_t root = frame_alloc();

	scene.page = l2_map(scene.l2, PT, FLAGS, OLD);
	scene.elsewhere = l2_map(scene.l2, PT, FLAGS, 0);
	scene.other = l2_place(scene.l2, filled_frame(NEW), PT, false);
	memcpy(identity(root), identity(GPA(second.model.root)), PAGE_4K);
	scene.eptp[0] = eptp_of(&second);
	second.model.root = root.value;
	scene.eptp[1] = eptp_of(&second);
	return scene;
}

static void expect_tag(const struct scene *scene, uint32_t tag)
{
	expect_l2_read(scene->l2, read_access(scene->page.linear, 8), frame_word(tag));
	expect_l2_read(scene->l2, fetch_access(scene->page.linear), tag);
}

/* Cached by all; then L2's entry for the page changes, or EPT's. */
static void cache_and_move(const struct scene *scene, bool by_ept)
{
	gpa_t frame = l2_frame_of(scene->l2, scene->other);

	for (unsigned n = 0; n < CONTEXTS; n++) {
		use_context(scene, n);
		expect_tag(scene, OLD);
	}
	if (by_ept)
		second_edit(&scene->l2->second, scene->page.gpa, PT, SECOND_NO_FLUSH,
			    .clear = ENTRY_ADDRESS, .set = frame.value);
	else
		l2_write_entry(scene->l2, &scene->page, PT, scene->other.value | FLAGS);
}

static void move_back(const struct scene *scene)
{
	second_edit(&scene->l2->second, scene->page.gpa, PT, SECOND_NO_FLUSH,
		    .clear = ENTRY_ADDRESS, .set = scene->page.frame.value);
	l2_write_entry(scene->l2, &scene->page, PT, scene->page.gpa.value | FLAGS);
	vmx_forget_everything();
}

typedef void operation_function(const struct scene *scene, unsigned operand);

/* With each context as the one that ran last, which has not used the page since. */
static void try_operation(operation_function *operation, unsigned operand, unsigned reached,
			  bool by_ept)
{
	struct scene scene = start();

	for (unsigned last = 0; last < CONTEXTS; last++) {
		progress("operand %u, context %u ran last", operand, last);
		cache_and_move(&scene, by_ept);
		use_context(&scene, last);
		l2_attempt(scene.l2, read_access(scene.elsewhere.linear, 8));
		operation(&scene, operand);
		for (unsigned n = 0; n < CONTEXTS; n++) {
			if (!(reached >> n & 1))
				continue;
			use_context(&scene, n);
			expect_tag(&scene, NEW);
		}
		move_back(&scene);
	}
}

static void invvpid_address(const struct scene *scene, unsigned vpid)
{
	invvpid(INVVPID_INDIVIDUAL_ADDRESS, (uint16_t)vpid, scene->page.linear);
}

static void invvpid_single(const struct scene *scene, unsigned vpid)
{
	(void)scene;
	invvpid(INVVPID_SINGLE_CONTEXT, (uint16_t)vpid, LINEAR(0));
}

static void invvpid_all(const struct scene *scene, unsigned vpid)
{
	(void)scene;
	invvpid(INVVPID_ALL_CONTEXT, (uint16_t)vpid, LINEAR(0));
}

static void invvpid_retaining(const struct scene *scene, unsigned vpid)
{
	(void)scene;
	invvpid(INVVPID_SINGLE_CONTEXT_RETAINING_GLOBALS, (uint16_t)vpid, LINEAR(0));
}

static void invept_single(const struct scene *scene, unsigned pointer)
{
	invept(INVEPT_SINGLE_CONTEXT, scene->eptp[pointer]);
}

static void invept_all(const struct scene *scene, unsigned pointer)
{
	(void)scene;
	(void)pointer;
	invept(INVEPT_ALL_CONTEXT, 0);
}

/* The contexts of a VPID, and of an EPT pointer. */
static const unsigned of_vpid[] = {0, 0x5, 0xa}, of_pointer[] = {0x3, 0xc};

TEST(invvpid_of_a_vpid_reaches_all_ept_pointers,
     "INVVPID of an address or a VPID drops what the VPID has cached under each EPT pointer",
     MANUAL, INVVPIDS)
{
	for (unsigned vpid = 1; vpid <= 2; vpid++) {
		try_operation(invvpid_address, vpid, of_vpid[vpid], false);
		try_operation(invvpid_single, vpid, of_vpid[vpid], false);
	}
}

TEST(invvpid_that_retains_globals_reaches_all_ept_pointers,
     "INVVPID of a VPID but for globals drops what is not global under each EPT pointer", MANUAL,
     INVVPIDS " invvpid_retaining_globals")
{
	for (unsigned vpid = 1; vpid <= 2; vpid++)
		try_operation(invvpid_retaining, vpid, of_vpid[vpid], false);
}

TEST(invvpid_of_all_contexts_reaches_all,
     "INVVPID of all contexts drops what every VPID has cached under each EPT pointer", MANUAL,
     INVVPIDS)
{
	try_operation(invvpid_all, 0, ALL, false);
	try_operation(invvpid_all, 1, ALL, false);
}

TEST(invept_of_a_context_reaches_all_vpids,
     "INVEPT of an EPT pointer drops what every VPID has cached under it", MANUAL,
     NEEDS " invept_single")
{
	for (unsigned pointer = 0; pointer < 2; pointer++) {
		try_operation(invept_single, pointer, of_pointer[pointer], true);
		try_operation(invept_single, pointer, of_pointer[pointer], false);
	}
}

TEST(invept_of_all_contexts_reaches_all,
     "INVEPT of all contexts drops what every VPID has cached under each EPT pointer", MANUAL,
     NEEDS)
{
	try_operation(invept_all, 0, ALL, true);
	try_operation(invept_all, 0, ALL, false);
}
