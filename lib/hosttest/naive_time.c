/* SPDX-License-Identifier: BSD-2-Clause */
#include "hosttest/naive_time.h"

/* The bits of an entry, by number. */
static bool bit(uint64_t value, int n)
{
	return (value >> n) & 1;
}

static uint64_t index_of(uint64_t linear, int level)
{
	return (linear >> (12 + 9 * (level - 1))) & 511;
}

/* The linear addresses that one entry of a level translates begin alike. */
static bool alike(uint64_t a, uint64_t b, int level)
{
	int shift = 12 + 9 * (level - 1);

	return a >> shift == b >> shift;
}

static uint64_t address_bits(uint64_t entry)
{
	return (entry >> 12 & 0xffffffffff) << 12;
}

static bool reserved(const struct naive_time *t, uint64_t entry, int level, bool page)
{
	for (int n = (int)t->maxphyaddr; n < 52; n++)
		if (bit(entry, n))
			return true;
	if (bit(entry, 63) && !t->nxe)
		return true;
	if (bit(entry, 7) && (level == 4 || (level == 3 && !t->pages_1g)))
		return true;
	if (page && level > 1)
		for (int n = 13; n < 12 + 9 * (level - 1); n++)
			if (bit(entry, n))
				return true;
	return false;
}

bool naive_reserved(const struct naive_time *t, uint64_t entry, int level)
{
	return reserved(t, entry, level, false);
}

static bool is_page(uint64_t entry, int level)
{
	return level == 1 || (level < 4 && bit(entry, 7));
}

static void keep(struct naive_time *t, struct naive_cached found)
{
	for (unsigned i = 0; i < t->count; i++) {
		const struct naive_cached *c = &t->cached[i];

		if (c->translation == found.translation && c->level == found.level &&
		    c->target == found.target && c->w == found.w && c->u == found.u &&
		    c->nx == found.nx && c->g == found.g && c->d == found.d &&
		    c->pcid == found.pcid &&
		    alike(c->linear, found.linear, found.translation ? 1 : found.level))
			return;
	}
	if (t->count == NAIVE_MOST)
		t->full = true;
	else
		t->cached[t->count++] = found;
}

/* From a table of some level downwards, through entries with A = 1, keeping each. */
static void keep_walk(struct naive_time *t, struct naive_cached from)
{
	for (int level = from.level - 1; level >= 1; level--) {
		uint64_t entry = *t->entry_at(from.target + 8 * index_of(from.linear, level));
		bool page = is_page(entry, level);

		if (!bit(entry, 0) || !bit(entry, 5) || reserved(t, entry, level, page))
			return;
		from.level = level;
		from.w = from.w && bit(entry, 1);
		from.u = from.u && bit(entry, 2);
		from.nx = from.nx || bit(entry, 63);
		from.target = address_bits(entry);
		if (page) {
			uint64_t size = 4096ull << 9 * (level - 1);

			from.translation = true;
			from.target = from.target / size * size;
			from.target += from.linear % size / 4096 * 4096;
			from.g = t->pge && bit(entry, 8);
			from.d = bit(entry, 6);
			keep(t, from);
			return;
		}
		keep(t, from);
	}
}

static struct naive_cached from_root(const struct naive_time *t, uint64_t linear)
{
	return (struct naive_cached){.level = 5,
				     .linear = linear,
				     .target = t->root,
				     .w = true,
				     .u = true,
				     .pcid = t->pcid};
}

static bool serves(const struct naive_time *t, const struct naive_cached *c, uint64_t linear)
{
	if (c->translation)
		return alike(c->linear, linear, 1) && (c->g || c->pcid == t->pcid);
	return alike(c->linear, linear, c->level) && c->pcid == t->pcid;
}

