/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An entry is read in one piece.
 *
 * A store of 8 aligned bytes is one access, and so is the page walk's read of an entry (SDM Vol. 3,
 * "Guaranteed Atomic Operations"; "Linear-Address Translation with TLBs"). While one processor
 * stores two values in turn, each walk of another finds the one or the other, never the lower half
 * of one with the upper half of the other. XD is in the upper half: one value maps a frame that may
 * be executed, the other a frame that may not.
 *
 * Caught here: walkers and shadow pagers that read an entry in two halves, or twice, for its
 * address and for its rights (KS24).
 *
 * Every outcome but one is permitted: that the frame of the XD entry is executed. Not checked:
 * 4-byte entries; stores in parts.
 */
#include "test.h"

SUBJECT(entry_halves, "entries that another processor stores are never read half old, half new");

#define MANUAL	  "SDM Vol. 3, \"Guaranteed Atomic Operations\""
#define ALLOWED	  61 /* tags */
#define FORBIDDEN 62

struct scene {
	volatile uint64_t *entry;
	uint64_t value[2];
	volatile uint64_t stop;
};

static void store_in_turn(unsigned self, void *argument)
{
	struct scene *scene = argument;

	(void)self;
	for (unsigned i = 0; !scene->stop; i++) {
		*scene->entry = scene->value[i & 1];
		if (i % 64 == 0)
			pause();
	}
	*scene->entry = scene->value[0];
}

static void try_level(enum level level)
{
	const unsigned rounds = effort_scaled(20000, 500);
	uint64_t bytes = level == PT ? PAGE_4K : PAGE_2M, flags = P | RW | US | A | D;
	gpa_t first = frames_alloc(bytes), second = frames_alloc(bytes);
	struct page page = map_page_at(level, first, flags);
	struct scene scene = {.entry = page.entry[level]};
	unsigned executed = 0, refused = 0, wrong = 0;

	frame_fill(first, PAGE_4K, ALLOWED);
	frame_fill(second, PAGE_4K, FORBIDDEN);
	flags |= level > PT ? PS : 0;
	scene.value[0] = first.value | flags;
	scene.value[1] = second.value | flags | XD;
	start_work(1, store_in_turn, &scene);
	for (unsigned i = 0; i < rounds; i++) {
		struct outcome outcome;

		invalidate(page.linear, INVLPG);
		outcome = attempt(fetch_access(page.linear));
		if (outcome.vector == NO_VECTOR)
			outcome.value[0] == ALLOWED ? executed++ : wrong++;
		else
			refused++;
	}
	scene.stop = 1;
	finish_work(1);
	invalidate(page.linear, INVLPG);
	note("%u fetches completed, %u faulted", executed, refused);
	expect(!wrong, "the frame of the entry with XD was executed %u times", wrong);
}

TEST(a_pte_is_read_in_one_piece,
     "No walk finds the address of one PTE with XD of another that is stored in turn with it",
     MANUAL, "two_processors nx")
{
	start_processors(2);
	set_efer(EFER_NXE);
	try_level(PT);
}

TEST(a_large_pde_is_read_in_one_piece,
     "No walk finds the address of one PDE of a page with XD of another stored in turn with it",
     MANUAL, "two_processors nx")
{
	start_processors(2);
	set_efer(EFER_NXE);
	try_level(PD);
}
