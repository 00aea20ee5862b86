/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/protection_keys.h"

#include "check/state.h"
#include "cpu/control.h"

static void clear_pkru(void)
{
	write_cr4(read_cr4() | CR4_PKE);
	wrpkru(0);
}

static void clear_pkrs(void)
{
	write_msr(MSR_PKRS, 0);
}

void set_pkru(uint32_t value)
{
	at_case_end(clear_pkru);
	wrpkru(value);
	processor_changed();
}

void set_pkrs(uint32_t value)
{
	at_case_end(clear_pkrs);
	write_msr(MSR_PKRS, value);
	processor_changed();
}
