/* SPDX-License-Identifier: BSD-2-Clause */
#include "hosttest/naive_legacy.h"

struct state {
	const struct legacy_question *q;
	struct legacy_answer answer;
	bool user_mode_address, writable, execute_disabled;
};

static bool bit(uint64_t value, unsigned number)
{
	return value >> number & 1;
}

static bool any_bit(uint64_t value, unsigned last, unsigned first)
{
	for (unsigned i = first; i <= last; i++)
		if (bit(value, i))
			return true;
	return false;
}

static uint64_t bits(uint64_t value, unsigned last, unsigned first)
{
	uint64_t result = 0;

	for (unsigned i = first; i <= last; i++)
		if (bit(value, i))
			result += (uint64_t)1 << i;
	return result;
}

/* I/D exists with CR4.SMEP = 1, and with EFER.NXE = 1 under PAE paging. */
static void fault(struct state *s, bool present, bool reserved)
{
	s->answer.page_fault = true;
	s->answer.error_code = (present ? 1 : 0) + (s->q->write ? 2 : 0) + (s->q->cpl3 ? 4 : 0) +
			       (reserved ? 8 : 0);
	if (s->q->fetch && (s->q->cr4_smep || (s->q->pae && s->q->efer_nxe)))
		s->answer.error_code += 16;
}

static uint64_t take(struct state *s, uint64_t address)
{
	uint64_t entry = s->q->read(s->q->memory, address);

	s->answer.address[s->answer.entries++] = address;
	s->user_mode_address = s->user_mode_address && bit(entry, 2);
	s->writable = s->writable && bit(entry, 1);
	s->execute_disabled = s->execute_disabled || (s->q->pae && bit(entry, 63));
	return entry;
}

static bool allowed(const struct state *s)
{
	if (s->q->cpl3) {
		if (!s->user_mode_address)
			return false;
		if (s->q->fetch)
			return !s->execute_disabled;
		return !s->q->write || s->writable;
	}
	if (s->q->fetch)
		return !s->execute_disabled && !(s->user_mode_address && s->q->cr4_smep);
	if (s->user_mode_address && s->q->cr4_smap && !s->q->eflags_ac)
		return false;
	return !s->q->write || s->writable || !s->q->cr0_wp;
}

static void page(struct state *s, uint64_t first, uint64_t bytes)
{
	s->answer.translated = true;
	s->answer.page_bytes = bytes;
	s->answer.physical = first + s->q->linear % bytes;
	if (!allowed(s)) {
		fault(s, true, false);
		return;
	}
	s->answer.sets_a = true;
	s->answer.sets_d = s->q->write;
}

/* "32-Bit Paging": M is 32 without PSE-36, otherwise the smaller of 40 and MAXPHYADDR. */
static void large_page_32bit(struct state *s, uint64_t pde)
{
	unsigned m = !s->q->pse36 ? 32 : s->q->maxphyaddr < 40 ? s->q->maxphyaddr : 40;

	if (any_bit(pde, 21, m - 19))
		fault(s, true, true);
	else
		page(s, bits(pde, 31, 22) + (bits(pde, 20, 13) >> 13 << 32), 4 * 1024 * 1024);
}

static void walk_32bit(struct state *s)
{
	uint64_t pde = take(s, bits(s->q->cr3, 31, 12) + s->q->linear / 4096 / 1024 * 4);
	uint64_t pte;

	if (!bit(pde, 0)) {
		fault(s, false, false);
		return;
	}
	if (s->q->cr4_pse && bit(pde, 7)) {
		large_page_32bit(s, pde);
		return;
	}
	pte = take(s, bits(pde, 31, 12) + s->q->linear / 4096 % 1024 * 4);
	if (bit(pte, 0))
		page(s, bits(pte, 31, 12), 4096);
	else
		fault(s, false, false);
}

static bool reserved_pae(const struct state *s, uint64_t entry)
{
	return any_bit(entry, 62, s->q->maxphyaddr) || (bit(entry, 63) && !s->q->efer_nxe);
}

static void walk_pae(struct state *s)
{
	uint64_t pdpte = s->q->pdpte[s->q->linear / 4096 / 512 / 512], pde, pte;

	if (!bit(pdpte, 0)) {
		fault(s, false, false);
		return;
	}
	pde = take(s, bits(pdpte, 51, 12) + s->q->linear / 4096 / 512 % 512 * 8);
	if (!bit(pde, 0) || reserved_pae(s, pde) || (bit(pde, 7) && any_bit(pde, 20, 13))) {
		fault(s, bit(pde, 0), bit(pde, 0));
		return;
	}
	if (bit(pde, 7)) {
		page(s, bits(pde, 51, 21), 2 * 1024 * 1024);
		return;
	}
	pte = take(s, bits(pde, 51, 12) + s->q->linear / 4096 % 512 * 8);
	if (!bit(pte, 0) || reserved_pae(s, pte))
		fault(s, bit(pte, 0), bit(pte, 0));
	else
		page(s, bits(pte, 51, 12), 4096);
}

struct legacy_answer naive_legacy(const struct legacy_question *question)
{
	struct state s = {.q = question, .user_mode_address = true, .writable = true};

	if (question->pae)
		walk_pae(&s);
	else
		walk_32bit(&s);
	return s.answer;
}
