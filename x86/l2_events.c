/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Events of L2 whose delivery the second level of translation stops.
 *
 * To deliver an exception or INT n the processor reads a gate, the TSS and a descriptor, and
 * pushes. Where that is a violation the VM exit says which event was lost, by vector, type and
 * error code; CR2 is written. Injected from there the event arrives as ever (SDM Vol. 3,
 * "Information for VM Exits That Occur During Event Delivery", "Event Injection"; APM Vol. 2,
 * "EXITINTINFO"). An IRET that is stopped may have unblocked NMIs: bit 12 of the qualification.
 *
 * Caught here: an event that is forgotten or comes without its error code, so that L2 loses a fault
 * or takes it twice; NMIs that stay blocked; #VE in the middle of another delivery.
 *
 * Not checked: external interrupts and NMIs as the event; privilege changes; INT n under SVM.
 */
#include "test.h"

SUBJECT(l2_events, "event delivery in L2 that EPT or NPT stops, and NMI unblocking by IRET");

#define MANUAL                                                                                    \
	"SDM Vol. 3, \"Information for VM Exits That Occur During Event Delivery\"; APM Vol. 2, " \
	"\"EXITINTINFO\""
#define NEEDS	      "second_level"
#define FLAGS	      (P | RW | A | D)
#define CODE_SEGMENT  0x00af9b000000ffffull /* 64-bit, accessed */
#define HANDLER	      0x800		    /* offset of HLT in the page of code */
#define STACK_TOP     0x800
#define IST1	      36 /* in a 64-bit TSS */
#define EVENT_VALID   (1ull << 31)
#define EVENT_ERROR   (1ull << 11)
#define HARDWARE      (3ull << 8)
#define SOFTWARE      (4ull << 8)
#define INT_VECTOR    0x30
#define HLT_EXITING   (1u << 7)
#define NMI_BLOCKED   (1u << 3)
#define NMI_UNBLOCKED (1ull << 12) /* undefined in IDT-vectoring information */
#define NOT_CANONICAL 0x8000000000000000ull

enum part { IDT, TSS, GDT, STACK, PARTS };
struct events {
	struct l2 *l2;
	struct l2_page code, missing, part[PARTS];
	struct l2_registers registers;
	struct l2_exit exit;
};

/* What L2 does to raise it, in 64-bit mode, with RAX as in `rax`. */
struct event {
	uint8_t code[2];
	uint64_t rax; /* 0: the page that is not present */
	uint64_t information, error_code;
};

static const struct event events[] = {
	{{0x8b, 0x00}, 0, HARDWARE | EVENT_ERROR | VECTOR_PF, 0},     /* mov (%rax), %eax */
	{{0x89, 0x00}, 0, HARDWARE | EVENT_ERROR | VECTOR_PF, PF_W},  /* mov %eax, (%rax) */
	{{0xff, 0xe0}, 0, HARDWARE | EVENT_ERROR | VECTOR_PF, PF_ID}, /* jmp *%rax */
	{{0x8b, 0x00}, NOT_CANONICAL, HARDWARE | EVENT_ERROR | VECTOR_GP, 0},
	{{0x0f, 0x0b}, 1, HARDWARE | VECTOR_UD, 0},
};

static void write_tables(const struct events *e)
{
	uint64_t handler = e->code.linear.value + HANDLER;
	struct idt_gate *idt = identity(e->part[IDT].frame);
	uint8_t *tss = identity(e->part[TSS].frame);
	uint64_t top = e->part[STACK].linear.value + STACK_TOP;

	memset(idt, 0, PAGE_4K);
	for (unsigned i = 0; i <= INT_VECTOR; i++)
		idt[i] = (struct idt_gate){.offset_low = (uint16_t)handler,
					   .offset_middle = (uint16_t)(handler >> 16),
					   .offset_high = (uint32_t)(handler >> 32),
					   .selector = 0x08,
					   .ist = 1,
					   .type = 0x8e};
	memset(tss, 0, PAGE_4K);
	memcpy(tss + IST1, &top, 8);
	((uint64_t *)identity(e->part[GDT].frame))[1] = CODE_SEGMENT;
	((uint8_t *)identity(e->code.frame))[HANDLER] = 0xf4;
}

