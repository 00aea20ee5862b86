/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A feature that CPUID does not offer behaves as if it were absent.
 *
 * Its bits of paging-structure entries are reserved or ignored, its instructions raise #UD, its
 * registers #GP(0) (SDM Vol. 3, "Enumeration of Paging Features by CPUID", and the instructions'
 * pages; R33).
 *
 * Caught here: features that a configuration hides in CPUID alone, while the processor below, or
 * the emulator, goes on offering them; a shadow pager that takes PS or XD as its own processor
 * does; INVEPT or INVVPID, which leave the guest, without a handler (KN24). A failure speaks of the
 * processor's model rather than of its MMU and is counted as a mismatch (P30). To see all cases at
 * work, hide features: ./run x86/hidden_features.flat -- -cpu qemu64, or
 * -cpu max,-pdpe1gb,-nx,-pku,-smap,-smep.
 *
 * Not checked: bits of CR4 and EFER (control_registers does); other instructions of virtualization.
 */
#include "test.h"

SUBJECT(hidden_features, "features that CPUID does not offer, used nevertheless");

#define MANUAL	     "SDM Vol. 3, \"Enumeration of Paging Features by CPUID\""
#define INSTRUCTIONS "SDM Vol. 2, the instruction's page, \"Protected Mode Exceptions\""
#define MSRS	     "SDM Vol. 2, \"WRMSR - Write to Model Specific Register\""
#define TAG	     31
#define KEY_SHIFT    59
#define MSR_S_CET    0x6a2
#define CR3_LAM_BITS 61 /* the first of two */

/* The case is about the feature's absence. */
static void need_absence(enum feature feature)
{
	if (has(feature))
		end_case_skipped("absence", "CPUID offers the feature");
	failures_are_model_mismatches();
}

static void try_all_ways(linear_t linear)
{
	for (unsigned n = 0; n < ACCESS_WAYS; n++)
		expect_as_modelled(nth_access(n, linear));
}

static void try_page(enum level level, uint64_t flags)
{
	struct subject subject = map_subject(level, P | RW | US | flags, TAG);

	try_all_ways(subject.target);
}

static void expect_undefined(enum instruction instruction)
{
	struct access access = instruction_access(instruction, map_page(P | RW | US).linear, 0);

	expect_exception(access, VECTOR_UD, 0);
	expect_exception(as_user(access), VECTOR_UD, 0);
}

static void expect_no_msr(uint32_t msr)
{
	expect_exception(instruction_access(INSTRUCTION_rdmsr, LINEAR(msr), 0), VECTOR_GP, 0);
	expect_exception(instruction_access(INSTRUCTION_wrmsr, LINEAR(msr), 0), VECTOR_GP, 0);
}

TEST(ps_of_pdptes_is_reserved_without_1_gbyte_pages,
     "Where 1-GByte pages are not offered, PS = 1 in a PDPTE is a reserved bit", MANUAL, "")
{
	need_absence(FEATURE_pages_1g);
	try_page(PDPT, 0);
	try_page(PDPT, A | D);
	try_page(PDPT, G | PCD);
}

TEST(bit_63_is_reserved_without_nx,
     "Where execute-disable is not offered, bit 63 is reserved in entries of all levels", MANUAL,
     "")
{
	need_absence(FEATURE_nx);
	for (int level = PT; level <= PML4; level++) {
		struct subject subject = map_subject(PT, P | RW | US, TAG);

		edit_entry(&subject.page, (enum level)level, INVLPG, .set = XD);
		try_all_ways(subject.target);
	}
	try_page(PD, XD);
}

/* With CR4.SMEP = 0, too. */
TEST(fetch_faults_are_not_told_apart_without_nx,
     "Where execute-disable is not offered, I/D is 0 in error codes", MANUAL, "")
{
	need_absence(FEATURE_nx);
	try_page(PT, 0);
	expect_page_fault(fetch_access(unused_linear()), 0);
	expect_page_fault(as_user(fetch_access(unused_linear())), PF_U);
}

TEST(protection_keys_are_ignored_without_pku,
     "Where protection keys are not offered, bits 62:59 of entries are ignored", MANUAL, "")
{
	need_absence(FEATURE_pku);
	for (uint64_t key = 1; key < 16; key++)
		try_page(PT, key << KEY_SHIFT);
	try_page(PD, 15ull << KEY_SHIFT);
}

TEST(rdpkru_and_wrpkru_are_undefined_without_pku,
     "Where protection keys are not offered, RDPKRU and WRPKRU raise #UD", INSTRUCTIONS, "")
{
	need_absence(FEATURE_pku);
	expect_undefined(INSTRUCTION_rdpkru);
	expect_undefined(INSTRUCTION_wrpkru);
}

TEST(pkrs_does_not_exist_without_pks,
     "Where keys for supervisor-mode pages are not offered, IA32_PKRS raises #GP(0)", MSRS, "")
{
	need_absence(FEATURE_pks);
	expect_no_msr(MSR_PKRS);
}

TEST(stac_and_clac_are_undefined_without_smap, "Where SMAP is not offered, STAC and CLAC raise #UD",
     INSTRUCTIONS, "")
{
	need_absence(FEATURE_smap);
	expect_undefined(INSTRUCTION_stac);
	expect_undefined(INSTRUCTION_clac);
}

