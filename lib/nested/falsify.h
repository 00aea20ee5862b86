/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What L2 sees of a hypervisor with a bug (cpu/sabotage.h, the family `nested`).
 */
#ifndef NESTED_FALSIFY_H
#define NESTED_FALSIFY_H

#include "nested/nested.h"

/* After an access of L2. */
void falsify_l2_outcome(const struct l2 *l2, const struct access *access,
			struct l2_outcome *outcome);

/* For a new L2. */
void forget_l2_outcomes(void);

#endif
