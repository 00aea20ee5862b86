/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every protection key and every instruction.
 *
 * PKRU has two bits for each of 16 keys, and what WRPKRU writes counts for the next data access by
 * whatever instruction: AD denies it, WD a write, in user mode (SDM Vol. 3, "Protection Keys";
 * R25).
 *
 * Caught here: rights of a key that a list of keys forgets, when WRPKRU has to change what is
 * cached; read-modify-writes, strings or stack accesses that ask for the right to read alone
 * (QT16, QT18). Emulators and instruction emulators bring PKRU to translations by hand.
 *
 * Not checked: key 0, which the image's own memory has; supervisor-mode accesses and addresses
 * (protection_keys).
 */
#include "test.h"

SUBJECT(protection_keys_all, "each key after WRPKRU, and each instruction under AD and WD");

#define MANUAL "SDM Vol. 3, \"Protection Keys\""
#define TAG    91

static struct subject map_key(enum level level, unsigned key)
{
	return map_subject(level, P | RW | US | entry_key(key), TAG);
}

/* The key's rights change, with its translations cached; those of all others are the opposite. */
static void try_every_key(enum level level)
{
	static const uint8_t order[] = {0, 1, 0, 2, 0, 3, 2, 1, 3, 0};

	set_cr4(CR4_PKE);
	for (unsigned key = 1; key < PROTECTION_KEYS; key++) {
		struct subject subject = map_key(level, key);

		for (unsigned i = 0; i < COUNT_OF(order); i++) {
			uint32_t others = order[i] ? 0 : ~key_rights(key, 3) & ~key_rights(0, 3);

			set_pkru(key_rights(key, order[i]) | others);
			expect_as_modelled(as_user(read_access(subject.target, 8)));
			expect_as_modelled(
				as_user(write_access(subject.target, 8, frame_word(TAG))));
			expect_as_modelled(as_user(read_access(subject.target, 8)));
		}
		release_pages();
	}
}

TEST(wrpkru_takes_effect_for_every_key,
     "WRPKRU decides on the next user access to a page with any key, whatever is cached", MANUAL,
     "pku")
{
	try_every_key(PT);
}

TEST(wrpkru_takes_effect_for_every_key_of_2_mbyte_pages,
     "WRPKRU decides on the next user access to a 2-MByte page with any key, whatever is cached",
     MANUAL, "pku")
{
	try_every_key(PD);
}

TEST(wrpkru_takes_effect_for_every_key_of_1_gbyte_pages,
     "WRPKRU decides on the next user access to a 1-GByte page with any key, whatever is cached",
     MANUAL, "pku pages_1g")
{
	try_every_key(PDPT);
}

#define PKRS 4 /* rights of IA32_PKRS, above the two bits of PKRU's */

static void try_upper_entries(enum level leaf, enum level level, bool pks)
{
	struct subject subject = map_subject(leaf, P | RW | US | entry_key(7), TAG);

	edit_entry(&subject.page, level, INVLPG, .clear = US);
	for (unsigned rights = 0; rights < (pks ? 4 * PKRS : PKRS); rights++) {
		set_pkru(key_rights(7, rights % PKRS));
		if (pks)
			set_pkrs(key_rights(7, rights / PKRS));
		for (unsigned n = 0; n < ACCESS_WAYS; n++) {
			struct access access = nth_access(n, subject.target);

			if (!(pks && access.user)) /* whose PK the manual leaves open */
				expect_as_modelled(access);
		}
	}
}

/* PKRU is not asked, though the last entry has U/S = 1. */
TEST(us_of_every_entry_picks_the_register,
     "A page that any entry makes a supervisor-mode page is under IA32_PKRS, not PKRU", MANUAL,
     "pku")
{
	set_cr4(CR4_PKE);
	for (unsigned pks = 0; pks < (has(FEATURE_pks) ? 2 : 1); pks++) {
		if (pks)
			set_cr4(CR4_PKS);
		for (int leaf = PT; leaf <= PD; leaf++)
			for (int level = leaf; level <= PML4; level++)
				try_upper_entries((enum level)leaf, (enum level)level, pks);
		release_pages();
	}
}

/* Once allowed, so that it is cached, then under these rights. */
static void try_instruction(enum instruction instruction, uint32_t rights, bool cached)
{
	const struct instruction_entry *entry = &instruction_table[instruction];
	uint64_t compared = entry->reads && entry->writes != NEVER ? ~(uint64_t)PF_W : ~0ull;
	struct subject subject = map_key(PT, 5);
	struct access access =
		as_user(instruction_access(instruction, subject.page.linear, frame_word(TAG)));
	struct model_outcome wanted;
	struct outcome outcome;

	set_pkru(0);
	if (cached)
		attempt(access);
	set_pkru(key_rights(5, rights));
	frame_fill(subject.page.frame, PAGE_4K, TAG);
	wanted = modelled_outcome(access);
	outcome = attempt(access);
	if (wanted.vector == MODEL_COMPLETES || entry->writes == MAYBE)
		return;
	expect(outcome.vector == VECTOR_PF &&
		       !((outcome.error_code ^ wanted.error_code) & compared),
	       "%s with rights %u: %s, error code 0x%llx instead of 0x%llx", entry->text, rights,
	       vector_name(outcome.vector), (unsigned long long)outcome.error_code,
	       (unsigned long long)wanted.error_code);
}

