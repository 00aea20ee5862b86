/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/five_levels.h"

#include "check/state.h"
#include "cpu/control.h"
#include "paging/space.h"

void paging_switch(uint64_t cr3, uint64_t cr4);

void leave_5level_paging(void)
{
	if (!(read_cr4() & CR4_LA57))
		return;
	paging_switch(image_root_of(&paging_4level).value, read_cr4() & ~CR4_LA57);
	processor_event(EVENT_PAGING_WAS_OFF, 0, NULL);
	processor_changed();
}

void enter_5level_root(gpa_t root)
{
	at_case_end(leave_5level_paging);
	paging_switch(root.value, read_cr4() | CR4_LA57);
	processor_event(EVENT_PAGING_WAS_OFF, 0, NULL);
	processor_changed();
}

void enter_5level_paging(void)
{
	enter_5level_root(image_root_of(&paging_5level));
}
