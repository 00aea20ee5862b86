/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Accesses that the hypervisor's instruction emulator makes because the guest asks it to.
 *
 * Some hypervisors take UD2 followed by the letters "kvm" or "xen" for a prefix that has the next
 * instruction emulated, for the sake of tests. The emulated access must be what the processor would
 * have made of it (P29; SDM Vol. 3, "Determination of Access Rights").
 *
 * Caught here: emulators that check with CR0.WP as it was when a hypervisor last looked (KS18, both
 * directions), with supervisor rights for SGDT, SIDT and FXSAVE of user mode (KS26), that report
 * another error code, CR2 or RIP (XS09), or lose A and D (P12).
 *
 * Each case finds out by a harmless instruction whether there is such a prefix; without it #UD is
 * raised, as ever, and the case is skipped. Not checked: instructions that the emulator does not
 * know.
 */
#include "test.h"

SUBJECT(forced_emulation, "accesses made by the hypervisor's emulator at the guest's wish");

#define MANUAL "SDM Vol. 3, \"Determination of Access Rights\""

#define ALL    (P | RW | US)

static const uint8_t prefixes[][5] = {{0x0f, 0x0b, 'k', 'v', 'm'}, {0x0f, 0x0b, 'x', 'e', 'n'}};

/* A page of code: MOV to RCX of the operand's address, the prefix, an instruction, the way back. */
struct emulated {
	struct page code;
	unsigned prefix;
};

struct instruction_bytes {
	uint8_t bytes[4], length;
};

static const struct instruction_bytes mov_to_register = {{0x89, 0xc8}, 2}; /* mov %ecx, %eax */
static const struct instruction_bytes store = {{0x48, 0x89, 0x01}, 3};	   /* mov %rax, (%rcx) */
static const struct instruction_bytes load = {{0x48, 0x8b, 0x01}, 3};	   /* mov (%rcx), %rax */
static const struct instruction_bytes sgdt = {{0x0f, 0x01, 0x01}, 3};
static const struct instruction_bytes sidt = {{0x0f, 0x01, 0x09}, 3};
static const struct instruction_bytes fxsave = {{0x0f, 0xae, 0x01}, 3};

/* Where the instruction with its prefix stands in the page. */
#define PREFIX_AT 10

static struct access emulated_access(const struct emulated *emulated, linear_t operand,
				     struct instruction_bytes instruction, bool user)
{
	uint8_t *at = identity(emulated->code.frame);
	struct access access = fetch_access(emulated->code.linear);

	at[0] = 0x48; /* mov $operand, %rcx */
	at[1] = 0xb9;
	memcpy(at + 2, &operand.value, 8);
	memcpy(at + PREFIX_AT, prefixes[emulated->prefix], sizeof(prefixes[0]));
	memcpy(at + PREFIX_AT + 5, instruction.bytes, instruction.length);
	memcpy(at + PREFIX_AT + 5 + instruction.length, "\x41\xff\xe4", 3); /* jmp *%r12 */
	access.value[0] = 0x1122334455667788;
	access.user = user;
	return access;
}

static struct emulated find_prefix(void)
{
	struct emulated emulated = {.code = map_page(ALL)};

	for (; emulated.prefix < COUNT_OF(prefixes); emulated.prefix++) {
		struct access access =
			emulated_access(&emulated, LINEAR(0x1234), mov_to_register, false);
		struct outcome outcome = attempt(access);

		if (outcome.vector == NO_VECTOR && outcome.value[0] == 0x1234)
			return emulated;
	}
	end_case_skipped("forced_emulation",
			 "the hypervisor offers no prefix that forces emulation");
}

/* Compared with what the model says of the same access. The prefix belongs to the instruction or
 * does not: RIP may be at either. */
static void expect_emulated(const struct emulated *emulated, const struct page *page,
			    struct instruction_bytes instruction, bool writes, bool user)
{
	struct access plain =
		writes ? write_access(page->linear, 8, 0) : read_access(page->linear, 8);
	struct model_outcome wanted;
	struct outcome outcome;
	uint64_t rip = emulated->code.linear.value + PREFIX_AT;

	plain.user = user;
	*(volatile uint64_t *)page->entry[PT] &= ~(A | D);
	invalidate(page->linear, INVLPG);
	wanted = modelled_outcome(plain);
	outcome = attempt(emulated_access(emulated, page->linear, instruction, user));
	if (wanted.vector == MODEL_COMPLETES) {
		expect(outcome.vector == NO_VECTOR, "vector %u, error code 0x%llx", outcome.vector,
		       (unsigned long long)outcome.error_code);
		expect_flags(page, PT, A | D, writes ? A | D : A);
		return;
	}
	expect(outcome.vector == wanted.vector && outcome.error_code == wanted.error_code,
	       "vector %u, not %u, error code 0x%llx, not 0x%llx", outcome.vector, wanted.vector,
	       (unsigned long long)outcome.error_code, (unsigned long long)wanted.error_code);
	expect(outcome.cr2 == page->linear.value && (outcome.rip == rip || outcome.rip == rip + 5),
	       "CR2 0x%llx, RIP 0x%llx", (unsigned long long)outcome.cr2,
	       (unsigned long long)outcome.rip);
	expect_flags(page, PT, D, 0);
}

TEST(emulated_accesses_have_the_rights_of_the_entries,
     "Emulated loads and stores of both modes complete, fault and set flags as the entry says",
     MANUAL, "")
{
	struct emulated emulated = find_prefix();

	for (unsigned rights = 0; rights < 8; rights++) {
		struct page page = map_page((rights & 1 ? P : 0) | (rights & 2 ? RW : 0) |
					    (rights & 4 ? US : 0));

		for (unsigned user = 0; user < 2; user++) {
			expect_emulated(&emulated, &page, load, false, user);
			expect_emulated(&emulated, &page, store, true, user);
		}
	}
}

TEST(emulated_stores_obey_wp_of_the_moment,
     "CR0.WP as MOV to CR0 left it decides on the next emulated store", MANUAL, "")
{
	struct emulated emulated = find_prefix();
	struct page page = map_page(P | US);

	for (unsigned turn = 0; turn < 16; turn++) {
		turn & 1 ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
		expect_emulated(&emulated, &page, store, true, false);
	}
}

/* The mode's rights, whatever the emulator takes such instructions for. */
TEST(emulated_system_stores_of_user_mode_have_its_rights,
     "SGDT, SIDT and FXSAVE of user mode do not reach supervisor-mode pages", MANUAL, "")
{
	struct emulated emulated = find_prefix();
	struct page page = map_page(P | RW);

	expect_emulated(&emulated, &page, sgdt, true, true);
	expect_emulated(&emulated, &page, sidt, true, true);
	if (has(FEATURE_fxsr))
		expect_emulated(&emulated, &page, fxsave, true, true);
}
