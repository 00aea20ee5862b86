/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/edit.h"

#include "cpu/control.h"

static void toggle_pge(void)
{
	uint64_t cr4 = read_cr4();

	write_cr4(cr4 ^ CR4_PGE);
	write_cr4(cr4);
}

void invalidate(linear_t linear, enum invalidation how)
{
	switch (how) {
	case NO_FLUSH:
		break;
	case INVLPG:
		invlpg(linear.value);
		break;
	case MOV_CR3:
		write_cr3(read_cr3());
		break;
	case CR4_PGE_TWICE:
		toggle_pge();
		break;
	}
}

void edit_entry_with(const struct page *page, enum level level, enum invalidation then,
		     struct edit edit)
{
	volatile uint64_t *entry = page->entry[level];

	store_methods[edit.how].store(entry, (*entry & ~edit.clear) | edit.set);
	invalidate(page->linear, then);
}

void write_entry(const struct page *page, enum level level, uint64_t value, enum invalidation then)
{
	*(volatile uint64_t *)page->entry[level] = value;
	invalidate(page->linear, then);
}
