/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Bits of paging-structure entries (SDM Vol. 3, "4-Level Paging and 5-Level Paging", tables of
 * entry formats).
 */
#ifndef PAGING_ENTRY_H
#define PAGING_ENTRY_H

#include <stdint.h>

#define P		  (1ull << 0)  /* present */
#define RW		  (1ull << 1)  /* writes allowed */
#define US		  (1ull << 2)  /* user-mode accesses allowed */
#define PWT		  (1ull << 3)  /* write-through */
#define PCD		  (1ull << 4)  /* cache disable */
#define A		  (1ull << 5)  /* accessed */
#define D		  (1ull << 6)  /* dirty; ignored in an entry that references a table */
#define PS		  (1ull << 7)  /* maps a page (PDPTE, PDE); PAT in a PTE */
#define G		  (1ull << 8)  /* global; ignored in an entry that references a table */
#define XD		  (1ull << 63) /* execute-disable, reserved while EFER.NXE = 0 */

#define PAT_OF_LARGE_PAGE (1ull << 12)
#define IGNORED_9_11	  (7ull << 9)
#define IGNORED_52_58	  (0x7full << 52)
#define PROTECTION_KEY	  (0xfull << 59)

#define ENTRY_ADDRESS	  0x000ffffffffff000ull /* bits 51:12 */

#endif
