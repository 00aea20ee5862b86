/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A second opinion on what may be cached: a processor with 4-level paging whose TLB and
 * paging-structure caches forget nothing that they need not, and which walks for every address at
 * every moment. Whatever a real one may do, this one can do too, and it lists all of it. Written
 * from the manual alone, sharing nothing with lib/model and lib/paging.
 */
#ifndef HOSTTEST_NAIVE_TIME_H
#define HOSTTEST_NAIVE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define NAIVE_MOST	512
#define NAIVE_ADDRESSES 4

/* Either a translation of 4 KBytes or a reference to the table of a level below 4. */
struct naive_cached {
	bool translation;
	int level; /* of the entry: 1 to 4 */
	uint64_t linear, target;
	bool w, u, nx, g, d;
	unsigned pcid;
};

struct naive_time {
	uint64_t *(*entry_at)(uint64_t address);
	unsigned maxphyaddr;
	bool pages_1g, wp, smep, smap, nxe, pge, pcide;
	uint64_t root;
	unsigned pcid;
	uint64_t root_of[4096]; /* 0: never loaded */
	uint64_t address[NAIVE_ADDRESSES];
	unsigned addresses, count;
	bool full;
	struct naive_cached cached[NAIVE_MOST];
};

struct naive_use {
	uint64_t linear;
	bool write, fetch, user, ac;
};

/* One thing that may happen. */
struct naive_option {
	bool fault;
	uint64_t code, physical;
	uint64_t a[4], d; /* addresses of entries whose flags are set; 0 for none */
};

/* Caches all that can be cached; to be called whenever something has happened. */
void naive_speculate(struct naive_time *t);

/* Whether an entry that references a table has a reserved bit set. */
bool naive_reserved(const struct naive_time *t, uint64_t entry, int level);

unsigned naive_options(const struct naive_time *t, const struct naive_use *use,
		       struct naive_option *options, unsigned most);
/* Makes the option happen; where it faults, what a fault drops is naive_page_fault()'s. */
void naive_take(struct naive_time *t, const struct naive_option *option);

void naive_page_fault(struct naive_time *t, uint64_t linear);
void naive_invlpg(struct naive_time *t, uint64_t linear);
void naive_invpcid(struct naive_time *t, unsigned type, unsigned pcid, uint64_t linear);
void naive_load_cr3(struct naive_time *t, uint64_t value);
void naive_set_pge(struct naive_time *t, bool value);
void naive_set_pcide(struct naive_time *t, bool value);
void naive_set_smep(struct naive_time *t, bool value);
void naive_paging_off_and_on(struct naive_time *t);

#endif
