/* SPDX-License-Identifier: BSD-2-Clause */
#include "smp/processor.h"

struct processor processors[MOST_PROCESSORS];

static unsigned count;

unsigned processor_count(void)
{
	return count;
}

void set_processor_count(unsigned number)
{
	count = number;
}

void beat(unsigned self)
{
	processors[self].beats++;
}
