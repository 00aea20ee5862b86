/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Model against naive walker for 32-bit paging and PAE paging: random entries, every bit of which
 * is flipped now and then, for processors that differ in everything that matters.
 */
#include "hosttest/expect.h"
#include "hosttest/naive_legacy.h"
#include "hosttest/world.h"
#include "paging/entry.h"

#define ROUNDS 300000

static struct world source; /* of random numbers alone */

/* A function of the address is memory enough: both walkers have to ask for the same ones. */
static uint64_t seed;
static bool pae;

static uint64_t random_entry(uint64_t address)
{
	static struct world at;
	uint64_t bits, odd;
	uint64_t entry;

	at.random = seed ^ address * 0x9e3779b97f4a7c15;
	bits = world_random(&at);
	odd = world_random(&at);
	entry = (bits & 0xfffff000) | P;

	if (odd % 4)
		entry |= RW | US;
	entry |= bits & (RW | US | PWT | PCD | A | D | G);
	if ((odd >> 8) % 4 == 0)
		entry = (entry & ~0x3fe000ull) | PS;
	if ((odd >> 16) % 4 == 0)
		entry |= XD;
	if ((odd >> 24) % 4 == 0)
		entry ^= 1ull << (odd >> 32) % 64;
	return entry;
}

static uint64_t read_entry(const void *memory, uint64_t address)
{
	(void)memory;
	return pae ? random_entry(address) : (uint32_t)random_entry(address);
}

static struct legacy_question random_question(void)
{
	uint64_t r = world_random(&source), s = world_random(&source);
	struct legacy_question q = {
		.pae = r & 1,
		.cr4_pse = (r >> 1) % 4,
		.pse36 = (r >> 3) % 4,
		.maxphyaddr = 32 + (unsigned)(r >> 8) % 21,
		.cr0_wp = r >> 16 & 1,
		.cr4_smep = r >> 17 & 1,
		.cr4_smap = r >> 18 & 1,
		.efer_nxe = (r & 1) && (r >> 19 & 1),
		.cr3 = (uint32_t)(s & 0xfffff000),
		.linear = (uint32_t)(s >> 32),
		.write = (r >> 20) % 3 == 1,
		.fetch = (r >> 20) % 3 == 2,
		.cpl3 = r >> 24 & 1,
		.eflags_ac = r >> 25 & 1,
		.read = read_entry,
	};

	for (unsigned i = 0; i < 4; i++)
		q.pdpte[i] =
			(world_random(&source) & 0xfffff000) | ((r >> (26 + 2 * i)) % 4 ? P : 0);
	return q;
}

static struct model_answer ask_model(const struct legacy_question *q)
{
	struct model_processor processor = {
		.format = q->pae       ? &paging_pae
			  : q->cr4_pse ? &paging_32bit
				       : &paging_32bit_without_pse,
		.rules = {.maxphyaddr = q->maxphyaddr,
			  .execute_disable = q->efer_nxe,
			  .pse36 = q->pse36},
		.root = q->cr3,
		.pdpte = q->pae ? q->pdpte : 0,
		.wp = q->cr0_wp,
		.smep = q->cr4_smep,
		.smap = q->cr4_smap,
	};
	struct model_access access = {.linear = q->linear,
				      .bytes = 1,
				      .write = q->write,
				      .fetch = q->fetch,
				      .user = q->cpl3,
				      .ac = q->eflags_ac};
	struct model_answer answer;

	model_translate(&answer, &processor, &access, read_entry, 0);
	return answer;
}

static void compare(const struct legacy_question *q)
{
	struct legacy_answer naive = naive_legacy(q);
	struct model_answer model = ask_model(q);
	const struct model_outcome *outcome = &model.outcome[0];

	expect_equal(outcome->vector, naive.page_fault ? 14 : MODEL_COMPLETES);
	expect_equal(outcome->error_code, naive.error_code);
	expect_equal(model.walk.count, naive.entries);
	expect_equal(model.walk.end == WALK_MAPPED, naive.translated);
	for (unsigned i = 0; i < naive.entries && i < model.walk.count; i++) {
		bool last = i + 1 == naive.entries;

		expect_equal(model.walk.step[i].address, naive.address[i]);
		expect_equal(outcome->must[i],
			     (naive.sets_a ? A : 0) | (last && naive.sets_d ? D : 0));
	}
	if (naive.translated) {
		expect_equal(model.walk.physical, naive.physical);
		expect_equal(model.walk.page_bytes, naive.page_bytes);
	}
}

HOST_TEST(model_agrees_on_32_bit_and_pae_paging)
{
	host_explain = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct legacy_question q = random_question();

		seed = world_random(&source);
		pae = q.pae;
		compare(&q);
	}
}

/* By hand: there is nothing to be naive about. */
HOST_TEST(without_paging_everything_is_allowed_and_nothing_marked)
{
	for (unsigned i = 0; i < 64; i++) {
		struct model_processor processor = {.format = &paging_off,
						    .wp = i & 1,
						    .smep = i & 2,
						    .smap = i & 4,
						    .root = 0x5000};
		struct model_access access = {.linear = 0xfffff123,
					      .bytes = 4,
					      .write = i & 8,
					      .fetch = i & 16,
					      .user = i & 32};
		struct model_answer answer;

		model_translate(&answer, &processor, &access, read_entry, 0);
		expect_equal(answer.outcome[0].vector, MODEL_COMPLETES);
		expect_equal(answer.outcome[0].error_code, 0);
		expect_equal(answer.walk.count, 0);
		expect_equal(answer.walk.end, WALK_MAPPED);
		expect_equal(answer.walk.physical, 0xfffff123);
	}
}

HOST_TEST(pdptes_have_reserved_bits)
{
	for (unsigned width = 32; width <= 52; width++) {
		struct paging_rules rules = {.maxphyaddr = width};

		for (unsigned bit = 1; bit < 64; bit++) {
			bool reserved = bit <= 2 || (bit >= 5 && bit <= 8) || bit >= width;

			expect_equal(reserved_in_pdpte(&rules, P | 1ull << bit) != 0, reserved);
			expect_equal(reserved_in_pdpte(&rules, 1ull << bit), 0);
		}
	}
}
