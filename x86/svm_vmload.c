/* SPDX-License-Identifier: BSD-2-Clause
 *
 * VMLOAD and VMSAVE executed by the guest: whose memory RAX names.
 *
 * Where L1 does not intercept them, they take a system-physical address, which is one of L1's;
 * nested tables have no say in it. Where bit 1 of the VMCB's word at 0B8H virtualizes them, RAX is
 * a guest-physical address, nested tables translate it, and what they deny ends in #NPF (APM Vol.
 * 2, "VMSAVE and VMLOAD Instructions", "Virtualized VMLOAD and VMSAVE", "Nested Paging").
 *
 * Caught here: the instructions of L2 working on the memory of the hypervisor below L1 (KN23), an
 * address translated that must not be or the other way round, an #NPF without its flags.
 *
 * Not checked: addresses that are not 4-KByte aligned or beyond memory, which may raise #GP.
 */
#include "test.h"

SUBJECT(svm_vmload, "VMLOAD and VMSAVE by the guest, with an address of L1 or of its own");

#define PLAIN	    "APM Vol. 2, \"VMSAVE and VMLOAD Instructions\""
#define VIRTUALIZED "APM Vol. 2, \"Virtualized VMLOAD and VMSAVE\"; \"Nested Paging\""
#define NEEDS	    "svm svm_allowed svm_nested_paging"

#define BEFORE	    0x0000111122223333ull
#define IN_PAGE	    0x0000444455556666ull
#define IN_OTHER    0x0000777700007777ull

/* VMLOAD or VMSAVE of RAX; UD2. */
static const uint8_t vmload_code[] = {0x0f, 0x01, 0xda, 0x0f, 0x0b};
static const uint8_t vmsave_code[] = {0x0f, 0x01, 0xdb, 0x0f, 0x0b};

/* Two pages of the VMCB's shape: L2's page at `gpa`, and the frame that L1 finds at that address.
 */
struct scene {
	struct l2 *l2;
	struct vmcb *vmcb;
	struct l2_page code, page;
	gpa_t gpa, same_address;
};

static struct vmcb *vmcb_at(gpa_t frame)
{
	return identity(frame);
}

/* L2's page lies at an L2-physical address that is a frame of L1's own. */
static struct scene make_scene(const uint8_t *code, bool virtualized)
{
	struct scene scene = {.l2 = l2_start(L2_4LEVEL), .same_address = frame_alloc()};

	scene.code = l2_map(scene.l2, PT, P | RW | US | A | D, 0);
	scene.page = l2_map(scene.l2, PT, P | RW | US | A | D, 0);
	scene.gpa = scene.same_address;
	second_map(&scene.l2->second, scene.gpa, scene.page.frame, PT, SECOND_ALL);
	memcpy(identity(scene.code.frame), code, sizeof(vmload_code));
	scene.vmcb = svm_guest(scene.l2)->vmcb;
	scene.vmcb->control.intercept_4 &= ~(VMCB_INTERCEPT_4_VMLOAD | VMCB_INTERCEPT_4_VMSAVE);
	if (virtualized)
		scene.vmcb->control.lbr_virtualization_enable |= VMCB_VIRTUALIZE_VMLOAD;
	scene.vmcb->state.kernel_gs_base = BEFORE;
	memcpy(vmcb_at(scene.page.frame), scene.vmcb, sizeof(struct vmcb));
	memcpy(vmcb_at(scene.same_address), scene.vmcb, sizeof(struct vmcb));
	vmcb_at(scene.page.frame)->state.kernel_gs_base = IN_PAGE;
	vmcb_at(scene.same_address)->state.kernel_gs_base = IN_OTHER;
	return scene;
}

