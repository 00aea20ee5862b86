/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What tests of the PDPTEs begin with: PAE paging with a PDPT of the case's own, which does not lie
 * at its page's beginning, and two directories for the GByte of the test's page. 32-bit images
 * only.
 */
#ifndef CHECK_PDPTE_SCENE_H
#define CHECK_PDPTE_SCENE_H

#include <stdbool.h>

#include "access/access.h"
#include "paging/legacy.h"

/* A page that the directory in use maps to a frame with tag 1, another directory with tag 2. */
struct pdpte_scene {
	struct legacy_page page;
	volatile uint64_t *pdpte; /* in memory */
	uint64_t good, other;	  /* its values for the two directories */
};

#define SCENE_PDPTE 1 /* which one that is */

/* For either way in which processors treat PDPTEs (P13); the second ends the case as skipped where
 * they are no registers. CR0.CD and CR0.NW are clear. */
void set_pdpte_scene(struct pdpte_scene *scene);
void set_register_scene(struct pdpte_scene *scene);

/* A probe: whether memory is read when a translation is needed. */
bool pdptes_are_read_on_demand(const struct pdpte_scene *scene);

/* A read of the page, which must give the word of the tag. */
struct access read_scene_page(const struct pdpte_scene *scene);
#define expect_scene_tag(scene, tag) expect_read(read_scene_page(scene), (uint32_t)frame_word(tag))

/* What a control register holds after a MOV to it; and a MOV that must complete. */
#define expect_register_holds(value, wanted)                                                 \
	expect((value) == (wanted), "0x%llx instead of 0x%llx", (unsigned long long)(value), \
	       (unsigned long long)(wanted))
#define expect_mov_completes(to, value) \
	expect_read(instruction_access(to, LINEAR(0), value), (uint32_t)(value))

/* A copy of the PDPT in use; a PDPT loaded by MOV to CR3. */
gpa_t copy_pdpt(void);
void load_pdpt(gpa_t pdpt);

#endif
