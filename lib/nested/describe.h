/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the nested room: two-dimensional walks and what is expected of them, in words.
 */
#ifndef NESTED_DESCRIBE_H
#define NESTED_DESCRIBE_H

#include "nested/nested.h"

void text_second_walk(struct text *text, const struct walk *walk);
void text_l2_walk(struct text *text, const struct model_l2_answer *answer);
void text_l2_expected(struct text *text, const struct model_l2_outcome *outcome,
		      const struct model_access *access);

/* The walk of an access as memory has it now. */
void text_l2_walk_of(struct text *text, struct l2 *l2, const struct access *access);

#endif
