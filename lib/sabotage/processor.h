/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The processor with a bug (cpu/sabotage.h).
 */
#ifndef SABOTAGE_PROCESSOR_H
#define SABOTAGE_PROCESSOR_H

/* From here on every attempt goes through it, and it hears of every event. */
void sabotage_start(void);

#endif
