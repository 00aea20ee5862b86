/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Settings of CR0, CR4 and EFER that 64-bit mode does not allow: #GP(0), and no register changes.
 *
 * Among them are CR0.PG without PE, NW without CD, PG cleared by 64-bit code, CR4.PAE cleared or
 * LA57 changed in IA-32e mode, EFER.LME changed under paging, reserved bits, and bits of features
 * that CPUID does not offer, which are reserved too (SDM Vol. 2, "MOV - Move to/from Control
 * Registers", "WRMSR"; SDM Vol. 3, "Control Registers", "Paging-Mode Enabling"; APM Vol. 2,
 * "Long-Mode Consistency Checks").
 *
 * Caught here: PG that 64-bit code can clear (XS40); LA57 changed, alone or hidden behind another
 * bit that changes (QT20); an illegal write of which a part took effect (R23); CPUID bits that hide
 * a feature without switching it off (R33). Such mistakes hide in emulators, and in hypervisors
 * that intercept these writes and check too little, or check after they changed something.
 *
 * A hypervisor that lets such a write pass may be left in a state that it cannot run in: hence the
 * cases of one check. Not checked: bits 31:0 of CR0 that are reserved, whose writes are ignored;
 * EFER.LMA, whose write faults or is ignored; EFER bits 7:1 and what AMD keeps in bits 13 and
 * 21:17; CR3 (mov_to_cr3, pcid_control).
 */
#include "test.h"

SUBJECT(control_registers, "illegal settings of CR0, CR4 and EFER fault and change nothing");

#define MOVING	  "SDM Vol. 2, \"MOV - Move to/from Control Registers\""
#define ENABLING  "SDM Vol. 3, \"Paging-Mode Enabling\""
#define REGISTERS "SDM Vol. 3, \"Control Registers\""
#define EFER	  "SDM Vol. 3, \"Extended Feature Enable Register\""

struct registers {
	uint64_t cr0, cr3, cr4, efer;
};

static struct registers read_registers(void)
{
	return (struct registers){read_cr0(), read_cr3(), read_cr4(), read_msr(MSR_EFER)};
}

/* A bit that was accepted is taken back at once, before it does harm. */
static void put_back(const struct registers *registers)
{
	if (read_cr4() != registers->cr4)
		write_cr4(registers->cr4);
	if (read_cr0() != registers->cr0)
		write_cr0(registers->cr0);
	if (read_msr(MSR_EFER) != registers->efer)
		write_msr(MSR_EFER, registers->efer);
}

static void expect_refused(struct access access)
{
	struct registers before = read_registers(), after;

	expect_exception(access, VECTOR_GP, 0);
	after = read_registers();
	expect(!memcmp(&before, &after, sizeof(before)),
	       "CR0 0x%llx, CR3 0x%llx, CR4 0x%llx, EFER 0x%llx", (unsigned long long)after.cr0,
	       (unsigned long long)after.cr3, (unsigned long long)after.cr4,
	       (unsigned long long)after.efer);
	put_back(&before);
}

static struct access cr0_access(uint64_t set, uint64_t clear)
{
	return instruction_access(INSTRUCTION_mov_to_cr0, LINEAR(0), (read_cr0() | set) & ~clear);
}

static struct access cr4_access(uint64_t set, uint64_t clear)
{
	return instruction_access(INSTRUCTION_mov_to_cr4, LINEAR(0), (read_cr4() | set) & ~clear);
}

static struct access efer_access(uint64_t set, uint64_t clear)
{
	return instruction_access(INSTRUCTION_wrmsr, LINEAR(MSR_EFER),
				  (read_msr(MSR_EFER) | set) & ~clear);
}

TEST(clearing_pe_under_paging_faults, "CR0.PG = 1 with PE = 0 raises #GP(0)", MOVING, "")
{
	expect_refused(cr0_access(0, CR0_PE));
}

TEST(nw_without_cd_faults, "CR0.NW = 1 with CD = 0 raises #GP(0), alone or with another change",
     MOVING, "")
{
	expect_refused(cr0_access(CR0_NW, CR0_CD));
	expect_refused(cr0_access(CR0_NW, CR0_CD | CR0_WP));
}

TEST(clearing_pg_in_64_bit_mode_faults, "64-bit code that clears CR0.PG gets #GP(0)", ENABLING, "")
{
	expect_refused(cr0_access(0, CR0_PG));
}