void naive_speculate(struct naive_time *t)
{
	unsigned before;

	t->root_of[t->pcid] = t->root;
	do {
		before = t->count;
		for (unsigned a = 0; a < t->addresses; a++) {
			keep_walk(t, from_root(t, t->address[a]));
			for (unsigned i = 0; i < t->count; i++) {
				struct naive_cached from = t->cached[i];

				if (from.translation || !serves(t, &from, t->address[a]))
					continue;
				from.linear = t->address[a];
				keep_walk(t, from);
			}
		}
	} while (t->count != before);
}

/* The error code if a translation with these rights denies the use, else 0. */
static uint64_t denied(const struct naive_time *t, const struct naive_use *use, bool w, bool u,
		       bool nx)
{
	uint64_t code = 1;
	bool no = false;

	if (use->user && !u)
		no = true;
	if (use->user && use->write && !w)
		no = true;
	if (!use->user && use->write && !w && t->wp)
		no = true;
	if (use->fetch && nx)
		no = true;
	if (!use->user && use->fetch && u && t->smep)
		no = true;
	if (!use->user && !use->fetch && u && t->smap && !use->ac)
		no = true;
	if (use->write)
		code |= 2;
	if (use->user)
		code |= 4;
	if (use->fetch && (t->smep || t->nxe))
		code |= 16;
	return no ? code : 0;
}

/* What a walk from here leads to for a use. */
static struct naive_option walk_option(const struct naive_time *t, const struct naive_use *use,
				       struct naive_cached from)
{
	struct naive_option option = {0};
	unsigned used = 0;

	option.fault = true;
	option.code = (use->write ? 2 : 0) | (use->user ? 4 : 0);
	if (use->fetch && (t->smep || t->nxe))
		option.code |= 16;
	for (int level = from.level - 1; level >= 1; level--) {
		uint64_t address = from.target + 8 * index_of(use->linear, level);
		uint64_t entry = *t->entry_at(address), denial;

		if (!bit(entry, 0))
			break;
		if (reserved(t, entry, level, is_page(entry, level))) {
			option.code |= 1 | 8;
			break;
		}
		option.a[used++] = address;
		from.w = from.w && bit(entry, 1);
		from.u = from.u && bit(entry, 2);
		from.nx = from.nx || bit(entry, 63);
		from.target = address_bits(entry);
		if (!is_page(entry, level))
			continue;
		denial = denied(t, use, from.w, from.u, from.nx);
		if (denial) {
			option.code = denial;
			break;
		}
		option.fault = false;
		option.code = 0;
		option.physical = from.target >> (12 + 9 * (level - 1)) << (12 + 9 * (level - 1));
		option.physical += use->linear % (4096ull << 9 * (level - 1));
		option.d = use->write ? address : 0;
		return option;
	}
	for (unsigned i = 0; i < 4; i++)
		option.a[i] = 0; /* may be set, need not: see the test */
	return option;
}

unsigned naive_options(const struct naive_time *t, const struct naive_use *use,
		       struct naive_option *options, unsigned most)
{
	unsigned count = 0;

	options[count++] = walk_option(t, use, from_root(t, use->linear));
	for (unsigned i = 0; i < t->count && count < most; i++) {
		const struct naive_cached *c = &t->cached[i];
		uint64_t denial;

		if (!serves(t, c, use->linear))
			continue;
		if (!c->translation) {
			options[count++] = walk_option(t, use, *c);
			continue;
		}
		denial = denied(t, use, c->w, c->u, c->nx);
		if (!denial && use->write && !c->d)
			continue; /* D has to be set: walks again */
		options[count++] = (struct naive_option){
			.fault = denial,
			.code = denial,
			.physical = denial ? 0 : c->target + use->linear % 4096};
	}
	return count;
}

void naive_take(struct naive_time *t, const struct naive_option *option)
{
	for (unsigned i = 0; i < 4; i++)
		if (option->a[i])
			*t->entry_at(option->a[i]) |= 1 << 5;
	if (option->d)
		*t->entry_at(option->d) |= 1 << 6;
	naive_speculate(t);
}
