/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/pdpte_scene.h"

#include "check/pae.h"
#include "check/report.h"
#include "check/state.h"
#include "libc/string.h"
#include "mem/frames.h"
#include "paging/edit.h"

#define PDPT_AT	  0x7a0 /* in its page */
#define LINEAR_AT (SCENE_PDPTE * PAGE_1G + 5 * PAGE_2M)

struct access read_scene_page(const struct pdpte_scene *scene)
{
	return read_access(scene->page.linear, 4);
}

static gpa_t filled_large_frame(uint32_t tag)
{
	gpa_t frame = frames_alloc(PAGE_2M);

	frame_fill(frame, PAGE_4K, tag);
	return frame;
}

gpa_t copy_pdpt(void)
{
	gpa_t pdpt = gpa_plus(frame_alloc(), PDPT_AT);

	memcpy(identity(pdpt), identity(current_root()), PDPTE_REGISTERS * 8);
	return pdpt;
}

void load_pdpt(gpa_t pdpt)
{
	load_root(pdpt);
	note_pdptes();
}

void set_pdpte_scene(struct pdpte_scene *scene)
{
	gpa_t directory = frame_alloc();
	struct legacy_page other;

	run_under_pae();
	clear_cr0(CR0_CD | CR0_NW);
	load_pdpt(copy_pdpt());
	scene->page = legacy_map_at(LINEAR(LINEAR_AT), PD, filled_large_frame(1), P | RW);
	scene->pdpte = &pdptes_in_memory()[SCENE_PDPTE];
	scene->good = *scene->pdpte;
	scene->other = directory.value | P;
	memcpy(identity(directory), identity(GPA(scene->good & ENTRY_ADDRESS)), PAGE_4K);
	other = scene->page;
	other.entry[PD] =
		(char *)identity(directory) + ((uintptr_t)scene->page.entry[PD] & (PAGE_4K - 1));
	legacy_write(&other, PD, filled_large_frame(2).value | P | RW | PS);
}

/* Whether memory is read when a translation is needed. */
bool pdptes_are_read_on_demand(const struct pdpte_scene *scene)
{
	struct outcome outcome;

	*scene->pdpte = scene->other;
	invalidate(scene->page.linear, INVLPG);
	outcome = attempt(read_scene_page(scene));
	*scene->pdpte = scene->good;
	invalidate(scene->page.linear, INVLPG);
	return outcome.vector == NO_VECTOR && outcome.value[0] == (uint32_t)frame_word(2);
}

void set_register_scene(struct pdpte_scene *scene)
{
	set_pdpte_scene(scene);
	if (pdptes_are_read_on_demand(scene))
		end_case_skipped("pdpte_registers", "PDPTEs are read on demand here (P13)");
}
