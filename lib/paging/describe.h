/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entries and walks in words, for reports.
 */
#ifndef PAGING_DESCRIBE_H
#define PAGING_DESCRIBE_H

#include "libc/text.h"
#include "paging/walk.h"

/* Appends the set flags of an entry by name: "P RW US A", with PS or PAT as the level has it. */
void text_flags(struct text *text, const struct paging_format *format, enum level level,
		uint64_t entry);

/* Appends a line for each step: "PML4E 0x...020 = 0x... P RW US A". */
void text_walk(struct text *text, const struct walk *walk);

#endif
