/* SPDX-License-Identifier: BSD-2-Clause
 *
 * L2 turns its own paging on and off, in each kind of paging.
 *
 * An unpaged L2 whose CR3, CR4 and EFER.LME are ready sets CR0.PG: its next access is translated by
 * its structures as well, and after it clears CR0.PG by the second level alone, within one VM entry
 * (SDM Vol. 3, "Paging-Mode Enabling", "Unrestricted Guests"; APM Vol. 2, "Nested Paging"). A VM
 * exit saves where L2 has come to, EFER.LMA and the VM-entry control "IA-32e mode guest" with it
 * ("Saving Guest State"), so that the next VM entry goes on there. CR3 is saved as L2 wrote it,
 * with PWT and PCD.
 *
 * Caught here: translations of one mode used in the next; a mode that is decided at VM entries; an
 * L2 that activates long mode and comes back as a guest of 32 bits, or is refused (R22, R40; QT11,
 * QT12). Every firmware and boot loader does this, as an L2 too, and few tests do.
 *
 * L2's code and data are where they are in its physical memory, in both modes, but for one page.
 * Not checked: 5-level paging; real mode of VMX guests; what PWT and PCD do.
 */
#include "test.h"

SUBJECT(l2_mode_changes, "MOV to CR0 by L2 that turns its paging on and off; what exits save");

#define MANUAL	      "SDM Vol. 3, \"Paging-Mode Enabling\"; APM Vol. 2, \"Nested Paging\""
#define NEEDS	      "second_level"
#define FLAGS	      (P | RW | US | A | D)
#define IA32E_MODE    (1u << 9)	  /* VM-entry control */
#define CR0_NE	      (1ull << 5) /* which VMX fixes */
#define UNPAGED_TAG   81
#define PAGED_TAG     82
#define ENTRY_OF_CODE 12 /* where the second program begins */
#define PWT_PCD	      0x18

struct scene {
	struct l2 *l2;
	enum l2_mode mode; /* that it changes to */
	struct l2_page code, page;
	gpa_t root;
	struct l2_registers registers;
	struct l2_exit exit;
};

static uint64_t load(const volatile char *entry, enum l2_mode mode)
{
	return mode == L2_32BIT ? *(const volatile uint32_t *)entry
				: *(const volatile uint64_t *)entry;
}

static void store(volatile char *entry, enum l2_mode mode, uint64_t value)
{
	if (mode == L2_32BIT)
		*(volatile uint32_t *)entry = (uint32_t)value;
	else
		*(volatile uint64_t *)entry = value;
}

/* One page, by the structures of the mode to come. */
static void map(const struct scene *scene, uint64_t linear, gpa_t gpa)
{
	const unsigned bits = scene->mode == L2_32BIT ? 10 : 9,
		       size = scene->mode == L2_32BIT ? 4 : 8;
	unsigned level = scene->mode - L2_32BIT + 1; /* of the root: 0 is a page table */
	gpa_t table = scene->root;

	for (;; level--) {
		uint64_t index = linear >> (12 + level * bits) & ((1u << bits) - 1);
		volatile char *entry =
			(char *)identity(l2_frame_of(scene->l2, table)) + index * size;
		bool is_pdpte = scene->mode == L2_PAE && level == 2;

		if (!level) {
			store(entry, scene->mode, gpa.value | FLAGS);
			return;
		}
		if (!(load(entry, scene->mode) & P))
			store(entry, scene->mode,
			      l2_place(scene->l2, frame_alloc(), PT, false).value |
				      (is_pdpte ? P : P | RW | US | A));
		table = GPA(load(entry, scene->mode) & ENTRY_ADDRESS);
	}
}

static struct scene start(enum l2_mode mode)
{
	struct scene scene = {.l2 = l2_start(L2_UNPAGED), .mode = mode};
	struct l2 *l2 = scene.l2;