TEST(clearing_pg_and_pe_in_64_bit_mode_faults, "64-bit code that clears CR0.PG and PE gets #GP(0)",
     ENABLING, "")
{
	expect_refused(cr0_access(0, CR0_PG | CR0_PE));
}

TEST(high_bits_of_cr0_fault, "Each of bits 63:32 of CR0 raises #GP(0)", REGISTERS, "")
{
	for (unsigned bit = 32; bit < 64; bit++) {
		expect_refused(cr0_access(1ull << bit, 0));
		expect_refused(cr0_access(1ull << bit, CR0_WP));
	}
}

TEST(clearing_pae_in_ia_32e_mode_faults, "CR4.PAE = 0 raises #GP(0) in IA-32e mode", ENABLING, "")
{
	expect_refused(cr4_access(0, CR4_PAE));
}

TEST(clearing_pae_with_another_bit_faults,
     "CR4.PAE = 0 raises #GP(0) in IA-32e mode and leaves alone what changes with it", ENABLING, "")
{
	expect_refused(cr4_access(CR4_PSE, CR4_PAE));
	set_cr4(CR4_PSE);
	expect_refused(cr4_access(0, CR4_PAE | CR4_PSE));
}

TEST(changing_la57_in_ia_32e_mode_faults, "A change of CR4.LA57 raises #GP(0) in IA-32e mode",
     ENABLING, "la57")
{
	expect_refused(cr4_access(CR4_LA57, 0));
}

TEST(changing_la57_with_another_bit_faults,
     "A change of CR4.LA57 raises #GP(0) in IA-32e mode whatever else changes", ENABLING, "la57")
{
	expect_refused(cr4_access(CR4_LA57 | CR4_PSE, 0));
	expect_refused(cr4_access(CR4_LA57 | (has(FEATURE_pge) ? CR4_PGE : 0), 0));
	expect_refused(cr4_access(CR4_LA57 | (has(FEATURE_smep) ? CR4_SMEP : 0), 0));
	set_cr4(CR4_PSE);
	expect_refused(cr4_access(CR4_LA57, CR4_PSE));
}

TEST(high_bits_of_cr4_fault, "Each of bits 63:33 of CR4 raises #GP(0)", REGISTERS, "")
{
	for (unsigned bit = 33; bit < 64; bit++) {
		expect_refused(cr4_access(1ull << bit, 0));
		expect_refused(cr4_access(1ull << bit | CR4_PSE, 0));
	}
}

TEST(reserved_bits_of_cr4_fault, "Bits 15 and 31:29 of CR4, which nothing uses, raise #GP(0)",
     REGISTERS, "")
{
	static const unsigned bits[] = {15, 29, 30, 31};

	for (unsigned i = 0; i < COUNT_OF(bits); i++)
		expect_refused(cr4_access(1ull << bits[i], 0));
}

/* Bits of CR4, and where CPUID offers what they enable; PCIDE and CET have cases of their own. */
enum { EAX, EBX, ECX, EDX };

static const struct {
	uint64_t cr4;
	uint32_t leaf, subleaf;
	unsigned reg, bit;
} cr4_features[] = {
	{CR4_PGE, 1, 0, EDX, 13},    {CR4_UMIP, 7, 0, ECX, 2},	 {CR4_VMXE, 1, 0, ECX, 5},
	{1ull << 14, 1, 0, ECX, 6},  {1ull << 16, 7, 0, EBX, 0}, {1ull << 18, 1, 0, ECX, 26},
	{1ull << 19, 7, 0, ECX, 23}, {CR4_SMEP, 7, 0, EBX, 7},	 {CR4_SMAP, 7, 0, EBX, 20},
	{CR4_PKE, 7, 0, ECX, 3},     {CR4_LA57, 7, 0, ECX, 16},	 {CR4_PKS, 7, 0, ECX, 31},
	{1ull << 25, 7, 0, EDX, 5},  {1ull << 27, 7, 1, EAX, 6}, {1ull << 28, 7, 1, EAX, 26},
	{1ull << 32, 7, 1, EAX, 17},
};

