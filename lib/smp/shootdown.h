/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every way to make a processor forget a translation, there and by request of another (SDM Vol. 3,
 * "Operations that Invalidate TLBs and Paging-Structure Caches", "Propagation of Paging-Structure
 * Changes to Multiple Processors").
 */
#ifndef SMP_SHOOTDOWN_H
#define SMP_SHOOTDOWN_H

#include <stdbool.h>

#include "mem/address.h"

enum shootdown {
	SHOOTDOWN_INVLPG,
	SHOOTDOWN_MOV_CR3,	   /* not for global translations */
	SHOOTDOWN_PGE,		   /* CR4.PGE changed and changed back */
	SHOOTDOWN_INVPCID_ADDRESS, /* of PCID 0; not for global translations */
	SHOOTDOWN_INVPCID_CONTEXT, /* of PCID 0; not for global translations */
	SHOOTDOWN_INVPCID_ALL,	   /* with global translations */
	SHOOTDOWN_INVPCID_ALL_BUT_GLOBAL,
	SHOOTDOWNS
};

extern const char *const shootdown_names[SHOOTDOWNS];

/* Whether this processor has the instruction; whether it drops global translations. */
bool shootdown_is_offered(enum shootdown how);
bool shootdown_is_for_global(enum shootdown how);

/* On the processor that calls. */
void forget_translation(enum shootdown how, linear_t linear);

/* By interrupt on one processor, and on all others but 0; back when all have answered. */
void shoot_down(unsigned self, unsigned processor, enum shootdown how, linear_t linear);
void shoot_down_others(unsigned self, enum shootdown how, linear_t linear);

/* The same without an interrupt: the other processor comes by take_request(). */
void shoot_down_by_request(unsigned self, unsigned processor, enum shootdown how, linear_t linear);

#endif
