/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The four PDPTEs of PAE paging are registers: when they are loaded, what is checked then, and that
 * memory does not matter in between.
 *
 * MOV to CR3 loads them. A present PDPTE with a reserved bit set (2:1, 8:5,
 * 63:MAXPHYADDR) makes such an instruction raise #GP(0) and change nothing (SDM Vol. 3, "PDPTE
 * Registers"). Under AMD's nested paging the PDPTEs are read on demand instead, and a reserved bit
 * causes #PF (P13; APM Vol. 2, "Legacy PAE Mode"). A probe finds which of both a processor does;
 * all of that kind is demanded then, and cases that only make sense with the other are skipped.
 *
 * Caught here: reserved bits that are never checked (XS17);
 * registers loaded from a copy that is stale, or from the page's beginning instead of CR3's 32
 * bytes (HX01); loads that are forgotten at CR3 (V802). Hypervisors keep these registers
 * by hand: in the VMCS, or in their shadow of CR3.
 *
 * Not checked: which changes of CR0 and CR4 load them (pdpte_loads does); task switches.
 */
#include "test.h"

SUBJECT(pdpte_registers, "the four PDPTEs of PAE paging are registers, checked by MOV to CR3");
BUILT_FOR_32BIT;

#define MANUAL_ON_DEMAND "APM Vol. 2, \"Legacy PAE Mode\""
#define MANUAL		 "SDM Vol. 3, \"PDPTE Registers\""
#define PWT_BIT		 3
#define RESERVED	 0x1e6ull /* below MAXPHYADDR */

TEST(edits_in_memory_wait_for_a_load, "A store to a PDPTE has no effect before the next load",
     MANUAL, "pae")
{
	struct pdpte_scene scene;

	set_register_scene(&scene);
	for (unsigned round = 0; round < 4; round++) {
		*scene.pdpte = round & 1 ? scene.other ^ P : scene.other;
		expect_scene_tag(&scene, 1);
		invalidate(scene.page.linear, INVLPG);
		expect_scene_tag(&scene, 1);
	}
	*scene.pdpte = scene.other;
	mov_to_cr3(read_cr3());
	expect_scene_tag(&scene, 2);
	*scene.pdpte = 0;
	invalidate(scene.page.linear, INVLPG);
	expect_scene_tag(&scene, 2);
	mov_to_cr3(read_cr3());
	expect_page_fault(read_scene_page(&scene), 0);
}

TEST(mov_to_cr3_follows_edits, "MOV to CR3 makes a changed PDPTE count, loaded or read on demand",
     MANUAL, "pae")
{
	struct pdpte_scene scene;

	set_pdpte_scene(&scene);
	for (unsigned round = 0; round < 3; round++) {
		*scene.pdpte = scene.other;
		mov_to_cr3(read_cr3());
		expect_scene_tag(&scene, 2);
		*scene.pdpte = scene.good;
		mov_to_cr3(read_cr3());
		expect_scene_tag(&scene, 1);
		*scene.pdpte = scene.good & ~P;
		mov_to_cr3(read_cr3());
		expect_page_fault(read_scene_page(&scene), 0);
	}
}

#define ALONE 40 /* the index of a PDE that nothing else uses, in any of the directories */

/* Two directories like the one in use, but for one page. */
static void copy_directories(uint64_t pdpte, gpa_t directory[2])
{
	for (unsigned i = 0; i < 2; i++) {
		gpa_t frame = frames_alloc(PAGE_2M);
		uint64_t *entries;

		frame_fill(frame, PAGE_4K, 1 + i);
		directory[i] = frame_alloc();
		entries = identity(directory[i]);
		memcpy(entries, identity(GPA(pdpte & ENTRY_ADDRESS)), PAGE_4K);
		entries[ALONE] = frame.value | P | RW | PS;
	}
}

