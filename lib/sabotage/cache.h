/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the sabotage room: a TLB and paging-structure caches that keep what they may, or longer
 * (SDM Vol. 3, "Caching Translation Information").
 */
#ifndef SABOTAGE_CACHE_H
#define SABOTAGE_CACHE_H

#include "cpu/sabotage.h"
#include "paging/store.h"
#include "sabotage/translate.h"

/* Whether anything that was chosen needs caches. */
bool caches_are_used(void);

/* What is cached for a page; NULL. */
const struct translation *cached_translation(uint64_t linear);

/* The linear address of a page for which something is cached, from the `*at`th place on, which
 * moves on; false behind the last. */
bool cached_page(unsigned *at, uint64_t *linear);

/* The lowest cached upper entry for an address: where to go on. */
struct cached_entry {
	bool valid;
	enum level level; /* of the entry */
	uint64_t linear, pcid;
	uint64_t table;	 /* that it leads to */
	uint64_t rights; /* of it and all above */
};
const struct cached_entry *cached_upper_entry(uint64_t linear);

void remember_translation(uint64_t linear, const struct translation *translation);
void remember_upper_entry(uint64_t linear, enum level level, uint64_t table, uint64_t rights);

/* Any translation that is global, or not asked to be; by an entry of this level or above. */
bool caches_hold(bool global, enum level least);

/* Which entries an operation drops. */
struct dropping {
	bool by_linear, by_pcid, keeps_globals;
	bool one_4_kbyte; /* of a large page */
	uint64_t linear, pcid;
};

void drop_translations(struct dropping drop);

/* `linear`: only those that translate this address; NULL. */
void drop_upper_entries(bool by_pcid, uint64_t pcid, const uint64_t *linear);

/* 0 while CR4.PCIDE = 0. */
uint64_t current_pcid(void);

/* What was cached under any PCID is PCID 0's. */
void take_into_pcid_0(void);

/* Translations by way of this entry stay, whatever is dropped; `once`: when it is dropped first. */
void stick_translations(uint64_t entry, bool once);
void caches_reset(void);

/* After a page fault at this address. */
void forget_after_fault(uint64_t linear);
void forget_everything(void);

/* Rights kept for tables; translate_wrongly.c */
void forget_roles(void);

/* What control registers were before a change that is seen late; see events.c. */
struct late {
	struct {
		bool wp, smep, smap, pkru;
	} any, large; /* the old value still counts, for every page or for large ones */
	unsigned nxe; /* for so many times MOV to CR3 */
	uint64_t cr0, cr4;
	uint32_t old_pkru;
};
extern struct late late;

/* An entry was stored, by whichever processor. */
void store_event(uint64_t alias, enum store method, bool by_other);

/* The hook of cpu/sabotage.h. */
void cache_event(enum processor_event event, uint64_t operand, const uint64_t *descriptor);

#endif
