/* SPDX-License-Identifier: BSD-2-Clause */
#include "hosttest/history_scene.h"

#include "hosttest/expect.h"
#include "libc/string.h"
#include "paging/entry.h"

#define MOST_OPTIONS 256
#define FLAGS	     (A | D)

struct scene scene;

static uint64_t *entry_at(uint64_t address)
{
	static uint64_t nowhere;
	uint64_t offset = address - WORLD_BASE;

	if (offset >= sizeof(scene.world.frame)) {
		nowhere = read_world(&scene.world, address);
		return &nowhere;
	}
	return &scene.world.frame[offset / 4096][offset % 4096 / 8];
}

uint64_t *scene_entry(unsigned frame, unsigned index)
{
	return &scene.world.frame[frame][index];
}

uint64_t scene_random_entry(void)
{
	uint64_t r = world_random(&scene.world);
	uint64_t entry = world_frame(2 + (unsigned)(r >> 8) % (WORLD_FRAMES - 2)) | P | A;

	entry |= (r >> 16) % 4 ? RW : 0;
	entry |= (r >> 18) % 4 ? US : 0;
	entry |= (r >> 20) % 2 ? D : 0;
	entry |= (r >> 21) % 3 ? 0 : G;
	entry ^= (r >> 24) % 8 ? 0 : P;
	entry ^= (r >> 28) % 4 ? 0 : A;
	if ((r >> 32) % 6 == 0)
		entry = (entry & ~0x3fffe000ull) | PS;
	entry |= (r >> 40) % 8 ? 0 : XD;
	entry |= (r >> 44) % 16 ? 0 : 1ull << 51;
	return entry;
}

static void make_tables(bool random)
{
	for (unsigned frame = 0; frame < WORLD_FRAMES; frame++)
		for (unsigned i = 0; i < 2; i++)
			*scene_entry(frame, i) = random ? scene_random_entry() : 0;
	if (random)
		return;
	for (unsigned i = 0; i < 2; i++) {
		*scene_entry(0, i) = *scene_entry(1, i) = world_frame(2) | P | RW | US | A;
		for (unsigned frame = 2; frame < 5; frame++)
			*scene_entry(frame, i) = world_frame(frame + 1) | P | RW | US | A | D;
	}
}

void scene_start(uint64_t seed, bool random)
{
	struct naive_time *naive = &scene.naive;
	uint64_t r;

	scene.world.random = seed;
	r = world_random(&scene.world);
	make_tables(random);
	scene.processor = (struct model_processor){
		.format = &paging_4level,
		.rules = {.maxphyaddr = 46, .pages_1g = r & 1, .execute_disable = r & 2},
		.root = world_frame(0),
		.wp = r & 4,
		.smep = (r >> 8) % 4 == 0,
		.smap = (r >> 10) % 4 == 0,
	};
	scene.controls = (struct history_controls){
		.paging = true, .pae = true, .pge = r & 8, .pcide = r & 16};
	history_start(&scene.history, &scene.processor, scene.controls, read_world, &scene.world);
	memset(naive, 0, sizeof(*naive));
	naive->entry_at = entry_at;
	naive->maxphyaddr = 46;
	naive->pages_1g = scene.processor.rules.pages_1g;
	naive->nxe = scene.processor.rules.execute_disable;
	naive->wp = scene.processor.wp;
	naive->smep = scene.processor.smep;
	naive->smap = scene.processor.smap;
	naive->pge = scene.controls.pge;
	naive->pcide = scene.controls.pcide;
	naive->root = scene.processor.root;
	naive->addresses = NAIVE_ADDRESSES;
	for (unsigned i = 0; i < NAIVE_ADDRESSES; i++) {
		uint64_t indexes = random ? world_random(&scene.world) : i;

		naive->address[i] = (indexes & 1) << 12 | (indexes >> 1 & 1) << 21 |
				    (indexes >> 2 & 1) << 30 | (indexes >> 3 & 1) << 39;
		history_watch(&scene.history, naive->address[i]);
	}
	naive_speculate(naive);
}

void scene_edit(uint64_t *entry, uint64_t value)
{
	history_edit(&scene.history);
	*entry = value;
	naive_speculate(&scene.naive);
}

void scene_invlpg(uint64_t linear)
{
	history_invlpg(&scene.history, linear);
	naive_invlpg(&scene.naive, linear);
}

void scene_invpcid(unsigned type, unsigned pcid, uint64_t linear)
{
	history_invpcid(&scene.history, type, pcid, linear);
	naive_invpcid(&scene.naive, type, pcid, linear);
}

void scene_mov_to_cr3(uint64_t value)
{
	history_mov_to_cr3(&scene.history, value);
	naive_load_cr3(&scene.naive, value);
}

static void change(void)
{
	history_control(&scene.history, &scene.processor, scene.controls);
}

