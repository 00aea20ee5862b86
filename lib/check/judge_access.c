/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One access, compared with the model in everything that can be seen of it.
 */
#include "check/judged.h"

#include "check/state.h"
#include "libc/string.h"
#include "mem/frames.h"
#include "paging/describe.h"
#include "paging/space.h"

#define LONGEST_OPERAND 16

static bool compares_p_with_rsvd;

void compare_p_of_reserved_bit_faults(void)
{
	compares_p_with_rsvd = true;
}

bool p_of_reserved_bit_faults_is_compared(void)
{
	return compares_p_with_rsvd;
}

void expectations_reset(void)
{
	compares_p_with_rsvd = false;
}

struct model_access modelled_access(const struct access *access)
{
	const struct instruction_entry *instruction = &instruction_table[access->instruction];

	return (struct model_access){
		.linear = access->linear.value,
		.bytes = instruction->size,
		.write = instruction->writes != NEVER,
		.may_write = instruction->writes == MAYBE,
		.reads = instruction->reads,
		.fetch = access->instruction == INSTRUCTION_fetch,
		/* WRUSS makes a user-mode access at CPL 0. */
		.user = access->user || access->instruction == INSTRUCTION_wruss,
		.shadow_stack = access->instruction >= SHADOW_STACK_INSTRUCTIONS &&
				access->instruction < END_OF_SHADOW_STACK_INSTRUCTIONS,
		.ac = access->ac,
		.compatibility = access->compatibility,
	};
}

struct model_outcome modelled_outcome(struct access access)
{
	struct model_access asked = modelled_access(&access);
	struct model_answer answer;

	model_translate(&answer, processor_now(), &asked, read_identity, NULL);
	return answer.outcome[0];
}

/* Which bits of the nth 8 bytes belong to an operand of `bytes`. */
static uint64_t operand_mask(unsigned bytes, unsigned n)
{
	unsigned here = bytes > 8 * n ? bytes - 8 * n : 0;

	return here >= 8 ? ~0ull : (1ull << (8 * here)) - 1;
}

static bool operands_differ(const struct judged *judged, const uint64_t *a, const uint64_t *b)
{
	return ((a[0] ^ b[0]) & judged->operand[0]) | ((a[1] ^ b[1]) & judged->operand[1]);
}

/* Not memcpy(), which would be most of a check's time: here speed counts. */
static void copy_operand(uint64_t to[2], const struct judged *judged)
{
	const volatile uint64_t *from = identity(GPA(judged->answer.walk.physical));

	to[0] = from[0];
	to[1] = from[1];
}

static void make_access(struct judged *judged)
{
	const struct walk *walk = &judged->answer.walk;

	judged->has_data = walk->end == WALK_MAPPED &&
			   walk->physical + LONGEST_OPERAND < IDENTITY_MAP_BYTES &&
			   is_ram(GPA(walk->physical), LONGEST_OPERAND);
	if (judged->has_data)
		copy_operand(judged->before, judged);
	judged->outcome = attempt(judged->access);
	if (judged->has_data)
		copy_operand(judged->after, judged);
	judged->seen.vector = judged->outcome.vector;
	judged->seen.error_code = judged->outcome.error_code;
	judged->seen.cr2 = judged->outcome.cr2;
	for (unsigned i = 0; i < walk->count; i++)
		judged->seen.entry_after[i] = read_identity(NULL, walk->step[i].address);
}

/* What is wrong with the data, or NULL. */
static const char *data_mismatch(const struct judged *judged)
{
	const struct model_access *access = &judged->model_access;
	bool moves = judged->access.instruction <= INSTRUCTION_write16; /* others' effects vary */
	const uint64_t *value = judged->outcome.value;
	bool changed;

	if (!judged->has_data)
		return NULL;
	changed = operands_differ(judged, judged->before, judged->after);
	if (judged->outcome.vector != NO_VECTOR)
		return changed ? "the access faulted, but changed memory" : NULL;
	if (access->fetch)
		return judged->before[0] == frame_word((uint32_t)value[0])
			       ? NULL
			       : "other code was executed";
	if (!access->write && changed)
		return "a read changed memory";
	if (moves && !access->write && operands_differ(judged, value, judged->before))
		return "wrong data was read";
	if (moves && access->write && memcmp(judged->access.value, judged->after, access->bytes))
		return "memory does not hold what was written";
	return NULL;
}

