/* SPDX-License-Identifier: BSD-2-Clause
 *
 * 32-bit images: accesses are made as they are, and what comes back is falsified. What needs caches
 * and lent structures shows in 64-bit images.
 */
#include "sabotage/operation.h"
#include "sabotage/processor.h"

static struct outcome attempt_wrongly(struct access access)
{
	struct operation operation;
	struct outcome outcome;
	bool known = operation_begin(&operation, &access);

	if (!known)
		operation = (struct operation){.access = access};
	outcome = attempt_rightly(access);
	if (known)
		falsify_flags(&operation, &outcome);
	if (known || outcome.vector != VECTOR_PF)
		falsify(&operation, &outcome);
	return outcome;
}

void sabotage_start(void)
{
	attempt_hook = attempt_wrongly;
}
