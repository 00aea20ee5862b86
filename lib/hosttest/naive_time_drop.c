/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The naive processor's invalidations, each as the manual words it.
 */
#include "hosttest/naive_time.h"

static bool alike(uint64_t a, uint64_t b, int level)
{
	int shift = 12 + 9 * (level - 1);

	return a >> shift == b >> shift;
}

static void forget(struct naive_time *t,
		   bool (*drops)(const struct naive_time *t, const struct naive_cached *c,
				 unsigned pcid, uint64_t linear),
		   unsigned pcid, uint64_t linear)
{
	struct naive_time old = *t;

	t->count = 0;
	for (unsigned i = 0; i < old.count; i++)
		if (!drops(&old, &old.cached[i], pcid, linear))
			t->cached[t->count++] = old.cached[i];
	naive_speculate(t);
}

static bool fault_drops(const struct naive_time *t, const struct naive_cached *c, unsigned pcid,
			uint64_t linear)
{
	(void)t;
	return c->pcid == pcid && alike(c->linear, linear, c->translation ? 1 : c->level);
}

/* At which level memory's walk of an address ends, for the last root of a PCID; 0: not known. */
static int end_level(const struct naive_time *t, unsigned pcid, uint64_t linear)
{
	uint64_t table = pcid == t->pcid ? t->root : t->root_of[pcid];

	if (!table)
		return 0;
	for (int level = 4; level > 1; level--) {
		uint64_t entry = *t->entry_at(table + 8 * (linear >> (3 + 9 * level) & 511));

		if (!(entry & 1) || (entry & 0x80 && level < 4) || naive_reserved(t, entry, level))
			return level;
		table = entry & 0xffffffffff000;
	}
	return 1;
}

static bool of_that_page(const struct naive_time *t, const struct naive_cached *c, unsigned pcid,
			 uint64_t linear)
{
	if (alike(c->linear, linear, 1))
		return true;
	return alike(c->linear, linear, c->level) && end_level(t, pcid, linear) >= c->level;
}

static bool invlpg_drops(const struct naive_time *t, const struct naive_cached *c, unsigned pcid,
			 uint64_t linear)
{
	if (!c->translation)
		return c->pcid == pcid;
	return (c->g || c->pcid == pcid) && of_that_page(t, c, pcid, linear);
}

static bool type_0_drops(const struct naive_time *t, const struct naive_cached *c, unsigned pcid,
			 uint64_t linear)
{
	if (c->pcid != pcid || (c->translation && c->g))
		return false;
	return c->translation ? of_that_page(t, c, pcid, linear)
			      : alike(c->linear, linear, c->level);
}

static bool pcid_drops(const struct naive_time *t, const struct naive_cached *c, unsigned pcid,
		       uint64_t linear)
{
	(void)t;
	(void)linear;
	return c->pcid == pcid && !(c->translation && c->g);
}

static bool local_drops(const struct naive_time *t, const struct naive_cached *c, unsigned pcid,
			uint64_t linear)
{
	(void)t;
	(void)pcid;
	(void)linear;
	return !c->translation || !c->g;
}

static bool all_drop(const struct naive_time *t, const struct naive_cached *c, unsigned pcid,
		     uint64_t linear)
{
	(void)t;
	(void)c;
	(void)pcid;
	(void)linear;
	return true;
}

void naive_page_fault(struct naive_time *t, uint64_t linear)
{
	forget(t, fault_drops, t->pcid, linear);
}

void naive_invlpg(struct naive_time *t, uint64_t linear)
{
	forget(t, invlpg_drops, t->pcid, linear);
}

void naive_invpcid(struct naive_time *t, unsigned type, unsigned pcid, uint64_t linear)
{
	switch (type) {
	case 0:
		forget(t, type_0_drops, pcid, linear);
		break;
	case 1:
		forget(t, pcid_drops, pcid, linear);
		break;
	case 2:
		forget(t, all_drop, pcid, linear);
		break;
	default:
		forget(t, local_drops, pcid, linear);
	}
}

void naive_load_cr3(struct naive_time *t, uint64_t value)
{
	t->root = value & 0xffffffffff000;
	t->pcid = t->pcide ? value % 4096 : 0;
	if (t->pcide && value >> 63)
		naive_speculate(t);
	else
		forget(t, pcid_drops, t->pcid, 0);
}

void naive_set_pge(struct naive_time *t, bool value)
{
	bool change = t->pge != value;

	t->pge = value;
	if (change)
		forget(t, all_drop, 0, 0);
}

void naive_set_pcide(struct naive_time *t, bool value)
{
	bool cleared = t->pcide && !value;

	t->pcide = value;
	if (cleared) {
		t->pcid = 0;
		forget(t, all_drop, 0, 0);
	}
}

void naive_set_smep(struct naive_time *t, bool value)
{
	bool change = !t->smep && value;

	t->smep = value;
	if (change)
		forget(t, pcid_drops, t->pcid, 0);
}

void naive_paging_off_and_on(struct naive_time *t)
{
	forget(t, all_drop, 0, 0);
}
