/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/edit.h"

void edit_entry_with(const struct page *page, enum level level, enum invalidation then,
		     struct edit edit)
{
	volatile uint64_t *entry = page->entry[level];

	store_by_method(entry, (*entry & ~edit.clear) | edit.set, &store_methods[edit.how]);
	invalidate(page->linear, then);
}

void write_entry(const struct page *page, enum level level, uint64_t value, enum invalidation then)
{
	*(volatile uint64_t *)page->entry[level] = value;
	invalidate(page->linear, then);
}
