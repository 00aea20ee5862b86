/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Far calls from CPL 3 through a call gate: the processor's own accesses.
 *
 * A CALL through a 64-bit call gate to CPL 0 reads the gate's 16 bytes and the code descriptor in
 * the GDT and RSP0 in the TSS, and pushes SS, RSP, CS and RIP on the new stack. All are
 * supervisor-mode accesses, although CPL is 3 when they begin (SDM Vol. 3, "Determination of Access
 * Rights", implicit supervisor-mode accesses; "Call Gates"; R4, R18): they reach pages with U/S =
 * 0, set their flags, and fault with U/S = 0 before anything of the call has happened.
 *
 * Caught here: a half of the gate, or a push, made with the rights of user mode (XS08, KS19); a
 * fault in the middle of the call that leaves RSP or CS changed. Emulators take a path of their own
 * here, and hypervisors that emulate far calls; no system of today uses it.
 *
 * Not checked: gates to CPL 1 and 2, 32-bit gates, RET; SMAP, which is implicit_accesses' business.
 */
#include "test.h"

#include "cpu/user.h"

SUBJECT(call_gates, "the gate, the TSS and the stack of a far call from CPL 3 to CPL 0");

#define MANUAL	    "SDM Vol. 3, \"Determination of Access Rights\""
#define CALL_GATE   0xec00ull /* 64-bit, P, DPL 3 */
#define POINTER	    0x40      /* of the far call, in its page */
#define STACK_BYTES 32

extern const char _user[], access_user_done[];

/* What is used of a page pair: bytes before and behind its border. */
struct call {
	struct page_pair pair;
	struct page code;
	unsigned before, after;
	bool writes;
};

/* CPL 0 arrives where an attempt of user mode ends. */
static void make_gate(uint64_t *gate)
{
	uint64_t to = (uintptr_t)access_user_done - (uintptr_t)_user + USER_WINDOW;

	gate[0] = (to & 0xffff) | 0x08ull << 16 | CALL_GATE << 32 | (to >> 16 & 0xffff) << 48;
	gate[1] = to >> 32;
}

/* lcall *POINTER(%rdi): executed as a fetch, with RDI at the page's first byte. */
static struct page make_code(void)
{
	static const uint8_t code[] = {0xff, 0x5f, POINTER};
	const uint32_t pointer[] = {0, GDT_SYSTEM_SEL | 3};
	struct page page = map_page(P | RW | US);

	memcpy(identity(page.frame), code, sizeof(code));
	memcpy(identity(gpa_plus(page.frame, POINTER)), pointer, 6);
	return page;
}

static struct call new_call(unsigned before, unsigned after, bool writes)
{
	struct call call = {.pair = map_page_pair(0, 0),
			    .code = make_code(),
			    .before = before,
			    .after = after,
			    .writes = writes};

	set_page_pair(&call.pair, call.pair.good[0] & ~(uint64_t)US,
		      call.pair.good[1] & ~(uint64_t)US);
	return call;
}

static void copy_gdt_with_gate(uint64_t gdt[GDT_ENTRIES])
{
	copy_gdt(gdt);
	make_gate(&gdt[GDT_SYSTEM_SEL / 8]);
}

/* RSP0 at `stack`, in a TSS of the case. */
static void use_stack(linear_t stack)
{
	gpa_t frame = frame_alloc();
	uint8_t *tss = identity(frame);

	copy_tss(tss);
	memcpy(tss + 4, &stack.value, 8);
	load_tss(LINEAR(frame.value));
}

static struct call gate_in_two_pages(unsigned before)
{
	struct call call = new_call(before, 16 - before, false);
	uint64_t gdt[GDT_ENTRIES];

	use_stack(LINEAR(frame_alloc().value + PAGE_4K));
	copy_gdt_with_gate(gdt);
	load_gdt(place_across(&call.pair, gdt, sizeof(gdt), GDT_SYSTEM_SEL + before), sizeof(gdt));
	return call;
}

/* `after` bytes of the pushes are in the second page. */
static struct call stack_in_two_pages(unsigned after)
{
	struct call call = new_call(STACK_BYTES - after, after, true);
	uint64_t gdt[GDT_ENTRIES];

	use_stack(linear_plus(call.pair.border, after));
	copy_gdt_with_gate(gdt);
	load_gdt_copy(gdt);
	return call;
}

/* With the first or the second page missing, or neither (2). */
static void try_call(const struct call *call, unsigned missing)
{
	const uint64_t keep = ~(uint64_t)(US | A | D);
	const uint64_t wanted = A | (call->writes ? D : 0);
	uint64_t page = missing ? call->pair.border.value : call->pair.page.linear.value;
	struct outcome outcome;

	set_page_pair(&call->pair, call->pair.good[0] & keep & ~(missing == 0 ? P : 0ull),
		      call->pair.good[1] & keep & ~(missing == 1 ? P : 0ull));
	outcome = attempt(as_user(fetch_access(call->code.linear)));
	if (missing < 2) {
		expect(outcome.vector == VECTOR_PF &&
			       outcome.error_code == (call->writes ? PF_W : 0),
		       "%s, error code 0x%llx", vector_name(outcome.vector),
		       (unsigned long long)outcome.error_code);
		expect(outcome.cr2 / PAGE_4K == page / PAGE_4K, "CR2 0x%llx",
		       (unsigned long long)outcome.cr2);
		expect(outcome.rip == call->code.linear.value, "RIP 0x%llx",
		       (unsigned long long)outcome.rip);
		return;
	}
	expect(outcome.vector == NO_VECTOR, "%s, error code 0x%llx, RIP 0x%llx",
	       vector_name(outcome.vector), (unsigned long long)outcome.error_code,
	       (unsigned long long)outcome.rip);
	for (unsigned i = 0; i < 2; i++)
		expect(!(i ? call->after : call->before) ||
			       (*call->pair.entry[i] & (A | D)) == wanted,
		       "entry %u is 0x%llx", i, (unsigned long long)*call->pair.entry[i]);
}

TEST(a_gate_is_read_as_supervisor, "CALL at CPL 3 reads a call gate in two supervisor-mode pages",
     MANUAL, "")
{
	for (unsigned before = 4; before < 16; before += 4) {
		struct call call = gate_in_two_pages(before);

		progress("%u bytes in the first page", before);
		try_call(&call, 2);
		try_call(&call, 1); /* the first has the image's own descriptors */
		try_call(&call, 2);
		set_page_pair(&call.pair, call.pair.good[0], call.pair.good[1]);
	}
}

TEST(the_new_stack_is_written_as_supervisor,
     "CALL through a gate pushes to supervisor-mode pages, and a missing one is a fault of the "
     "call",
     MANUAL, "")
{
	for (unsigned after = 0; after <= STACK_BYTES; after += 8) {
		struct call call = stack_in_two_pages(after);

		for (unsigned missing = 0; missing < 3; missing++) {
			progress("%u bytes in the second page, missing %u", after, missing);
			if (missing == 2 || (missing ? call.after : call.before))
				try_call(&call, missing);
		}
	}
}
