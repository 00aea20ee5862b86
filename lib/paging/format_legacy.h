/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The formats of 32-bit and PAE paging (SDM Vol. 3, "32-Bit Paging", "PAE Paging"). PAE paging
 * begins at the page directory: the four PDPTEs are registers, see PDPTE_REGISTERS.
 */
#ifndef PAGING_FORMAT_LEGACY_H
#define PAGING_FORMAT_LEGACY_H

#include "paging/format.h"

extern const struct paging_format paging_32bit;		    /* CR4.PSE = 1 */
extern const struct paging_format paging_32bit_without_pse; /* PS of a PDE is ignored */
extern const struct paging_format paging_pae;
extern const struct paging_format paging_off; /* CR0.PG = 0: no structures, no rights */

#define PDPTE_REGISTERS 4
#define PDPTE_SHIFT	30	 /* of the linear address */
#define PAE_CR3_ADDRESS (~31ull) /* bits of CR3 */

/* Bits of a PDPTE that are 1 although they are reserved: with any, the load of the registers raises
 * #GP ("PDPTE Registers"). */
uint64_t reserved_in_pdpte(const struct paging_rules *rules, uint64_t entry);

#endif
