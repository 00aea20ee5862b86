/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What becomes of an access of L2 under a hypervisor with a bug: that of a translation which should
 * be gone, or is another guest's. No cache is played for it; what an access came to once is what
 * the same access comes to for ever.
 */
#include "nested/falsify.h"

#include "cpu/sabotage.h"

#define MOST_KEPT 64

static struct kept {
	uint64_t linear, cr3, second;
	enum instruction instruction;
	bool user;
	struct l2_outcome outcome;
} kept[MOST_KEPT];

static unsigned count;

void forget_l2_outcomes(void)
{
	count = 0;
}

static bool is_of(const struct kept *old, const struct kept *now, bool any_context)
{
	return old->linear == now->linear && old->instruction == now->instruction &&
	       old->user == now->user &&
	       (any_context || (old->cr3 == now->cr3 && old->second == now->second));
}

static bool is_kept(const struct kept *now, bool any_context, struct l2_outcome *outcome)
{
	for (unsigned i = 0; i < count; i++) {
		if (!is_of(&kept[i], now, any_context))
			continue;
		*outcome = kept[i].outcome;
		return true;
	}
	return false;
}

static void falsify_translation(const struct kept *now, struct l2_outcome *outcome)
{
	struct l2_outcome old;
	bool same = is_kept(now, false, &old);

	if (same && sabotaged(SABOTAGE_translations_of_l2_stay))
		*outcome = old;
	else if (!same && is_kept(now, true, &old) && sabotaged(SABOTAGE_contexts_of_l2_are_one))
		*outcome = old;
	else if (!same && count < MOST_KEPT)
		kept[count++] = *now;
}

static void change_flags(void *context, volatile uint64_t *entry, bool maps_page)
{
	const struct second_level_kind *kind = context;

	if (!(*entry & kind->rights_mask))
		return;
	if (sabotaged(SABOTAGE_second_level_accessed_lost))
		*entry &= ~kind->accessed;
	if (maps_page && sabotaged(SABOTAGE_second_level_dirty_lost))
		*entry &= ~kind->dirty;
	if (sabotaged(SABOTAGE_second_level_flags_early))
		*entry |= kind->accessed | (maps_page ? kind->dirty : 0);
}

void falsify_l2_outcome(const struct l2 *l2, const struct access *access,
			struct l2_outcome *outcome)
{
	const struct kept now = {access->linear.value, l2->cr3,	     l2->second.model.root,
				 access->instruction,  access->user, *outcome};
	bool flags = sabotaged(SABOTAGE_second_level_accessed_lost);

	flags |= sabotaged(SABOTAGE_second_level_dirty_lost);
	flags |= sabotaged(SABOTAGE_second_level_flags_early);
	if (flags && !l2->options.shadow)
		second_visit(&l2->second, change_flags, (void *)(uintptr_t)l2->second.kind);
	falsify_translation(&now, outcome);
}
