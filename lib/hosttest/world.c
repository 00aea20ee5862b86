/* SPDX-License-Identifier: BSD-2-Clause */
#include "hosttest/world.h"

#include "hosttest/expect.h"
#include "paging/describe.h"
#include "paging/entry.h"

#define INDEXES	   3 /* of each table that random walks use: 0, 1 and 511 */
#define BITS_29_13 (0x1ffffull << 13)
#define METADATA   (0x7fffull << 48)

static struct model_processor last_processor;
static struct model_access last_access;
static struct model_answer last_answer;
static struct naive_answer last_naive;

static uint64_t mixed(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t world_random(struct world *world)
{
	return mixed(world->random += 0x9e3779b97f4a7c15);
}

uint64_t world_random_below(struct world *world, uint64_t below)
{
	return world_random(world) % below;
}

uint64_t read_world(const void *memory, uint64_t address)
{
	const struct world *world = memory;
	uint64_t offset = address - WORLD_BASE;

	if (offset >= sizeof(world->frame))
		return mixed(address);
	return world->frame[offset / 4096][offset % 4096 / 8];
}

struct model_processor random_processor(struct world *world)
{
	uint64_t bits = world_random(world), keys = world_random(world);

	return (struct model_processor){
		.format = bits & 1 ? &paging_5level : &paging_4level,
		.rules = {.maxphyaddr = 36 + (unsigned)(bits >> 8) % 17,
			  .pages_1g = bits & 2,
			  .execute_disable = bits & 4},
		.root = world_frame((unsigned)(bits >> 16) % WORLD_FRAMES),
		.wp = bits & 8,
		.smep = bits & 16,
		.smap = bits & 32,
		.pke = bits & 64,
		.pks = bits & 128,
		.pkru = (uint32_t)(keys & keys >> 32),
		.pkrs = (uint32_t)(keys & keys >> 31),
		.lam_u48 = (bits >> 28) % 4 == 0,
		.lam_u57 = (bits >> 30) % 4 == 0,
		.lam_sup = (bits >> 32) % 4 == 0,
	};
}

static uint64_t random_index(struct world *world)
{
	static const uint64_t indexes[INDEXES] = {0, 1, 511};

	return indexes[world_random_below(world, INDEXES)];
}

struct model_access random_access(struct world *world, const struct model_processor *processor)
{
	uint64_t bits = world_random(world);
	uint64_t linear = bits >> 52;
	unsigned unused = 64u - processor->format->linear_bits;

	for (unsigned shift = 12; shift < 57; shift += 9)
		linear |= random_index(world) << shift;
	if (bits % 64)
		linear = (uint64_t)((int64_t)(linear << unused) >> unused);
	if ((bits >> 20) % 16 == 0)
		linear ^= world_random(world) & METADATA;
	return (struct model_access){
		.linear = linear,
		.bytes = 1,
		.write = (bits >> 8) % 3 == 1,
		.fetch = (bits >> 8) % 3 == 2,
		.user = bits >> 16 & 1,
		.ac = bits >> 17 & 1,
		.implicit = !(bits >> 18 & 3) && (bits >> 8) % 3 != 2,
		.compatibility = (bits >> 24) % 16 == 0,
	};
}

static uint64_t random_entry(struct world *world)
{
	uint64_t bits = world_random(world), odd = world_random(world);
	uint64_t entry = world_frame((unsigned)(bits >> 32) % WORLD_FRAMES);

	if (odd % 16 == 0)
		return bits; /* anything at all */
	entry |= bits & (RW | US | PWT | PCD | A | D | G | IGNORED_9_11);
	entry |= odd & 8 ? RW | US : 0;
	entry |= (odd >> 8) % 16 ? P : 0;
	entry |= (bits >> 40) & 3 ? 0 : XD;
	entry |= bits & IGNORED_52_58;
	entry |= odd << 11 & PROTECTION_KEY;
	if ((odd >> 16) % 8 == 0)
		entry = (entry & ~BITS_29_13) | PS | (bits & PAT_OF_LARGE_PAGE);
	if ((odd >> 24) % 16 == 0)
		entry ^= 1ull << (odd >> 32) % 64;
	return entry;
}

void random_entries(struct world *world)
{
	static const unsigned indexes[INDEXES] = {0, 1, 511};

	for (unsigned frame = 0; frame < WORLD_FRAMES; frame++)
		for (unsigned i = 0; i < INDEXES; i++)
			world->frame[frame][indexes[i]] = random_entry(world);
}

static struct naive_question naive_question(const struct world *world,
					    const struct model_processor *processor,
					    const struct model_access *access)
{
	return (struct naive_question){
		.five_levels = processor->format == &paging_5level,
		.pages_1g = processor->rules.pages_1g,
		.maxphyaddr = processor->rules.maxphyaddr,
		.cr0_wp = processor->wp,
		.cr4_smep = processor->smep,
		.cr4_smap = processor->smap,
		.efer_nxe = processor->rules.execute_disable,
		.cr4_pke = processor->pke,
		.cr4_pks = processor->pks,
		.pkru = processor->pkru,
		.ia32_pkrs = processor->pkrs,
		.cr3 = processor->root,
		.cr3_lam_u48 = processor->lam_u48,
		.cr3_lam_u57 = processor->lam_u57,
		.cr4_lam_sup = processor->lam_sup,
		.linear = access->linear,
		.write = access->write,
		.fetch = access->fetch,
		.cpl3 = access->user,
		.implicit_supervisor = access->implicit,
		.compatibility_mode = access->compatibility,
		.shadow_stack = access->shadow_stack,
		.eflags_ac = access->ac,
		.read = read_world,
		.memory = world,
	};
}

static void compare_entries(const struct model_answer *model, const struct naive_answer *naive)
{
	expect_equal(model->walk.count, naive->entries);
	for (unsigned i = 0; i < naive->entries && i < model->walk.count; i++) {
		const struct naive_entry *entry = &naive->entry[i];
		uint64_t must = (entry->a_must_be_set ? 1ull << 5 : 0) |
				(entry->d_must_be_set ? 1ull << 6 : 0);

		expect_equal(model->walk.step[i].address, entry->address);
		expect_equal(model->walk.step[i].entry, entry->value);
		expect_equal(model->outcome[0].must[i], must);
		expect_equal(model->outcome[0].may[i], entry->a_may_be_set ? 1ull << 5 : 0);
	}
}

static void compare_outcome(const struct model_answer *model, const struct naive_answer *naive)
{
	const struct model_outcome *outcome = &model->outcome[0];
	unsigned vector = naive->general_protection ? 13 : naive->page_fault ? 14 : MODEL_COMPLETES;

	expect_equal(model->count, 1);
	if (!naive->general_protection)
		expect_equal(model->walk.linear, naive->linear);
	expect_equal(outcome->vector, vector);
	expect_equal(outcome->error_code, naive->error_code);
	expect_equal(outcome->open_code, naive->pk_may_be_set ? 32 : 0);
	if (naive->general_protection)
		expect_equal(model->walk.count, 0);
	else
		expect_equal(model->walk.end == WALK_MAPPED, naive->translated);
	if (naive->translated) {
		expect_equal(model->walk.physical, naive->physical);
		expect_equal(model->walk.page_bytes, naive->page_bytes);
	}
}

void compare_with_naive(const struct world *world, const struct model_processor *processor,
			const struct model_access *access)
{
	struct naive_question question = naive_question(world, processor, access);

	last_processor = *processor;
	last_access = *access;
	last_naive = naive_translate(&question);
	model_translate(&last_answer, processor, access, read_world, world);
	compare_outcome(&last_answer, &last_naive);
	compare_entries(&last_answer, &last_naive);
}

void explain_last(void)
{
	char buffer[1024];
	struct text text = TEXT(buffer);

	text_add(&text, "    %s maxphyaddr=%u 1g=%d nxe=%d wp=%d smep=%d smap=%d\n",
		 last_processor.format->name, last_processor.rules.maxphyaddr,
		 last_processor.rules.pages_1g, last_processor.rules.execute_disable,
		 last_processor.wp, last_processor.smep, last_processor.smap);
	text_add(&text, "    pke=%d pks=%d pkru=0x%x pkrs=0x%x\n", last_processor.pke,
		 last_processor.pks, last_processor.pkru, last_processor.pkrs);
	text_add(&text, "    lam_u48=%d lam_u57=%d lam_sup=%d compatibility=%d\n",
		 last_processor.lam_u48, last_processor.lam_u57, last_processor.lam_sup,
		 last_access.compatibility);
	text_add(&text, "    %s at 0x%llx user=%d ac=%d implicit=%d\n",
		 last_access.fetch   ? "fetch"
		 : last_access.write ? "write"
				     : "read",
		 (unsigned long long)last_access.linear, last_access.user, last_access.ac,
		 last_access.implicit);
	text_walk(&text, &last_answer.walk);
	text_add(&text, "    naive: %s error code 0x%llx after %u entries",
		 last_naive.page_fault ? "#PF" : "no #PF",
		 (unsigned long long)last_naive.error_code, last_naive.entries);
	host_print("%s\n", buffer);
}