static struct l2_exit run(const struct scene *scene)
{
	struct l2_registers registers = {
		.rax = scene->gpa.value, .rip = scene->code.linear.value, .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	scene->l2->user = false;
	scene->l2->backend->enter(scene->l2, &registers, &exit);
	return exit;
}

static void expect_done(const struct l2_exit *exit)
{
	expect(exit->kind == L2_EXCEPTION && exit->vector == VECTOR_UD,
	       "exit kind %u, code 0x%llx, vector %u", exit->kind, (unsigned long long)exit->reason,
	       exit->vector);
}

/* What VMLOAD leaves in the processor is in the VMCB after #VMEXIT and L1's own VMSAVE. */
static void expect_loaded(const struct scene *scene, uint64_t value)
{
	struct l2_exit exit = run(scene);

	expect_done(&exit);
	expect(scene->vmcb->state.kernel_gs_base == value, "KernelGSBase is 0x%llx, not 0x%llx",
	       (unsigned long long)scene->vmcb->state.kernel_gs_base, (unsigned long long)value);
}

static void expect_saved(const struct scene *scene, uint64_t in_page, uint64_t in_other)
{
	struct l2_exit exit = run(scene);
	uint64_t page = vmcb_at(scene->page.frame)->state.kernel_gs_base;
	uint64_t other = vmcb_at(scene->same_address)->state.kernel_gs_base;

	expect_done(&exit);
	expect(page == in_page && other == in_other, "L2's page has 0x%llx, L1's frame 0x%llx",
	       (unsigned long long)page, (unsigned long long)other);
}

TEST(vmload_of_the_guest_reads_l1s_memory,
     "VMLOAD by a guest, not intercepted, takes an address of L1's, not a guest-physical one",
     PLAIN, NEEDS)
{
	struct scene scene = make_scene(vmload_code, false);

	expect_loaded(&scene, IN_OTHER);
}

TEST(vmsave_of_the_guest_writes_l1s_memory,
     "VMSAVE by a guest, not intercepted, takes an address of L1's, not a guest-physical one",
     PLAIN, NEEDS)
{
	struct scene scene = make_scene(vmsave_code, false);

	expect_saved(&scene, IN_PAGE, BEFORE);
}

TEST(intercepted_instructions_of_the_guest_do_nothing,
     "VMLOAD and VMSAVE that L1 intercepts end in #VMEXIT and move no state", PLAIN, NEEDS)
{
	struct scene scene = make_scene(vmsave_code, false);
	struct l2_exit exit;

	scene.vmcb->control.intercept_4 |= VMCB_INTERCEPT_4_VMLOAD | VMCB_INTERCEPT_4_VMSAVE;
	exit = run(&scene);
	expect(exit.reason == VMEXIT_VMSAVE, "exit code 0x%llx", (unsigned long long)exit.reason);
	expect(vmcb_at(scene.page.frame)->state.kernel_gs_base == IN_PAGE &&
		       vmcb_at(scene.same_address)->state.kernel_gs_base == IN_OTHER,
	       "memory was written");
	memcpy(identity(scene.code.frame), vmload_code, sizeof(vmload_code));
	exit = run(&scene);
	expect(exit.reason == VMEXIT_VMLOAD, "exit code 0x%llx", (unsigned long long)exit.reason);
	expect(scene.vmcb->state.kernel_gs_base == BEFORE, "state was loaded");
}

TEST(virtualized_vmload_reads_the_guests_memory,
     "A virtualized VMLOAD takes a guest-physical address", VIRTUALIZED, NEEDS " svm_vmload")
{
	struct scene scene = make_scene(vmload_code, true);

	expect_loaded(&scene, IN_PAGE);
}

TEST(virtualized_vmsave_writes_the_guests_memory,
     "A virtualized VMSAVE takes a guest-physical address", VIRTUALIZED, NEEDS " svm_vmload")
{
	struct scene scene = make_scene(vmsave_code, true);

	expect_saved(&scene, BEFORE, IN_OTHER);
}

TEST(virtualized_vmsave_is_a_write_to_nested_tables,
     "A virtualized VMSAVE to a page without R/W, and both to one that is missing, end in #NPF",
     VIRTUALIZED, NEEDS " svm_vmload")
{
	struct scene scene = make_scene(vmsave_code, true);

	for (unsigned rights = 0; rights < 2; rights++) {
		struct l2_exit exit;

		second_allow(&scene.l2->second, scene.gpa, PT,
			     rights ? SECOND_ALL & ~SECOND_WRITE : 0, SECOND_FLUSH_ALL);
		exit = run(&scene);
		expect(exit.kind == L2_VIOLATION && exit.gpa - scene.gpa.value < PAGE_4K,
		       "exit kind %u at 0x%llx", exit.kind, (unsigned long long)exit.gpa);
		expect(exit.access & SECOND_WRITE, "EXITINFO1 does not say write");
	}
	memcpy(identity(scene.code.frame), vmload_code, sizeof(vmload_code));
	second_allow(&scene.l2->second, scene.gpa, PT, 0, SECOND_FLUSH_ALL);
	expect(run(&scene).kind == L2_VIOLATION, "VMLOAD went on");
}
