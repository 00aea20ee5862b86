/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the model: what may be cached, and walks from CR3 and from cached upper levels.
 */
#ifndef MODEL_HISTORY_CACHE_H
#define MODEL_HISTORY_CACHE_H

#include "model/history.h"

#define HISTORY_NO_ADDRESS (~0ull) /* of a step that comes from a cache */

/* Adds all that the processor may have cached since the last event. */
void history_look(struct history *history);

/* From CR3; false where there is nothing to walk. From a cached upper level, which stands as the
 * first step, at no address. */
bool history_walk(const struct history *history, uint64_t linear, struct walk *walk);
void history_walk_behind(const struct history *history, const struct history_prefix *prefix,
			 uint64_t linear, struct walk *walk);

/* Whether two linear addresses are translated by one entry of a level, if by the same tables;
 * whether a prefix serves an address, if of its PCID. */
bool history_in_one(const struct history *history, enum level level, uint64_t a, uint64_t b);
bool history_prefix_serves(const struct history *history, const struct history_prefix *prefix,
			   uint64_t linear);

#endif
