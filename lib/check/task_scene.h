/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A second hardware task (SDM Vol. 3, "Task Management"), to which INT 32 switches through a task
 * gate, and which returns by IRET. 32-bit images only. GDT and both TSSs lie in pages of their own,
 * so that the processor's accesses to them can be seen.
 */
#ifndef CHECK_TASK_SCENE_H
#define CHECK_TASK_SCENE_H

#include "access/access.h"
#include "paging/legacy.h"

struct task_scene {
	struct legacy_page gdt, old_tss, new_tss;
};

/* What the task saw when it ran last. */
struct task_result {
	uint32_t runs, cr3, read, fetched;
};

/* Loads GDTR and TR; both come back after the case. */
void make_task_scene(struct task_scene *scene);

/* The task has this CR3 and uses a filled frame at this linear address; the old task gets its own
 * CR3 back. */
void set_task(const struct task_scene *scene, gpa_t root, linear_t linear);

/* INT 32, to the task and back. */
struct access switch_access(void);
struct outcome switch_task(struct access access);
const struct task_result *task_result(void);

/* TR's selector, and whether a TSS descriptor says that its task is busy. */
unsigned selector_of_task(void);
bool new_task_is_busy(const struct task_scene *scene);

#endif
