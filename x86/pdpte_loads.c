/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which changes of CR0 and CR4 load the PDPTE registers of PAE paging, and which do not.
 *
 * Under PAE paging a MOV that changes CR0.CD, CR0.NW or CR0.PG, or CR4.PAE, CR4.PGE, CR4.PSE or
 * CR4.SMEP, loads the four PDPTEs from memory; with a reserved bit in a present one it raises
 * #GP(0) and changes nothing. Changes of other bits load nothing (SDM Vol. 3, "PDPTE Registers").
 * Where PDPTEs are read on demand (P13, see pdpte_registers) all this has no meaning and is
 * skipped.
 *
 * Caught here: reloads at CR4.SMAP and CR4.PKE (KS08); registers taken from a copy that is stale
 * (HX01); loads that are forgotten, or made while CR0.PG = 0 (V802); registers half changed by a
 * MOV that faults. Each bit has a case of its own, since a hypervisor lists them one by one.
 */
#include "test.h"

SUBJECT(pdpte_loads, "which changes of CR0 and CR4 load the PDPTEs of PAE paging");
BUILT_FOR_32BIT;

#define MANUAL "SDM Vol. 3, \"PDPTE Registers\""

/* A bit changed and changed back: with a good PDPTE in memory it
 * is loaded each time, with a bad one the change faults and is not made. */
static void try_loading_change(enum instruction to, uint64_t (*read)(void), uint64_t bit)
{
	struct pdpte_scene scene;

	set_register_scene(&scene);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t old = read();

		*scene.pdpte = scene.good | 1 << 5;
		expect_exception(instruction_access(to, LINEAR(0), old ^ bit), VECTOR_GP, 0);
		expect_register_holds(read(), old);
		expect_scene_tag(&scene, 1);
		*scene.pdpte = scene.other;
		expect_mov_completes(to, old ^ bit);
		invalidate(scene.page.linear, INVLPG); /* not every such change flushes */
		expect_scene_tag(&scene, 2);
		*scene.pdpte = scene.good;
		mov_to_cr3(read_cr3());
	}
}

/* Nor is memory looked at: what a load would refuse does no harm, what it would take is not taken.
 */
static void try_change_without_load(enum instruction to, uint64_t (*read)(void), uint64_t bit)
{
	struct pdpte_scene scene;

	set_register_scene(&scene);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t old = read();

		*scene.pdpte = i & 2 ? scene.other : scene.good | 1 << 5;
		expect_mov_completes(to, old ^ bit);
		expect_register_holds(read(), old ^ bit);
		*scene.pdpte = scene.other;
		invalidate(scene.page.linear, INVLPG);
		expect_scene_tag(&scene, 1);
		*scene.pdpte = scene.good;
	}
}

TEST(pge_loads, "A change of CR4.PGE loads the PDPTEs", MANUAL, "pae pge")
{
	try_loading_change(INSTRUCTION_mov_to_cr4, read_cr4, CR4_PGE);
}

TEST(pse_loads, "A change of CR4.PSE loads the PDPTEs", MANUAL, "pae pse")
{
	try_loading_change(INSTRUCTION_mov_to_cr4, read_cr4, CR4_PSE);
}

TEST(smep_loads, "A change of CR4.SMEP loads the PDPTEs", MANUAL, "pae smep")
{
	try_loading_change(INSTRUCTION_mov_to_cr4, read_cr4, CR4_SMEP);
}

TEST(cd_loads, "A change of CR0.CD loads the PDPTEs", MANUAL, "pae")
{
	try_loading_change(INSTRUCTION_mov_to_cr0, read_cr0, CR0_CD);
}

TEST(turning_paging_on_loads, "Setting CR0.PG loads the PDPTEs, and a reserved bit keeps it clear",
     MANUAL, "pae")
{
	struct pdpte_scene scene;
	uint64_t paged;

	set_register_scene(&scene);
	paged = read_cr0();
	for (unsigned round = 0; round < 2; round++) {
		clear_cr0(CR0_PG);
		*scene.pdpte = scene.good | 1 << 5;
		expect_exception(instruction_access(INSTRUCTION_mov_to_cr0, LINEAR(0), paged),
				 VECTOR_GP, 0);
		expect_register_holds(read_cr0(), paged & ~CR0_PG);
		*scene.pdpte = round ? scene.good : scene.other;
		set_cr0(CR0_PG);
		expect_scene_tag(&scene, round ? 1 : 2);
	}
}

TEST(wp_does_not_load, "A change of CR0.WP does not load the PDPTEs", MANUAL, "pae")
{
	try_change_without_load(INSTRUCTION_mov_to_cr0, read_cr0, CR0_WP);
}

TEST(am_does_not_load, "A change of CR0.AM does not load the PDPTEs", MANUAL, "pae")
{
	try_change_without_load(INSTRUCTION_mov_to_cr0, read_cr0, CR0_AM);
}

TEST(smap_does_not_load, "A change of CR4.SMAP does not load the PDPTEs", MANUAL, "pae smap")
{
	try_change_without_load(INSTRUCTION_mov_to_cr4, read_cr4, CR4_SMAP);
}

