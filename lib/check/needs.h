/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a case needs of the machine, word by word: features of CPUID by their names in
 * cpu/features.def, and a few words on the machine itself.
 */
#ifndef CHECK_NEEDS_H
#define CHECK_NEEDS_H

#include <stdbool.h>

#include "libc/text.h"

/* True when everything in `needs` is there; otherwise the first missing word is left in *missing
 * and why in *reason. */
bool needs_are_met(const char *needs, struct text *missing, struct text *reason);

#endif