	scene.code = l2_map(l2, PT, 0, 0);
	scene.page = l2_map(l2, PT, 0, UNPAGED_TAG);
	scene.root = l2_place(l2, frame_alloc(), PT, false);
	map(&scene, scene.code.gpa.value, scene.code.gpa);
	map(&scene, scene.page.gpa.value, l2_place(l2, filled_frame(PAGED_TAG), PT, false));
	l2->cr3 = scene.root.value;
	l2->cr4 |= mode == L2_32BIT ? 0 : CR4_PAE;
	l2->efer |= mode == L2_4LEVEL ? EFER_LME : 0;
	return scene;
}

static void run(struct scene *scene, uint64_t offset)
{
	uint64_t unpaged = scene->l2->cr0 | CR0_PE | (has(FEATURE_svm) ? 0 : CR0_NE);

	scene->registers = (struct l2_registers){.rax = unpaged | CR0_PG,
						 .rbx = unpaged,
						 .rdi = scene->page.gpa.value,
						 .rip = scene->code.gpa.value + offset,
						 .rflags = RFLAGS_FIXED};
	scene->l2->backend->enter(scene->l2, &scene->registers, &scene->exit);
	expect(scene->exit.kind == L2_EXCEPTION && scene->exit.vector == VECTOR_UD,
	       "exit kind %u, reason 0x%llx, vector %u, error code 0x%llx at 0x%llx, RIP 0x%llx",
	       scene->exit.kind, (unsigned long long)scene->exit.reason, scene->exit.vector,
	       (unsigned long long)scene->exit.error_code, (unsigned long long)scene->exit.linear,
	       (unsigned long long)scene->exit.rip);
}

static void expect_tag(uint64_t value, uint32_t tag)
{
	expect((uint32_t)value == (uint32_t)frame_word(tag), "L2 read 0x%llx instead of 0x%x",
	       (unsigned long long)value, (uint32_t)frame_word(tag));
}

/* mov (%edi), %ecx; mov %eax, %cr0; mov (%edi), %edx; mov %ebx, %cr0; mov (%edi), %esi; ud2 */
static const uint8_t on_and_off[] = {0x8b, 0x0f, 0x0f, 0x22, 0xc0, 0x8b, 0x17,
				     0x0f, 0x22, 0xc3, 0x8b, 0x37, 0x0f, 0x0b};

TEST(paging_of_l2_begins_and_ends_with_pg,
     "L2's accesses are translated by its structures from the MOV to CR0 that sets PG to the one "
     "that clears it",
     MANUAL, NEEDS)
{
	for (unsigned mode = L2_32BIT; mode <= L2_4LEVEL; mode++) {
		struct scene scene = start((enum l2_mode)mode);

		progress("mode %u", mode);
		memcpy(identity(scene.code.frame), on_and_off, sizeof(on_and_off));
		for (unsigned i = 0; i < 2; i++) {
			run(&scene, 0);
			expect_tag(scene.registers.rcx, UNPAGED_TAG);
			expect_tag(scene.registers.rdx, PAGED_TAG);
			expect_tag(scene.registers.rsi, UNPAGED_TAG);
		}
	}
}

/* mov %eax, %cr0; mov (%edi), %ecx; ud2; and for the next VM entry: mov (%edi), %edx; ud2 */
static const uint8_t on[] = {0x0f, 0x22, 0xc0, 0x8b, 0x0f, 0x0f, 0x0b};
static const uint8_t goes_on[] = {0x8b, 0x17, 0x0f, 0x0b};

TEST(l2_goes_on_in_the_mode_that_it_changed_to,
     "a VM exit saves CR0.PG, EFER.LMA and \"IA-32e mode guest\" as L2 made them, and the next VM "
     "entry goes on there",
     "SDM Vol. 3, \"Saving Guest State\"", NEEDS " vmx unrestricted_guest")
{
	for (unsigned mode = L2_32BIT; mode <= L2_4LEVEL; mode++) {
		struct scene scene = start((enum l2_mode)mode);
		bool is_long = mode == L2_4LEVEL;

		progress("mode %u", mode);
		memcpy(identity(scene.code.frame), on, sizeof(on));
		memcpy(identity(gpa_plus(scene.code.frame, ENTRY_OF_CODE)), goes_on,
		       sizeof(goes_on));
		run(&scene, 0);
		expect_tag(scene.registers.rcx, PAGED_TAG);
		expect(vmread(VMCS_GUEST_CR0) & CR0_PG, "CR0 is 0x%llx",
		       (unsigned long long)vmread(VMCS_GUEST_CR0));
		expect(!(vmread(VMCS_GUEST_IA32_EFER) & EFER_LMA) == !is_long, "EFER is 0x%llx",
		       (unsigned long long)vmread(VMCS_GUEST_IA32_EFER));
		expect(!(vmread(VMCS_VM_ENTRY_CONTROLS) & IA32E_MODE) == !is_long,
		       "VM-entry controls 0x%llx",
		       (unsigned long long)vmread(VMCS_VM_ENTRY_CONTROLS));
		run(&scene, ENTRY_OF_CODE); /* with these fields as they are */
		expect_tag(scene.registers.rdx, PAGED_TAG);
	}
}

