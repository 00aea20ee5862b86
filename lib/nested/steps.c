/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of steps is in a page of L2's, which its code reads and writes at the steps' privilege
 * level. How far L2 came is in R15.
 */
#include "nested/steps.h"

#include "check/report.h"
#include "cpu/control.h"
#include "mem/frames.h"
#include "nested/l2.h"
#include "paging/entry.h"

struct step {
	uint64_t rax, rdx, rdi, rsi, rip, out, unused[2];
};

extern const char access_first_step[], access_next_step[];

static struct step *list_of(struct l2 *l2)
{
	if (!l2->steps.value) {
		struct l2_page page = l2_map(l2, PT, P | RW | US | A | D, 0);

		l2->steps = page.linear;
		l2->steps_frame = page.frame;
	}
	return identity(l2->steps_frame);
}

static void write_list(struct l2 *l2, const struct access *steps, unsigned count)
{
	struct step *list = list_of(l2);

	for (unsigned i = 0; i < count; i++)
		list[i] = (struct step){.rax = steps[i].value[0],
					.rdx = steps[i].value[1],
					.rdi = steps[i].linear.value,
					.rsi = l2->code[steps[i].user].value,
					.rip = l2_stub(l2, &steps[i]).value};
	list[count] = (struct step){.rip = l2_end_of_code(l2, steps[0].user)};
}

void l2_run_steps(struct l2 *l2, const struct access *steps, unsigned count, struct l2_run *run)
{
	list_of(l2);
	if (__builtin_expect(!!l2_hooks, 0))
		l2_hooks->run_steps(l2, steps, count, run);
	else
		l2_run_steps_rightly(l2, steps, count, run);
}

void l2_run_steps_rightly(struct l2 *l2, const struct access *steps, unsigned count,
			  struct l2_run *run)
{
	const struct step *list = list_of(l2);
	bool user = steps[0].user;
	struct l2_registers registers = {
		.r12 = l2_code_address(l2, user, access_next_step),
		.r15 = l2->steps.value,
		.rip = l2_code_address(l2, user, access_first_step),
		.rflags = access_rflags(&steps[0]),
	};

	if (!l2_is_64bit(l2) || count > MOST_STEPS)
		end_case_failed("steps of L2 are for 64-bit mode, and not so many");
	*run = (struct l2_run){0};
	write_list(l2, steps, count);
	l2->user = user;
	l2->backend->enter(l2, &registers, &run->end.exit);
	run->done = (unsigned)((registers.r15 - l2->steps.value) / sizeof(*list));
	for (unsigned i = 0; i < run->done && i < count; i++)
		run->value[i] = list[i].out;
	run->end.exited = run->end.exit.kind != L2_EXCEPTION;
	if (!run->end.exited)
		run->end.outcome = l2_exception_outcome(l2, &run->end.exit, &registers);
}