/* Leaf 7 tells in EAX how many subleaves it has. */
static bool is_offered(uint32_t leaf, uint32_t subleaf, unsigned reg, unsigned bit)
{
	struct cpuid answer;
	uint32_t words[4];

	if (cpuid(0, 0).eax < leaf || (subleaf && cpuid(leaf, 0).eax < subleaf))
		return false;
	answer = cpuid(leaf, subleaf);
	memcpy(words, &answer, sizeof(words));
	return words[reg] >> bit & 1;
}

TEST(bits_of_absent_features_fault_in_cr4,
     "A bit of CR4 whose feature CPUID does not offer raises #GP(0)", REGISTERS, "")
{
	unsigned absent = 0;

	for (unsigned i = 0; i < COUNT_OF(cr4_features); i++) {
		if (is_offered(cr4_features[i].leaf, cr4_features[i].subleaf, cr4_features[i].reg,
			       cr4_features[i].bit))
			continue;
		expect_refused(cr4_access(cr4_features[i].cr4, 0));
		absent++;
	}
	if (!absent)
		end_case_skipped("absent_features", "the processor has them all");
}

TEST(pcide_faults_without_pcids, "CR4.PCIDE raises #GP(0) where CPUID does not offer PCIDs",
     REGISTERS, "")
{
	if (has(FEATURE_pcid))
		end_case_skipped("no_pcid", "the processor has PCIDs");
	expect_refused(cr4_access(CR4_PCIDE, 0));
}

TEST(cet_faults_without_its_features,
     "CR4.CET raises #GP(0) where CPUID offers neither shadow stacks nor branch tracking",
     REGISTERS, "")
{
	if (is_offered(7, 0, ECX, 7) || is_offered(7, 0, EDX, 20))
		end_case_skipped("no_cet", "the processor has CET");
	expect_refused(cr4_access(CR4_CET, 0));
}

TEST(reserved_bits_of_efer_fault, "Bits 9, 16 and 63:22 of EFER raise #GP(0)", EFER, "")
{
	expect_refused(efer_access(1ull << 9, 0));
	expect_refused(efer_access(1ull << 16, 0));
	for (unsigned bit = 22; bit < 64; bit++)
		expect_refused(efer_access(1ull << bit, 0));
}

TEST(nxe_faults_without_its_feature, "EFER.NXE raises #GP(0) where CPUID does not offer it", EFER,
     "")
{
	if (has(FEATURE_nx))
		end_case_skipped("no_nx", "the processor has execute-disable");
	expect_refused(efer_access(EFER_NXE, 0));
}

TEST(svme_faults_without_its_feature, "EFER.SVME raises #GP(0) where CPUID does not offer SVM",
     "APM Vol. 2, \"Enabling SVM\"", "")
{
	if (has(FEATURE_svm))
		end_case_skipped("no_svm", "the processor has SVM");
	expect_refused(efer_access(EFER_SVME, 0));
}

TEST(changing_lme_under_paging_faults, "EFER.LME = 0 with CR0.PG = 1 raises #GP(0)", ENABLING, "")
{
	expect_refused(efer_access(0, EFER_LME));
}

TEST(changing_lme_with_another_bit_faults,
     "EFER.LME = 0 with CR0.PG = 1 raises #GP(0) whatever else changes", ENABLING, "")
{
	bool sce = read_msr(MSR_EFER) & EFER_SCE;

	expect_refused(efer_access(sce ? 0 : EFER_SCE, EFER_LME | (sce ? EFER_SCE : 0)));
}

/* Legal values and illegal ones: at CPL 3 all are refused. */
TEST(user_mode_may_change_nothing, "MOV to CR0, CR3 and CR4 and WRMSR at CPL 3 raise #GP(0)",
     MOVING, "")
{
	expect_refused(as_user(cr0_access(0, 0)));
	expect_refused(as_user(cr0_access(0, CR0_WP)));
	expect_refused(as_user(cr0_access(CR0_NW, CR0_PG)));
	expect_refused(as_user(instruction_access(INSTRUCTION_mov_to_cr3, LINEAR(0), read_cr3())));
	expect_refused(as_user(cr4_access(0, 0)));
	expect_refused(as_user(cr4_access(CR4_PSE, 0)));
	expect_refused(as_user(cr4_access(CR4_LA57, CR4_PAE)));
	expect_refused(as_user(efer_access(0, 0)));
	expect_refused(as_user(efer_access(EFER_SCE, 0)));
	expect_refused(as_user(efer_access(0, EFER_LME)));
}
