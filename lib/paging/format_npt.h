/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Formats of SVM's nested page tables as data: those of the host's own paging mode, entry for entry
 * (APM Vol. 2, "Nested Paging", "Nested Table Walk"), under names that tell the two dimensions
 * apart. Pure, as paging/format.h.
 */
#ifndef PAGING_FORMAT_NPT_H
#define PAGING_FORMAT_NPT_H

#include "paging/format.h"

extern const struct paging_format paging_npt_4level; /* hCR4.PAE = 1, long mode */
extern const struct paging_format paging_npt_5level; /* and hCR4.LA57 = 1 */

#endif
