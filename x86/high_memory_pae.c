/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A page directory above 4 GBytes under PAE paging.
 *
 * The address in a PDPTE has MAXPHYADDR bits, though CR3, the PDPT's, has 32 (SDM Vol. 3, "PAE
 * Paging", "PDPTE Registers").
 *
 * Caught here: PDPTEs cut to 32 bits, by the load of the registers or by the walk (QT08, HX02), so
 * that a directory 4 GBytes below is used or marked. Not checked: frames and page tables
 * (address_bits_legacy does), PDPTEs that lead where there is no memory.
 */
#include "test.h"

SUBJECT(high_memory_pae, "a page directory above 4 GBytes under PAE paging");
BUILT_FOR_32BIT;

#define MANUAL "SDM Vol. 3, \"PAE Paging\""
#define LOW    (96 * MBYTE) /* frames of cases do not come that far */
#define HIGH   (4 * GBYTE + LOW)

/* Writes a copy of a directory above 4 GBytes, through a mapping of it. */
static void copy_to(linear_t linear, const uint32_t *words)
{
	for (unsigned i = 0; i < PAGE_4K / 4; i++)
		attempt(write_access(linear_plus(linear, i * 4ull), 4, words[i]));
}

TEST(directory_above_4_gbytes_is_not_the_one_below,
     "A PDPTE leads to a page directory above 4 GBytes; the one 4 GBytes below is not used", MANUAL,
     "pae ram_above_4g")
{
	struct pdpte_scene scene;
	struct legacy_page mapped;
	unsigned in_directory;
	linear_t entry;
	uint64_t *low = identity(GPA(LOW));

	set_pdpte_scene(&scene);
	mapped = legacy_map_at(LINEAR(2 * PAGE_1G), PT, GPA(HIGH), P | RW);
	in_directory = (uintptr_t)scene.page.entry[PD] & (PAGE_4K - 1);
	entry = linear_plus(mapped.linear, in_directory);
	legacy_write(&scene.page, PD, legacy_entry(&scene.page, PD) & ~(A | D));
	copy_to(mapped.linear, identity(GPA(scene.good & ENTRY_ADDRESS)));
	memcpy(low, identity(GPA(scene.other & ENTRY_ADDRESS)), PAGE_4K);
	low[in_directory / 8] &= ~(A | D);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t was = low[in_directory / 8];

		*scene.pdpte = HIGH | P;
		mov_to_cr3(read_cr3());
		note_pdptes();
		expect_scene_tag(&scene, 1);
		expect(attempt(read_access(entry, 4)).value[0] & A, "its PDE has no A");
		expect(low[in_directory / 8] == was, "the PDE 4 GBytes below is marked");
		*scene.pdpte = LOW | P;
		mov_to_cr3(read_cr3());
		note_pdptes();
		expect_scene_tag(&scene, 2);
	}
}
