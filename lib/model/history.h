/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The oracle's time: which translations an access may still use after entries were edited, some of
 * them were invalidated, and others not.
 *
 * A processor may walk whenever it likes, for addresses that no instruction uses, and may keep what
 * it finds until something drops it, or for no longer than a moment (SDM Vol. 3, "Caching
 * Translation Information"; APM Vol. 2, "TLB Management"). So this keeps *everything* that can be
 * cached by now: for each page that the caller asks about the translations ("Translation Lookaside
 * Buffers (TLBs)") and what upper-level entries said ("Paging-Structure Caches"), both since the
 * last event that drops them. An access may use any cached translation, or walk from any cached
 * upper level, or from CR3, through entries as they are in memory.
 *
 * Pure: entries are read through a function, nothing is allocated. Before each event memory is
 * looked at once more: an entry whose accessed flag is 0 has not been cached ("Accessed and Dirty
 * Flags"), and neither has one that is not present or has a reserved bit set.
 *
 * Each event's function is called *before* the processor is made to do it, history_edit() before
 * the store.
 */
#ifndef MODEL_HISTORY_H
#define MODEL_HISTORY_H

#include "model/model.h"

#define HISTORY_MOST_PAGES    16
#define HISTORY_MOST_CACHED   128
#define HISTORY_MOST_ROOTS    8
#define HISTORY_MOST_OUTCOMES 48
#define HISTORY_MOST_ENTRIES  64

/* What decides on invalidation and is not in struct model_processor. */
struct history_controls {
	bool paging;			 /* CR0.PG */
	bool pse, pae, pge, la57, pcide; /* CR4 */
};

/* Of 4 KBytes: a large page may be cached in pieces ("Details of TLB Use"). */
struct history_translation {
	uint64_t linear, physical;
	uint64_t entry;	  /* the rights of all entries on the way, with the last one's key */
	enum level level; /* of the entry that maps the page */
	unsigned pcid;
	bool global;
	bool dirty; /* cached when D was 1: a write needs no other walk */
};

/* An entry that references a structure, and all those above it. */
struct history_prefix {
	uint64_t linear; /* one of the addresses that it serves */
	uint64_t table;	 /* the structure's address */
	uint64_t entry;	 /* the rights of all entries on the way */
	enum level level;
	unsigned pcid;
};

struct history_root {
	unsigned pcid;
	uint64_t root;
};

struct history {
	struct model_processor processor;
	struct history_controls controls;
	read_entry_fn *read_entry;
	const void *memory;
	unsigned pcid;
	unsigned pages, translations, prefixes, roots, next_root;
	uint64_t page[HISTORY_MOST_PAGES];
	struct history_translation translation[HISTORY_MOST_CACHED];
	struct history_prefix prefix[HISTORY_MOST_CACHED];
	struct history_root root[HISTORY_MOST_ROOTS]; /* the last one of each PCID */
	/* Why anything is permitted until everything is dropped; NULL as a rule. */
	const char *unknown;
};

/* Begins with nothing cached: everything has just been dropped. The current PCID is 0. */
void history_start(struct history *history, const struct model_processor *processor,
		   struct history_controls controls, read_entry_fn *read_entry, const void *memory);

/* Announces the page of an address; before the first event, since what the processor may have
 * cached earlier is not known. */
void history_watch(struct history *history, uint64_t linear);

/* A store to any paging structure follows; its effect is one store's, not that of parts. */
void history_edit(struct history *history);

/* "Operations that Invalidate TLBs and Paging-Structure Caches", each by its operands. An INVPCID
 * that raises #GP(0) is none. A value for CR3 is that of MOV, with PCID and bit 63. */
void history_invlpg(struct history *history, uint64_t linear);
void history_invpcid(struct history *history, unsigned type, unsigned pcid, uint64_t linear);
void history_mov_to_cr3(struct history *history, uint64_t value);

/* CR0, CR4, EFER, PKRU or IA32_PKRS are about to change to these, the root stays. */
void history_control(struct history *history, const struct model_processor *processor,
		     struct history_controls controls);

/* An access to this address has just raised #PF. */
void history_page_fault(struct history *history, uint64_t linear);

/* An entry that some permitted outcome reads or changes. */
struct history_entry {
	uint64_t address, value; /* before the access */
	enum level level;
	uint64_t may; /* flags that may be set by now, whatever the outcome is */
};

struct history_outcome {
	unsigned vector;
	uint64_t error_code, open_code;
	uint64_t physical;	 /* MODEL_COMPLETES: what is accessed */
	uint64_t must_a, must_d; /* bit n: the flag of entry[n] is set afterwards */
	const char *way;	 /* how it comes about: "memory", "a cached PDE", ... */
	const char *why;
};

struct history_answer {
	bool anything; /* no verdict is possible: too much happened, or history->unknown */
	unsigned count, entries;
	struct walk walk;				       /* of memory as it is */
	struct history_outcome outcome[HISTORY_MOST_OUTCOMES]; /* the first is memory's */
	struct history_entry entry[HISTORY_MOST_ENTRIES];
};

/* What the access may do now; it lies within one 4-KByte page that is watched. */
void history_permitted(const struct history *history, const struct model_access *access,
		       struct history_answer *answer);

struct history_observation {
	unsigned vector;
	uint64_t error_code, cr2;
	uint64_t reached; /* bit n: the data is as it is after outcome[n] */
	uint64_t entry_after[HISTORY_MOST_ENTRIES];
};

struct history_verdict {
	enum model_mismatch mismatch;
	unsigned outcome; /* the one that fits, or fits best */
	unsigned entry;	  /* of a wrong flag or entry */
	bool stale;	  /* permitted, but not as memory is now: something was cached */
};

struct history_verdict history_judge(const struct history_answer *answer,
				     const struct model_access *access,
				     const struct history_observation *seen,
				     uint64_t error_code_mask);

#endif
