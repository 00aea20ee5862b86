/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/pae.h"

#include "check/state.h"
#include "paging/legacy.h"

void run_under_pae(void)
{
	at_case_end(switch_to_32bit);
	switch_to_pae();
	processor_changed();
}
