/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How much to try where every event of paging is dear. A shadow pager leaves the guest for each
 * INVLPG and for each first touch of a page; where its own processor is an emulated one, that takes
 * a hundred times longer than it should, and a case's minutes have to become seconds. So it
 * is under a bug that is played (cpu/sabotage.h), which takes many launches. Everywhere else
 * nothing is left out, and nothing ever where all combinations are asked for.
 */
#ifndef CHECK_EFFORT_H
#define CHECK_EFFORT_H

/* One of how many things a case shall try: a power of two up to MOST_EFFORT_SHARES, and 1 on all
 * hypervisors where an edit, INVLPG and the access behind it take less than 15 us together.
 * Measured at the first call, which must come with CR4.SMAP = 0; a note tells the reader where it
 * is not 1, in each case that asks. */
#define MOST_EFFORT_SHARES 16
unsigned effort_shares(void);

/* The same for a case that also makes events of another kind, which may be dearer: some of them are
 * made to see. A note names them by `what`, a plural. */
unsigned effort_shares_with(void (*event)(void), const char *what);

/* A case's number of rounds by that, not less than `least`. */
unsigned effort_scaled(unsigned rounds, unsigned least);

#endif
