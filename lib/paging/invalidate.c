/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/control.h"
#include "cpu/features.h"
#include "paging/edit.h"

/* Where there is no CR4.PGE nothing is global, and MOV to CR3 drops as much. */
static void toggle_pge(void)
{
	uint64_t cr4 = read_cr4();

	if (!has(FEATURE_pge)) {
		write_cr3(read_cr3());
		return;
	}
	write_cr4(cr4 ^ CR4_PGE);
	write_cr4(cr4);
}

void invalidate(linear_t linear, enum invalidation how)
{
	switch (how) {
	case NO_FLUSH:
		break;
	case INVLPG:
		invlpg(linear.value);
		break;
	case MOV_CR3:
		write_cr3(read_cr3());
		break;
	case CR4_PGE_TWICE:
		toggle_pge();
		break;
	case CR4_PGE_ONCE:
		write_cr4(read_cr4() ^ CR4_PGE);
		break;
	case CR0_PG_TWICE:
		write_cr0(read_cr0() & ~CR0_PG);
		write_cr0(read_cr0() | CR0_PG);
		break;
	}
}
