/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The way into the check room for whoever starts the image.
 */
#ifndef CHECK_RUN_H
#define CHECK_RUN_H

#include "check/options.h"

/* Runs the image's cases as the options select, with the report on the console; returns an exit
 * code for power_off(). */
int run_cases(const struct run_options *options);

#endif
