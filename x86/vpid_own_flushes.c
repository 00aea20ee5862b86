/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A guest that changes its own paging structures and flushes by its own means, all within one VM
 * entry: no exit drops anything for it.
 *
 * INVLPG and MOV to CR3 in VMX non-root operation drop what is tagged with the current VPID, or
 * with VPID 0000H while VPID is disabled, in every EPT context (SDM Vol. 3, "Operations that
 * Invalidate Cached Mappings"). The guest reads a page, stores another entry for it, flushes and
 * reads again.
 *
 * Caught here: a flush by L2 that a hypervisor below takes for L1's, with L1's VPID or PCID (KN09),
 * or that reaches the guest's own tags but not those of the combined mappings (KN06).
 *
 * Not checked: that without the flush the old page is still read.
 */
#include "test.h"

SUBJECT(vpid_own_flushes, "INVLPG and MOV to CR3 by L2, within one VM entry");

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate Cached Mappings\""
#define NEEDS  "vmx vmx_allowed ept ept_4level invept"
#define TAG    5
#define FLAGS  (P | RW | US | A | D)

/* Reads (%rdi), writes an entry to (%rsi), flushes, reads (%rdi) again. */
#define PROGRAM(a, b, c)                                                                  \
	{                                                                                 \
		0x48, 0x8b, 0x1f, 0x48, 0x89, 0x16, a, b, c, 0x48, 0x8b, 0x0f, 0x0f, 0x0b \
	}

static const uint8_t with_invlpg[] = PROGRAM(0x0f, 0x01, 0x3f);
static const uint8_t with_mov_to_cr3[] = PROGRAM(0x0f, 0x22, 0xd8); /* of %rax */

/* L2 moves its own page and flushes, all within one VM entry. */
static void run_program(const uint8_t *program, uint16_t tag, uint64_t flags)
{
	struct l2 *l2 = l2_start(L2_4LEVEL, .tag = tag);
	struct l2_page page = l2_map(l2, PT, flags, 97), other = l2_map(l2, PT, flags, 98);
	struct l2_page code = l2_map(l2, PT, FLAGS, 0), table = l2_map(l2, PT, FLAGS, 0);
	uint64_t offset = page.entry_gpa[PT] % PAGE_4K;
	struct l2_registers registers = {.rax = l2->cr3,
					 .rdx = other.gpa.value | flags,
					 .rdi = page.linear.value,
					 .rsi = table.linear.value + offset,
					 .rip = code.linear.value,
					 .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	l2->cr4 |= flags & G ? CR4_PGE : 0;
	l2_write_entry(l2, &table, PT, page.table[PT].value | FLAGS);
	memcpy(identity(code.frame), program, sizeof(with_invlpg));
	l2->backend->enter(l2, &registers, &exit);
	expect(exit.kind == L2_EXCEPTION && exit.vector == VECTOR_UD, "exit kind %u, reason %llu",
	       exit.kind, (unsigned long long)exit.reason);
	expect(registers.rbx == frame_word(97) && registers.rcx == frame_word(98),
	       "L2 read 0x%llx, then 0x%llx", (unsigned long long)registers.rbx,
	       (unsigned long long)registers.rcx);
}

/* With VPID 0000H, and with one of L2's own. */
static void run_in_each_context(const uint8_t *program, uint64_t flags)
{
	run_program(program, 0, flags);
	if (has_vmx(VMX_FEATURE_vpid))
		run_program(program, TAG, flags);
}

TEST(invlpg_shows_a_change_within_one_entry,
     "a read after INVLPG of the page uses the new entry, with VPID and without", MANUAL, NEEDS)
{
	run_in_each_context(with_invlpg, FLAGS);
}

TEST(invlpg_shows_a_change_of_a_global_page, "the same for a global page", MANUAL, NEEDS)
{
	run_in_each_context(with_invlpg, FLAGS | G);
}

TEST(mov_to_cr3_shows_a_change_within_one_entry,
     "a read after MOV to CR3 uses the new entry, with VPID and without", MANUAL, NEEDS)
{
	if (!vmx_lets_guests_load_cr3())
		end_case_skipped("no_cr3_load_exiting", "CR3-load exiting cannot be turned off");
	run_in_each_context(with_mov_to_cr3, FLAGS);
}
