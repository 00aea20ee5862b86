/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What tests of paging modes begin with: one linear address that 32-bit, PAE, 4-level and 5-level
 * paging each map to memory of their own, and that is memory too where there is no paging; and a
 * script of register writes and accesses (cpu/mode_script.h) of which every step is judged by the
 * model: outcome, error code, data, and CR0, CR2, CR3, CR4 and EFER afterwards.
 */
#ifndef CHECK_MODE_SCENE_H
#define CHECK_MODE_SCENE_H

#include "cpu/mode_script.h"
#include "model/modes.h"

/* By the number of levels, in a manner of speaking. */
enum paging_mode { UNPAGED, MODE_32BIT, MODE_PAE, MODE_4LEVEL, MODE_5LEVEL, PAGING_MODES };

/* What the PDE of the address may hold: one of two page tables, or a large page. */
enum scene_variant { SMALL_PAGE, OTHER_SMALL_PAGE, LARGE_PAGE, SCENE_VARIANTS };

#define MOST_SCENE_STEPS 256

struct scene_root {
	uint32_t root, entry; /* addresses of the top structure and of the PDE, which is in use */
	uint32_t value[SCENE_VARIANTS]; /* its lower half */
};

struct mode_scene {
	uint32_t target;
	struct scene_root mode[PAGING_MODES];
	struct model_registers now; /* after the steps so far */
	uint32_t pkru;		    /* of the whole script */
	unsigned count;
	struct mode_step step[MOST_SCENE_STEPS + 1];
	struct model_registers before[MOST_SCENE_STEPS];
};

bool mode_is_offered(enum paging_mode mode);

/* Builds everything in new frames; the script begins with the scene's 4-level root. */
void make_mode_scene(struct mode_scene *scene);

/* Appends steps: a write that the model allows or refuses; a read and a fetch; a store to the PDE,
 * while UNPAGED; another step, which must complete. */
void scene_write(struct mode_scene *scene, enum model_register which, uint64_t value);
void scene_use(struct mode_scene *scene);
void scene_store(struct mode_scene *scene, enum paging_mode mode, enum scene_variant variant);
void scene_step(struct mode_scene *scene, uint32_t op, uint32_t operand, uint32_t value);

/* The writes that lead to another mode by way of UNPAGED; enter_mode() after leave_paging(). */
void leave_paging(struct mode_scene *scene);
void enter_mode(struct mode_scene *scene, enum paging_mode mode);
void scene_go(struct mode_scene *scene, enum paging_mode mode);
enum paging_mode scene_mode(const struct mode_scene *scene);
enum paging_mode mode_of_registers(const struct model_registers *registers);
bool scene_has_room(const struct mode_scene *scene, unsigned steps);

/* Makes all steps, judges each, and forgets them. */
#define expect_scene(scene) judge_scene(__FILE__, __LINE__, scene)
void judge_scene(const char *file, int line, struct mode_scene *scene);

#endif
