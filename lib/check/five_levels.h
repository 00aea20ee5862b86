/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 5-level paging for one case. The image's PML4 table becomes that of PML5E 0, so everything of the
 * image keeps its linear address; pages mapped afterwards have a PML5E of their own.
 */
#ifndef CHECK_FIVE_LEVELS_H
#define CHECK_FIVE_LEVELS_H

#include "mem/address.h"

/* Turns 5-level paging on until the end of the case (or until leave). The case needs la57 and
 * CR4.PCIDE = 0. Pages mapped before under 4-level paging stay, with entry[PML5] = NULL. */
void enter_5level_paging(void);
void leave_5level_paging(void);

/* The same with a root of the caller's choice, which must hold the image. */
void enter_5level_root(gpa_t root);

#endif
