/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/walk_axes.h"

#include "paging/entry.h"

#define CONTROL_AXES	 4
#define SMALL_WALK	 100000 /* combinations: a fraction of a second */
#define MOST_FULL_LEVELS 4	/* with more, flags are tried none, all, and each alone */

static const char *const entry_kinds[] = {"P RW US",	    "P US",
					  "P RW",	    "P",
					  "P RW US XD",	    "P US XD",
					  "P RW XD",	    "P XD",
					  "with all but P", "P RW US and a reserved bit"};

static const char *const accesses[] = {
	"user read",
	"user write",
	"user fetch",
	"supervisor read",
	"supervisor write",
	"supervisor fetch",
	"supervisor read with AC",
	"supervisor write with AC",
	"supervisor fetch with AC",
	"user read of a byte",
	"user write of a byte",
	"user read-modify-write",
	"user read-modify-write of a byte",
	"supervisor read of a byte",
	"supervisor write of a byte",
	"supervisor read-modify-write",
	"supervisor read-modify-write of a byte",
	"supervisor read of a byte with AC",
	"supervisor write of a byte with AC",
	"supervisor read-modify-write with AC",
	"supervisor read-modify-write of a byte with AC",
};

_Static_assert(sizeof(accesses) / sizeof(accesses[0]) == WALK_ACCESSES, "all have a name");
_Static_assert(sizeof(entry_kinds) / sizeof(entry_kinds[0]) == ENTRY_KINDS, "all have a name");

static bool is_full(const struct walk_axes *walk)
{
	return walk->levels <= MOST_FULL_LEVELS;
}

static unsigned sets_of_flags(const struct walk_axes *walk)
{
	return is_full(walk) ? 2u << walk->levels : 3 + walk->levels;
}

static void add_entries(struct walk_axes *walk)
{
	bool execute_disable = walk->format->entry_bytes == 8;

	for (int level = walk->format->top; level >= (int)walk->level; level--) {
		struct axis axis = {walk->format->level[level].entry_name, walk->kinds, 0,
				    entry_kinds};

		if (!execute_disable)
			axis.missing |= 0xf0; /* the kinds with XD */
		if (!walk->reserved[level] && walk->kinds > ENTRY_WITH_RESERVED_BIT)
			axis.missing |= 1u << ENTRY_WITH_RESERVED_BIT;
		add_axis(&walk->axes, axis);
		walk->states *= walk->kinds;
	}
}

struct walk_axes declare_walk_axes(const struct paging_format *format, enum level level,
				   const struct walk_offer *offer, enum walk_axes_of what)
{
	bool all = what == ALL_WALK_AXES;
	struct walk_axes walk = {
		.format = format,
		.level = level,
		.levels = format->top - level + 1,
		.kinds = all ? ENTRY_KINDS : ENTRY_RIGHTS,
		.accesses = all ? WALK_ACCESSES : MAIN_WALK_ACCESSES,
		.states = 1,
	};

	for (int at = level; at <= (int)format->top; at++)
		walk.reserved[at] = offer->reserved[at];
	walk.flags = all ? sets_of_flags(&walk) : 1;
	add_axis(&walk.axes, (struct axis){"WP", 2, 0, 0});
	add_axis(&walk.axes, (struct axis){"SMEP", 2, offer->smep ? 0 : 2, 0});
	add_axis(&walk.axes, (struct axis){"SMAP", 2, offer->smap ? 0 : 2, 0});
	add_axis(&walk.axes, (struct axis){"NXE", 2, offer->nxe ? 0 : 2, 0});
	add_entries(&walk);
	add_axis(&walk.axes, (struct axis){"flags", walk.flags, 0, 0});
	add_axis(&walk.axes, (struct axis){"access", walk.accesses, 0, accesses});
	return walk;
}

bool is_small_walk(const struct walk_axes *walk)
{
	return offered_combinations(&walk->axes) <= SMALL_WALK;
}

/* How the visit gets from the top entry to the last. */
struct visit {
	const struct walk_axes *walk;
	bool all;
	unsigned most; /* entries that may differ from ones that allow everything */
	visit_state_fn *visit;
	void *context;
	struct walk_state state;
};

static void visit_level(struct visit *visit, unsigned depth, unsigned from_user,
			unsigned from_supervisor)
{
	const struct walk_axes *walk = visit->walk;
	enum level level = walk->format->top - depth;
	uint32_t number = visit->state.number * walk->kinds;

	for (unsigned kind = 0; kind < walk->kinds; kind++) {
		unsigned user = from_user + (kind != ENTRY_ALLOWS);
		unsigned supervisor = from_supervisor + (kind != ENTRY_OF_SUPERVISOR);

		if (walk->axes.axis[CONTROL_AXES + depth].missing >> kind & 1)
			continue;
		if (!visit->all && user > visit->most && supervisor > visit->most - 1)
			continue;
		visit->state.kind[level] = (unsigned char)kind;
		visit->state.number = number + kind;
		if (level == walk->level)
			visit->visit(visit->context, &visit->state);
		else
			visit_level(visit, depth + 1, user, supervisor);
	}
}

