/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/device.h"

#include "check/report.h"
#include "drivers/local_apic.h"

void require_local_apic(void)
{
	if (local_apic_page() != APIC_PAGE)
		end_case_skipped("local_apic", "no local APIC at its usual address in memory");
}

volatile uint32_t *priority_register(void)
{
	return identity(GPA(APIC_PAGE + APIC_PRIORITY));
}
