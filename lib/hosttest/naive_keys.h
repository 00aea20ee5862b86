/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The naive walker's rules for protection keys: whether the bits of a key in PKRU or IA32_PKRS
 * allow the access, for addresses of the mode that the register is for.
 */
#ifndef HOSTTEST_NAIVE_KEYS_H
#define HOSTTEST_NAIVE_KEYS_H

#include "hosttest/naive.h"

bool naive_pkru_allows(const struct naive_question *question, unsigned key);
bool naive_pkrs_allows(const struct naive_question *question, unsigned key);

bool naive_user_mode_access(const struct naive_question *question);

#endif
