/* SPDX-License-Identifier: BSD-2-Clause
 *
 * When a processor does not get on: what each of them was doing, in words.
 */
#include "check/report.h"
#include "libc/text.h"
#include "smp/processor.h"

static const char *const state_names[] = {"not started", "idle", "working", "gave up waiting",
					  "died"};

static void describe(struct text *text, const struct processor *processor)
{
	text_add(text, "processor %u %s", processor->index, state_names[processor->state]);
	if (processor->state == GAVE_UP && processor->waiting_for)
		text_add(text, " for %s", processor->waiting_for);
	if (processor->state == DIED) {
		text_add(text, " of ");
		text_exception(text, (unsigned)processor->exception.vector,
			       processor->exception.error_code);
		text_add(text, ", CR2 0x%llx, RIP 0x%llx", (unsigned long long)processor->cr2,
			 (unsigned long long)processor->exception.rip);
	}
	if (processor->at != NO_ATTEMPT)
		text_add(text, ", in an access at linear 0x%llx",
			 (unsigned long long)processor->at);
	if (processor->asked != processor->answered)
		text_add(text, ", with a request that it has not answered");
	if (processor->faults)
		text_add(text, ", %llu faults, the last at linear 0x%llx",
			 (unsigned long long)processor->faults,
			 (unsigned long long)processor->last_fault);
}

_Noreturn void fail_with_processors(const char *what, unsigned processor)
{
	struct failure *failure = new_failure("", 0);
	struct text message = TEXT(failure->message), observed = TEXT(failure->observed);

	text_add(&message, "%s: processor %u", what, processor);
	for (unsigned i = 0; i < processor_count(); i++) {
		if (!i && processors[i].state != GAVE_UP)
			continue;
		describe(&observed, &processors[i]);
		text_add(&observed, "\n");
	}
	report_failure(failure);
	end_case_failed("the processors do not work together any more");
}

void look_after_processors(void)
{
	for (unsigned i = 1; i < processor_count(); i++) {
		enum processor_state state = processors[i].state;

		if (state == DIED)
			fail_with_processors("a processor met an unexpected exception", i);
		if (state == GAVE_UP)
			fail_with_processors("a processor waited in vain", i);
	}
}

_Noreturn void give_up(unsigned self, const char *what)
{
	struct processor *own = &processors[self];

	own->waiting_for = what;
	own->state = GAVE_UP;
	if (!self)
		fail_with_processors("a processor waited in vain", 0);
	__builtin_longjmp(own->before_work, 1);
}
