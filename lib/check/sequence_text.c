/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A sequence in words.
 */
#include "check/sequence.h"

#include "cpu/exception.h"

static void text_bits(struct text *text, const char *name, const struct step *step)
{
	text_add(text, "%s from 0x%llx to 0x%llx", name, (unsigned long long)step->before,
		 (unsigned long long)step->value);
}

static void text_made(struct text *text, const struct step *step)
{
	text_access(text, &step->access);
	if (step->outcome.vector == NO_VECTOR)
		text_add(text, ": 0x%llx", (unsigned long long)step->outcome.value[0]);
	else
		text_add(text, ": %s 0x%llx", vector_name(step->outcome.vector),
			 (unsigned long long)step->outcome.error_code);
}

static void text_step(struct text *text, const struct step *step)
{
	switch (step->kind) {
	case STEP_EDIT:
		text_add(text, "entry 0x%llx from 0x%llx to 0x%llx",
			 (unsigned long long)step->address, (unsigned long long)step->before,
			 (unsigned long long)step->value);
		break;
	case STEP_INVLPG:
		text_add(text, "INVLPG 0x%llx", (unsigned long long)step->address);
		break;
	case STEP_INVPCID:
		text_add(text, "INVPCID type %u, PCID 0x%x, 0x%llx", step->type, step->pcid,
			 (unsigned long long)step->address);
		break;
	case STEP_MOV_TO_CR3:
		text_add(text, "MOV to CR3 of 0x%llx", (unsigned long long)step->value);
		break;
	case STEP_CR0:
		text_bits(text, "CR0", step);
		break;
	case STEP_CR4:
		text_bits(text, "CR4", step);
		break;
	case STEP_EFER:
		text_bits(text, "EFER", step);
		break;
	case STEP_ACCESS:
		text_made(text, step);
		break;
	}
	text_add(text, "\n");
}

void text_sequence(struct text *text, const struct sequence *sequence)
{
	unsigned first = 0;

	if (sequence->steps > SEQUENCE_REMEMBERED) {
		first = sequence->steps - SEQUENCE_REMEMBERED;
		text_add(text, "after %u steps:\n", first);
	}
	for (unsigned i = first; i < sequence->steps; i++)
		text_step(text, &sequence->step[i % SEQUENCE_REMEMBERED]);
}