TEST(pke_does_not_load, "A change of CR4.PKE does not load the PDPTEs", MANUAL, "pae pku")
{
	try_change_without_load(INSTRUCTION_mov_to_cr4, read_cr4, CR4_PKE);
}

TEST(umip_does_not_load, "A change of CR4.UMIP does not load the PDPTEs", MANUAL, "pae umip")
{
	try_change_without_load(INSTRUCTION_mov_to_cr4, read_cr4, CR4_UMIP);
}

/* A change that loads, or MOV to CR3. */
static void load_by(enum instruction to, uint64_t bit)
{
	if (to == INSTRUCTION_mov_to_cr3)
		mov_to_cr3(read_cr3());
	else
		expect_mov_completes(to, (to == INSTRUCTION_mov_to_cr0 ? read_cr0() : read_cr4()) ^
						 bit);
}

/* The PDPTE of a GByte leads to the one directory, the other, and nowhere. */
static void try_pdpte(const struct pdpte_scene *scene, unsigned number, enum instruction to,
		      uint64_t bit)
{
	volatile uint64_t *pdpte = scene->pdpte + number - SCENE_PDPTE;
	const uint64_t was = *pdpte, values[] = {scene->good, scene->other, 0, scene->other};
	struct access read = read_scene_page(scene);

	read.linear.value = (read.linear.value & (PAGE_1G - 1)) + number * PAGE_1G;
	for (unsigned i = 0; i < COUNT_OF(values); i++) {
		*pdpte = values[i];
		load_by(to, bit);
		invalidate(read.linear, INVLPG);
		if (values[i])
			expect_read(read, (uint32_t)frame_word(values[i] == scene->good ? 1 : 2));
		else
			expect_page_fault(read, 0);
	}
	*pdpte = was;
	mov_to_cr3(read_cr3());
}

TEST(each_pdpte_is_loaded, "Each load loads the PDPTEs of the second, third and fourth GByte",
     MANUAL, "pae pge")
{
	struct pdpte_scene scene;

	set_register_scene(&scene);
	for (unsigned number = 1; number < 4; number++) {
		try_pdpte(&scene, number, INSTRUCTION_mov_to_cr3, 0);
		try_pdpte(&scene, number, INSTRUCTION_mov_to_cr4, CR4_PGE);
		try_pdpte(&scene, number, INSTRUCTION_mov_to_cr4, CR4_PSE);
		try_pdpte(&scene, number, INSTRUCTION_mov_to_cr0, CR0_CD);
	}
}

/* One frame is a page directory of 32-bit paging and, near its end, a PDPT: CR3 serves both. The
 * page leads to frames with tags 1 and 2; PAE paging is on. */
static uint64_t *set_both_structures(linear_t linear, uint64_t *pdptes)
{
	gpa_t directory = frame_alloc(), pdpt = gpa_plus(directory, PAGE_4K - 32);

	memcpy(identity(directory), identity(current_root()), PAGE_4K);
	load_root(directory);
	legacy_map_at(linear, PT, filled_frame(1), P | RW);
	run_under_pae();
	memcpy(pdptes, identity(current_root()), 8 * PDPTE_REGISTERS);
	memcpy(identity(pdpt), pdptes, 8 * PDPTE_REGISTERS);
	load_pdpt(pdpt);
	legacy_map_at(linear, PT, filled_frame(2), P | RW);
	return identity(pdpt);
}

TEST(changing_pae_under_paging_drops_translations,
     "MOV to CR4 that changes PAE while paging is on drops translations",
     "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\"", "pae")
{
	const linear_t linear = LINEAR(PAGE_1G + 3 * PAGE_2M + 5 * PAGE_4K);
	uint64_t pdptes[PDPTE_REGISTERS];

	set_both_structures(linear, pdptes);
	for (uint32_t i = 0; i < 8; i++) {
		expect_read(read_access(linear, 4), (uint32_t)frame_word(i & 1 ? 1 : 2));
		expect_read(fetch_access(linear), i & 1 ? 1 : 2);
		write_cr4(read_cr4() ^ CR4_PAE);
	}
}

TEST(changing_pae_under_paging_changes_the_structures,
     "MOV to CR4 that changes PAE while paging is on loads the PDPTEs, or leaves them, and drops "
     "translations",
     "SDM Vol. 3, \"PDPTE Registers\"; \"Operations that Invalidate TLBs and Paging-Structure "
     "Caches\"",
     "pae")
{
	const linear_t linear = LINEAR(PAGE_1G + 3 * PAGE_2M + 5 * PAGE_4K);
	const struct access read = read_access(linear, 4), fetch = fetch_access(linear);
	uint64_t pdptes[PDPTE_REGISTERS];
	volatile uint64_t *pdpt = set_both_structures(linear, pdptes);

	pdpt[1] = 0;
	invalidate(linear, INVLPG);
	if (attempt(read).vector != NO_VECTOR)
		end_case_skipped("pdpte_registers", "PDPTEs are read on demand here (P13)");
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t tag = i & 1 ? 1 : 2;

		expect_read(read, (uint32_t)frame_word(tag));
		expect_read(fetch, tag);
		pdpt[1] = pdptes[1];
		write_cr4(read_cr4() ^ CR4_PAE);
	}
}
