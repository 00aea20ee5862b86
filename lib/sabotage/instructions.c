/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Attempts of instructions that make no access of their own, or none that is followed here.
 */
#include "cpu/control.h"
#include "sabotage/cache.h"
#include "sabotage/lend.h"
#include "sabotage/operation.h"
#include "sabotage/pdptes.h"

/* What the guest itself did by an instruction that it attempted. */
static void tell_event(const struct access *access)
{
	uint64_t value = access->value[0];

	switch (access->instruction) {
	case INSTRUCTION_invlpg:
		cache_event(EVENT_INVLPG, access->linear.value, NULL);
		break;
	case INSTRUCTION_mov_to_cr0:
		cache_event(EVENT_cr0, value, NULL);
		break;
	case INSTRUCTION_mov_to_cr3:
		cache_event(EVENT_cr3, value, NULL);
		break;
	case INSTRUCTION_mov_to_cr4:
		cache_event(EVENT_cr4, value, NULL);
		break;
	case INSTRUCTION_invpcid:
		cache_event(EVENT_INVPCID, value, identity(GPA(access->linear.value)));
		break;
	default:
		break;
	}
}

/* With the bits that no level of the paging structures translates like the highest that is. */
static linear_t made_canonical(linear_t linear)
{
	unsigned unused = 64u - current_format()->linear_bits;

	return LINEAR((uint64_t)((int64_t)(linear.value << unused) >> unused));
}

static bool is_not_canonical(const struct access *access)
{
	return is_access_to_data(access->instruction) && read_cr0() & CR0_PG &&
	       !is_canonical(current_format(), access->linear.value);
}

/* Code that an IRET leads to uses what is cached of the pages that this case used. */
static struct outcome attempt_under_caches(const struct access *access)
{
	struct translation right;
	const struct translation *cached;
	struct outcome outcome;
	uint64_t linear;

	lend_begin();
	for (unsigned i = 0, lent = 0; lent < MOST_PAGES && cached_page(&i, &linear);) {
		cached = cached_translation(linear);
		translate_rightly(&right, linear);
		if (cached && translations_differ(cached, &right)) {
			lend_page(linear, cached);
			lent++;
		}
	}
	lend_enter();
	outcome = attempt_rightly(*access);
	lend_leave();
	return outcome;
}

static void falsify_prefetch(const struct access *access, struct outcome *outcome)
{
	bool canonical = is_canonical(current_format(), access->linear.value);
	struct translation right = {.found = FOUND_ABSENT};

	if (canonical)
		translate_rightly(&right, access->linear.value);
	if (outcome->vector == NO_VECTOR && right.found != FOUND_PAGE &&
	    sabotaged(SABOTAGE_prefetch_faults))
		outcome->vector = canonical ? VECTOR_PF : VECTOR_GP;
}

struct outcome attempt_other(const struct access *access)
{
	struct operation none = {.access = *access};
	struct access made = *access;
	struct outcome outcome;

	if (is_not_canonical(access) && sabotaged(SABOTAGE_non_canonical_bits_dropped))
		made.linear = made_canonical(made.linear);
	if (access->instruction == INSTRUCTION_iret_32bit && caches_are_used())
		outcome = attempt_under_caches(access);
	else
		outcome = attempt_rightly(made);
	if (outcome.vector == VECTOR_UD && sabotaged(SABOTAGE_undefined_instructions_complete))
		outcome.vector = NO_VECTOR;
	if (access->instruction == INSTRUCTION_prefetch)
		falsify_prefetch(access, &outcome);
	if (outcome.vector == VECTOR_GP)
		pdptes_after_refusal(access, &outcome);
	/* Those that the processor makes itself are supervisor accesses. */
	none.access.user = access->user && is_access_to_data(access->instruction);
	if (outcome.vector == NO_VECTOR)
		tell_event(access);
	else
		falsify(&none, &outcome);
	return outcome;
}