TEST(supervisor_reads_user_pages_without_smap,
     "Where SMAP is not offered, supervisor mode reads and writes user-mode pages", MANUAL, "")
{
	need_absence(FEATURE_smap);
	try_page(PT, 0);
	try_page(PD, 0);
}

TEST(supervisor_executes_user_pages_without_smep,
     "Where SMEP is not offered, supervisor mode executes user-mode pages", MANUAL, "")
{
	need_absence(FEATURE_smep);
	try_page(PT, 0);
	try_page(PD, 0);
}

TEST(invpcid_is_undefined_where_not_offered, "Where INVPCID is not offered, it raises #UD",
     INSTRUCTIONS, "")
{
	need_absence(FEATURE_invpcid);
	expect_undefined(INSTRUCTION_invpcid);
}

TEST(rdfsbase_is_undefined_where_not_offered, "Where FSGSBASE is not offered, RDFSBASE raises #UD",
     INSTRUCTIONS, "")
{
	need_absence(FEATURE_fsgsbase);
	expect_undefined(INSTRUCTION_rdfsbase);
}

/* What would be another PCID: nothing may be kept for the way back. */
TEST(low_bits_of_cr3_name_no_context_without_pcids,
     "Where PCIDs are not offered, MOV to CR3 with other low bits keeps nothing", MANUAL, "")
{
	need_absence(FEATURE_pcid);
	for (uint64_t low = 1; low < PAGE_4K; low <<= 1) {
		struct page page = map_page_at(PT, filled_frame(1), P | RW | US);

		expect_read(read_access(page.linear, 8), frame_word(1));
		mov_to_cr3(image_root().value | low);
		write_entry(&page, PT, filled_frame(2).value | P | RW | US, NO_FLUSH);
		mov_to_cr3(image_root().value);
		expect_read(read_access(page.linear, 8), frame_word(2));
		expect_read(as_user(fetch_access(page.linear)), 2);
	}
}

TEST(g_is_ignored_without_global_pages,
     "Where global pages are not offered, MOV to CR3 drops translations with G = 1", MANUAL, "")
{
	need_absence(FEATURE_pge);
	for (unsigned i = 0; i < 8; i++) {
		struct page page = map_page_at(PT, filled_frame(1), P | RW | US | G);

		expect_read(read_access(page.linear, 8), frame_word(1));
		write_entry(&page, PT, filled_frame(2).value | P | RW | US | G, MOV_CR3);
		expect_read(read_access(page.linear, 8), frame_word(2));
	}
}

TEST(masks_of_cr3_are_reserved_without_lam,
     "Where LAM is not offered, bits 61 and 62 of CR3 raise #GP(0)", MANUAL, "")
{
	need_absence(FEATURE_lam);
	for (unsigned bit = CR3_LAM_BITS; bit < CR3_LAM_BITS + 2; bit++) {
		uint64_t before = read_cr3();

		expect_exception(
			instruction_access(INSTRUCTION_mov_to_cr3, LINEAR(0), before | 1ull << bit),
			VECTOR_GP, 0);
		expect(read_cr3() == before, "CR3 is 0x%llx", (unsigned long long)read_cr3());
	}
}

TEST(read_only_dirty_pages_are_pages_without_shadow_stacks,
     "Where shadow stacks are not offered, R/W = 0 with D = 1 is a read-only page", MANUAL, "")
{
	need_absence(FEATURE_cet_ss);
	for (int level = PT; level <= PD; level++) {
		struct subject subject = map_subject((enum level)level, P | US | A | D, TAG);

		try_all_ways(subject.target);
	}
}

TEST(cet_registers_do_not_exist_without_cet,
     "Where CET is not offered, IA32_U_CET and IA32_S_CET raise #GP(0)", MSRS, "")
{
	if (has(FEATURE_cet_ss) || has(FEATURE_cet_ibt))
		end_case_skipped("absence", "CPUID offers the feature");
	failures_are_model_mismatches();
	expect_no_msr(MSR_U_CET);
	expect_no_msr(MSR_S_CET);
}

TEST(sidt_works_in_user_mode_without_umip,
     "Where UMIP is not offered, SIDT and SLDT work in user mode", MANUAL, "")
{
	struct page page = map_page(P | RW | US);

	need_absence(FEATURE_umip);
	expect_as_modelled(as_user(instruction_access(INSTRUCTION_sidt, page.linear, 0)));
	expect_as_modelled(as_user(instruction_access(INSTRUCTION_sldt, page.linear, 0)));
}

/* A page of code: INVEPT (0x80) or INVVPID (0x81) of (%rdi), which is its own address; UD2. */
static void expect_undefined_vmx(uint8_t last_opcode_byte)
{
	const uint8_t code[] = {0x66, 0x0f, 0x38, last_opcode_byte, 0x07, 0x0f, 0x0b};
	struct page user = map_page(P | RW | US), supervisor = map_page(P | RW);

	memcpy(identity(user.frame), code, sizeof(code));
	memcpy(identity(supervisor.frame), code, sizeof(code));
	expect_exception(fetch_access(supervisor.linear), VECTOR_UD, 0);
	expect_exception(as_user(fetch_access(user.linear)), VECTOR_UD, 0);
}

TEST(invept_and_invvpid_are_undefined_without_vmx,
     "Where VMX is not offered, INVEPT and INVVPID raise #UD at each privilege level", INSTRUCTIONS,
     "")
{
	need_absence(FEATURE_vmx);
	expect_undefined_vmx(0x80);
	expect_undefined_vmx(0x81);
}