/* Where L2's tables are; no exception is an exit, HLT is one. */
static void tell_tables(const struct events *e)
{
	const linear_t idt = e->part[IDT].linear, gdt = e->part[GDT].linear;

	if (has(FEATURE_svm)) {
		struct vmcb *vmcb = svm_guest(e->l2)->vmcb;

		vmcb->state.idtr = (struct vmcb_segment){.limit = 0xfff, .base = idt.value};
		vmcb->state.gdtr = (struct vmcb_segment){.limit = 0xfff, .base = gdt.value};
		vmcb->state.tr.base = e->part[TSS].linear.value;
		vmcb->control.intercept_exceptions = 0;
		return;
	}
	vmwrite(VMCS_GUEST_IDTR_BASE, idt.value);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, 0xfff);
	vmwrite(VMCS_GUEST_GDTR_BASE, gdt.value);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, 0xfff);
	vmwrite(VMCS_GUEST_TR_BASE, e->part[TSS].linear.value);
	vmwrite(VMCS_EXCEPTION_BITMAP, 0);
	vmwrite(VMCS_PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) | HLT_EXITING);
}

static struct events start(void)
{
	struct events e = {.l2 = l2_start(L2_4LEVEL)};

	e.l2->efer |= EFER_NXE; /* for I/D in the error code */
	e.code = l2_map(e.l2, PT, FLAGS, 0);
	e.missing = l2_map(e.l2, PT, RW, 0);
	for (unsigned i = 0; i < PARTS; i++)
		e.part[i] = l2_map(e.l2, PT, FLAGS, 0);
	write_tables(&e);
	tell_tables(&e);
	return e;
}

static void enter(struct events *e, const struct event *event)
{
	uint64_t rax = event->rax ? event->rax : e->missing.linear.value;

	memcpy(identity(e->code.frame), event->code, sizeof(event->code));
	e->registers = (struct l2_registers){.rax = rax,
					     .rsp = e->part[STACK].linear.value + STACK_TOP + 0x400,
					     .rip = e->code.linear.value,
					     .rflags = RFLAGS_FIXED};
	e->l2->backend->enter(e->l2, &e->registers, &e->exit);
}

static uint64_t lost_event(const struct events *e)
{
	if (has(FEATURE_svm))
		return svm_guest(e->l2)->vmcb->control.exitintinfo;
	return (vmread(VMCS_IDT_VECTORING_INFORMATION) & ~NMI_UNBLOCKED) |
	       vmread(VMCS_IDT_VECTORING_ERROR_CODE) << 32;
}

static uint64_t cr2_of_l2(const struct events *e)
{
	return has(FEATURE_svm) ? svm_guest(e->l2)->vmcb->state.cr2 : read_cr2();
}

/* The delivery stops at this part; what the exit says. */
static void expect_lost(struct events *e, const struct event *event, enum part part)
{
	const struct l2_page *page = &e->part[part];
	uint32_t wanted = (uint32_t)(event->information | EVENT_VALID);
	uint64_t lost;

	write_cr2(0x5a5a000);
	second_allow(&e->l2->second, page->gpa, PT, 0, SECOND_FLUSH);
	enter(e, event);
	second_allow(&e->l2->second, page->gpa, PT, SECOND_ALL, SECOND_FLUSH);
	lost = lost_event(e);
	expect(e->exit.kind == L2_VIOLATION && e->exit.gpa / PAGE_4K == page->gpa.value / PAGE_4K,
	       "exit kind %u, reason %llu at 0x%llx", e->exit.kind,
	       (unsigned long long)e->exit.reason, (unsigned long long)e->exit.gpa);
	expect(e->exit.access == (part == STACK ? SECOND_WRITE : SECOND_READ), "access %u",
	       e->exit.access);
	expect((uint32_t)lost == wanted, "event 0x%x instead of 0x%x", (uint32_t)lost, wanted);
	if (event->information & EVENT_ERROR)
		expect(lost >> 32 == event->error_code, "error code 0x%llx instead of 0x%llx",
		       (unsigned long long)(lost >> 32), (unsigned long long)event->error_code);
	if ((uint8_t)event->information == VECTOR_PF)
		expect(cr2_of_l2(e) == e->missing.linear.value, "CR2 0x%llx",
		       (unsigned long long)cr2_of_l2(e));
}

TEST(an_exit_during_delivery_says_what_was_lost,
     "a violation while an exception of L2 is delivered gives its vector, type and error code, and "
     "a page fault's CR2",
     MANUAL, NEEDS " nx")
{
	struct events e = start();

	for (unsigned i = 0; i < COUNT_OF(events) * PARTS; i++)
		expect_lost(&e, &events[i / PARTS], (enum part)(i % PARTS));
}

TEST(a_lost_software_interrupt_has_its_length,
     "a violation while INT n of L2 is delivered gives vector, type 4 and the instruction's length",
     MANUAL, NEEDS " vmx")
{
	static const struct event int_n = {{0xcd, INT_VECTOR}, 1, SOFTWARE | INT_VECTOR, 0};
	struct events e = start();

	for (unsigned part = 0; part < PARTS; part++) {
		expect_lost(&e, &int_n, (enum part)part);
		expect(vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH) == 2, "length %llu",
		       (unsigned long long)vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH));
	}
}

