/* SPDX-License-Identifier: BSD-2-Clause */
#include "sabotage/cache.h"

#include "cpu/control.h"
#include "cpu/sabotage.h"
#include "libc/string.h"

#define TRANSLATIONS  64
#define UPPER_ENTRIES 32

struct cached_translation {
	bool valid;
	bool stuck;	     /* the store that changed it was not noticed */
	bool once;	     /* and will be, when it is dropped again */
	bool of_global_page; /* though it may be kept as any other */
	uint64_t page, pcid;
	struct translation translation;
};

static struct cached_translation translations[TRANSLATIONS];
static struct cached_entry upper[UPPER_ENTRIES];
static unsigned next_translation, next_upper;

bool caches_are_used(void)
{
	return sabotaged_family(FAMILY_invalidation) || sabotaged_family(FAMILY_table_writes) ||
	       sabotage_chosen[SABOTAGE_stores_of_others_lost] ||
	       sabotage_chosen[SABOTAGE_caches_all_it_may] ||
	       sabotage_chosen[SABOTAGE_globals_are_not_kept] ||
	       sabotage_chosen[SABOTAGE_flushes_often];
}

uint64_t current_pcid(void)
{
	return read_cr4() & CR4_PCIDE ? read_cr3() & 0xfff : 0;
}

static bool is_of_context(uint64_t pcid, bool global)
{
	return global || pcid == current_pcid() || sabotaged(SABOTAGE_pcids_are_one) ||
	       (!pcid && sabotaged(SABOTAGE_pcid_0_is_every_pcid));
}

const struct translation *cached_translation(uint64_t linear)
{
	for (unsigned i = 0; i < TRANSLATIONS; i++) {
		const struct cached_translation *at = &translations[i];

		if (at->valid && at->page == (linear & ~(PAGE_4K - 1)) &&
		    is_of_context(at->pcid, at->translation.global))
			return &at->translation;
	}
	return NULL;
}

bool cached_page(unsigned *at, uint64_t *linear)
{
	while (*at < TRANSLATIONS) {
		const struct cached_translation *found = &translations[(*at)++];

		if (!found->valid)
			continue;
		*linear = found->page;
		return true;
	}
	return false;
}

static uint64_t prefix(uint64_t linear, enum level level)
{
	return linear >> current_format()->level[level].shift;
}

const struct cached_entry *cached_upper_entry(uint64_t linear)
{
	const struct cached_entry *best = NULL;

	for (unsigned i = 0; i < UPPER_ENTRIES; i++) {
		const struct cached_entry *at = &upper[i];

		if (at->valid && prefix(at->linear, at->level) == prefix(linear, at->level) &&
		    is_of_context(at->pcid, false) && (!best || at->level < best->level))
			best = at;
	}
	return best;
}

void remember_translation(uint64_t linear, const struct translation *translation)
{
	uint64_t page = linear & ~(PAGE_4K - 1);
	struct cached_translation *to = NULL;

	for (unsigned i = 0; i < TRANSLATIONS; i++)
		if (translations[i].valid && translations[i].page == page &&
		    translations[i].pcid == current_pcid())
			to = &translations[i];
	if (to && to->stuck)
		return;
	if (!to)
		to = &translations[next_translation++ % TRANSLATIONS];
	*to = (struct cached_translation){.valid = true,
					  .of_global_page = translation->global,
					  .page = page,
					  .pcid = current_pcid(),
					  .translation = *translation};
	to->translation.cached = true;
	if (to->translation.global && sabotaged(SABOTAGE_globals_are_not_kept))
		to->translation.global = false;
}

void remember_upper_entry(uint64_t linear, enum level level, uint64_t table, uint64_t rights)
{
	struct cached_entry *to = NULL;

	for (unsigned i = 0; i < UPPER_ENTRIES; i++)
		if (upper[i].valid && upper[i].level == level &&
		    prefix(upper[i].linear, level) == prefix(linear, level) &&
		    upper[i].pcid == current_pcid())
			to = &upper[i];
	if (!to)
		to = &upper[next_upper++ % UPPER_ENTRIES];
	*to = (struct cached_entry){true, level, linear, current_pcid(), table, rights};
}

static bool is_dropped(struct cached_translation *at, const struct dropping *drop)
{
	enum level level = drop->one_4_kbyte ? PT : at->translation.level;

	if (at->stuck && !at->once)
		return false;
	if (at->translation.global && drop->keeps_globals)
		return false;
	if (drop->by_pcid && at->pcid != drop->pcid && !at->of_global_page)
		return false;
	if (drop->by_linear && prefix(at->page, level) != prefix(drop->linear, level))
		return false;
	if (!at->stuck)
		return true;
	at->stuck = at->once = false;
	return false;
}

void drop_translations(struct dropping drop)
{
	for (unsigned i = 0; i < TRANSLATIONS; i++)
		if (translations[i].valid && is_dropped(&translations[i], &drop))
			translations[i].valid = false;
}

void drop_upper_entries(bool by_pcid, uint64_t pcid, const uint64_t *linear)
{
	for (unsigned i = 0; i < UPPER_ENTRIES; i++)
		if ((!by_pcid || upper[i].pcid == pcid) &&
		    (!linear ||
		     prefix(upper[i].linear, upper[i].level) == prefix(*linear, upper[i].level)))
			upper[i].valid = false;
}

bool caches_hold(bool global, enum level least)
{
	for (unsigned i = 0; i < TRANSLATIONS; i++)
		if (translations[i].valid && translations[i].translation.level >= least &&
		    (translations[i].translation.global || !global))
			return true;
	return false;
}

void forget_everything(void)
{
	drop_translations((struct dropping){.by_linear = false});
	drop_upper_entries(false, 0, NULL);
}

void forget_after_fault(uint64_t linear)
{
	if (sabotaged(SABOTAGE_fault_keeps_translation))
		return;
	drop_translations((struct dropping){
		.by_linear = true, .linear = linear, .by_pcid = true, .pcid = current_pcid()});
	drop_upper_entries(true, current_pcid(), &linear);
}

void take_into_pcid_0(void)
{
	for (unsigned i = 0; i < TRANSLATIONS; i++)
		translations[i].pcid = 0;
}

static void stick(struct cached_translation *at, uint64_t entry, bool once)
{
	for (unsigned n = 0; n < at->translation.count; n++) {
		if (at->translation.address[n] != entry)
			continue;
		at->once = once && (at->once || !at->stuck);
		at->stuck = true;
	}
}

void stick_translations(uint64_t entry, bool once)
{
	for (unsigned i = 0; i < TRANSLATIONS; i++)
		if (translations[i].valid)
			stick(&translations[i], entry, once);
}

void caches_reset(void)
{
	memset(translations, 0, sizeof(translations));
	memset(upper, 0, sizeof(upper));
}
