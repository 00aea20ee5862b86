/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A second opinion on translation in two dimensions, as naive.h: a processor that walks, checks and
 * sets flags step by step, run once for each order in which the manual lets it set them. What any
 * of the runs ends with is permitted, and nothing else.
 */
#ifndef HOSTTEST_NAIVE_EPT_H
#define HOSTTEST_NAIVE_EPT_H

#include "hosttest/naive.h"

struct naive_l2_question {
	struct naive_question guest; /* its cr3 is L2-physical; read and memory are L1's */
	bool paged, reads_too;	     /* CR0.PG; the access is a read-modify-write */
	uint64_t ept_root;
	unsigned maxphyaddr;
	bool ept_1g, execute_only, flags_for_ept, advanced_information;
};

enum naive_l2_end {
	NAIVE_L2_COMPLETES,
	NAIVE_L2_PAGE_FAULT,
	NAIVE_L2_VIOLATION,
	NAIVE_L2_MISCONFIGURATION,
};

#define NAIVE_MOST_EPT_ENTRIES 24

struct naive_l2_outcome {
	enum naive_l2_end end;
	uint64_t error_code, gpa;
	uint64_t qualification, undefined; /* bits 11:0 of a violation's */
	/* Of an access that completes: EPT entries, and the flags that must be set in each. */
	unsigned ept_entries;
	struct {
		uint64_t address, flags;
	} ept_entry[NAIVE_MOST_EPT_ENTRIES];
	struct naive_answer guest;
};

/* Bit n of `at_once`: the accessed flag of L2's entry n (from the top) is set before the walk goes
 * on; the others are set when the walk is over, from the top or `from_below`. `page_first`: then
 * the page's rights are checked before those flags are set. */
struct naive_l2_outcome naive_translate_l2(const struct naive_l2_question *question,
					   unsigned at_once, bool page_first, bool from_below);

#endif
