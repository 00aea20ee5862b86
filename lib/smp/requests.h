/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One processor asks another to run a function: by an interrupt (SDM Vol. 3, "Issuing
 * Interprocessor Interrupts"), or left for it to find. Either way the answer comes after the
 * function has returned, by a store that follows it: the handshake of SDM Vol. 3, "Propagation of
 * Paging-Structure Changes to Multiple Processors".
 */
#ifndef SMP_REQUESTS_H
#define SMP_REQUESTS_H

#include <stdbool.h>

typedef void request_function(void *argument);

/* Sends an interrupt and waits for the answer. Not for processor 0, whose interrupts stay off. */
void interrupt_processor(unsigned self, unsigned processor, request_function *function,
			 void *argument);

/* Sends all others (but 0) one interrupt each, then waits for all answers. */
void interrupt_others(unsigned self, request_function *function, void *argument);

/* Waits until the other processor, which may be 0, comes by take_request(). */
void ask_processor(unsigned self, unsigned processor, request_function *function, void *argument);

/* Runs what another processor asked for, if there is something. */
bool take_request(unsigned self);

#endif
