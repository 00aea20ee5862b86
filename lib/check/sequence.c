/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/sequence.h"

#include "check/expect.h"
#include "cpu/features.h"
#include "mem/frames.h"
#include "paging/describe.h"
#include "paging/edit.h"
#include "paging/space.h"

#define MOST_TRIES 3

static struct sequence_counts counts;

static struct step *next_step(struct sequence *sequence, enum step_kind kind)
{
	struct step *step = &sequence->step[sequence->steps++ % SEQUENCE_REMEMBERED];

	step->kind = kind;
	return step;
}

static struct history_controls controls_now(void)
{
	uint64_t cr4 = read_cr4();

	return (struct history_controls){.paging = read_cr0() & CR0_PG,
					 .pse = cr4 & CR4_PSE,
					 .pae = cr4 & CR4_PAE,
					 .pge = cr4 & CR4_PGE,
					 .la57 = cr4 & CR4_LA57,
					 .pcide = cr4 & CR4_PCIDE};
}

void sequence_start(struct sequence *sequence, const linear_t *pages, unsigned count)
{
	sequence->steps = 0;
	sequence->next_tag = SEQUENCE_TAGS;
	invalidate(LINEAR(0), CR4_PGE_TWICE);
	history_start(&sequence->history, processor_now(), controls_now(), read_identity, NULL);
	for (unsigned i = 0; i < count; i++)
		history_watch(&sequence->history, pages[i].value);
}

void sequence_edit(struct sequence *sequence, uint64_t *entry, uint64_t value)
{
	struct step *step = next_step(sequence, STEP_EDIT);

	step->address = gpa_of(entry).value;
	step->value = value;
	history_edit(&sequence->history);
	step->before = *(volatile uint64_t *)entry;
	*(volatile uint64_t *)entry = value;
}

void sequence_invlpg(struct sequence *sequence, linear_t linear)
{
	next_step(sequence, STEP_INVLPG)->address = linear.value;
	history_invlpg(&sequence->history, linear.value);
	invlpg(linear.value);
}

void sequence_invpcid(struct sequence *sequence, unsigned type, unsigned pcid, linear_t linear)
{
	struct step *step = next_step(sequence, STEP_INVPCID);
	const uint64_t descriptor[] = {pcid, linear.value};

	step->type = type;
	step->pcid = pcid;
	step->address = linear.value;
	history_invpcid(&sequence->history, type, pcid, linear.value);
	__asm__ volatile("invpcid %0, %1" : : "m"(descriptor), "r"((uint64_t)type) : "memory");
	processor_event(EVENT_INVPCID, type, descriptor);
}

void sequence_mov_to_cr3(struct sequence *sequence, uint64_t value)
{
	next_step(sequence, STEP_MOV_TO_CR3)->value = value;
	history_mov_to_cr3(&sequence->history, value);
	mov_to_cr3(value);
}

#define TOGGLE(name, kind_, read)                                                     \
	void sequence_toggle_##name(struct sequence *sequence, uint64_t bits)         \
	{                                                                             \
		struct step *step = next_step(sequence, kind_);                       \
                                                                                      \
		step->before = read;                                                  \
		step->value = step->before ^ bits;                                    \
		if (step->value & bits)                                               \
			set_##name(step->value &bits);                                \
		if (step->before & bits)                                              \
			clear_##name(step->before &bits);                             \
		history_control(&sequence->history, processor_now(), controls_now()); \
	}

TOGGLE(cr0, STEP_CR0, read_cr0())
TOGGLE(cr4, STEP_CR4, read_cr4())
TOGGLE(efer, STEP_EFER, read_msr(MSR_EFER))

/* What is in memory where one outcome leads; false if it leads nowhere. */
static bool content(const struct history_outcome *outcome, uint64_t *word)
{
	if (outcome->vector != MODEL_COMPLETES || !is_ram(GPA(outcome->physical), 8))
		return false;
	*word = *(volatile uint64_t *)identity(GPA(outcome->physical));
	return true;
}

/* Whether the data is as it is after outcome `n`: it read what was there, or wrote there and
 * nowhere else. */
static bool reached(const struct history_answer *answer, unsigned n, const uint64_t *before,
		    const struct access *access, const struct outcome *outcome)
{
	const struct history_outcome *this = &answer->outcome[n];
	uint64_t now;

	if (!content(this, &now))
		return false;
	if (access->instruction == INSTRUCTION_fetch)
		return frame_word((uint32_t)outcome->value[0]) == before[n];
	if (instruction_table[access->instruction].writes == NEVER)
		return outcome->value[0] == before[n];
	if (now != access->value[0])
		return false;
	for (unsigned i = 0; i < answer->count; i++)
		if (answer->outcome[i].physical != this->physical &&
		    content(&answer->outcome[i], &now) && now != before[i])
			return false;
	return true;
}

