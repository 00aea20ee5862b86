/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Formats of EPT paging structures as data (SDM Vol. 3, "Extended Page-Table Mechanism (EPT)", the
 * tables of entry formats; "EPT Misconfigurations"). Pure, as paging/format.h.
 */
#ifndef PAGING_FORMAT_EPT_H
#define PAGING_FORMAT_EPT_H

#include "paging/format.h"

#define EPT_R		    (1ull << 0)
#define EPT_W		    (1ull << 1)
#define EPT_X		    (1ull << 2) /* with mode-based execute control: of supervisor-mode addresses */
#define EPT_RWX		    (EPT_R | EPT_W | EPT_X)
#define EPT_MEMORY_TYPE	    (7ull << 3) /* of an entry that maps a page; 2, 3 and 7 are reserved */
#define EPT_WB		    (6ull << 3)
#define EPT_UC		    (0ull << 3)
#define EPT_IPAT	    (1ull << 6) /* ignore PAT, of an entry that maps a page */
#define EPT_PS		    (1ull << 7) /* maps a page (PDPTE, PDE) */
#define EPT_A		    (1ull << 8) /* with EPTP bit 6 */
#define EPT_D		    (1ull << 9) /* with EPTP bit 6, of an entry that maps a page */
#define EPT_XU		    (1ull << 10) /* with mode-based execute control: of user-mode addresses */
#define EPT_SPP		    (1ull << 61) /* sub-page write permissions */
#define EPT_SUPPRESS_VE	    (1ull << 63)

#define EPTP_WB		    6ull
#define EPTP_LEVELS(n)	    ((uint64_t)((n)-1) << 3)
#define EPTP_ACCESSED_DIRTY (1ull << 6)

/* Misconfigured entries are what reserved_bits_set() answers for: it returns the bits that make
 * them so, among them R, W or X of a combination that is not allowed. */
extern const struct paging_format paging_ept_4level;
extern const struct paging_format paging_ept_5level;

#endif