void visit_walk_states(const struct walk_axes *walk, bool all, visit_state_fn *visit, void *context)
{
	unsigned most = walk->kinds == ENTRY_RIGHTS ? 3 : 2;
	struct visit begin = {walk, all, most, visit, context, {0}};

	visit_level(&begin, 0, 0, 0);
}

/* Spreads what is tried once for a state evenly over what there is. */
static uint32_t scattered(uint32_t number, uint32_t below)
{
	number *= 0x9e3779b1u;
	number ^= number >> 15;
	number *= 0x85ebca77u;
	return (number >> 13) % below;
}

int nth_walk_flags(const struct walk_axes *walk, bool all, unsigned controls, uint32_t state,
		   unsigned n)
{
	if (all || walk->flags == 1)
		return n < walk->flags ? (int)n : -1;
	if (n == 1)
		return 1 + (int)scattered(state * WALK_CONTROLS + controls, walk->flags - 1);
	return n ? -1 : 0;
}

int nth_walk_access(const struct walk_axes *walk, bool all, unsigned controls, uint32_t state,
		    unsigned flags, unsigned n)
{
	if (n < (all ? walk->accesses : MAIN_WALK_ACCESSES))
		return (int)n;
	if (n > MAIN_WALK_ACCESSES || all || walk->accesses == MAIN_WALK_ACCESSES)
		return -1;
	return MAIN_WALK_ACCESSES + (int)scattered((state * WALK_CONTROLS + controls) * 67 + flags,
						   WALK_ACCESSES - MAIN_WALK_ACCESSES);
}

uint64_t walk_number(const struct walk_axes *walk, const struct walk_combination *combination)
{
	uint64_t number = combination->controls * walk->states + combination->state.number;

	return (number * walk->flags + combination->flags) * walk->accesses + combination->access;
}

struct walk_combination walk_combination(const struct walk_axes *walk, uint64_t number)
{
	struct walk_combination combination;
	uint32_t rest;

	combination.access = (unsigned)(number % walk->accesses);
	number /= walk->accesses;
	combination.flags = (unsigned)(number % walk->flags);
	number /= walk->flags;
	combination.state.number = rest = (uint32_t)(number % walk->states);
	combination.controls = (unsigned)(number / walk->states);
	for (int level = walk->level; level <= (int)walk->format->top; level++) {
		combination.state.kind[level] = (unsigned char)(rest % walk->kinds);
		rest /= walk->kinds;
	}
	return combination;
}

/* Bit 0 is D of the last entry, bit n A of the nth from there. With too many levels: nothing, all,
 * or one of these alone. */
static uint64_t flags_before(const struct walk_axes *walk, enum level level, unsigned flags)
{
	if (!is_full(walk) && flags)
		flags = flags == 1 ? ~0u : 1u << (flags - 2);
	return (flags >> (level - walk->level + 1) & 1 ? A : 0) |
	       (level == walk->level && (flags & 1) ? D : 0);
}

/* Whether A of a PDPTE that maps a page and has a reserved bit stays clear is a matter of
 * reserved_bits, in a case of its own. */
uint64_t walk_entry_bits(const struct walk_axes *walk, enum level level, unsigned kind,
			 unsigned flags)
{
	uint64_t bits = flags_before(walk, level, flags) | (flags ? IGNORED_9_11 : 0);

	if (level == walk->level && level > PT)
		bits |= PS;
	if (kind == ENTRY_NOT_PRESENT)
		return bits | RW | US | walk->reserved[level] |
		       (walk->format->entry_bytes == 8 ? XD : 0);
	if (kind == ENTRY_WITH_RESERVED_BIT)
		return bits | P | RW | US | walk->reserved[level] |
		       (level == PDPT && walk->level == PDPT ? A : 0);
	return bits | P | (kind & 1 ? 0 : RW) | (kind & 2 ? 0 : US) | (kind & 4 ? XD : 0);
}

unsigned walk_class(const struct walk *walk)
{
	uint64_t all = ~0ull, any = 0;

	for (unsigned i = 0; i < walk->count; i++) {
		all &= walk->step[i].entry;
		any |= walk->step[i].entry;
	}
	return (unsigned)walk->end << 6 | walk->count << 3 | (all & RW ? 4 : 0) |
	       (all & US ? 2 : 0) | (any & XD ? 1 : 0);
}