static void describe(struct failure *failure, const struct sequence *sequence,
		     const struct outcome *outcome, const struct history_observation *seen)
{
	const struct history_answer *answer = &sequence->answer;
	struct text text = TEXT(failure->access);

	text_access(&text, &sequence->step[(sequence->steps - 1) % SEQUENCE_REMEMBERED].access);
	text = TEXT(failure->walk);
	text_sequence(&text, sequence);
	text_walk(&text, &answer->walk);
	text = TEXT(failure->expected);
	for (unsigned i = 0; i < answer->count; i++) {
		const struct history_outcome *one = &answer->outcome[i];

		text_add(&text, "by %s: ", one->way);
		if (one->vector == MODEL_COMPLETES)
			text_add(&text, "completed at physical 0x%llx\n",
				 (unsigned long long)one->physical);
		else
			text_exception(&text, one->vector, one->error_code), text_add(&text, "\n");
	}
	text = TEXT(failure->observed);
	text_outcome(&text, outcome);
	text_add(&text, "\n");
	for (unsigned i = 0; i < answer->entries; i++) {
		const struct history_entry *entry = &answer->entry[i];

		if (entry->value == seen->entry_after[i])
			continue;
		text_add(&text, "entry 0x%llx from 0x%llx to ", (unsigned long long)entry->address,
			 (unsigned long long)entry->value);
		text_flags(&text, answer->walk.format, entry->level, seen->entry_after[i]);
		text_add(&text, "\n");
	}
}

static void report(const char *file, int line, const struct sequence *sequence, const char *what,
		   const struct outcome *outcome, const struct history_observation *seen)
{
	struct failure *failure = new_failure(file, line);
	struct text message = TEXT(failure->message);

	text_add(&message, "%s", what);
	if (sequence->name)
		text_add(&message, " (%s)", sequence->name);
	describe(failure, sequence, outcome, seen);
	report_failure(failure);
}

/* Whether a cached entry can make a difference to what the access does. */
static bool has_choice(const struct history_answer *answer)
{
	const struct history_outcome *memory = &answer->outcome[0];

	for (unsigned i = 1; i < answer->count; i++)
		if (answer->outcome[i].vector != memory->vector ||
		    answer->outcome[i].error_code != memory->error_code ||
		    answer->outcome[i].physical != memory->physical)
			return true;
	return false;
}

/* What was wrong, or NULL; *again when the access has to be made once more. */
static const char *judge(struct sequence *sequence, const struct access *access,
			 struct outcome *outcome, struct history_observation *seen, bool *again)
{
	const struct model_access asked = modelled_access(access);
	struct history_answer *answer = &sequence->answer;
	uint64_t before[HISTORY_MOST_OUTCOMES];
	struct history_verdict verdict;

	history_permitted(&sequence->history, &asked, answer);
	for (unsigned i = 0; i < answer->count; i++)
		content(&answer->outcome[i], &before[i]);
	*outcome = attempt(*access);
	seen->vector = outcome->vector;
	seen->error_code = outcome->error_code;
	seen->cr2 = outcome->cr2;
	seen->reached = 0;
	for (unsigned i = 0; i < answer->count; i++)
		if (reached(answer, i, before, access, outcome))
			seen->reached |= 1ull << i;
	for (unsigned i = 0; i < answer->entries; i++)
		seen->entry_after[i] = read_identity(NULL, answer->entry[i].address);
	verdict = history_judge(answer, &asked, seen, ~0ull);
	counts.accesses++;
	counts.choices += has_choice(answer);
	counts.stale += verdict.stale;
	if (outcome->vector == VECTOR_PF && !sequence->faults_keep)
		history_page_fault(&sequence->history, asked.linear);
	*again = verdict.stale && outcome->vector != NO_VECTOR;
	if (verdict.mismatch != MODEL_FITS)
		return model_mismatch_text(verdict.mismatch);
	if (outcome->vector != NO_VECTOR &&
	    outcome->rip - outcome->expected_rip != outcome->cr2 - asked.linear)
		return "RIP of the fault is not that of the instruction";
	return NULL;
}

void judge_step(const char *file, int line, struct sequence *sequence, struct access access)
{
	struct history_observation seen;
	bool again = true;

	for (unsigned tries = 0; again; tries++) {
		struct step *step = next_step(sequence, STEP_ACCESS);
		const char *what;

		access.value[0] = frame_word(++sequence->next_tag);
		step->access = access;
		count_check();
		what = judge(sequence, &access, &step->outcome, &seen, &again);
		if (again && tries == MOST_TRIES)
			what = "the access faults again and again, though memory allows it";
		if (what) {
			report(file, line, sequence, what, &step->outcome, &seen);
			return;
		}
	}
}

void sequence_counts_reset(void)
{
	counts = (struct sequence_counts){0};
}

void sequence_note(void)
{
	note("%u of %u accesses used what memory no longer says, of %u that might%s", counts.stale,
	     counts.accesses, counts.choices,
	     counts.choices && !counts.stale ? ": what may be kept is not kept here" : "");
}