TEST(an_exit_at_another_access_has_no_event,
     "a violation by an access of L2's own gives no event, also after one that did", MANUAL,
     NEEDS " nx")
{
	struct events e = start();
	struct event read = {{0x8b, 0x00}, e.part[STACK].linear.value, 0, 0};

	expect_lost(&e, &events[0], STACK);
	second_allow(&e.l2->second, e.part[STACK].gpa, PT, 0, SECOND_FLUSH);
	enter(&e, &read);
	expect(e.exit.kind == L2_VIOLATION && !(lost_event(&e) & EVENT_VALID),
	       "exit kind %u, event 0x%x", e.exit.kind, (uint32_t)lost_event(&e));
}

static void expect_handler(const struct events *e)
{
	expect(e->exit.kind == L2_OTHER_EXIT && e->exit.rip == e->code.linear.value + HANDLER,
	       "exit kind %u, reason %llu, RIP 0x%llx", e->exit.kind,
	       (unsigned long long)e->exit.reason, (unsigned long long)e->exit.rip);
}

static void inject(struct events *e, uint64_t event)
{
	if (has(FEATURE_svm)) {
		svm_guest(e->l2)->vmcb->control.eventinj = event;
	} else {
		vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFORMATION, (uint32_t)event);
		vmwrite(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE, event >> 32);
	}
	e->l2->backend->enter(e->l2, &e->registers, &e->exit);
}

TEST(a_lost_event_arrives_when_it_is_injected,
     "the event that an exit tells of, injected by the next VM entry, pushes error code and RIP",
     MANUAL, NEEDS " nx")
{
	struct events e = start();
	uint64_t *frame = identity(gpa_plus(e.part[STACK].frame, STACK_TOP - 40));

	for (unsigned i = 0; i < COUNT_OF(events) * PARTS; i++) {
		const struct event *event = &events[i / PARTS];

		expect_lost(&e, event, (enum part)(i % PARTS));
		frame[0] = frame[-1] = 0x5a5a;
		e.registers.rip = e.exit.rip;
		inject(&e, lost_event(&e));
		expect_handler(&e);
		if ((uint8_t)event->information == VECTOR_PF)
			expect(cr2_of_l2(&e) == e.missing.linear.value, "CR2 0x%llx",
			       (unsigned long long)cr2_of_l2(&e));
		expect(frame[0] == e.registers.rip, "RIP 0x%llx was pushed",
		       (unsigned long long)frame[0]);
		if (event->information & EVENT_ERROR)
			expect(frame[-1] == event->error_code, "error code 0x%llx was pushed",
			       (unsigned long long)frame[-1]);
	}
}

/* L2 executes IRETQ to its handler, from a stack that EPT lets read or not. */
static void iret(struct events *e, bool readable, unsigned blocked)
{
	static const struct event iretq = {{0x48, 0xcf}, 1, 0, 0};
	const uint64_t frame[] = {e->code.linear.value + HANDLER, 0x08, RFLAGS_FIXED,
				  e->part[STACK].linear.value + STACK_TOP, 0};

	memcpy(identity(gpa_plus(e->part[STACK].frame, STACK_TOP + 0x400)), frame, sizeof(frame));
	second_allow(&e->l2->second, e->part[STACK].gpa, PT, readable ? SECOND_ALL : 0,
		     SECOND_FLUSH);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, blocked);
	enter(e, &iretq);
}

TEST(an_iret_that_violates_tells_that_it_unblocked_nmis,
     "the qualification of a violation by IRET has bit 12 set exactly if NMIs were blocked",
     "SDM Vol. 3, \"Information about NMI Unblocking Due to IRET\"", NEEDS " vmx")
{
	struct events e = start();

	for (unsigned i = 0; i < 4; i++) {
		unsigned blocked = i & 1 ? NMI_BLOCKED : 0;

		iret(&e, false, blocked);
		expect(e.exit.kind == L2_VIOLATION, "exit kind %u", e.exit.kind);
		expect(!(e.exit.qualification & NMI_UNBLOCKED) == !blocked,
		       "blocked 0x%x: qualification 0x%llx", blocked,
		       (unsigned long long)e.exit.qualification);
		iret(&e, true, blocked); /* which leaves no NMIs blocked */
		expect_handler(&e);
	}
}

TEST(no_virtualization_exception_during_delivery,
     "a violation while an event of L2 is delivered is a VM exit although #VE is enabled",
     "SDM Vol. 3, \"Convertible EPT Violations\"", NEEDS " vmx ept_violation_ve nx")
{
	struct events e = start();

	vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS,
		vmread(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) |
			SECONDARY_EPT_VIOLATION_VE);
	vmwrite(VMCS_VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS, frame_alloc().value);
	for (unsigned part = 0; part < PARTS; part++)
		expect_lost(&e, &events[0], (enum part)part);
}