void scene_toggle_pge(void)
{
	scene.controls.pge = !scene.controls.pge;
	change();
	naive_set_pge(&scene.naive, scene.controls.pge);
}

void scene_toggle_pcide(void)
{
	if (!scene.controls.pcide && scene.naive.pcid)
		return;
	scene.controls.pcide = !scene.controls.pcide;
	change();
	naive_set_pcide(&scene.naive, scene.controls.pcide);
}

void scene_toggle_smep(void)
{
	scene.processor.smep = !scene.processor.smep;
	change();
	naive_set_smep(&scene.naive, scene.processor.smep);
}

void scene_toggle_wp(void)
{
	scene.processor.wp = !scene.processor.wp;
	change();
	scene.naive.wp = scene.processor.wp;
}

void scene_paging_off_and_on(void)
{
	scene.controls.paging = false;
	change();
	scene.controls.paging = true;
	change();
	naive_paging_off_and_on(&scene.naive);
}

struct model_access scene_random_access(void)
{
	uint64_t r = world_random(&scene.world);

	return (struct model_access){
		.linear = scene.naive.address[r % NAIVE_ADDRESSES] | (r >> 8 & 0xff8),
		.bytes = 8,
		.write = (r >> 24) % 3 == 1,
		.fetch = (r >> 24) % 3 == 2,
		.user = r >> 32 & 1,
		.ac = r >> 33 & 1,
	};
}

static struct naive_use use_of(const struct model_access *access)
{
	return (struct naive_use){access->linear, access->write, access->fetch, access->user,
				  access->ac};
}

/* What a test would see of an option: memory as it would be afterwards. */
static struct history_observation observation(const struct naive_option *option, uint64_t linear)
{
	const struct history_answer *answer = &scene.answer;
	struct history_observation seen = {.vector = option->fault ? 14 : MODEL_COMPLETES,
					   .error_code = option->code,
					   .cr2 = linear};

	for (unsigned i = 0; i < answer->count; i++)
		if (answer->outcome[i].physical == option->physical)
			seen.reached |= 1ull << i;
	for (unsigned i = 0; i < answer->entries; i++) {
		seen.entry_after[i] = answer->entry[i].value;
		for (unsigned j = 0; j < 4; j++)
			if (option->a[j] == answer->entry[i].address)
				seen.entry_after[i] |= A;
		if (option->d == answer->entry[i].address)
			seen.entry_after[i] |= D;
	}
	return seen;
}

/* Whether the flags that one outcome demands are those that an option sets. */
static bool same_flags(const struct history_outcome *outcome, const struct naive_option *option)
{
	uint64_t must_a = 0, must_d = 0;

	for (unsigned i = 0; i < scene.answer.entries; i++) {
		uint64_t address = scene.answer.entry[i].address;

		for (unsigned j = 0; j < 4; j++)
			if (option->a[j] == address)
				must_a |= 1ull << i;
		if (option->d == address)
			must_d |= 1ull << i;
	}
	return outcome->must_a == must_a && outcome->must_d == must_d;
}

static bool listed(const struct history_outcome *outcome, const struct naive_option *options,
		   unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		bool fault = outcome->vector == 14;

		if (options[i].fault == fault && options[i].code == outcome->error_code &&
		    options[i].physical == outcome->physical && same_flags(outcome, &options[i]))
			return true;
	}
	return false;
}

void scene_ask(const struct model_access *access)
{
	history_permitted(&scene.history, access, &scene.answer);
}

bool scene_permits(const struct history_answer *answer, const struct history_outcome *outcome)
{
	for (unsigned i = 0; i < answer->count; i++) {
		const struct history_outcome *known = &answer->outcome[i];

		if (known->vector == outcome->vector && known->error_code == outcome->error_code &&
		    known->physical == outcome->physical)
			return true;
	}
	return answer->anything;
}

void scene_access(const struct model_access *access)
{
	static struct naive_option options[MOST_OPTIONS];
	struct naive_use use = use_of(access);
	unsigned count = naive_options(&scene.naive, &use, options, MOST_OPTIONS);
	const struct naive_option *taken = &options[world_random_below(&scene.world, count)];

	scene_ask(access);
	if (!scene.answer.anything && !scene.naive.full) {
		scene.compared++;
		scene.options += scene.answer.count;
		for (unsigned i = 0; i < count; i++) {
			struct history_observation seen = observation(&options[i], access->linear);

			expect_equal(history_judge(&scene.answer, access, &seen, ~0ull).mismatch,
				     MODEL_FITS);
		}
		for (unsigned i = 0; i < scene.answer.count; i++)
			expect_that(listed(&scene.answer.outcome[i], options, count));
	}
	naive_take(&scene.naive, taken);
	if (taken->fault) {
		naive_page_fault(&scene.naive, use.linear);
		history_page_fault(&scene.history, access->linear);
	}
}
