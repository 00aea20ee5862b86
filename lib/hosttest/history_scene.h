/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A few tables that are edited, used and invalidated, told both to the model's history and to the
 * naive processor; each access compares what they permit.
 */
#ifndef HOSTTEST_HISTORY_SCENE_H
#define HOSTTEST_HISTORY_SCENE_H

#include "hosttest/naive_time.h"
#include "hosttest/world.h"
#include "model/history.h"

#define SCENE_STEPS 24 /* of a sequence: few enough for what the model keeps */

struct scene {
	struct world world;
	struct history history;
	struct naive_time naive;
	struct model_processor processor;
	struct history_controls controls;
	struct history_answer answer; /* to the last access */
	unsigned compared, options;
	bool trace;
};

extern struct scene scene;

/* Tables of random content, or those of one 4-KByte page for each address; nothing is cached. */
void scene_start(uint64_t seed, bool random);

uint64_t *scene_entry(unsigned frame, unsigned index);
uint64_t scene_random_entry(void);
void scene_edit(uint64_t *entry, uint64_t value);
void scene_invlpg(uint64_t linear);
void scene_invpcid(unsigned type, unsigned pcid, uint64_t linear);
void scene_mov_to_cr3(uint64_t value);
void scene_toggle_pge(void);
void scene_toggle_pcide(void);
void scene_toggle_smep(void);
void scene_toggle_wp(void);
void scene_paging_off_and_on(void);

/* Compares, and lets one of the options happen. */
void scene_access(const struct model_access *access);
struct model_access scene_random_access(void);

/* An edit, an invalidation or an access; one of the addresses that accesses use. */
void scene_random_step(void);
uint64_t scene_random_address(void);

/* The model's answer alone. */
void scene_ask(const struct model_access *access);
bool scene_permits(const struct history_answer *answer, const struct history_outcome *outcome);

#endif