/* mov %eax, %cr3; mov %cr3, %ecx; ud2, in any mode */
static const uint8_t load_cr3[] = {0x0f, 0x22, 0xd8, 0x0f, 0x20, 0xd9, 0x0f, 0x0b};

TEST(cr3_of_l2_is_what_it_wrote, "L2's CR3 and the saved one hold PWT and PCD as L2 wrote them",
     "SDM Vol. 3, \"Saving Guest State\"; APM Vol. 2, \"#VMEXIT\"", NEEDS)
{
	if (!has(FEATURE_svm) && !vmx_lets_guests_load_cr3())
		end_case_skipped("no_cr3_load_exiting", "CR3-load exiting cannot be turned off");
	for (unsigned mode = L2_32BIT; mode <= L2_4LEVEL; mode++) {
		struct l2 *l2 = l2_start((enum l2_mode)mode);
		struct l2_page code = l2_map(l2, PT, FLAGS & ~US, 0);
		const uint64_t original = l2->cr3;

		memcpy(identity(code.frame), load_cr3, sizeof(load_cr3));
		for (uint64_t bits = 0; bits <= PWT_PCD; bits += 8) {
			struct l2_registers registers = {.rax = original | bits,
							 .rip = code.linear.value,
							 .rflags = RFLAGS_FIXED};
			struct l2_exit exit;
			uint64_t saved;

			l2->cr3 = original | (bits ^ PWT_PCD);
			l2->backend->enter(l2, &registers, &exit);
			saved = has(FEATURE_svm) ? svm_guest(l2)->vmcb->state.cr3
						 : vmread(VMCS_GUEST_CR3);
			expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD,
			       "exit kind %u, reason 0x%llx, vector %u", exit.kind,
			       (unsigned long long)exit.reason, exit.vector);
			expect(registers.rcx == (original | bits) && saved == (original | bits),
			       "mode %u: L2 wrote 0x%llx, read 0x%llx; 0x%llx was saved", mode,
			       (unsigned long long)(original | bits),
			       (unsigned long long)registers.rcx, (unsigned long long)saved);
		}
	}
}

TEST(paged_real_mode_is_paged,
     "A guest with CR0.PG = 1 and CR0.PE = 0 is translated by its structures and has their faults",
     "APM Vol. 2, \"Paged Real Mode\"", NEEDS " svm")
{
	for (unsigned mode = L2_32BIT; mode <= L2_PAE; mode++) {
		struct l2 *l2 = l2_start((enum l2_mode)mode);
		struct l2_page page = l2_map(l2, PT, FLAGS & ~US, PAGED_TAG);
		const struct access read = read_access(page.linear, 4);
		const struct access write = write_access(page.linear, 4, 1);

		l2->cr0 = (l2->cr0 & ~(uint64_t)CR0_PE) | CR0_WP;
		expect_l2_read(l2, read, (uint32_t)frame_word(PAGED_TAG));
		l2_write_entry(l2, &page, PT, page.gpa.value | P | A | D);
		second_invalidate(&l2->second, SECOND_FLUSH);
		expect_l2_read(l2, read, (uint32_t)frame_word(PAGED_TAG));
		expect_l2_page_fault(l2, write, PF_P | PF_W);
		l2_write_entry(l2, &page, PT, 0);
		second_invalidate(&l2->second, SECOND_FLUSH);
		expect_l2_page_fault(l2, read, 0);
	}
}
