/* SPDX-License-Identifier: BSD-2-Clause
 *
 * PAE paging for the length of a case; 32-bit images start each under 32-bit paging.
 */
#ifndef CHECK_PAE_H
#define CHECK_PAE_H

void run_under_pae(void);

#endif
