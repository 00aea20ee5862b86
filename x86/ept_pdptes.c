/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Loads of PDPTEs by L2 itself: from any place in a page, and by turning paging on.
 *
 * MOV to CR3 in PAE mode, and MOV to CR0 that turns PAE paging on, load the four PDPTEs from the
 * 32-byte aligned address in CR3, which EPT translates; a VM exit saves them in the VMCS (SDM Vol.
 * 3, "PDPTE Registers", "Guest Non-Register State").
 *
 * Caught here: the PDPT looked for at the start of its page once EPT has translated it (HX01); the
 * PDPTEs of the last VM entry used after paging was turned on (V802, KS37). Hypervisors make these
 * loads in software, one instruction at a time.
 *
 * Not checked: violations by such a load, and reserved bits (ept_modes).
 */
#include "test.h"

SUBJECT(ept_pdptes, "where L2's MOV to CR3 and MOV to CR0 load PDPTEs from under EPT");

#define MANUAL "SDM Vol. 3, \"PDPTE Registers\""
#define NEEDS  "vmx vmx_allowed ept ept_4level invept"
#define CR0_NE (1u << 5) /* which VMX fixes */
#define PDPTES 4
#define LENGTH 3 /* of the MOV */

/* L2 executes a MOV of EAX to a control register, then UD2, at the page's first byte. */
static void move(struct l2 *l2, const struct l2_page *page, uint8_t modrm, uint64_t value,
		 const uint64_t *pdptes)
{
	const uint8_t code[] = {0x0f, 0x22, modrm, 0x0f, 0x0b};
	struct l2_registers registers = {
		.rax = value, .rip = page->linear.value, .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	memcpy(identity(page->frame), code, sizeof(code));
	l2->user = false;
	l2->backend->enter(l2, &registers, &exit);
	expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD &&
		       exit.rip == page->linear.value + LENGTH,
	       "exit kind %u, reason %llu, vector %u, RIP 0x%llx", exit.kind,
	       (unsigned long long)exit.reason, exit.vector, (unsigned long long)exit.rip);
	for (unsigned i = 0; i < PDPTES; i++) {
		uint64_t saved = vmread(VMCS_GUEST_PDPTE0 + 2 * i);

		expect(saved == pdptes[i], "PDPTE %u is 0x%llx instead of 0x%llx", i,
		       (unsigned long long)saved, (unsigned long long)pdptes[i]);
	}
}

TEST(a_pdpt_may_lie_anywhere_in_its_page,
     "MOV to CR3 in PAE mode loads the PDPTEs that bits 31:5 of its operand lead to", MANUAL, NEEDS)
{
	struct l2 *l2 = l2_start(L2_PAE);
	struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 29);
	char *memory = identity(l2->root_frame);
	uint64_t pdptes[PDPTES];

	memcpy(pdptes, memory, sizeof(pdptes));
	for (unsigned at = 0; at < PAGE_4K; at = at ? 2 * at : sizeof(pdptes)) {
		progress("the PDPT is at 0x%x", at);
		memset(memory, 0, PAGE_4K);
		memcpy(memory + at, pdptes, sizeof(pdptes));
		move(l2, &page, 0xd8, l2->root.value + at, pdptes);
	}
}

/* A directory that maps the 2 MBytes around an address to themselves. */
static gpa_t identity_directory(struct l2 *l2, gpa_t gpa)
{
	gpa_t frame = frame_alloc();

	((uint64_t *)identity(frame))[gpa.value >> 21 & 0x1ff] =
		(gpa.value & ~(PAGE_2M - 1)) | PS | P | RW | A | D;
	return l2_place(l2, frame, PT, false);
}

TEST(turning_paging_on_loads_the_pdptes,
     "MOV to CR0 that turns PAE paging on in L2 loads the PDPTEs that CR3 leads to", MANUAL,
     NEEDS " unrestricted_guest")
{
	struct l2 *l2 = l2_start(L2_UNPAGED);
	struct l2_page page = l2_map(l2, PT, 0, 0);
	gpa_t pdpt = frame_alloc();
	uint64_t *pdptes = identity(gpa_plus(pdpt, 0x20));

	pdptes[page.gpa.value >> 30] = identity_directory(l2, page.gpa).value | P;
	l2->cr4 |= CR4_PAE;
	l2->cr3 = l2_place(l2, pdpt, PT, false).value + 0x20;
	move(l2, &page, 0xc0, l2->cr0 | CR0_PE | CR0_PG | CR0_NE, pdptes);
}
