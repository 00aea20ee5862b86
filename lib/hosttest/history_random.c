/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random steps of a scene: edits, invalidations of every kind, accesses.
 */
#include "hosttest/history_scene.h"
#include "paging/entry.h"

uint64_t scene_random_address(void)
{
	return scene.naive.address[world_random_below(&scene.world, NAIVE_ADDRESSES)];
}

static uint64_t some_cr3(void)
{
	uint64_t r = world_random(&scene.world);
	uint64_t value = world_frame(r & 1);

	if (!scene.controls.pcide)
		return value | (r >> 8 & (PWT | PCD)); /* no PCID */
	return value | (r >> 8) % 3 | (r >> 16 & 1) << 63;
}

static void random_invalidation(void)
{
	uint64_t r = world_random(&scene.world);
	unsigned pcid = scene.controls.pcide ? (unsigned)(r >> 8) % 3 : 0;

	switch (r % 10) {
	case 0:
		scene_toggle_pge();
		break;
	case 1:
		scene_toggle_pcide();
		break;
	case 2:
		scene_toggle_smep();
		break;
	case 3:
	case 4:
		scene_mov_to_cr3(some_cr3());
		break;
	case 5:
	case 6:
		scene_invpcid((unsigned)(r >> 16) % 4, pcid, scene_random_address());
		break;
	case 7:
		if ((r >> 24) % 4 == 0)
			scene_paging_off_and_on();
		break;
	default:
		scene_invlpg(scene_random_address());
	}
}

void scene_random_step(void)
{
	uint64_t r = world_random(&scene.world);
	struct model_access access;

	switch (r % 8) {
	case 0:
	case 1:
		scene_edit(scene_entry((unsigned)(r >> 8) % WORLD_FRAMES, r >> 16 & 1),
			   scene_random_entry());
		break;
	case 2:
	case 3:
		random_invalidation();
		break;
	case 4:
		if ((r >> 8) % 4 == 0)
			scene_toggle_wp();
		break;
	default:
		access = scene_random_access();
		scene_access(&access);
	}
}
