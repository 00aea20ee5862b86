/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What an exception that no attempt was waiting for does to the case, and a lack of memory.
 */
#include "check/report.h"
#include "check/running.h"
#include "cpu/exception.h"
#include "drivers/power.h"
#include "mem/frames.h"

static void fail_for_memory(void)
{
	end_case_skipped("memory", "this machine has less memory than the case takes");
}

/* While a case runs it fails that case; elsewhere nothing is sound. */
static void unexpected_exception(const struct exception_frame *frame, uint64_t cr2)
{
	struct failure *failure;
	struct text text;

	if (!running.entered) {
		printf("Bail out! exception %s outside a case, RIP 0x%llx\n",
		       vector_name((unsigned)frame->vector), (unsigned long long)frame->rip);
		power_off(EXIT_ABORTED);
	}
	running.entered = false;
	failure = new_failure("", 0);
	text = TEXT(failure->observed);
	text_exception(&text, (unsigned)frame->vector, frame->error_code);
	text_add(&text, ", CR2 0x%llx, RIP 0x%llx, RSP 0x%llx", (unsigned long long)cr2,
		 (unsigned long long)frame->rip, (unsigned long long)frame->rsp);
	text = TEXT(failure->message);
	text_add(&text, "unexpected exception %s", vector_name((unsigned)frame->vector));
	text = TEXT(failure->backtrace);
	text_backtrace(&text, frame->rip, frame->rbp);
	printf("# exception %s\n", failure->observed);
	running.failures++;
	leave_case();
}

void catch_unexpected(void)
{
	set_unexpected_exception_handler(unexpected_exception);
	set_out_of_frames_handler(fail_for_memory);
}
