/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Address spaces under process-context identifiers (SDM Vol. 3, "Process-Context Identifiers
 * (PCIDs)"). All contexts map one page at the same linear address, each over memory with a tag of
 * its own, so that a translation of another context, or a stale one, shows as wrong data.
 */
#ifndef CHECK_CONTEXT_H
#define CHECK_CONTEXT_H

#include "check/state.h"
#include "paging/space.h"

#define CONTEXT_PLACES 2

struct context {
	uint64_t cr3;			 /* root and PCID */
	linear_t linear[CONTEXT_PLACES]; /* places in the page that hold the tag */
	enum level level;		 /* of the entry that maps the page */
	uint64_t flags;			 /* of that entry */
	uint64_t *entry[MOST_LEVELS + 1];
	uint32_t tag;
};

/* A root like the image's, and below it structures of its own for a page of `level`'s size. */
struct context make_context(unsigned pcid, enum level level, uint64_t flags, uint32_t tag);

/* A root of its own under which the PML4E leads to the structures of `other`. */
struct context share_context(unsigned pcid, const struct context *other);

/* MOV to CR3; `no_flush` is 0 or CR3_NO_FLUSH. */
void enter_context(const struct context *context, uint64_t no_flush);

/* One store makes the entry of `level` lead to new structures and a frame with this tag. Not for
 * 1-GByte pages: small machines have memory for one only. */
void move_context(struct context *context, enum level level, uint32_t tag);

/* In the context: reads and fetches of user and supervisor mode must find its tag. */
#define expect_context(context)		judge_context(__FILE__, __LINE__, context, (context)->tag)

/* The same where a translation may be stale: each access finds its tag or the old one. Returns how
 * many found the old one. */
#define expect_context_or(context, old) judge_context(__FILE__, __LINE__, context, old)

unsigned judge_context(const char *file, int line, const struct context *context, uint32_t old);

#endif
