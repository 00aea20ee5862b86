/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The registers that choose the paging mode: which writes to them are legal, and what they lead to
 * (SDM Vol. 3, "Paging-Mode Enabling"; SDM Vol. 2, "MOV - Move to/from Control Registers"; APM Vol.
 * 2, "Long-Mode Consistency Checks"). Pure.
 *
 * Bits that CPUID does not offer, and PDPTEs with reserved bits, are the caller's business.
 */
#ifndef MODEL_MODES_H
#define MODEL_MODES_H

#include "paging/format_legacy.h"

struct model_registers {
	uint64_t cr0, cr3, cr4, efer;
};

enum model_register { MODEL_CR0, MODEL_CR3, MODEL_CR4, MODEL_EFER };

/* A write at CPL 0 by code whose CS.L is 0. False: it raises #GP(0) and changes nothing. */
bool model_write_register(struct model_registers *registers, enum model_register which,
			  uint64_t value);

/* The format of the structures that are in use; NULL while paging is off. */
const struct paging_format *model_format(const struct model_registers *registers);

#endif
