/* SPDX-License-Identifier: BSD-2-Clause */
#include "nested/describe.h"

#include "paging/describe.h"
#include "paging/entry.h"
#include "svm/vmcb.h"

static const struct {
	uint64_t bit;
	const char *name;
} ept_flags[] = {{EPT_R, "R"},	  {EPT_W, "W"}, {EPT_X, "X"},	{EPT_PS, "PS"},
		 {EPT_A, "A"},	  {EPT_D, "D"}, {EPT_XU, "XU"}, {EPT_SUPPRESS_VE, "SVE"},
		 {EPT_SPP, "SPP"}};

static void text_ept_flags(struct text *text, uint64_t entry)
{
	if (!(entry & EPT_RWX))
		text_word(text, "not-present");
	for (unsigned i = 0; i < sizeof(ept_flags) / sizeof(ept_flags[0]); i++)
		if (entry & ept_flags[i].bit)
			text_word(text, ept_flags[i].name);
}

void text_second_walk(struct text *text, const struct walk *walk)
{
	bool ept = walk->format == &paging_ept_4level || walk->format == &paging_ept_5level;

	for (unsigned i = 0; i < walk->count; i++) {
		const struct walk_step *step = &walk->step[i];

		text_add(text, "  %-9s 0x%09llx = 0x%016llx ",
			 walk->format->level[step->level].entry_name,
			 (unsigned long long)step->address, (unsigned long long)step->entry);
		if (ept)
			text_ept_flags(text, step->entry);
		else
			text_flags(text, walk->format, step->level, step->entry);
		text_add(text, "\n");
	}
}

static void text_rights(struct text *text, unsigned rights)
{
	text_add(text, "%s%s%s", rights & SECOND_READ ? "R" : "-",
		 rights & SECOND_WRITE ? "W" : "-", rights & SECOND_EXECUTE ? "X" : "-");
}

static void text_violation(struct text *text, const struct l2_exit *exit)
{
	text_add(text, "violation at guest-physical 0x%llx", (unsigned long long)exit->gpa);
	if (exit->linear_valid)
		text_add(text, ", linear 0x%llx, %s", (unsigned long long)exit->linear,
			 exit->final ? "final access" : "walk of L2's structures");
	text_add(text, ", access ");
	text_rights(text, exit->access);
	text_add(text, ", allowed ");
	text_rights(text, exit->rights);
	text_add(text, ", qualification 0x%llx", (unsigned long long)exit->qualification);
}

static const struct {
	uint64_t bit;
	const char *name;
} npf_bits[] = {{NPF_P, "P"},
		{NPF_W, "W"},
		{NPF_U, "U"},
		{NPF_RSV, "RSV"},
		{NPF_ID, "I/D"},
		{NPF_FINAL, "final access"},
		{NPF_TABLE, "walk of L2's structures"}};

/* SVM: violations and misconfigurations alike. */
static void text_nested_page_fault(struct text *text, uint64_t gpa, uint64_t exitinfo1)
{
	text_add(text, "#NPF at guest-physical 0x%llx, EXITINFO1 0x%llx", (unsigned long long)gpa,
		 (unsigned long long)exitinfo1);
	for (unsigned i = 0; i < sizeof(npf_bits) / sizeof(npf_bits[0]); i++)
		if (exitinfo1 & npf_bits[i].bit)
			text_word(text, npf_bits[i].name);
}

void text_l2_outcome(struct text *text, const struct l2_outcome *outcome)
{
	const struct l2_exit *exit = &outcome->exit;

	if (!outcome->exited) {
		text_outcome(text, &outcome->outcome);
		return;
	}
	if (exit->reason == VMEXIT_NPF) {
		text_nested_page_fault(text, exit->gpa, exit->qualification);
		return;
	}
	switch (exit->kind) {
	case L2_VIOLATION:
		text_violation(text, exit);
		break;
	case L2_MISCONFIGURATION:
		text_add(text, "misconfiguration at guest-physical 0x%llx",
			 (unsigned long long)exit->gpa);
		break;
	case L2_ENTRY_FAILED:
		text_add(text, "VM entry failed: %s, reason 0x%llx qualification 0x%llx",
			 exit->error, (unsigned long long)exit->reason,
			 (unsigned long long)exit->qualification);
		break;
	default:
		text_add(text, "VM exit, reason 0x%llx qualification 0x%llx RIP 0x%llx",
			 (unsigned long long)exit->reason, (unsigned long long)exit->qualification,
			 (unsigned long long)exit->rip);
	}
}

void text_l2_expected(struct text *text, const struct model_l2_outcome *outcome,
		      const struct model_access *access)
{
	if (outcome->qualification & (NPF_FINAL | NPF_TABLE)) {
		text_nested_page_fault(text, outcome->gpa, outcome->qualification);
		text_add(text, ": %s\n", outcome->why);
		return;
	}
	switch (outcome->kind) {
	case MODEL_L2_COMPLETES:
		text_add(text, "completed");
		break;
	case MODEL_L2_EXCEPTION:
		text_exception(text, outcome->vector, outcome->error_code);
		text_add(text, ", CR2 0x%llx", (unsigned long long)access->linear);
		break;
	case MODEL_L2_VIOLATION:
		text_add(text,
			 "violation at guest-physical 0x%llx, linear 0x%llx, qualification 0x%llx "
			 "in bits 0x%llx",
			 (unsigned long long)outcome->gpa, (unsigned long long)access->linear,
			 (unsigned long long)outcome->qualification,
			 (unsigned long long)outcome->defined);
		break;
	case MODEL_L2_MISCONFIGURATION:
		text_add(text, "misconfiguration at guest-physical 0x%llx",
			 (unsigned long long)outcome->gpa);
	}
	text_add(text, ": %s\n", outcome->why);
}

void text_l2_walk(struct text *text, const struct model_l2_answer *answer)
{
	for (unsigned r = 0; r < answer->references; r++) {
		const struct model_reference *reference = &answer->reference[r];

		if (!reference->guest_level) {
			text_add(text, "the page, L2-physical 0x%llx\n",
				 (unsigned long long)reference->walk.linear);
		} else {
			const struct walk_step *step = &answer->guest.step[r];

			text_add(text, "L2's %s, L2-physical 0x%llx",
				 answer->guest.format->level[reference->guest_level].entry_name,
				 (unsigned long long)reference->walk.linear);
			if (r < answer->guest.count) {
				text_add(text, " = 0x%llx ", (unsigned long long)step->entry);
				text_flags(text, answer->guest.format, step->level, step->entry);
			}
			text_add(text, "\n");
		}
		text_second_walk(text, &reference->walk);
	}
}
