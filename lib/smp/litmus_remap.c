/* SPDX-License-Identifier: BSD-2-Clause */
#include "smp/litmus_remap.h"

#include "check/report.h"
#include "cpu/io.h"
#include "libc/string.h"
#include "libc/text.h"
#include "mem/frames.h"
#include "paging/edit.h"
#include "smp/patience.h"
#include "smp/processors.h"

#define ALL	   (P | RW | US)
#define WAIT_TURNS 400

struct place {
	uint64_t value[3];	      /* of the entry, by enum litmus_mapping */
	volatile uint64_t *memory[3]; /* of the frames, by the identity map */
	volatile uint64_t *pte[3];    /* NULL: it is the entry */
};

static struct scene {
	struct litmus_window window;
	enum litmus_mapping before, after;
	struct place places[LITMUS_INSTANCES][2];
	struct {
		volatile uint64_t flag, apart[7], answer, more[7]; /* a cache line each */
	} words[LITMUS_INSTANCES];
} scene;

static void give_frame(struct place *place, enum litmus_mapping mapping, enum level level)
{
	gpa_t frame = frame_alloc(), table;

	place->memory[mapping] = identity(frame);
	place->value[mapping] = frame.value | ALL;
	if (level == PT)
		return;
	table = frame_alloc();
	place->pte[mapping] = identity(table);
	*place->pte[mapping] = frame.value | ALL;
	place->value[mapping] = table.value | ALL;
}

static void begin(enum level level)
{
	memset(&scene, 0, sizeof(scene));
	scene.window = litmus_window(level);
	for (unsigned i = 0; i < LITMUS_INSTANCES; i++)
		for (enum litmus_place place = V; place <= W; place++) {
			give_frame(&scene.places[i][place], LITMUS_OLD, level);
			give_frame(&scene.places[i][place], LITMUS_NEW, level);
		}
}

static void prepare(unsigned self, unsigned instance, uint64_t *seen)
{
	(void)self;
	(void)seen;
	*litmus_flag(instance) = *litmus_answer(instance) = 0;
	for (enum litmus_place which = V; which <= W; which++) {
		struct place *place = &scene.places[instance][which];

		for (unsigned mapping = LITMUS_OLD; mapping <= LITMUS_NEW; mapping++) {
			*place->memory[mapping] = mapping;
			if (place->pte[mapping])
				*place->pte[mapping] &= ~(A | D);
		}
		*litmus_entry(instance, which) = place->value[scene.before];
	}
}

void litmus_run_remap(const struct litmus *shape, enum litmus_mapping before,
		      enum litmus_mapping after)
{
	static const enum level levels[] = {PT, PD};
	struct litmus litmus = *shape;
	unsigned count = 0;

	while (count < LITMUS_PROCESSORS && shape->program[count])
		count++;
	if (start_processors(count) < count)
		end_case_skipped("processors", "the shape has more programs");
	litmus.prepare = prepare;
	for (unsigned n = 0; n < 2; n++) {
		char name[96];
		struct text text = TEXT(name);

		text_add(&text, "%s: %s", levels[n] == PT ? "PTEs" : "PDEs", shape->name);
		litmus.name = name;
		begin(levels[n]);
		scene.before = before;
		scene.after = after;
		litmus_run(&litmus, 2);
	}
}

void litmus_cache_some(unsigned self, unsigned instance, uint64_t *seen)
{
	(void)self;
	(void)seen;
	if (instance & 1) {
		(void)*litmus_at(instance, V);
		(void)*litmus_at(instance, W);
	}
}

volatile uint64_t *litmus_at(unsigned instance, enum litmus_place place)
{
	return litmus_word(&scene.window, 2 * instance + place);
}

volatile uint64_t *litmus_frame(unsigned instance, enum litmus_place place,
				enum litmus_mapping mapping)
{
	return scene.places[instance][place].memory[mapping];
}

volatile uint64_t *litmus_entry(unsigned instance, enum litmus_place place)
{
	return &scene.window.entries[2 * instance + place];
}

volatile uint64_t *litmus_old_pte(unsigned instance, enum litmus_place place)
{
	volatile uint64_t *pte = scene.places[instance][place].pte[LITMUS_OLD];

	return pte ? pte : litmus_entry(instance, place);
}

enum litmus_mapping litmus_mapping_of(unsigned instance, enum litmus_place place, uint64_t entry)
{
	const uint64_t *value = scene.places[instance][place].value;

	for (unsigned mapping = LITMUS_OLD; mapping <= LITMUS_NEW; mapping++)
		if ((entry & ~(A | D)) == value[mapping])
			return (enum litmus_mapping)mapping;
	return LITMUS_UNMAPPED;
}

void litmus_remap(unsigned instance, enum litmus_place place)
{
	enum store how = instance & 4 ? STORE_XCHG : STORE_MOV8;

	store_methods[how].store(litmus_entry(instance, place),
				 scene.places[instance][place].value[scene.after]);
}

void litmus_forget(unsigned instance, enum litmus_place place)
{
	invalidate(LINEAR((uintptr_t)litmus_at(instance, place)), INVLPG);
}

uint64_t litmus_walk_and_read(unsigned instance, enum litmus_place place)
{
	litmus_forget(instance, place);
	return *litmus_at(instance, place);
}

volatile uint64_t *litmus_flag(unsigned instance)
{
	return &scene.words[instance].flag;
}

volatile uint64_t *litmus_answer(unsigned instance)
{
	return &scene.words[instance].answer;
}

uint64_t litmus_wait(const volatile uint64_t *word)
{
	for (unsigned n = 1; n < WAIT_TURNS && !*word; n++)
		if (n % 32 == 0)
			pause();
	return *word;
}
