/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sequences of edits, invalidations, control-register changes and accesses, of which a test states
 * only the steps: each is done on the machine and told to the model, and the model says of each
 * access what may come of it after all that went before (model/history.h). A failure prints the
 * steps.
 *
 * While a sequence runs, everything that it has to know goes through these functions: no other
 * access to its pages, no other edit, no other change of a control register.
 */
#ifndef CHECK_SEQUENCE_H
#define CHECK_SEQUENCE_H

#include "access/access.h"
#include "check/state.h"
#include "model/history.h"

#define SEQUENCE_REMEMBERED 24

enum step_kind {
	STEP_EDIT,
	STEP_INVLPG,
	STEP_INVPCID,
	STEP_MOV_TO_CR3,
	STEP_CR0,
	STEP_CR4,
	STEP_EFER,
	STEP_ACCESS,
};

struct step {
	enum step_kind kind;
	unsigned type, pcid;	/* INVPCID */
	uint64_t address;	/* of the entry; linear */
	uint64_t before, value; /* of the entry or register */
	struct access access;
	struct outcome outcome;
};

struct sequence {
	/* Set before sequence_start(): that #PF drops what was cached of its address is not
	 * demanded, but only that an access does not fault for ever. For cases whose subject is
	 * something else, so that one widespread defect does not hide others. */
	bool faults_keep;
	const char *name; /* for failures: what the sequence tries; may be NULL */
	struct history history;
	struct history_answer answer;
	struct step step[SEQUENCE_REMEMBERED]; /* a ring */
	unsigned steps;
	uint32_t next_tag;
};

/* How many accesses the case judged, how many used a cached translation where memory says
 * otherwise, and how many could have. */
struct sequence_counts {
	unsigned accesses, stale, choices;
};

/* Drops everything, and begins. Accesses go to these addresses' 4-KByte pages alone. CR3 holds PCID
 * 0. */
void sequence_start(struct sequence *sequence, const linear_t *pages, unsigned count);

/* One store of 8 bytes. */
void sequence_edit(struct sequence *sequence, uint64_t *entry, uint64_t value);
void sequence_invlpg(struct sequence *sequence, linear_t linear);
void sequence_invpcid(struct sequence *sequence, unsigned type, unsigned pcid, linear_t linear);
void sequence_mov_to_cr3(struct sequence *sequence, uint64_t value);

/* The bits are inverted. */
void sequence_toggle_cr0(struct sequence *sequence, uint64_t bits);
void sequence_toggle_cr4(struct sequence *sequence, uint64_t bits);
void sequence_toggle_efer(struct sequence *sequence, uint64_t bits);

/* A read, write or fetch of 8 aligned bytes; what is written is chosen here. Frames that accesses
 * may reach hold frame_word() with tags below SEQUENCE_TAGS, each another one. After a #PF that
 * memory does not ask for, the access is made again. */
#define SEQUENCE_TAGS			  0x100000
#define sequence_access(sequence, access) judge_step(__FILE__, __LINE__, sequence, access)
void judge_step(const char *file, int line, struct sequence *sequence, struct access access);

/* A note on how much was seen to be cached in this case. */
void sequence_note(void);
void sequence_counts_reset(void);

/* Appends the last steps, one a line. */
void text_sequence(struct text *text, const struct sequence *sequence);

#endif
