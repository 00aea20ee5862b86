/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the sabotage room: structures of its own under which an access finds what the processor
 * with a bug would find. They are a copy of the current ones but for the pages in question.
 */
#ifndef SABOTAGE_LEND_H
#define SABOTAGE_LEND_H

#include "sabotage/translate.h"

/* False for pages that no entry of 4 bytes leads to. */
bool can_lend(const struct translation *translations, unsigned count);

#define MOST_PAGES 2

/* Starts from the structures under CR3. */
void lend_begin(void);

/* At this 4-KByte page, this translation. */
void lend_page(uint64_t linear, const struct translation *translation);

/* MOV to CR3 of the lent root and back, without any event; pages lent are flushed both times. */
void lend_enter(void);
void lend_leave(void);

#endif