TEST(mov_to_cr3_follows_each_pdpte_alone,
     "MOV to CR3 makes a changed PDPTE count where the other three are as they were", MANUAL, "pae")
{
	run_under_pae();
	load_pdpt(copy_pdpt());
	for (unsigned number = 0; number < PDPTE_REGISTERS; number++) {
		volatile uint64_t *pdpte = &pdptes_in_memory()[number];
		linear_t linear = LINEAR(number * PAGE_1G + ALONE * PAGE_2M);
		uint64_t good = *pdpte;
		gpa_t directory[2];

		copy_directories(good, directory);
		for (unsigned round = 0; round < 4; round++) {
			*pdpte = directory[round & 1].value | P;
			mov_to_cr3(read_cr3());
			expect_read(read_access(linear, 4), (uint32_t)frame_word(1 + (round & 1)));
		}
		*pdpte = good;
		mov_to_cr3(read_cr3());
	}
}

TEST(no_access_writes_to_a_pdpte,
     "A PDPTE has no accessed flag: whatever is accessed, it stays as it is", MANUAL, "pae")
{
	struct pdpte_scene scene;
	uint64_t was;

	set_pdpte_scene(&scene);
	was = *scene.pdpte;
	for (unsigned user = 0; user < 2; user++) {
		struct access accesses[] = {
			read_access(scene.page.linear, 4),
			write_access(scene.page.linear, 4, frame_word(1)),
			fetch_access(scene.page.linear),
		};

		for (unsigned i = 0; i < COUNT_OF(accesses); i++) {
			mov_to_cr3(read_cr3());
			attempt(user ? as_user(accesses[i]) : accesses[i]);
			expect(*scene.pdpte == was, "%s: the PDPTE is 0x%llx, not 0x%llx",
			       user ? "user mode" : "supervisor mode",
			       (unsigned long long)*scene.pdpte, (unsigned long long)was);
		}
	}
}

/* Bits of a PDPTE that must be 0 in a present one. */
static bool is_reserved(unsigned bit)
{
	return bit >= first_reserved_address_bit() || (RESERVED >> bit & 1);
}

static void expect_gp_and_old_cr3(const struct pdpte_scene *scene, gpa_t pdpt)
{
	uint64_t cr3 = read_cr3();

	expect_exception(instruction_access(INSTRUCTION_mov_to_cr3, LINEAR(0), pdpt.value),
			 VECTOR_GP, 0);
	expect_register_holds(read_cr3(), cr3);
	mov_to_cr3(cr3);
	expect_scene_tag(scene, 1);
}

TEST(reserved_bits_fault_at_mov_to_cr3,
     "A reserved bit of a present PDPTE: #GP(0), CR3 is unchanged", MANUAL, "pae")
{
	struct pdpte_scene scene;
	volatile uint64_t *entry;
	gpa_t pdpt;

	set_register_scene(&scene);
	pdpt = copy_pdpt();
	entry = identity(pdpt);
	for (unsigned n = 0; n < 2 * PDPTE_REGISTERS; n++) {
		unsigned i = n % PDPTE_REGISTERS;
		uint64_t good = entry[i];

		if (n == PDPTE_REGISTERS && has(FEATURE_nx))
			set_efer(EFER_NXE); /* PDPTEs have no XD */
		for (unsigned bit = 0; bit < 64; bit++) {
			if (!is_reserved(bit))
				continue;
			entry[i] = good | 1ull << bit;
			expect_gp_and_old_cr3(&scene, pdpt);
		}
		entry[i] = good;
	}
	load_pdpt(pdpt);
	expect_scene_tag(&scene, 1);
}

/* Reserved bits from `first` to `last`, where PDPTEs are read on demand. */
static void try_on_demand(unsigned first, unsigned last)
{
	struct pdpte_scene scene;

	set_pdpte_scene(&scene);
	if (!pdptes_are_read_on_demand(&scene))
		end_case_skipped("pdptes_on_demand", "PDPTEs are loaded as registers here (P13)");
	for (unsigned bit = first; bit <= last; bit++) {
		struct outcome outcome;

		if (!is_reserved(bit))
			continue;
		*scene.pdpte = scene.good | 1ull << bit;
		mov_to_cr3(read_cr3());
		outcome = attempt(read_scene_page(&scene));
		expect(outcome.vector == VECTOR_PF && (outcome.error_code & PF_RSVD) &&
			       outcome.cr2 == scene.page.linear.value,
		       "bit %u: %s, error code 0x%llx", bit, vector_name(outcome.vector),
		       (unsigned long long)outcome.error_code);
		*scene.pdpte = scene.good;
		invalidate(scene.page.linear, INVLPG);
		expect_scene_tag(&scene, 1);
	}
}

