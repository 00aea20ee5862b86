/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The model's second dimension with SVM's nested tables against a naive walk of both, on random
 * structures: what happens, every bit of EXITINFO1, and which flags nested entries must get.
 */
#include "hosttest/expect.h"
#include "hosttest/naive.h"
#include "model/two_dimensional.h"
#include "paging/entry.h"
#include "paging/format_npt.h"

#define QUESTIONS    60000
#define BASE	     0x0000000123450000ull
#define TABLES	     15 /* nested: 1 + 2 + 4 + 8, two indexes are used at each level */
#define PAGES	     16 /* of the guest: its tables and its data */
#define MOST_ENTRIES 24

static uint64_t memory[TABLES + PAGES][512];
static uint64_t state;

static struct model_processor guest;
static struct model_second_level second;
static struct model_access access;
static struct model_l2_answer answer;

static uint64_t next_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static bool one_in(unsigned n)
{
	return next_random() % n == 0;
}

static uint64_t read_memory(const void *unused, uint64_t address)
{
	uint64_t offset = address - BASE;

	(void)unused;
	return offset < sizeof(memory) ? memory[offset / 4096][offset % 4096 / 8] : 0;
}

static uint64_t page_address(unsigned page)
{
	return (page & 8ull) << 36 | (page & 4ull) << 28 | (page & 2ull) << 20 |
	       (page & 1ull) << 12;
}

/* Mostly whole and mostly allowing; each kind of damage now and then. */
static uint64_t damaged(uint64_t entry)
{
	entry |= P | RW | US;
	if (one_in(5))
		entry ^= next_random() & (RW | US | XD);
	if (one_in(25))
		entry ^= 1ull << (next_random() % 64);
	return entry | (next_random() & (A | D));
}

static void make_memory(void)
{
	for (unsigned table = 0; table < TABLES; table++) {
		for (unsigned i = 0; i < 2; i++) {
			unsigned below = 2 * table + 1 + i;
			uint64_t large = table && table < 7 && one_in(20) ? PS : 0;

			if (table >= 7) /* pages are in another order than their addresses */
				below = TABLES + (below - TABLES) * 7 % PAGES;
			memory[table][i] = damaged((BASE + below * 4096ull) | large);
			if (large && !one_in(3))
				memory[table][i] &= ~(table < 3 ? 0x3ffff000ull : 0x1ff000ull);
		}
	}
	for (unsigned page = 0; page < PAGES; page++)
		for (unsigned i = 0; i < 2; i++)
			memory[TABLES + page][i] =
				damaged(page_address((unsigned)next_random() % PAGES));
}

static void make_question(void)
{
	uint64_t bits = next_random();
	unsigned width = 41 + (unsigned)(bits >> 32) % 11;

	make_memory();
	guest = (struct model_processor){
		.format = &paging_4level,
		.rules = {.maxphyaddr = width, .pages_1g = true, .execute_disable = bits & 1},
		.root = page_address((unsigned)(bits >> 40) % PAGES),
		.wp = bits & 2,
		.smep = bits & 4,
		.smap = bits & 8,
	};
	second = (struct model_second_level){
		.format = &paging_npt_4level,
		.rules = {.maxphyaddr = width, .pages_1g = bits & 16, .execute_disable = bits & 32},
		.root = BASE,
		.nested_paging = true,
	};
	access = (struct model_access){.linear = page_address((unsigned)(bits >> 48) % PAGES),
				       .bytes = 8,
				       .write = (bits >> 16) % 3 == 1,
				       .fetch = (bits >> 16) % 3 == 2,
				       .user = bits & 64,
				       .ac = bits & 128,
				       .reads = bits & 256};
	model_translate_l2(&answer, &guest, &second, &access, read_memory, NULL);
}

/* The naive nested walk: what it ended with, and the entries that it used. */
struct naive_nested {
	bool stopped, for_a_read; /* a read would have been stopped, too */
	uint64_t gpa, exitinfo1;
	unsigned entries;
	struct {
		uint64_t address, flags;
	} entry[MOST_ENTRIES];
};

static void stop(struct naive_nested *nested, uint64_t gpa, uint64_t error, bool table)
{
	nested->stopped = true;
	nested->for_a_read = !(error & 1) || (error & 8);
	nested->gpa = gpa;
	nested->exitinfo1 = error | 4 | (table ? 1ull << 33 : 1ull << 32);
}

static bool is_reserved(uint64_t entry, unsigned shift)
{
	uint64_t bad = 0x000fffffffffffff & ~((1ull << second.rules.maxphyaddr) - 1);

	if (!second.rules.execute_disable)
		bad |= 1ull << 63;
	if (shift == 39)
		bad |= 1 << 7;
	if (shift == 30 && !second.rules.pages_1g)
		bad |= 1 << 7;
	if (shift == 30 && second.rules.pages_1g && (entry & 1 << 7))
		bad |= 0x3fffe000;
	if (shift == 21 && (entry & 1 << 7))
		bad |= 0x1fe000;
	return entry & bad;
}

