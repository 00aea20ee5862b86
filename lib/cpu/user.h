/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What user mode needs: code and stack pages that are mapped a second time, U/S = 1, at
 * USER_WINDOW. Supervisor code uses the same bytes through the identity map, so that SMEP and SMAP
 * do not get in the way.
 *
 *   USER_WINDOW                     the .user section (code and data that both modes use),
 * read-only USER_WINDOW + USER_STACK        one page of stack, writable
 */
#ifndef CPU_USER_H
#define CPU_USER_H

/* In a PML4E, or in 32-bit images a PDE, of its own. */
#define USER_WINDOW	 (sizeof(void *) == 8 ? 0x00007f8000000000ull : 0xbfc00000ull)
#define USER_STACK	 0x100000
#define USER_STACK_BYTES 4096

/* Where compatibility mode at CPL 3 finds the .user section, in cases that map it (see
 * check/low_pages.h). */
#define LOW_WINDOW	 0xbfc00000ull

#endif
