/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the processor may have cached by now.
 */
#include "model/history_cache.h"

#include "paging/entry.h"

#define PAGE_MASK (~0xfffull)

bool history_in_one(const struct history *history, enum level level, uint64_t a, uint64_t b)
{
	return !((a ^ b) & ~(level_bytes(history->processor.format, level) - 1));
}

bool history_prefix_serves(const struct history *history, const struct history_prefix *prefix,
			   uint64_t linear)
{
	return history_in_one(history, prefix->level, prefix->linear, linear);
}

bool history_walk(const struct history *history, uint64_t linear, struct walk *walk)
{
	const struct model_processor *processor = &history->processor;
	uint64_t root;

	*walk = (struct walk){.format = processor->format, .linear = linear};
	walk->end = WALK_NOT_PRESENT;
	if (!model_root(processor, linear, &root))
		return false;
	walk_on(walk, &processor->rules, processor->format->top, root, history->read_entry,
		history->memory);
	return true;
}

void history_walk_behind(const struct history *history, const struct history_prefix *prefix,
			 uint64_t linear, struct walk *walk)
{
	const struct model_processor *processor = &history->processor;

	walk->format = processor->format;
	walk->linear = linear;
	walk->count = 1;
	walk->step[0] = (struct walk_step){prefix->level, HISTORY_NO_ADDRESS, prefix->entry};
	walk_on(walk, &processor->rules, prefix->level - 1, prefix->table, history->read_entry,
		history->memory);
}

static bool same_translation(const struct history_translation *a,
			     const struct history_translation *b)
{
	return a->linear == b->linear && a->physical == b->physical && a->entry == b->entry &&
	       a->level == b->level && a->pcid == b->pcid && a->global == b->global;
}

static void add_translation(struct history *history, const struct history_translation *found)
{
	for (unsigned i = 0; i < history->translations; i++) {
		struct history_translation *known = &history->translation[i];

		if (same_translation(known, found)) {
			known->dirty |= found->dirty;
			return;
		}
	}
	if (history->translations == HISTORY_MOST_CACHED)
		history->unknown = "more translations may be cached than fit here";
	else
		history->translation[history->translations++] = *found;
}

static bool same_prefix(const struct history *history, const struct history_prefix *a,
			const struct history_prefix *b)
{
	return a->level == b->level && a->table == b->table && a->entry == b->entry &&
	       a->pcid == b->pcid && history_prefix_serves(history, a, b->linear);
}

/* Its number; HISTORY_MOST_CACHED if there is no room. */
static unsigned add_prefix(struct history *history, const struct history_prefix *found)
{
	for (unsigned i = 0; i < history->prefixes; i++)
		if (same_prefix(history, &history->prefix[i], found))
			return i;
	if (history->prefixes == HISTORY_MOST_CACHED) {
		history->unknown = "more upper-level entries may be cached than fit here";
		return HISTORY_MOST_CACHED;
	}
	history->prefix[history->prefixes] = *found;
	return history->prefixes++;
}

/* "Caching Translation Information": rights are those of all entries used, combined. */
static uint64_t combine(uint64_t rights, uint64_t entry)
{
	uint64_t both = rights & entry & (RW | US);

	return both | ((rights | entry) & XD) | (entry & PROTECTION_KEY) | P;
}

/* What one walk lets the processor cache: entries down to the first whose A is 0. Returns the
 * number of upper-level entries, and which ones in `passed`. */
static unsigned cache_walk(struct history *history, const struct walk *walk, bool behind_prefix,
			   unsigned passed[MOST_LEVELS])
{
	uint64_t rights = RW | US;
	unsigned count = 0;

	for (unsigned i = 0; i < walk->count; i++) {
		const struct walk_step *step = &walk->step[i];
		bool last = i + 1 == walk->count;

		rights = combine(rights, step->entry);
		if (i == 0 && behind_prefix)
			continue;
		if (!(step->entry & A) || (last && walk->end != WALK_MAPPED))
			return count;
		if (last)
			add_translation(history, &(struct history_translation){
							 .linear = walk->linear & PAGE_MASK,
							 .physical = walk->physical & PAGE_MASK,
							 .entry = rights,
							 .level = step->level,
							 .pcid = history->pcid,
							 .global = history->controls.pge &&
								   (step->entry & G),
							 .dirty = step->entry & D});
		else
			passed[count++] = add_prefix(
				history,
				&(struct history_prefix){.linear = walk->linear,
							 .table = step->entry & ENTRY_ADDRESS,
							 .entry = rights & ~PROTECTION_KEY,
							 .level = step->level,
							 .pcid = history->pcid});
	}
	return count;
}

static bool is_one_of(const unsigned *numbers, unsigned count, unsigned number)
{
	for (unsigned i = 0; i < count; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static void cache_page(struct history *history, uint64_t linear)
{
	unsigned known = history->prefixes; /* walks behind those found now lead nowhere new */
	unsigned passed[MOST_LEVELS], behind[MOST_LEVELS], count = 0;
	struct walk walk;

	if (history_walk(history, linear, &walk))
		count = cache_walk(history, &walk, false, passed);
	for (unsigned i = 0; i < known; i++) {
		const struct history_prefix *prefix = &history->prefix[i];

		/* Behind an entry that the walk has passed it went on in the same way. */
		if (prefix->pcid != history->pcid ||
		    !history_prefix_serves(history, prefix, linear) || is_one_of(passed, count, i))
			continue;
		history_walk_behind(history, prefix, linear, &walk);
		cache_walk(history, &walk, true, behind);
	}
}

void history_look(struct history *history)
{
	if (!history->controls.paging)
		return;
	for (unsigned i = 0; i < history->pages; i++)
		cache_page(history, history->page[i]);
}
