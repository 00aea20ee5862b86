/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The axes of a walk, the same for every paging mode: control bits, what stands in each entry,
 * which accessed and dirty flags are set before, which access is made. And which combinations are
 * tried by default. Pure, also built for the host, which shows there that the default covers every
 * pair of values (lib/hosttest/axes_test.c).
 *
 * By default the control bits and the nine main accesses are combined with everything, and of the
 * entries at most two differ from one that allows everything, or at most one from a supervisor-mode
 * page's (three and two, where rights alone vary): whatever so many entries, the control bits and
 * the access do together is tried, and no other entry's refusal hides it.
 */
#ifndef CHECK_WALK_AXES_H
#define CHECK_WALK_AXES_H

#include "check/axes.h"
#include "paging/walk.h"

/* What stands in an entry: R/W is missing where 1 is set, U/S where 2, XD is set where 4. */
enum entry_kind {
	ENTRY_ALLOWS = 0,	 /* P RW US */
	ENTRY_OF_SUPERVISOR = 2, /* P RW */
	ENTRY_RIGHTS = 8,	 /* the kinds below it are present and sound */
	ENTRY_NOT_PRESENT = 8,	 /* P = 0, but everything else set, the reserved bit too */
	ENTRY_WITH_RESERVED_BIT = 9,
	ENTRY_KINDS
};

/* The control bits as one number. */
enum {
	WALK_NXE = 1,
	WALK_SMAP = 2,
	WALK_SMEP = 4,
	WALK_WP = 8,
	WALK_CONTROLS = 16,
};

#define MAIN_WALK_ACCESSES                                                                   \
	9		 /* read, write, fetch of a whole word, in the order of nth_access() \
			  */
#define WALK_ACCESSES 21 /* and reads, writes of a byte, read-modify-writes of both sizes */

enum walk_axes_of { ALL_WALK_AXES, RIGHTS_ALONE };

struct walk_axes {
	const struct paging_format *format;
	enum level level; /* of the entry that maps the page */
	unsigned levels, kinds, flags, accesses;
	uint64_t states;		    /* combinations of all entries */
	uint64_t reserved[MOST_LEVELS + 1]; /* by level: the bit that is used as reserved, or 0 */
	struct axes axes;
};

/* What this machine does not offer; the reserved bits are to be chosen by the caller. */
struct walk_offer {
	bool smep, smap, nxe;
	uint64_t reserved[MOST_LEVELS + 1];
};

struct walk_axes declare_walk_axes(const struct paging_format *format, enum level level,
				   const struct walk_offer *offer, enum walk_axes_of what);

/* One combination of entries. */
struct walk_state {
	uint32_t number;
	unsigned char kind[MOST_LEVELS + 1]; /* by level */
};

/* Whether so little varies that all of it is tried by default, too. */
bool is_small_walk(const struct walk_axes *walk);

/* Visits the states of the default, or all of them, in the order of their numbers. */
typedef void visit_state_fn(void *context, const struct walk_state *state);
void visit_walk_states(const struct walk_axes *walk, bool all, visit_state_fn *visit,
		       void *context);

/* The nth set of flags, and the nth access, that are tried with these controls and this state; -1
 * behind the last. */
int nth_walk_flags(const struct walk_axes *walk, bool all, unsigned controls, uint32_t state,
		   unsigned n);
int nth_walk_access(const struct walk_axes *walk, bool all, unsigned controls, uint32_t state,
		    unsigned flags, unsigned n);

/* The number of a combination, and back. */
struct walk_combination {
	unsigned controls, flags, access;
	struct walk_state state;
};
uint64_t walk_number(const struct walk_axes *walk, const struct walk_combination *combination);
struct walk_combination walk_combination(const struct walk_axes *walk, uint64_t number);

/* The bits of an entry, its address aside: its kind's, A and D of this set of flags, and with any
 * of these the ignored bits 11:9, which must stay as they are. */
uint64_t walk_entry_bits(const struct walk_axes *walk, enum level level, unsigned kind,
			 unsigned flags);

/* Walks of one class differ in nothing that the model's answer depends on, as long as neither
 * protection keys nor structures that refer to themselves come in: how the walk ends, how many
 * entries it used, and what their rights combine to. */
#define WALK_CLASSES 256
unsigned walk_class(const struct walk *walk);

#endif
