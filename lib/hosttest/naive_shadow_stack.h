/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The naive walker's rule for shadow-stack accesses.
 */
#ifndef HOSTTEST_NAIVE_SHADOW_STACK_H
#define HOSTTEST_NAIVE_SHADOW_STACK_H

#include "hosttest/naive.h"

/* Whether the page that the entries of `walked` map may be used so, but for protection keys. */
bool naive_shadow_stack_allows(const struct naive_question *question,
			       const struct naive_answer *walked);

#endif