TEST(high_reserved_bits_fault_on_use_when_read_on_demand,
     "Where PDPTEs are read on demand, bits 63:MAXPHYADDR cause #PF with RSVD", MANUAL_ON_DEMAND,
     "pae")
{
	try_on_demand(32, 63);
	if (has(FEATURE_nx)) {
		set_efer(EFER_NXE); /* PDPTEs have no XD */
		try_on_demand(63, 63);
	}
}

TEST(low_reserved_bits_fault_on_use_when_read_on_demand,
     "Where PDPTEs are read on demand, bits 2:1 and 8:5 cause #PF with RSVD", MANUAL_ON_DEMAND,
     "pae")
{
	try_on_demand(0, 31);
}

TEST(ignored_bits_of_pdptes_do_not_fault,
     "PWT, PCD, bits 11:9, and all bits of a PDPTE that is not present are accepted", MANUAL, "pae")
{
	struct pdpte_scene scene;

	set_pdpte_scene(&scene);
	for (unsigned bit = PWT_BIT; bit < 12; bit++) {
		if (is_reserved(bit))
			continue;
		*scene.pdpte = scene.good | 1ull << bit;
		mov_to_cr3(read_cr3());
		expect_scene_tag(&scene, 1);
	}
	for (unsigned bit = 1; bit < 64; bit++) {
		*scene.pdpte = 1ull << bit;
		mov_to_cr3(read_cr3());
		expect_page_fault(read_scene_page(&scene), 0);
	}
}

/* One page in each of three GBytes, with tag 1 under the PDPTEs in use and tag 2 under others. */
#define GBYTES 3

static linear_t map_two_ways(unsigned gbyte, volatile uint64_t *other_pdpte)
{
	gpa_t frame[2] = {frames_alloc(PAGE_2M), frames_alloc(PAGE_2M)}, copy = frame_alloc();
	linear_t linear = LINEAR(gbyte * PAGE_1G + 48 * PAGE_2M);

	if (gbyte)
		legacy_map_at(linear, PD, frame[0], P | RW);
	else
		frame[0] = GPA(linear.value); /* the identity map's */
	frame_fill(frame[0], PAGE_4K, 1);
	frame_fill(frame[1], PAGE_4K, 2);
	memcpy(identity(copy), identity(GPA(*other_pdpte & ENTRY_ADDRESS)), PAGE_4K);
	((uint64_t *)identity(copy))[linear.value / PAGE_2M % 512] = frame[1].value | P | RW | PS;
	*other_pdpte = copy.value | P;
	return linear;
}

TEST(a_refused_mov_to_cr3_loads_no_pdpte,
     "MOV to CR3 that raises #GP(0) at one PDPTE has loaded none of the others", MANUAL, "pae")
{
	struct pdpte_scene scene;
	linear_t linear[GBYTES];
	volatile uint64_t *entry;
	gpa_t pdpt;

	set_register_scene(&scene);
	pdpt = copy_pdpt();
	entry = identity(pdpt);
	for (unsigned i = 0; i < GBYTES; i++)
		linear[i] = map_two_ways(i, &entry[i]);
	for (unsigned bad = PDPTE_REGISTERS; bad-- > 0;) {
		entry[bad] |= 1 << 5;
		expect_exception(instruction_access(INSTRUCTION_mov_to_cr3, LINEAR(0), pdpt.value),
				 VECTOR_GP, 0);
		for (unsigned i = 0; i < GBYTES; i++) {
			invalidate(linear[i], INVLPG);
			expect_read(read_access(linear[i], 4), (uint32_t)frame_word(1));
		}
		entry[bad] &= ~(1ull << 5);
	}
	load_pdpt(pdpt);
	for (unsigned i = 0; i < GBYTES; i++)
		expect_read(read_access(linear[i], 4), (uint32_t)frame_word(2));
}
