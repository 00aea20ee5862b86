/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What L2 does between one VM entry and the next exit, under a hypervisor with a bug: instructions
 * that change what is cached are left out, as if they had done nothing, and flags are taken back
 * afterwards.
 */
#include "check/expect.h"
#include "cpu/control.h"
#include "libc/string.h"
#include "nested/wrongly.h"
#include "paging/entry.h"

static bool is_lost(const struct access *step)
{
	switch (step->instruction) {
	case INSTRUCTION_invlpg:
	case INSTRUCTION_mov_to_cr3:
		return sabotaged(SABOTAGE_own_flushes_of_l2_lost);
	case INSTRUCTION_mov_to_cr0:
		return sabotaged(SABOTAGE_wp_seen_late);
	case INSTRUCTION_mov_to_cr4:
		return sabotaged(SABOTAGE_own_flushes_of_l2_lost) ||
		       sabotaged(SABOTAGE_smep_set_keeps_translations);
	default:
		return false;
	}
}

/* L2's entry that maps the page which the last of several steps writes to. */
struct last_entry {
	uint64_t address, before;
	unsigned bytes;
};

static bool find_last_entry(const struct l2 *l2, const struct access *step, struct last_entry *last)
{
	static struct model_l2_answer answer;
	const struct model_access wanted = modelled_access(step);

	if (instruction_table[step->instruction].writes == NEVER)
		return false;
	l2_translate(l2, &answer, &l2->second.model, &wanted);
	if (answer.references < 2 || answer.reference[answer.references - 1].guest_level)
		return false;
	last->address = answer.reference[answer.references - 2].walk.physical;
	last->bytes = l2_format(l2)->entry_bytes;
	if (last->address >= IDENTITY_MAP_BYTES)
		return false;
	last->before = read_entry_of(last->address, last->bytes);
	return !(last->before & D);
}

void l2_run_steps_wrongly(struct l2 *l2, const struct access *steps, unsigned count,
			  struct l2_run *run)
{
	struct access played[MOST_STEPS];
	struct last_entry last;
	bool found;

	memcpy(played, steps, count * sizeof(played[0]));
	for (unsigned i = 0; i < count; i++) {
		if (!is_lost(&steps[i]))
			continue;
		played[i] = read_access(l2->steps, 8);
		played[i].user = steps[0].user;
	}
	found = count > 1 && find_last_entry(l2, &steps[count - 1], &last);
	l2_run_steps_rightly(l2, played, count, run);
	if (found && run->done == count && sabotaged(SABOTAGE_d_missing_after_read))
		write_entry_at(last.address, last.bytes,
			       read_entry_of(last.address, last.bytes) & ~D);
}
