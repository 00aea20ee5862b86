/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the check room: everything around one access that is compared with the model.
 */
#ifndef CHECK_JUDGED_H
#define CHECK_JUDGED_H

#include "check/expect.h"

struct judged {
	struct access access;
	struct model_access model_access;
	struct model_answer answer;
	struct outcome outcome;
	struct model_observation seen;
	uint64_t before[2], after[2]; /* memory from the operand's first byte on */
	uint64_t operand[2];	      /* which bits of these are the operand */
	bool has_data;		      /* the operand's memory can be looked at */
	const char *combination;      /* of axes' values, in words; NULL where there are no axes */
	uint64_t number;	      /* of the combination */
};

/* The first thing that is wrong, or NULL. */
const char *judged_mismatch(const struct judged *judged, struct model_verdict *verdict);

/* Reports it as failed, for the reason `what`. */
void report_judged(const char *file, int line, const struct judged *judged,
		   struct model_verdict verdict, const char *what);

#endif
