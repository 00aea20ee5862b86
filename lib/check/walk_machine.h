/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the check room: what this machine, in its present mode, offers of the axes of walks.
 */
#ifndef CHECK_WALK_MACHINE_H
#define CHECK_WALK_MACHINE_H

#include "check/walk_axes.h"

/* For pages of `level`'s size; with the bits that serve as reserved. */
struct walk_offer walk_offer_now(enum level level);

bool walk_controls_are_offered(unsigned controls);
void set_walk_controls(unsigned controls);

#endif
