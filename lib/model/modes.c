/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/modes.h"

#define PE	 (1ull << 0) /* CR0 */
#define NW	 (1ull << 29)
#define CD	 (1ull << 30)
#define PG	 (1ull << 31)

#define PSE	 (1ull << 4) /* CR4 */
#define PAE	 (1ull << 5)
#define LA57	 (1ull << 12)
#define PCIDE	 (1ull << 17)

#define LME	 (1ull << 8) /* EFER */
#define LMA	 (1ull << 10)

#define PCID	 0xfffull /* CR3 */
#define NO_FLUSH (1ull << 63)

static bool write_cr0(struct model_registers *registers, uint64_t value)
{
	if ((value & PG) && !(value & PE))
		return false;
	if ((value & NW) && !(value & CD))
		return false;
	if ((value & PG) && !(registers->cr0 & PG) && (registers->efer & LME) &&
	    !(registers->cr4 & PAE))
		return false;
	if (!(value & PG) && (registers->cr4 & PCIDE))
		return false;
	registers->cr0 = value;
	return true;
}

static bool write_cr4(struct model_registers *registers, uint64_t value)
{
	uint64_t changed = value ^ registers->cr4;

	if ((registers->efer & LMA) && (!(value & PAE) || (changed & LA57)))
		return false;
	if ((changed & value & PCIDE) && (!(registers->efer & LMA) || (registers->cr3 & PCID)))
		return false;
	registers->cr4 = value;
	return true;
}

static bool write_efer(struct model_registers *registers, uint64_t value)
{
	if (((value ^ registers->efer) & LME) && (registers->cr0 & PG))
		return false;
	registers->efer = value;
	return true;
}

/* IA-32e mode is active while it is enabled and paging is on. */
static void update_lma(struct model_registers *registers)
{
	registers->efer &= ~LMA;
	if ((registers->efer & LME) && (registers->cr0 & PG))
		registers->efer |= LMA;
}

static bool write_register(struct model_registers *registers, enum model_register which,
			   uint64_t value)
{
	switch (which) {
	case MODEL_CR0:
		return write_cr0(registers, value);
	case MODEL_CR4:
		return write_cr4(registers, value);
	case MODEL_EFER:
		return write_efer(registers, value);
	case MODEL_CR3:
		break;
	}
	if ((value & NO_FLUSH) && !(registers->cr4 & PCIDE))
		return false;
	registers->cr3 = value & ~NO_FLUSH;
	return true;
}

bool model_write_register(struct model_registers *registers, enum model_register which,
			  uint64_t value)
{
	if (!write_register(registers, which, value))
		return false;
	update_lma(registers);
	return true;
}

const struct paging_format *model_format(const struct model_registers *registers)
{
	if (!(registers->cr0 & PG))
		return 0;
	if (registers->efer & LMA)
		return registers->cr4 & LA57 ? &paging_5level : &paging_4level;
	if (registers->cr4 & PAE)
		return &paging_pae;
	return registers->cr4 & PSE ? &paging_32bit : &paging_32bit_without_pse;
}
