/* SPDX-License-Identifier: BSD-2-Clause */
#include "nested/second_level.h"

#include <stddef.h>

#include "mem/frames.h"
#include "paging/entry.h"

static uint64_t *entry_in(const struct second_level *second, uint64_t table, enum level level,
			  gpa_t gpa)
{
	uint64_t *entries = identity(GPA(table));

	return &entries[level_index(second->model.format, level, gpa.value)];
}

static bool is_present(const struct second_level *second, uint64_t entry)
{
	return entry & second->model.format->present;
}

uint64_t *second_entry(const struct second_level *second, gpa_t gpa, enum level level)
{
	uint64_t table = second->model.root;

	for (int at = second->model.format->top; at > (int)level; at--) {
		uint64_t entry = *entry_in(second, table, (enum level)at, gpa);

		if (!(entry & ENTRY_ADDRESS) || (at < PML4 && (entry & PS)))
			return NULL;
		table = entry & ENTRY_ADDRESS;
	}
	return entry_in(second, table, level, gpa);
}

enum level second_page_level(const struct second_level *second, gpa_t gpa)
{
	for (int at = PDPT; at >= PT; at--) {
		const uint64_t *entry = second_entry(second, gpa, (enum level)at);

		if (!entry || !is_present(second, *entry))
			break;
		if (at == PT || (*entry & PS))
			return (enum level)at;
	}
	return (enum level)0;
}

void second_map(struct second_level *second, gpa_t gpa, gpa_t frame, enum level level,
		unsigned rights)
{
	const struct second_level_kind *kind = second->kind;
	uint64_t table = second->model.root;

	for (int at = second->model.format->top; at > (int)level; at--) {
		uint64_t *entry = entry_in(second, table, (enum level)at, gpa);

		if (!is_present(second, *entry))
			*entry = frame_alloc().value | kind->table_flags;
		table = *entry & ENTRY_ADDRESS;
	}
	*entry_in(second, table, level, gpa) =
		frame.value | kind->page_flags | kind->rights(rights) | (level > PT ? PS : 0);
}

void second_invalidate(struct second_level *second, enum second_invalidation how)
{
	if (how != SECOND_NO_FLUSH)
		second->kind->invalidate(second, how);
}

bool second_can_deny(const struct second_level *second, unsigned right)
{
	return second->kind->rights(SECOND_ALL) != second->kind->rights(SECOND_ALL & ~right);
}

void second_edit_with(struct second_level *second, gpa_t gpa, enum level level,
		      enum second_invalidation then, struct second_edit edit)
{
	volatile uint64_t *entry = second_entry(second, gpa, level);

	*entry = (*entry & ~edit.clear) | edit.set;
	second_invalidate(second, then);
}

void second_allow(struct second_level *second, gpa_t gpa, enum level level, unsigned rights,
		  enum second_invalidation then)
{
	second_edit(second, gpa, level, then, .clear = second->kind->rights_mask,
		    .set = second->kind->rights(rights));
}

#define ENTRIES 512

static void visit_table(const struct second_level *second, uint64_t table, int level,
			void (*visit)(void *context, volatile uint64_t *entry, bool maps_page),
			void *context)
{
	volatile uint64_t *entries = identity(GPA(table));

	for (unsigned i = 0; i < ENTRIES; i++) {
		uint64_t entry = entries[i];
		bool present = is_present(second, entry);
		bool maps_page = present && (level == PT || (level < PML4 && (entry & PS)));

		visit(context, &entries[i], maps_page);
		if (present && !maps_page)
			visit_table(second, entry & ENTRY_ADDRESS, level - 1, visit, context);
	}
}

void second_visit(const struct second_level *second,
		  void (*visit)(void *context, volatile uint64_t *entry, bool maps_page),
		  void *context)
{
	visit_table(second, second->model.root, second->model.format->top, visit, context);
}

struct flags {
	const struct second_level *second;
	bool accessed, dirty;
};

static void set_flags(void *context, volatile uint64_t *entry, bool maps_page)
{
	const struct flags *flags = context;
	const struct second_level_kind *kind = flags->second->kind;
	uint64_t value = *entry & ~(kind->accessed | (maps_page ? kind->dirty : 0));

	if (!is_present(flags->second, value))
		return;
	value |= flags->accessed ? kind->accessed : 0;
	value |= flags->dirty && maps_page ? kind->dirty : 0;
	*entry = value;
}

void second_set_flags(const struct second_level *second, bool accessed, bool dirty)
{
	struct flags flags = {second, accessed, dirty};

	second_visit(second, set_flags, &flags);
}
