/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The processor with a bug (cpu/sabotage.h).
 */
#ifndef SABOTAGE_PROCESSOR_H
#define SABOTAGE_PROCESSOR_H

#include "access/access.h"

/* The error code of a #PF of a guest of this guest. */
void falsify_fault_of_guest(const struct access *access, struct outcome *outcome);

/* From here on every attempt goes through it, and it hears of every event. */
void sabotage_start(void);

#endif