TEST(every_instruction_asks_its_key,
     "AD denies each data access of user mode, WD each write, by whatever instruction", MANUAL,
     "pku")
{
	set_cr4(CR4_PKE);
	for (unsigned n = 0; n < ORDINARY_INSTRUCTIONS; n++) {
		if (!has(instruction_table[n].need))
			continue;
		for (unsigned i = 0; i < 4; i++)
			try_instruction((enum instruction)n,
					i & 1 ? KEY_WRITE_DISABLE : KEY_ACCESS_DISABLE, i & 2);
		release_pages();
	}
}

/* mov %rax, %rsp; push %rdx; xor %ecx, %ecx; xor %edx, %edx; mov $rights, %eax; wrpkru; push %rdx
 */
static const uint8_t push_wrpkru_push[] = {0x48, 0x89, 0xc4, 0x52, 0x31, 0xc9, 0x31, 0xd2, 0xb8,
					   0,	 0,    0,    0,	   0x0f, 0x01, 0xef, 0x52};
#define RIGHTS_AT   9
#define LAST_PUSH   16
#define STACK_KEY   9
#define STACK_START 0x800

TEST(wrpkru_takes_effect_between_two_pushes,
     "A program that takes the right to write from its own stack's key faults at its next PUSH",
     MANUAL, "pku")
{
	static const uint32_t rights[] = {KEY_ACCESS_DISABLE, KEY_WRITE_DISABLE};
	struct subject stack = map_key(PT, STACK_KEY);
	struct page code = map_page(P | RW | US);
	struct access access = as_user(fetch_access(code.linear));

	set_cr4(CR4_PKE);
	memcpy(identity(code.frame), push_wrpkru_push, sizeof(push_wrpkru_push));
	access.value[0] = stack.page.linear.value + STACK_START;
	for (unsigned i = 0; i < 2 * COUNT_OF(rights); i++) {
		uint32_t value = key_rights(STACK_KEY, rights[i / 2]);
		struct outcome outcome;

		memcpy(identity(gpa_plus(code.frame, RIGHTS_AT)), &value, sizeof(value));
		set_pkru(0);
		outcome = attempt(access);
		expect(outcome.vector == VECTOR_PF &&
			       outcome.error_code == (PF_P | PF_W | PF_U | PF_PK) &&
			       outcome.rip == code.linear.value + LAST_PUSH,
		       "%s, error code 0x%llx, RIP 0x%llx", vector_name(outcome.vector),
		       (unsigned long long)outcome.error_code, (unsigned long long)outcome.rip);
	}
	set_pkru(0);
}

/* mov $ecx, %ecx; xor %eax, %eax; mov $edx, %edx; the instruction; the way back */
static struct outcome run_with_operands(const struct page *code, uint32_t ecx, uint32_t edx,
					uint8_t last)
{
	uint8_t bytes[] = {0xb9, 0, 0, 0, 0, 0x31, 0xc0, 0xba, 0, 0, 0, 0, 0x0f, 0x01, last};
	uint64_t back = frame_word(1);

	memcpy(bytes + 1, &ecx, 4);
	memcpy(bytes + 8, &edx, 4);
	memcpy(identity(code->frame), bytes, sizeof(bytes));
	memcpy((uint8_t *)identity(code->frame) + sizeof(bytes), &back, 8);
	return attempt(as_user(fetch_access(code->linear)));
}

TEST(rdpkru_and_wrpkru_refuse_other_operands,
     "RDPKRU and WRPKRU are #UD with CR4.PKE = 0, #GP with ECX, WRPKRU also with EDX, not 0",
     "SDM Vol. 2, \"RDPKRU\"; \"WRPKRU\"", "pku")
{
	enum { RDPKRU = 0xee, WRPKRU = 0xef };
	struct page code = map_page(P | RW | US);

	clear_cr4(CR4_PKE);
	expect(run_with_operands(&code, 0, 0, RDPKRU).vector == VECTOR_UD, "RDPKRU, PKE = 0");
	expect(run_with_operands(&code, 0, 0, WRPKRU).vector == VECTOR_UD, "WRPKRU, PKE = 0");
	set_cr4(CR4_PKE);
	for (unsigned bit = 0; bit < 32; bit++) {
		uint32_t bad = 1u << bit;

		expect(run_with_operands(&code, bad, 0, RDPKRU).vector == VECTOR_GP,
		       "RDPKRU, ECX bit %u", bit);
		expect(run_with_operands(&code, bad, 0, WRPKRU).vector == VECTOR_GP,
		       "WRPKRU, ECX bit %u", bit);
		expect(run_with_operands(&code, 0, bad, WRPKRU).vector == VECTOR_GP,
		       "WRPKRU, EDX bit %u", bit);
	}
	expect(run_with_operands(&code, 0, 1, RDPKRU).vector == NO_VECTOR, "RDPKRU with EDX");
	expect(run_with_operands(&code, 0, 0, WRPKRU).vector == NO_VECTOR, "WRPKRU");
}
