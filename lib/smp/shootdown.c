/* SPDX-License-Identifier: BSD-2-Clause */
#include "smp/shootdown.h"

#include "cpu/control.h"
#include "cpu/features.h"
#include "cpu/sabotage.h"
#include "paging/edit.h"
#include "paging/entry.h"
#include "paging/space.h"
#include "smp/requests.h"

#define LOST 2 /* each so manieth request is, where that is played */

struct target {
	enum shootdown how;
	linear_t linear;
};

/* INVPCID's type, for the ways from SHOOTDOWN_INVPCID_ADDRESS on in their order. */
const char *const shootdown_names[SHOOTDOWNS] = {
	"INVLPG",	  "MOV to CR3",	    "CR4.PGE changed twice", "INVPCID type 0",
	"INVPCID type 1", "INVPCID type 2", "INVPCID type 3",
};

bool shootdown_is_offered(enum shootdown how)
{
	return how < SHOOTDOWN_INVPCID_ADDRESS || has(FEATURE_invpcid);
}

bool shootdown_is_for_global(enum shootdown how)
{
	return how == SHOOTDOWN_INVLPG || how == SHOOTDOWN_PGE || how == SHOOTDOWN_INVPCID_ALL;
}

static void invpcid(uint64_t type, linear_t linear)
{
	uint64_t descriptor[2] = {0, linear.value};

	__asm__ volatile("invpcid %0, %1" : : "m"(descriptor), "r"(type) : "memory");
	processor_event(EVENT_INVPCID, type, descriptor);
}

void forget_translation(enum shootdown how, linear_t linear)
{
	switch (how) {
	case SHOOTDOWN_INVLPG:
		invalidate(linear, INVLPG);
		break;
	case SHOOTDOWN_MOV_CR3:
		invalidate(linear, MOV_CR3);
		break;
	case SHOOTDOWN_PGE:
		invalidate(linear, CR4_PGE_TWICE);
		break;
	default:
		invpcid(how - SHOOTDOWN_INVPCID_ADDRESS, linear);
		break;
	}
}

static void forget_here(void *argument)
{
	const struct target *target = argument;
	static unsigned requests;
	struct walk walk;

	if (sabotaged(SABOTAGE_flags_stored_by_remote_invalidation)) {
		walk_now(&walk, target->linear);
		*(volatile uint64_t *)identity(GPA(walk.step[walk.count - 1].address)) |= A;
	}

	if (__atomic_fetch_add(&requests, 1, __ATOMIC_RELAXED) % LOST == LOST - 1 &&
	    sabotaged(SABOTAGE_remote_invalidation_lost))
		return;
	forget_translation(target->how, target->linear);
}

void shoot_down(unsigned self, unsigned processor, enum shootdown how, linear_t linear)
{
	struct target target = {how, linear};

	interrupt_processor(self, processor, forget_here, &target);
}

void shoot_down_others(unsigned self, enum shootdown how, linear_t linear)
{
	struct target target = {how, linear};

	interrupt_others(self, forget_here, &target);
}

void shoot_down_by_request(unsigned self, unsigned processor, enum shootdown how, linear_t linear)
{
	struct target target = {how, linear};

	ask_processor(self, processor, forget_here, &target);
}
