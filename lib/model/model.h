/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The oracle: what the architecture permits when an access is made with given paging structures and
 * nothing cached. Pure: it reads entries through a function, touches no machine and allocates
 * nothing, and is built for the host too.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "paging/format_legacy.h"
#include "paging/walk.h"

/* What translation depends on besides memory. */
struct model_processor {
	const struct paging_format *format;
	struct paging_rules rules;
	uint64_t root; /* CR3's address of the top structure */
	/* PAE paging: the PDPTE registers, in place of `root`; NULL elsewhere. */
	const uint64_t *pdpte;
	bool wp;	 /* CR0.WP */
	bool smep, smap; /* CR4 */
	/* CR4.PKE and CR4.PKS where EFER.LMA = 1, PKRU and IA32_PKRS. */
	bool pke, pks;
	uint32_t pkru, pkrs;
	bool lam_u48, lam_u57; /* CR3.LAM_U48 and LAM_U57 */
	bool lam_sup;	       /* CR4.LAM_SUP */
};

struct model_access {
	uint64_t linear;
	unsigned bytes; /* within one page; see model_translate() */
	bool write;
	bool may_write; /* a conditional write: both answers are permitted (P17) */
	bool reads;	/* besides writing: a read-modify-write */
	bool fetch;
	bool user;	    /* made at CPL 3, explicitly */
	bool ac;	    /* EFLAGS.AC = 1 */
	bool implicit;	    /* a supervisor access whatever the CPL, to which AC does not matter */
	bool shadow_stack;  /* made with a shadow-stack pointer, or by WRSS and its like */
	bool compatibility; /* from a 32-bit code segment in IA-32e mode */
};

#define MODEL_COMPLETES 0xff /* in place of a vector */

/* One permitted outcome. Of each step's entry, in the walk's order, `must` flags are set
 * afterwards, `may` flags may have been set by this access, and every other bit is as it was. */
struct model_outcome {
	unsigned vector;
	uint64_t error_code, open_code; /* the bits of the latter may be either way */
	uint64_t must[MOST_LEVELS], may[MOST_LEVELS];
	const char *why;
};

/* The top structure for a linear address; false where a PDPTE register is not present. */
bool model_root(const struct model_processor *processor, uint64_t linear, uint64_t *root);

#define MODEL_MOST_OUTCOMES 2

struct model_answer {
	struct walk walk;
	unsigned count;
	struct model_outcome outcome[MODEL_MOST_OUTCOMES];
};

/* Answers for an access that does not cross into another page. Manuals: SDM Vol. 3, "Determination
 * of Access Rights", "Protection Keys", "Page-Fault Exceptions", "Accessed and Dirty Flags". */
void model_translate(struct model_answer *answer, const struct model_processor *processor,
		     const struct model_access *access, read_entry_fn *read_entry,
		     const void *memory);

/* What paging structures permit that were walked already: the part of model_translate() that the
 * second dimension shares. */
struct model_outcome model_permitted(const struct walk *walk,
				     const struct model_processor *processor,
				     const struct model_access *access, bool write);

/* What a machine did. */
struct model_observation {
	unsigned vector;
	uint64_t error_code;
	uint64_t cr2;			   /* after #PF */
	uint64_t entry_after[MOST_LEVELS]; /* in the walk's order */
};

/* What was wrong, compared with the permitted outcome that fits best. */
enum model_mismatch {
	MODEL_FITS,
	MODEL_WRONG_VECTOR,
	MODEL_WRONG_ERROR_CODE,
	MODEL_WRONG_CR2,
	MODEL_WRONG_FRAME,
	MODEL_ENTRY_CHANGED,
	MODEL_FLAG_MISSING,
	MODEL_FLAG_FORBIDDEN,
};

struct model_verdict {
	enum model_mismatch mismatch;
	unsigned outcome; /* index of the outcome compared with */
	unsigned step;	  /* for the last three: of the walk */
};

/* `error_code_mask`: the bits of #PF error codes that are compared. */
struct model_verdict model_judge(const struct model_answer *answer,
				 const struct model_observation *observation,
				 uint64_t error_code_mask);

const char *model_mismatch_text(enum model_mismatch mismatch);

#endif
