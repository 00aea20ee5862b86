/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's PAT under nested paging: G_PAT of the VMCB, never the host's register.
 *
 * With nested paging the guest has a page-attribute table of its own: VMRUN loads it from G_PAT,
 * RDMSR and WRMSR of the PAT register by the guest act on it, and #VMEXIT stores it to G_PAT. The
 * host's register stays what it was (APM Vol. 2, "Nested Paging", "Guest PAT"). A G_PAT with a type
 * that does not exist is an illegal state: VMEXIT_INVALID ("Enabling Nested Paging").
 *
 * Caught here: one register for both sides, so that L1's PAT changes with its guest or the guest
 * sees L1's (KN21), a value of the guest's that is not stored by #VMEXIT, G_PAT not looked at.
 *
 * Not checked: which memory type an access gets, which no program can see.
 */
#include "test.h"

SUBJECT(svm_pat, "the guest's PAT under nested paging is its own");

#define MANUAL	    "APM Vol. 2, \"Nested Paging\", \"Guest PAT\""
#define NEEDS	    "svm svm_allowed svm_nested_paging"
#define MSR_PAT	    0x277u

/* Three tables that differ from each other in every entry that differs at all. */
#define PAT_HOST    0x0007040600070406ull
#define PAT_GUEST   0x0001050600010506ull
#define PAT_WRITTEN 0x0705040601070406ull

struct code {
	uint8_t bytes[8];
	uint8_t end; /* offset of its UD2 */
};

static const struct code rdmsr_code = {{0x0f, 0x32, 0x0f, 0x0b}, 2};
static const struct code wrmsr_code = {{0x0f, 0x30, 0x0f, 0x0b}, 2};

static struct l2 *l2_with_code(struct l2_page *page, const struct code *code)
{
	struct l2 *l2 = l2_start(L2_4LEVEL);

	*page = l2_map(l2, PT, P | RW | US | A | D, 0);
	memcpy(identity(page->frame), code->bytes, sizeof(code->bytes));
	write_msr_until_end(MSR_PAT, PAT_HOST);
	svm_guest(l2)->vmcb->state.g_pat = PAT_GUEST;
	return l2;
}

/* L2 executes RDMSR or WRMSR of its PAT register, which is not intercepted. */
static struct l2_registers run(struct l2 *l2, const struct l2_page *page, const struct code *code,
			       uint64_t value, struct l2_exit *exit)
{
	struct l2_registers registers = {.rcx = MSR_PAT,
					 .rax = (uint32_t)value,
					 .rdx = value >> 32,
					 .rip = page->linear.value,
					 .rflags = RFLAGS_FIXED};

	l2->user = false;
	l2->backend->enter(l2, &registers, exit);
	expect(exit->kind == L2_EXCEPTION && exit->vector == VECTOR_UD &&
		       exit->rip == page->linear.value + code->end,
	       "exit kind %u, code 0x%llx, vector %u", exit->kind, (unsigned long long)exit->reason,
	       exit->vector);
	return registers;
}

TEST(the_guest_reads_g_pat, "RDMSR of PAT by the guest gives what VMRUN found in G_PAT", MANUAL,
     NEEDS)
{
	struct l2_page page;
	struct l2 *l2 = l2_with_code(&page, &rdmsr_code);
	struct l2_exit exit;
	struct l2_registers registers = run(l2, &page, &rdmsr_code, 0, &exit);
	uint64_t seen = registers.rdx << 32 | (uint32_t)registers.rax;

	expect(seen == PAT_GUEST, "0x%llx", (unsigned long long)seen);
	expect(read_msr(MSR_PAT) == PAT_HOST, "the host's is 0x%llx",
	       (unsigned long long)read_msr(MSR_PAT));
}

TEST(the_hosts_pat_survives_a_write_by_the_guest,
     "WRMSR of PAT by the guest leaves the host's register alone", MANUAL, NEEDS)
{
	struct l2_page page;
	struct l2 *l2 = l2_with_code(&page, &wrmsr_code);
	struct l2_exit exit;

	run(l2, &page, &wrmsr_code, PAT_WRITTEN, &exit);
	expect(read_msr(MSR_PAT) == PAT_HOST, "the host's is 0x%llx",
	       (unsigned long long)read_msr(MSR_PAT));
}

TEST(a_write_by_the_guest_is_stored_to_g_pat, "#VMEXIT stores the guest's PAT to G_PAT", MANUAL,
     NEEDS)
{
	struct l2_page page;
	struct l2 *l2 = l2_with_code(&page, &wrmsr_code);
	uint64_t stored;
	struct l2_exit exit;

	run(l2, &page, &wrmsr_code, PAT_WRITTEN, &exit);
	stored = svm_guest(l2)->vmcb->state.g_pat;
	expect(stored == PAT_WRITTEN, "G_PAT is 0x%llx", (unsigned long long)stored);
}

TEST(a_g_pat_with_a_reserved_type_is_refused,
     "VMRUN with nested paging and a type in G_PAT that does not exist ends in VMEXIT_INVALID",
     "APM Vol. 2, \"Enabling Nested Paging\"", NEEDS)
{
	static const uint64_t reserved[] = {2, 3, 8, 0x80};
	struct l2_page page;
	struct l2 *l2 = l2_with_code(&page, &rdmsr_code);

	for (unsigned i = 0; i < COUNT_OF(reserved) * 8; i++) {
		uint64_t type = reserved[i / 8], shift = i % 8 * 8;
		struct l2_outcome outcome;

		svm_guest(l2)->vmcb->state.g_pat =
			(PAT_GUEST & ~(0xffull << shift)) | type << shift;
		outcome = l2_attempt(l2, read_access(page.linear, 8));
		expect(outcome.exited && outcome.exit.kind == L2_ENTRY_FAILED,
		       "type %llu in PA%u: exit code 0x%llx", (unsigned long long)type, i % 8,
		       (unsigned long long)outcome.exit.reason);
	}
}
