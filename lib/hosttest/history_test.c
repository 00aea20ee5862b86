/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The model's history against the naive processor, over short sequences without exception and over
 * long ones at random; and what must hold of it whatever the naive processor thinks.
 */
#include "hosttest/expect.h"
#include "hosttest/history_scene.h"
#include "paging/entry.h"

#define SEQUENCES 6000

HOST_TEST(history_agrees_with_the_naive_processor_on_random_sequences)
{
	unsigned count = host_quick ? SEQUENCES / 20 : SEQUENCES;

	scene.compared = scene.options = 0;
	for (unsigned i = 0; i < count; i++) {
		scene_start(i, i % 4);
		for (unsigned step = 0; step < SCENE_STEPS; step++)
			scene_random_step();
	}
	expect_that(scene.compared > count * SCENE_STEPS / 4);
	expect_that(scene.options > scene.compared * 3 / 2);
}

static void nth_access(unsigned n)
{
	struct model_access access = {.linear = scene.naive.address[n % 2] | 0x18,
				      .bytes = 8,
				      .write = n / 2 % 3 == 1,
				      .fetch = n / 2 % 3 == 2,
				      .user = n / 6};

	scene_access(&access);
}

#define EVENTS 15

static void nth_event(unsigned n)
{
	switch (n) {
	case 0:
		break;
	case 1:
	case 2:
		scene_invlpg(scene.naive.address[n - 1] | 0x123);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		scene_invpcid(n - 3, scene.naive.pcid, scene.naive.address[0]);
		break;
	case 7:
		scene_toggle_pge();
		break;
	case 8:
		scene_toggle_smep();
		break;
	case 9:
		scene_toggle_pcide();
		break;
	case 10:
		scene_paging_off_and_on();
		break;
	case 11:
		scene_mov_to_cr3(world_frame(0));
		break;
	default:
		scene_mov_to_cr3(world_frame(0));
		scene_mov_to_cr3(world_frame(n & 1) |
				 (scene.controls.pcide ? (n == 12) | 1ull << 63 : 0));
	}
}

static uint64_t nth_value(unsigned n, uint64_t old)
{
	switch (n) {
	case 0:
		return old & ~P;
	case 1:
		return old & ~RW;
	case 2:
		return old & ~US;
	case 3:
		return old & ~A;
	case 4:
		return old & ~D;
	case 5:
		return old ^ G;
	case 6:
		return (old & ~ENTRY_ADDRESS) | world_frame(5);
	default:
		return P | RW | US | PS | A;
	}
}

#define CHANGES 8

HOST_TEST(history_agrees_with_the_naive_processor_on_all_short_sequences)
{
	for (unsigned n = 0; n < 4 * CHANGES * EVENTS * 12; n++) {
		unsigned level = n % 4, change = n / 4 % CHANGES, event = n / 32 % EVENTS;
		uint64_t *entry;

		if (host_quick && n % 16)
			continue;
		for (unsigned seed = 0; seed < 4; seed++) {
			scene_start(seed + n, false);
			nth_access(n % 12);
			entry = scene_entry(level ? level + 1 : 0, 0);
			scene_edit(entry, nth_value(change, *entry));
			nth_event(event);
			nth_access(n / 32 / EVENTS);
			nth_access(n / 32 / EVENTS);
			scene_edit(entry, nth_value((change + seed) % CHANGES, *entry));
			nth_event((event + n) % EVENTS);
			nth_access(n % 7);
		}
	}
}

/* Pieces of a large page are those that the other PCID's own tables map. */
HOST_TEST(type_0_drops_pieces_of_another_pcids_large_page)
{
	const struct model_access write = {.linear = 0x1018, .bytes = 8, .write = true};

	for (unsigned small_there = 0; small_there < 2; small_there++) {
		do
			scene_start(world_random(&scene.world), false);
		while (!scene.controls.pcide);
		*scene_entry(1, 0) = world_frame(4) | P | RW | US | A;
		*scene_entry(3, 0) = P | RW | US | A | D | PS;
		*scene_entry(4, 0) = world_frame(5) | P | RW | US | A;
		scene_mov_to_cr3(world_frame(0) | 1);
		scene_edit(scene_entry(3, 0), 0x600000 | P | RW | US | A | D | PS);
		if (small_there)
			scene_edit(scene_entry(3, 0), world_frame(4) | P | RW | US | A);
		scene_mov_to_cr3(world_frame(1) | 2 | 1ull << 63);
		scene_invpcid(0, 1, 0);
		scene_mov_to_cr3(world_frame(0) | 1 | 1ull << 63);
		scene_access(&write);
	}
}
