/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Writes to CR0, CR3, CR4 and EFER: every combination of the bits that matter before and after,
 * against the rules as one list of forbidden states and forbidden changes.
 */
#include "hosttest/expect.h"
#include "model/modes.h"

/* CR0.PE, CR0.NW, CR0.CD, CR0.PG; CR4.PSE, CR4.PAE, CR4.LA57, CR4.PCIDE; EFER.LME. */
enum { PE = 1, NW = 2, CD = 4, PG = 8, PSE = 16, PAE = 32, LA57 = 64, PCIDE = 128, LME = 256 };
enum { STATES = 512, IN_CR0 = 15, IN_CR4 = 240 };

#define LOW_OF_CR3 0x18

static struct model_registers registers_of(unsigned state, uint64_t cr3)
{
	bool active = (state & LME) && (state & PG);

	return (struct model_registers){
		.cr0 = (state & PE ? 1 : 0) | (state & NW ? 1ull << 29 : 0) |
		       (state & CD ? 1ull << 30 : 0) | (state & PG ? 1ull << 31 : 0),
		.cr3 = cr3,
		.cr4 = (state & PSE ? 0x10 : 0) | (state & PAE ? 0x20 : 0) |
		       (state & LA57 ? 0x1000 : 0) | (state & PCIDE ? 0x20000 : 0),
		.efer = (state & LME ? 0x100 : 0) | (active ? 0x400 : 0),
	};
}

/* What no processor is ever in. */
static bool is_impossible(unsigned state)
{
	bool active = (state & LME) && (state & PG);

	return ((state & PG) && !(state & PE)) || ((state & NW) && !(state & CD)) ||
	       (active && !(state & PAE)) || ((state & PCIDE) && !active);
}

/* From a possible state by one write to one register. */
static bool is_allowed(unsigned from, unsigned to, uint64_t cr3)
{
	unsigned changed = from ^ to;
	bool active = (from & LME) && (from & PG);

	if (is_impossible(to) || (changed & LME && from & PG) || (changed & LA57 && active))
		return false;
	return !(changed & to & PCIDE) || (cr3 & 0xfff) == 0;
}

static bool same(const struct model_registers *a, const struct model_registers *b)
{
	return a->cr0 == b->cr0 && a->cr3 == b->cr3 && a->cr4 == b->cr4 && a->efer == b->efer;
}

static void try_write(unsigned from, unsigned to, enum model_register which, uint64_t cr3)
{
	struct model_registers now = registers_of(from, cr3), wanted = registers_of(to, cr3);
	uint64_t value = which == MODEL_CR0   ? wanted.cr0
			 : which == MODEL_CR4 ? wanted.cr4
					      : (wanted.efer & 0x100) | (now.efer & 0x400);
	bool allowed = is_allowed(from, to, cr3);

	expect_equal(model_write_register(&now, which, value), allowed);
	wanted = registers_of(allowed ? to : from, cr3);
	expect_that(same(&now, &wanted));
}

HOST_TEST(writes_that_change_the_mode_are_allowed_or_refused)
{
	for (unsigned from = 0; from < STATES; from++) {
		if (is_impossible(from))
			continue;
		for (unsigned to = 0; to < STATES; to++) {
			unsigned others = from ^ to;
			uint64_t cr3 = 0x5000 | (from & NW ? LOW_OF_CR3 : 0);

			if (!(others & ~(unsigned)IN_CR0))
				try_write(from, to, MODEL_CR0, cr3);
			if (!(others & ~(unsigned)IN_CR4)) {
				try_write(from, to, MODEL_CR4, 0x5000);
				try_write(from, to, MODEL_CR4, 0x5000 | LOW_OF_CR3);
			}
			if (!(others & ~(unsigned)LME))
				try_write(from, to, MODEL_EFER, cr3);
		}
	}
}

HOST_TEST(bit_63_of_cr3_needs_pcide_and_is_not_kept)
{
	struct model_registers now = registers_of(PE | PG | PAE | LME, 0x1000);

	expect_that(!model_write_register(&now, MODEL_CR3, 1ull << 63 | 0x2000));
	expect_equal(now.cr3, 0x1000);
	expect_that(model_write_register(&now, MODEL_CR4, now.cr4 | 0x20000));
	expect_that(model_write_register(&now, MODEL_CR3, 1ull << 63 | 0x2007));
	expect_equal(now.cr3, 0x2007);
}

HOST_TEST(registers_choose_the_format)
{
	for (unsigned state = 0; state < STATES; state++) {
		struct model_registers now = registers_of(state, 0);
		const struct paging_format *wanted = state & PAE   ? &paging_pae
						     : state & PSE ? &paging_32bit
								   : &paging_32bit_without_pse;

		if (is_impossible(state))
			continue;
		if (state & LME)
			wanted = state & LA57 ? &paging_5level : &paging_4level;
		expect_that(model_format(&now) == (state & PG ? wanted : NULL));
	}
}
