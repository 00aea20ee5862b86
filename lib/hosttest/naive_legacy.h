/* SPDX-License-Identifier: BSD-2-Clause
 *
 * naive.h for 32-bit paging and PAE paging: nothing shared with lib/paging and lib/model.
 */
#ifndef HOSTTEST_NAIVE_LEGACY_H
#define HOSTTEST_NAIVE_LEGACY_H

#include <stdbool.h>
#include <stdint.h>

struct legacy_question {
	bool pae, cr4_pse, pse36;
	unsigned maxphyaddr;
	bool cr0_wp, cr4_smep, cr4_smap, efer_nxe;
	uint64_t pdpte[4]; /* PAE: the registers */
	uint32_t cr3;
	uint32_t linear;
	bool write, fetch; /* neither: a data read */
	bool cpl3, eflags_ac;
	uint64_t (*read)(const void *memory, uint64_t address); /* 4 bytes, or 8 under PAE */
	const void *memory;
};

struct legacy_answer {
	bool page_fault, translated;
	uint64_t error_code, physical, page_bytes;
	unsigned entries;
	uint64_t address[2]; /* of the PDE, of the PTE */
	bool sets_a, sets_d; /* in every entry; in the last */
};

struct legacy_answer naive_legacy(const struct legacy_question *question);

#endif
