/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The model's second dimension against the naive processor, on random structures in both: the sets
 * of permitted outcomes are equal, and so are the flags that completed accesses must set.
 */
#include "hosttest/expect.h"
#include "hosttest/naive_ept.h"
#include "model/two_dimensional.h"
#include "paging/entry.h"

#define QUESTIONS   150000
#define BASE	    0x0000000123450000ull
#define EPT_TABLES  15 /* 1 + 2 + 4 + 8: two indexes are used at each level */
#define PAGES	    16
#define MOST_ORDERS (4 * 32)

static uint64_t memory[EPT_TABLES + PAGES][512];
static uint64_t state;

static struct model_processor guest;
static struct model_second_level second;
static struct model_access access;
static struct model_l2_answer answer;
static struct naive_l2_question question;

static uint64_t mixed(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t next_random(void)
{
	return mixed(state += 0x9e3779b97f4a7c15);
}

static bool one_in(unsigned n)
{
	return next_random() % n == 0;
}

static uint64_t read_memory(const void *unused, uint64_t address)
{
	uint64_t offset = address - BASE;

	(void)unused;
	if (offset >= sizeof(memory))
		return mixed(address) & ~0xfffffff000000018;
	return memory[offset / 4096][offset % 4096 / 8];
}

static uint64_t gpa_of(unsigned page)
{
	return (page & 8ull) << 36 | (page & 4ull) << 28 | (page & 2ull) << 20 |
	       (page & 1ull) << 12;
}

static uint64_t frame_of(unsigned number)
{
	return BASE + number * 4096ull;
}

/* An entry that maps a large page of 2^shift bytes, sometimes with an address bit too many. */
static uint64_t large_page(uint64_t address, unsigned shift)
{
	uint64_t entry = (address & ~((1ull << shift) - 1)) | EPT_PS | EPT_WB;

	return entry | (one_in(4) ? 1ull << (12 + next_random() % (shift - 12)) : 0);
}

/* Mostly whole and mostly allowing; each kind of damage now and then. */
static uint64_t ept_entry(uint64_t address, unsigned table)
{
	uint64_t entry = address | (table >= 7 ? EPT_WB : 0);

	if (table >= 1 && table < 7 && one_in(20))
		entry = large_page(address, table < 3 ? 30 : 21);
	entry |= EPT_RWX;
	if (one_in(6))
		entry ^= next_random() & EPT_RWX;
	if (one_in(40))
		entry |= 1ull << (3 + next_random() % 49);
	if (one_in(60))
		entry = (entry & ~(uint64_t)EPT_MEMORY_TYPE) | (next_random() & EPT_MEMORY_TYPE);
	return entry | (next_random() & (EPT_A | EPT_D));
}

static uint64_t guest_entry(void)
{
	uint64_t entry = gpa_of((unsigned)next_random() % PAGES) | P | RW | US | A | D;

	if (one_in(4))
		entry ^= next_random() & (A | D | RW | US);
	if (one_in(20))
		entry ^= 1ull << (next_random() % 64);
	return entry;
}

static void make_memory(void)
{
	for (unsigned table = 0; table < EPT_TABLES; table++) {
		for (unsigned i = 0; i < 2; i++) {
			unsigned below = 2 * table + 1 + i;

			/* Pages are in another order than their addresses. */
			if (table >= 7)
				below = EPT_TABLES + (below - EPT_TABLES) * 7 % PAGES;
			memory[table][i] = ept_entry(frame_of(below), table);
		}
	}
	for (unsigned page = 0; page < PAGES; page++)
		for (unsigned i = 0; i < 2; i++)
			memory[EPT_TABLES + page][i] = guest_entry();
}

static uint64_t random_linear(void)
{
	uint64_t bits = next_random();

	return (bits & 8) << 36 | (bits & 4) << 28 | (bits & 2) << 20 | (bits & 1) << 12;
}

static void make_processors(void)
{
	uint64_t bits = next_random();
	unsigned width = 41 + (unsigned)(bits >> 32) % 12;

	guest = (struct model_processor){
		.format = bits & 1 || bits & 2 ? &paging_4level : NULL,
		.rules = {.maxphyaddr = width, .pages_1g = bits & 4, .execute_disable = bits & 8},
		.root = gpa_of((unsigned)(bits >> 40) % PAGES),
		.wp = bits & 16,
		.smep = bits & 32,
		.smap = bits & 64,
	};
	second = (struct model_second_level){
		.format = &paging_ept_4level,
		.rules = {.maxphyaddr = width,
			  .pages_1g = bits & 128,
			  .execute_disable = true,
			  .execute_only = bits & 256},
		.root = frame_of(0),
		.accessed_dirty = bits & 512,
		.advanced_information = bits & 1024,
	};
	access = (struct model_access){.linear = random_linear(),
				       .bytes = 8,
				       .write = (bits >> 16) % 3 == 1,
				       .fetch = (bits >> 16) % 3 == 2,
				       .reads = bits & 2048,
				       .user = bits & 4096,
				       .ac = bits & 8192};
}

static void ask(void)
{
	make_memory();
	make_processors();
	question = (struct naive_l2_question){
		.guest = {.pages_1g = guest.rules.pages_1g,
			  .maxphyaddr = guest.rules.maxphyaddr,
			  .cr0_wp = guest.wp,
			  .cr4_smep = guest.smep,
			  .cr4_smap = guest.smap,
			  .efer_nxe = guest.rules.execute_disable,
			  .cr3 = guest.root,
			  .linear = access.linear,
			  .write = access.write,
			  .fetch = access.fetch,
			  .cpl3 = access.user,
			  .eflags_ac = access.ac,
			  .read = read_memory},
		.paged = guest.format,
		.reads_too = access.reads,
		.ept_root = second.root,
		.maxphyaddr = second.rules.maxphyaddr,
		.ept_1g = second.rules.pages_1g,
		.execute_only = second.rules.execute_only,
		.flags_for_ept = second.accessed_dirty,
		.advanced_information = second.advanced_information,
	};
	model_translate_l2(&answer, &guest, &second, &access, read_memory, NULL);
}

static bool same(const struct naive_l2_outcome *naive, const struct model_l2_outcome *model)
{
	if ((unsigned)naive->end != (unsigned)model->kind)
		return false;
	if (naive->end == NAIVE_L2_PAGE_FAULT)
		return model->vector == 14 && model->error_code == naive->error_code;
	if (naive->end == NAIVE_L2_COMPLETES)
		return true;
	if (naive->gpa != model->gpa)
		return false;
	return naive->end == NAIVE_L2_MISCONFIGURATION ||
	       (model->defined == (0xfffull & ~naive->undefined) &&
		!((model->qualification ^ naive->qualification) & model->defined));
}

/* Each run's outcome is among the model's, and each of the model's is that of a run. */
static void compare_sets(unsigned *ends)
{
	bool reached[MODEL_MOST_L2_OUTCOMES] = {false};

	for (unsigned order = 0; order < MOST_ORDERS; order++) {
		struct naive_l2_outcome naive =
			naive_translate_l2(&question, order / 4, order & 1, order & 2);
		bool found = false;

		for (unsigned i = 0; i < answer.count; i++) {
			if (!same(&naive, &answer.outcome[i]))
				continue;
			found = reached[i] = true;
		}
		expect_that(found);
		ends[naive.end] += order == 0;
	}
	for (unsigned i = 0; i < answer.count; i++)
		expect_that(reached[i]);
}

HOST_TEST(second_dimension_agrees_on_random_structures)
{
	unsigned count = host_quick ? QUESTIONS / 10 : QUESTIONS, ends[4] = {0};

	state = 0x2d2d;
	for (unsigned i = 0; i < count; i++) {
		ask();
		compare_sets(ends);
	}
	for (unsigned end = 0; end < 4; end++)
		expect_that(ends[end] > count / 50);
}

static struct model_l2_observation completed_observation(const struct naive_l2_outcome *naive)
{
	struct model_l2_observation seen = {.kind = MODEL_L2_COMPLETES};

	for (unsigned i = 0; naive->end == NAIVE_L2_COMPLETES && i < answer.guest.count; i++) {
		const struct naive_entry *entry = &naive->guest.entry[i];

		seen.guest_after[i] = entry->value | (entry->a_must_be_set ? A : 0) |
				      (entry->d_must_be_set ? D : 0);
	}
	for (unsigned r = 0; r < answer.references; r++) {
		for (unsigned i = 0; i < answer.reference[r].walk.count; i++) {
			const struct walk_step *step = &answer.reference[r].walk.step[i];

			seen.second_after[r][i] = step->entry;
			for (unsigned n = 0; second.accessed_dirty && n < naive->ept_entries; n++)
				if (naive->ept_entry[n].address == step->address)
					seen.second_after[r][i] |= naive->ept_entry[n].flags;
		}
	}
	return seen;
}

static enum model_l2_mismatch judge(const struct model_l2_observation *seen)
{
	return model_judge_l2(&answer, &access, seen, NULL).mismatch;
}

/* One flag less or more in one entry of EPT. */
static void spoil_each_entry(struct model_l2_observation *seen)
{
	for (unsigned r = 0; r < answer.references; r++) {
		for (unsigned i = 0; i < answer.reference[r].walk.count; i++) {
			uint64_t *after = &seen->second_after[r][i], right = *after;
			uint64_t before = answer.reference[r].walk.step[i].entry;
			bool kept = second.accessed_dirty;

			*after = right & ~(uint64_t)EPT_A;
			if (kept || (before & EPT_A))
				expect_equal(judge(seen), MODEL_L2_WRONG_SECOND_FLAGS);
			*after = right | EPT_D;
			if (!(right & EPT_D))
				expect_equal(judge(seen), MODEL_L2_WRONG_SECOND_FLAGS);
			*after = right ^ EPT_X;
			expect_equal(judge(seen), MODEL_L2_WRONG_SECOND_FLAGS);
			*after = right;
		}
	}
}

/* Nothing that was set may be gone after an access that did not complete. */
static void lose_each_flag(const struct naive_l2_outcome *naive)
{
	struct model_l2_observation seen = completed_observation(naive);
	const struct model_l2_outcome *outcome = &answer.outcome[0];

	seen.kind = outcome->kind;
	seen.vector = outcome->vector;
	seen.error_code = outcome->error_code;
	seen.linear = access.linear;
	seen.gpa = outcome->gpa;
	seen.qualification = outcome->qualification;
	for (unsigned i = 0; i < answer.guest.count; i++)
		seen.guest_after[i] = answer.guest.step[i].entry;
	for (unsigned r = 0; r < answer.references; r++) {
		for (unsigned i = 0; i < answer.reference[r].walk.count; i++) {
			uint64_t before = answer.reference[r].walk.step[i].entry;

			seen.second_after[r][i] = before & ~(uint64_t)EPT_A;
			if (before & EPT_A)
				expect_equal(judge(&seen), MODEL_L2_WRONG_SECOND_FLAGS);
			seen.second_after[r][i] = before;
		}
	}
	expect_equal(judge(&seen), MODEL_L2_FITS);
}

HOST_TEST(second_dimension_wants_the_flags_of_completed_accesses)
{
	unsigned completed = 0;

	state = 0xf1a6;
	for (unsigned i = 0; i < QUESTIONS / 10; i++) {
		struct naive_l2_outcome naive;
		struct model_l2_observation seen;

		ask();
		naive = naive_translate_l2(&question, 0, false, false);
		if (naive.end != NAIVE_L2_COMPLETES) {
			lose_each_flag(&naive);
			continue;
		}
		completed++;
		seen = completed_observation(&naive);
		expect_equal(judge(&seen), MODEL_L2_FITS);
		spoil_each_entry(&seen);
	}
	expect_that(completed > 100);
}
