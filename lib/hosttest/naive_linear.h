/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The naive walker's rules for what becomes of an address before it is translated.
 */
#ifndef HOSTTEST_NAIVE_LINEAR_H
#define HOSTTEST_NAIVE_LINEAR_H

#include "hosttest/naive.h"

/* False where the access raises #GP. */
bool naive_linear(const struct naive_question *question, uint64_t *linear);

#endif
