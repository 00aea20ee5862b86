/* SPDX-License-Identifier: BSD-2-Clause
 *
 * All walks of a paging mode: every combination of the axes of check/walk_axes.h, or those of them
 * that are tried by default, each judged by the model. The mode is the one that is on. A failure
 * names the combination's number; case=NAME#NUMBER tries that one alone. Where each costs much
 * (check/effort.h), a slice of the default that still has all pairs of values is tried.
 */
#ifndef CHECK_WALK_H
#define CHECK_WALK_H

#include "check/walk_axes.h"

/* Of each combination: outcome, error code, CR2, RIP, accessed and dirty flags and every other bit
 * of all entries, those behind the walk's end too, and the data: what was read or executed, what
 * was written, and that nothing changed where the access faulted. Manuals: SDM Vol. 3,
 * "Determination of Access Rights", "Page-Fault Exceptions", "Accessed and Dirty Flags". */
void try_walks(enum level level, enum walk_axes_of what);

#endif