static void describe(struct failure *failure, const struct judged *judged,
		     struct model_verdict verdict)
{
	const struct model_outcome *wanted = &judged->answer.outcome[verdict.outcome];
	const struct walk *walk = &judged->answer.walk;
	struct text text = TEXT(failure->access);

	text_access(&text, &judged->access);
	text = TEXT(failure->walk);
	text_walk(&text, walk);
	text = TEXT(failure->expected);
	if (wanted->vector == MODEL_COMPLETES)
		text_add(&text, "completed");
	else
		text_exception(&text, wanted->vector, wanted->error_code);
	if (wanted->vector == VECTOR_PF)
		text_add(&text, ", CR2 0x%llx", (unsigned long long)walk->linear);
	text_add(&text, ": %s\n", wanted->why);
	for (unsigned i = 0; i < walk->count; i++)
		text_add(&text, "%s: must be set:%s%s, may be set:%s\n",
			 walk->format->level[walk->step[i].level].entry_name,
			 wanted->must[i] & A ? " A" : " none", wanted->must[i] & D ? " D" : "",
			 wanted->may[i] & A ? " A" : " none");
	text = TEXT(failure->observed);
	text_outcome(&text, &judged->outcome);
	text_add(&text, "\n");
	for (unsigned i = 0; i < walk->count; i++) {
		text_add(&text, "%s afterwards 0x%016llx ",
			 walk->format->level[walk->step[i].level].entry_name,
			 (unsigned long long)judged->seen.entry_after[i]);
		text_flags(&text, walk->format, walk->step[i].level, judged->seen.entry_after[i]);
		text_add(&text, "\n");
	}
}

/* The instruction that faulted must be the one that made the access. */
static const char *rip_mismatch(const struct judged *judged)
{
	if (judged->outcome.vector == NO_VECTOR ||
	    judged->outcome.rip == judged->outcome.expected_rip)
		return NULL;
	return "RIP of the fault is not that of the instruction";
}

const char *judged_mismatch(const struct judged *judged, struct model_verdict *verdict)
{
	uint64_t mask = ~0ull;
	const char *what;

	if (!compares_p_with_rsvd && judged->answer.walk.end == WALK_RESERVED)
		mask &= ~(uint64_t)PF_P;
	*verdict = model_judge(&judged->answer, &judged->seen, mask);
	if (verdict->mismatch != MODEL_FITS)
		return model_mismatch_text(verdict->mismatch);
	what = rip_mismatch(judged);
	return what ? what : data_mismatch(judged);
}

void report_judged(const char *file, int line, const struct judged *judged,
		   struct model_verdict verdict, const char *what)
{
	struct failure *failure = new_failure(file, line);
	struct text message = TEXT(failure->message);

	text_add(&message, "%s", what);
	if (judged->combination) {
		struct text combination = TEXT(failure->combination);

		text_add(&message, " (combination %llu)", (unsigned long long)judged->number);
		text_add(&combination, "#%llu: %s", (unsigned long long)judged->number,
			 judged->combination);
	}
	describe(failure, judged, verdict);
	report_failure(failure);
}

struct outcome judge_access(const char *file, int line, struct access access)
{
	struct judged judged; /* not initialised as a whole: it is large, and this runs millions of
				 times */
	struct model_verdict verdict;
	const char *what;

	judged.combination = NULL;
	judged.access = access;
	judged.model_access = modelled_access(&access);
	judged.operand[0] = operand_mask(judged.model_access.bytes, 0);
	judged.operand[1] = operand_mask(judged.model_access.bytes, 1);
	model_translate(&judged.answer, processor_now(), &judged.model_access, read_identity, NULL);
	make_access(&judged);
	count_check();
	what = judged_mismatch(&judged, &verdict);
	if (what)
		report_judged(file, line, &judged, verdict, what);
	return judged.outcome;
}
