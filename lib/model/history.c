/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What happens to the processor, and what of its caches that drops.
 */
#include "model/history.h"

#include "model/history_cache.h"
#include "paging/entry.h"

#define PAGE_MASK (~0xfffull)
#define PCID_MASK 0xfffull
#define NO_FLUSH  (1ull << 63)

static void note_root(struct history *history)
{
	struct history_root noted = {history->pcid, history->processor.root};

	for (unsigned i = 0; i < history->roots; i++) {
		if (history->root[i].pcid == noted.pcid) {
			history->root[i] = noted;
			return;
		}
	}
	if (history->roots < HISTORY_MOST_ROOTS)
		history->roots++;
	history->root[history->next_root] = noted;
	history->next_root = (history->next_root + 1) % HISTORY_MOST_ROOTS;
}

void history_start(struct history *history, const struct model_processor *processor,
		   struct history_controls controls, read_entry_fn *read_entry, const void *memory)
{
	history->processor = *processor;
	history->controls = controls;
	history->read_entry = read_entry;
	history->memory = memory;
	history->pcid = 0;
	history->pages = history->translations = history->prefixes = 0;
	history->roots = history->next_root = 0;
	history->unknown = 0;
	note_root(history);
}

void history_watch(struct history *history, uint64_t linear)
{
	for (unsigned i = 0; i < history->pages; i++)
		if (history->page[i] == (linear & PAGE_MASK))
			return;
	if (!is_canonical(history->processor.format, linear))
		return;
	if (history->pages == HISTORY_MOST_PAGES)
		history->unknown = "more pages are watched than fit here";
	else
		history->page[history->pages++] = linear & PAGE_MASK;
}

void history_edit(struct history *history)
{
	history_look(history);
}

static void drop_everything(struct history *history)
{
	history->translations = history->prefixes = 0;
	history->unknown = 0;
}

/* What one operation must drop; it may drop more. */
struct scope {
	bool every_pcid;
	unsigned pcid; /* or this one */
	enum { GLOBALS_STAY, GLOBALS_OF_PCID, GLOBALS_GO } globals;
	bool one_address;
	uint64_t linear;
	bool whole_page;   /* all pieces of the page that holds the address */
	bool every_prefix; /* upper levels of whatever address */
};

/* The walk of an address under the root that a PCID had last; false if that is not known. */
static bool walk_of_pcid(const struct history *history, unsigned pcid, uint64_t linear,
			 struct walk *walk)
{
	const struct model_processor *processor = &history->processor;

	if (pcid == history->pcid) {
		history_walk(history, linear, walk);
		return true;
	}
	for (unsigned i = 0; i < history->roots; i++) {
		if (history->root[i].pcid != pcid)
			continue;
		walk_linear(walk, processor->format, &processor->rules, history->root[i].root,
			    linear, history->read_entry, history->memory);
		return true;
	}
	return false;
}

/* Where the structures map the address by a page as large as the one that `cached` is a piece of,
 * or no longer map it, all pieces go; where its size is smaller by now, one cannot be sure. */
static bool is_piece(const struct history *history, const struct scope *scope,
		     const struct history_translation *cached)
{
	struct walk walk;

	if (!history_in_one(history, cached->level, cached->linear, scope->linear) ||
	    !walk_of_pcid(history, scope->pcid, scope->linear, &walk))
		return false;
	return !walk.count || walk.step[walk.count - 1].level >= cached->level;
}

static bool drops_translation(const struct history *history, const struct scope *scope,
			      const struct history_translation *cached)
{
	bool of_pcid = scope->every_pcid || cached->pcid == scope->pcid;

	if (cached->global) {
		if (scope->globals == GLOBALS_STAY)
			return false;
		if (scope->globals == GLOBALS_OF_PCID && !of_pcid)
			return false;
	} else if (!of_pcid) {
		return false;
	}
	if (!scope->one_address || cached->linear == (scope->linear & PAGE_MASK))
		return true;
	return scope->whole_page && is_piece(history, scope, cached);
}

static bool drops_prefix(const struct history *history, const struct scope *scope,
			 const struct history_prefix *cached)
{
	if (!scope->every_pcid && cached->pcid != scope->pcid)
		return false;
	return scope->every_prefix || history_prefix_serves(history, cached, scope->linear);
}

static void drop(struct history *history, const struct scope *scope)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < history->translations; i++)
		if (!drops_translation(history, scope, &history->translation[i]))
			history->translation[kept++] = history->translation[i];
	history->translations = kept;
	kept = 0;
	for (unsigned i = 0; i < history->prefixes; i++)
		if (!drops_prefix(history, scope, &history->prefix[i]))
			history->prefix[kept++] = history->prefix[i];
	history->prefixes = kept;
}

/* Global translations of any PCID go, and upper-level entries whatever the address. */
void history_invlpg(struct history *history, uint64_t linear)
{
	history_look(history);
	if (!is_canonical(history->processor.format, linear))
		return;
	drop(history, &(struct scope){.pcid = history->pcid,
				      .globals = GLOBALS_GO,
				      .one_address = true,
				      .linear = linear,
				      .whole_page = true,
				      .every_prefix = true});
}

void history_invpcid(struct history *history, unsigned type, unsigned pcid, uint64_t linear)
{
	history_look(history);
	if (type == 0)
		drop(history, &(struct scope){.pcid = pcid,
					      .one_address = true,
					      .linear = linear,
					      .whole_page = true});
	else if (type == 1)
		drop(history, &(struct scope){.pcid = pcid, .every_prefix = true});
	else if (type == 2)
		drop_everything(history);
	else
		drop(history, &(struct scope){.every_pcid = true, .every_prefix = true});
}

void history_mov_to_cr3(struct history *history, uint64_t value)
{
	bool keeps = history->controls.pcide && (value & NO_FLUSH);

	history_look(history);
	history->processor.root = value & ENTRY_ADDRESS;
	history->pcid = history->controls.pcide ? (unsigned)(value & PCID_MASK) : 0;
	note_root(history);
	if (!keeps)
		drop(history, &(struct scope){.pcid = history->pcid, .every_prefix = true});
}

void history_control(struct history *history, const struct model_processor *processor,
		     struct history_controls controls)
{
	const struct model_processor old = history->processor;
	const struct history_controls were = history->controls;

	history_look(history);
	history->processor = *processor;
	history->processor.root = old.root;
	history->controls = controls;
	if ((were.pse != controls.pse && processor->format->top == PD) ||
	    (old.rules.execute_disable && !processor->rules.execute_disable))
		history->unknown = "a control bit changed that software has to invalidate for";
	if ((were.paging && !controls.paging) || were.pge != controls.pge ||
	    (were.pcide && !controls.pcide))
		drop_everything(history);
	else if (were.pae != controls.pae || (!old.smep && processor->smep))
		drop(history, &(struct scope){.pcid = history->pcid, .every_prefix = true});
	if (were.pcide && !controls.pcide) {
		history->pcid = 0;
		note_root(history);
	}
}

/* Only what would be used for the address, and of the current PCID. */
void history_page_fault(struct history *history, uint64_t linear)
{
	history_look(history);
	drop(history, &(struct scope){.pcid = history->pcid,
				      .globals = GLOBALS_OF_PCID,
				      .one_address = true,
				      .linear = linear});
}
