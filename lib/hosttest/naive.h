/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A second opinion on address translation: written from the manual alone in the plainest style, one
 * function a table, and sharing nothing with lib/paging and lib/model. Where both agree on
 * everything that a test can think of, an error has to be in both, made twice.
 */
#ifndef HOSTTEST_NAIVE_H
#define HOSTTEST_NAIVE_H

#include <stdbool.h>
#include <stdint.h>

struct naive_question {
	/* the processor */
	bool five_levels, pages_1g;
	unsigned maxphyaddr;
	bool cr0_wp, cr4_smep, cr4_smap, cr4_pke, cr4_pks, efer_nxe;
	uint32_t pkru, ia32_pkrs;
	uint64_t cr3; /* the address in it */
	bool cr3_lam_u48, cr3_lam_u57, cr4_lam_sup;
	/* the access */
	uint64_t linear;
	bool write, fetch; /* neither: a data read */
	bool cpl3, implicit_supervisor, eflags_ac;
	bool compatibility_mode, shadow_stack;
	/* memory */
	uint64_t (*read)(const void *memory, uint64_t address);
	const void *memory;
};

struct naive_entry {
	uint64_t address, value;
	bool a_must_be_set, a_may_be_set, d_must_be_set;
};

struct naive_answer {
	bool general_protection, page_fault;
	uint64_t error_code;
	bool pk_may_be_set;	       /* in the error code, where it is not */
	uint64_t physical, page_bytes; /* of a translation, also where its rights deny the access */
	bool translated;
	uint64_t linear; /* that was translated */
	unsigned entries;
	struct naive_entry entry[5]; /* from the top */
};

struct naive_answer naive_translate(const struct naive_question *question);

#endif
