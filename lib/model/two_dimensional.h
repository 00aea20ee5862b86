/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The oracle's second dimension: what the architecture permits when an access is made under paging
 * structures whose every reference is itself translated by EPT (SDM Vol. 3, "EPT Translation
 * Mechanism", "EPT-Induced VM Exits", "Accessed and Dirty Flags for EPT"). Pure, as model/model.h,
 * and for structures of which nothing is cached. With `nested_paging` the second level is SVM's
 * (APM Vol. 2, "Nested Paging"): there every reference is a user access, and one to a guest
 * structure a write; a violation is an #NPF, a misconfiguration one with EXITINFO1.RSV, a
 * qualification EXITINFO1.
 *
 *                       EPT PML4E, PDPTE, PDE, PTE        guest entry
 *   guest PML4     ->   ref  1     2      3    4      ->  ref  5
 *   guest PDPT     ->        6     7      8    9      ->      10
 *   guest PD       ->       11    12     13   14      ->      15
 *   guest PT       ->       16    17     18   19      ->      20
 *   the page       ->       21    22     23   24
 */
#ifndef MODEL_TWO_DIMENSIONAL_H
#define MODEL_TWO_DIMENSIONAL_H

#include "model/model.h"
#include "paging/format_ept.h"

struct model_second_level {
	const struct paging_format *format;
	struct paging_rules rules;
	uint64_t root;
	bool accessed_dirty;	   /* EPTP bit 6: flags are kept, guest walks are writes */
	bool advanced_information; /* bits 11:9 of the exit qualification are defined */
	bool nested_paging;	   /* SVM's: ordinary entries, and #NPF instead of EPT violations */
};

/* One translation of an L2-physical address: for a guest structure, or for the page itself. */
struct model_reference {
	enum level guest_level; /* of the guest entry that is read there; 0: the page itself */
	struct walk walk;
	bool written; /* counts as a write: D is set in the entry that maps the page */
};

#define MODEL_MOST_REFERENCES (MOST_LEVELS + 1)

enum model_l2_kind {
	MODEL_L2_COMPLETES,
	MODEL_L2_EXCEPTION,
	MODEL_L2_VIOLATION,
	MODEL_L2_MISCONFIGURATION,
};

/* One permitted outcome of an access by L2. */
struct model_l2_outcome {
	enum model_l2_kind kind;
	unsigned vector; /* of MODEL_L2_EXCEPTION */
	uint64_t error_code;
	uint64_t gpa;		/* of violations and misconfigurations */
	uint64_t qualification; /* of both; the bits in `defined` are compared */
	uint64_t defined;
	uint64_t must[MOST_LEVELS], may[MOST_LEVELS]; /* flags of guest entries, as model.h */
	const char *why;
};

#define MODEL_MOST_L2_OUTCOMES (MOST_LEVELS + 2)

struct model_l2_answer {
	bool paged;
	struct walk guest; /* addresses are L2-physical */
	unsigned references;
	struct model_reference reference[MODEL_MOST_REFERENCES];
	bool nested_paging;
	bool second_flags; /* flags of the second level may change */
	unsigned count;
	struct model_l2_outcome outcome[MODEL_MOST_L2_OUTCOMES];
};

/* All outcomes that are permitted for an access that does not cross into another page. `guest`'s
 * root is L2-physical; its format is NULL while CR0.PG = 0. `read_entry` reads 8 bytes, also where
 * an entry of the guest's has 4. */
void model_translate_l2(struct model_l2_answer *answer, const struct model_processor *guest,
			const struct model_second_level *second, const struct model_access *access,
			read_entry_fn *read_entry, const void *memory);

/* What a machine did. */
struct model_l2_observation {
	enum model_l2_kind kind;
	unsigned vector;
	uint64_t error_code, linear; /* CR2 of #PF, guest-linear address of a violation */
	uint64_t gpa, qualification;
	uint64_t guest_after[MOST_LEVELS];
	uint64_t second_after[MODEL_MOST_REFERENCES][MOST_LEVELS];
};

enum model_l2_mismatch {
	MODEL_L2_FITS,
	MODEL_L2_WRONG_KIND,
	MODEL_L2_WRONG_GPA,
	MODEL_L2_WRONG_EXCEPTION,
	MODEL_L2_WRONG_LINEAR,
	MODEL_L2_WRONG_QUALIFICATION,
	MODEL_L2_WRONG_GUEST_FLAGS,
	MODEL_L2_WRONG_SECOND_FLAGS,
};

struct model_l2_verdict {
	enum model_l2_mismatch mismatch;
	unsigned outcome;	  /* index of the outcome compared with */
	unsigned reference, step; /* for wrong flags */
};

/* `before`: a completed access that was made just before this one, under the same structures, or
 * NULL; flags that it sets are no mistake of this one. */
struct model_l2_verdict model_judge_l2(const struct model_l2_answer *answer,
				       const struct model_access *access,
				       const struct model_l2_observation *seen,
				       const struct model_l2_answer *before);

const char *model_l2_mismatch_text(enum model_l2_mismatch mismatch);

#endif