static uint64_t nested_walk(struct naive_nested *nested, uint64_t gpa, bool write, bool fetch,
			    bool table)
{
	uint64_t at = BASE, error = (write ? 2 : 0) | (fetch ? 16 : 0), entry;
	bool user = true, writable = true, no_execute = false;
	unsigned shift;

	for (shift = 39;; shift -= 9) {
		uint64_t address = at + (gpa >> shift & 511) * 8;

		entry = read_memory(NULL, address);
		if (!(entry & 1)) {
			stop(nested, gpa, error, table);
			return 0;
		}
		if (is_reserved(entry, shift)) {
			stop(nested, gpa, error | 1 | 8, table);
			return 0;
		}
		user &= entry >> 2 & 1;
		writable &= entry >> 1 & 1;
		no_execute |= entry >> 63;
		nested->entry[nested->entries].address = address;
		nested->entry[nested->entries++].flags = 1 << 5;
		if (shift == 12 || (entry & 1 << 7))
			break;
		at = entry & 0x000ffffffffff000;
	}
	if (!user || (write && !writable) || (fetch && no_execute)) {
		stop(nested, gpa, error | 1, table);
		nested->for_a_read = !user;
		return 0;
	}
	if (write)
		nested->entry[nested->entries - 1].flags |= 1 << 6;
	entry &= 0x000fffffffffffff & ~((1ull << shift) - 1);
	return entry | (gpa & ((1ull << shift) - 1));
}

static uint64_t read_guest(const void *context, uint64_t gpa)
{
	struct naive_nested *nested = (struct naive_nested *)(uintptr_t)context;
	uint64_t physical = nested->stopped ? 0 : nested_walk(nested, gpa, true, false, true);

	return nested->stopped ? 0 : read_memory(NULL, physical);
}

static struct naive_answer ask_naive(struct naive_nested *nested)
{
	struct naive_question question = {.pages_1g = true,
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
					  .read = read_guest,
					  .memory = nested};
	struct naive_answer naive;

	*nested = (struct naive_nested){0};
	naive = naive_translate(&question);
	if (!nested->stopped && !naive.page_fault)
		nested_walk(nested, naive.physical, access.write, access.fetch, false);
	return naive;
}

static void expect_exit(const struct naive_nested *nested)
{
	const struct model_l2_outcome *outcome = &answer.outcome[0];
	bool reserved = nested->exitinfo1 & 8;
	bool update = access.write && access.reads && (nested->exitinfo1 >> 32 & 1);
	uint64_t open = second.rules.execute_disable ? 0 : 16;

	if (update && nested->for_a_read)
		open |= 2;

	expect_equal(outcome->kind, reserved ? MODEL_L2_MISCONFIGURATION : MODEL_L2_VIOLATION);
	expect_equal(outcome->gpa, nested->gpa);
	expect_equal(outcome->qualification, nested->exitinfo1);
	expect_equal(outcome->defined, ~open);
}

static enum model_l2_mismatch judge(const struct model_l2_observation *seen)
{
	return model_judge_l2(&answer, &access, seen, NULL).mismatch;
}

/* The observation of an access that completed, with the flags that the naive walk wants; `skipped`
 * is an entry of its that is left as it was. */
static struct model_l2_observation completed(const struct naive_nested *nested, unsigned skipped,
					     uint64_t flag)
{
	struct model_l2_observation seen = {.kind = MODEL_L2_COMPLETES};

	for (unsigned i = 0; i < answer.guest.count; i++)
		seen.guest_after[i] = answer.guest.step[i].entry | answer.outcome[0].must[i];
	for (unsigned r = 0; r < answer.references; r++) {
		for (unsigned i = 0; i < answer.reference[r].walk.count; i++) {
			const struct walk_step *step = &answer.reference[r].walk.step[i];
			uint64_t flags = 0;

			for (unsigned n = 0; n < nested->entries; n++)
				if (nested->entry[n].address == step->address)
					flags |= nested->entry[n].flags;
			if (nested->entry[skipped].address == step->address)
				flags &= ~flag;
			seen.second_after[r][i] = step->entry | flags;
		}
	}
	return seen;
}

static void expect_flags(const struct naive_nested *nested)
{
	struct model_l2_observation seen = completed(nested, 0, 0);

	expect_equal(judge(&seen), MODEL_L2_FITS);
	for (unsigned n = 0; n < nested->entries; n++) {
		uint64_t before = read_memory(NULL, nested->entry[n].address);

		for (unsigned flag = 1 << 5; flag <= 1 << 6; flag <<= 1) {
			seen = completed(nested, n, flag);
			if (nested->entry[n].flags & ~before & flag)
				expect_equal(judge(&seen), MODEL_L2_WRONG_SECOND_FLAGS);
		}
	}
	seen = completed(nested, 0, 0);
	seen.second_after[0][0] ^= 1 << 9;
	expect_equal(judge(&seen), MODEL_L2_WRONG_SECOND_FLAGS);
}

HOST_TEST(nested_paging_agrees_on_random_structures)
{
	unsigned count = host_quick ? QUESTIONS / 10 : QUESTIONS, exits = 0, faults = 0, done = 0;

	state = 0x59a5;
	for (unsigned i = 0; i < count; i++) {
		struct naive_nested nested;
		struct naive_answer naive;

		make_question();
		naive = ask_naive(&nested);
		expect_equal(answer.count, 1);
		if (nested.stopped) {
			exits++;
			expect_exit(&nested);
		} else if (naive.page_fault) {
			faults++;
			expect_equal(answer.outcome[0].kind, MODEL_L2_EXCEPTION);
			expect_equal(answer.outcome[0].error_code, naive.error_code);
		} else {
			done++;
			expect_equal(answer.outcome[0].kind, MODEL_L2_COMPLETES);
			expect_flags(&nested);
		}
	}
	expect_that(exits > count / 50 && faults > count / 50 && done > count / 50);
}
