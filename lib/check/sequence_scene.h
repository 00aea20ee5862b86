/* SPDX-License-Identifier: BSD-2-Clause
 *
 * All edits of one entry, at each level above pages of each size, with an event behind each: an
 * entry is used in all ways, edited, the event follows, then come accesses of each kind; the entry
 * is edited back, the event follows again, and more accesses. Edits: to another frame, to pages of
 * another size, R/W, U/S, P, XD, accessed and dirty flags.
 */
#ifndef CHECK_SEQUENCE_SCENE_H
#define CHECK_SEQUENCE_SCENE_H

#include "check/sequence.h"

#define SCENE_PLACES 2

extern struct sequence scene_sequence;

/* The first is used before the edit, the second in every other sequence only: in the same large
 * page, or in the next one of 4 KBytes. */
extern linear_t scene_place[SCENE_PLACES];

/* Of a root with the same content as the image's. */
extern gpa_t scene_other_root;

/* Of a root whose own entry of the top level leads the places elsewhere, by pages of the same
 * kind (but of 1 GByte to the same). */
extern gpa_t scene_foreign_root;

/* Where to look: at accesses that read and write, or also at fetches. */
enum scene_kinds { SCENE_DATA, SCENE_ALL };

/* All sequences with this event, with pages of each size, global and not; notes how much was seen
 * to be cached. Where events of paging are dear, each edit at each level comes with some orders of
 * use only (check/effort.h). CR0.WP and, where there is one, EFER.NXE are 1. */
void try_event(void (*event)(void), enum scene_kinds kinds);

#endif
