/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The shadow pager's SVM side: which exits it handles. A store to a table is carried out by L2
 * itself, in one step with RFLAGS.TF while the page is writable.
 */
#include "nested/shadow_svm.h"

#include "check/report.h"
#include "cpu/control.h"
#include "cpu/exception.h"
#include "nested/nested_svm.h"
#include "nested/shadow.h"

#define RFLAGS_TF  (1ull << 8)
#define CR0_ET	   (1ull << 4)
#define REX	   0x40
#define REX_B	   0x01
#define CODE_BYTES 4

#define MOST_EXITS 10000

static bool stepping;
static unsigned exits; /* of one access */

static void flush(const struct l2 *l2, bool needed)
{
	if (needed)
		svm_guest(l2)->tlb_control = TLB_CONTROL_FLUSH_ALL;
}

static void load(struct l2 *l2)
{
	struct vmcb_state *state = &svm_guest(l2)->vmcb->state;

	exits = 0;
	flush(l2, shadow_follow(l2));
	state->cr0 = l2->cr0 | CR0_WP | CR0_ET;
	state->cr3 = shadow_root().value;
	state->cr4 = l2->cr4;
}

static void stop_stepping(struct l2 *l2)
{
	stepping = false;
	svm_guest(l2)->vmcb->state.rflags &= ~RFLAGS_TF;
	flush(l2, shadow_table_was_written());
}

static bool handle_page_fault(struct l2 *l2, struct vmcb *vmcb)
{
	uint64_t error_code = vmcb->control.exitinfo1;
	linear_t linear = LINEAR(vmcb->control.exitinfo2);
	enum shadow_result result = shadow_page_fault(l2, linear, &error_code, stepping);

	if (result == SHADOW_TABLE_WRITE) {
		stepping = true;
		vmcb->state.rflags |= RFLAGS_TF;
		result = shadow_page_fault(l2, linear, &error_code, stepping);
	}
	if (result == SHADOW_FILLED)
		return true;
	if (stepping)
		stop_stepping(l2);
	vmcb->control.exitinfo1 = error_code;
	return false;
}

/* By the number in ModRM and REX.B. */
static uint64_t general_register(const struct general_registers *r, unsigned number)
{
	const uint64_t by_number[] = {r->rax, r->rcx, r->rdx, r->rbx, 0,      r->rbp,
				      r->rsi, r->rdi, r->r8,  r->r9,  r->r10, r->r11,
				      r->r12, r->r13, r->r14, r->r15};

	return by_number[number];
}

static bool mov_to_cr3_is_lost(bool same)
{
	return (same && sabotaged(SABOTAGE_mov_cr3_of_same_value_keeps_all)) ||
	       sabotaged(SABOTAGE_mov_cr3_keeps_translations);
}

/* [REX] 0F 22 /r */
static void handle_mov_to_cr(struct l2 *l2, struct vmcb *vmcb,
			     const struct general_registers *registers)
{
	uint8_t code[CODE_BYTES];
	unsigned at, number = (unsigned)(vmcb->control.exitcode - VMEXIT_CR_WRITE);
	uint64_t value, old_cr3 = l2->cr3;

	shadow_read_code(l2, LINEAR(vmcb->state.rip), code, CODE_BYTES);
	at = (code[0] & 0xf0) == REX;
	if (code[at] != 0x0f || code[at + 1] != 0x22)
		end_case_failed("not a MOV to a control register where L2 left for one");
	value = general_register(registers, (code[at + 2] & 7) + (at && (code[0] & REX_B) ? 8 : 0));
	if (number == 0)
		l2->cr0 = value & ~CR0_ET;
	else if (number == 3)
		l2->cr3 = value & ~CR3_NO_FLUSH;
	else
		l2->cr4 = value;
	if (number != 3 || !mov_to_cr3_is_lost(old_cr3 == l2->cr3))
		flush(l2, shadow_drop_all());
	load(l2);
	vmcb->state.rip += at + 3;
}

/* 0F 01 3F: INVLPG (%rdi), the one form that there is in L2. */
static void handle_invlpg(struct l2 *l2, struct vmcb *vmcb,
			  const struct general_registers *registers)
{
	uint8_t code[CODE_BYTES];

	shadow_read_code(l2, LINEAR(vmcb->state.rip), code, 3);
	if (code[0] != 0x0f || code[1] != 0x01 || code[2] != 0x3f)
		end_case_failed("INVLPG of a form that the shadow pager does not know");
	flush(l2, shadow_drop_page(LINEAR(registers->rdi)));
	vmcb->state.rip += 3;
}

static bool handle(struct l2 *l2, struct general_registers *registers)
{
	struct vmcb *vmcb = svm_guest(l2)->vmcb;

	if (exits++ == MOST_EXITS)
		end_case_failed("an access faults again and again although the shadow allows it");
	switch (vmcb->control.exitcode) {
	case VMEXIT_EXCEPTION + VECTOR_PF:
		return handle_page_fault(l2, vmcb);
	case VMEXIT_EXCEPTION + VECTOR_DB:
		if (!stepping)
			return false;
		stop_stepping(l2);
		return true;
	case VMEXIT_CR_WRITE + 0:
	case VMEXIT_CR_WRITE + 3:
	case VMEXIT_CR_WRITE + 4:
		handle_mov_to_cr(l2, vmcb, registers);
		return true;
	case VMEXIT_INVLPG:
		handle_invlpg(l2, vmcb, registers);
		return true;
	default:
		return false;
	}
}

void shadow_svm_start(struct l2 *l2)
{
	struct vmcb *vmcb = svm_guest(l2)->vmcb;

	stepping = false;
	shadow_start(l2);
	vmcb->control.np_enable = 0;
	vmcb->control.intercept_cr_writes = 1 << 0 | 1 << 3 | 1 << 4;
	vmcb->control.intercept_3 |= VMCB_INTERCEPT_3_INVLPG;
	svm_guest(l2)->load = load;
	svm_guest(l2)->handle = handle;
}
