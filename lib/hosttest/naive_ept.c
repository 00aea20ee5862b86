/* SPDX-License-Identifier: BSD-2-Clause */
#include "hosttest/naive_ept.h"

struct ept_walk {
	bool misconfigured, not_present;
	bool readable, writable, executable;
	uint64_t physical;
	unsigned entries;
	uint64_t address[4];
};

/* The processor while it translates one access. */
struct run {
	const struct naive_l2_question *q;
	unsigned steps;		 /* L2's entries that were read */
	uint64_t step_gpa[5];	 /* where */
	struct ept_walk step[5]; /* and how EPT translated that */
	int stopped;		 /* the step that EPT did not let read; -1: none */
	struct naive_l2_outcome outcome;
};

static bool bit(uint64_t value, unsigned number)
{
	return value >> number & 1;
}

static bool any_bit(uint64_t value, unsigned high, unsigned low)
{
	for (unsigned i = low; i <= high; i++)
		if (bit(value, i))
			return true;
	return false;
}

/* "EPT Misconfigurations", the part that is the same for all entries. */
static bool bad_in_any_entry(const struct naive_l2_question *q, uint64_t entry)
{
	if (!bit(entry, 0) && bit(entry, 1))
		return true;
	if (!bit(entry, 0) && bit(entry, 2) && !q->execute_only)
		return true;
	return q->maxphyaddr < 52 && any_bit(entry, 51, q->maxphyaddr);
}

static bool bad_memory_type(uint64_t entry)
{
	unsigned type = (entry >> 3) % 8;

	return type == 2 || type == 3 || type == 7;
}

static uint64_t address_above(uint64_t entry, unsigned low)
{
	return entry % (1ull << 52) / (1ull << low) * (1ull << low);
}

static uint64_t take(const struct naive_l2_question *q, struct ept_walk *w, uint64_t table,
		     uint64_t gpa, unsigned shift)
{
	uint64_t address = table + (gpa >> shift) % 512 * 8;
	uint64_t entry = q->guest.read(q->guest.memory, address);

	w->address[w->entries++] = address;
	w->readable = w->readable && bit(entry, 0);
	w->writable = w->writable && bit(entry, 1);
	w->executable = w->executable && bit(entry, 2);
	w->not_present = entry % 8 == 0;
	return entry;
}

static void map(struct ept_walk *w, uint64_t gpa, uint64_t entry, unsigned low)
{
	w->physical = address_above(entry, low) + gpa % (1ull << low);
}

static void walk_ept(const struct naive_l2_question *q, uint64_t gpa, struct ept_walk *w)
{
	uint64_t entry;

	*w = (struct ept_walk){.readable = true, .writable = true, .executable = true};
	entry = take(q, w, q->ept_root, gpa, 39);
	if (w->not_present)
		return;
	if ((w->misconfigured = bad_in_any_entry(q, entry) || any_bit(entry, 7, 3)))
		return;
	entry = take(q, w, address_above(entry, 12), gpa, 30);
	if (w->not_present)
		return;
	if (bit(entry, 7)) {
		w->misconfigured = bad_in_any_entry(q, entry) || !q->ept_1g ||
				   any_bit(entry, 29, 12) || bad_memory_type(entry);
		map(w, gpa, entry, 30);
		return;
	}
	if ((w->misconfigured = bad_in_any_entry(q, entry) || any_bit(entry, 6, 3)))
		return;
	entry = take(q, w, address_above(entry, 12), gpa, 21);
	if (w->not_present)
		return;
	if (bit(entry, 7)) {
		w->misconfigured = bad_in_any_entry(q, entry) || any_bit(entry, 20, 12) ||
				   bad_memory_type(entry);
		map(w, gpa, entry, 21);
		return;
	}
	if ((w->misconfigured = bad_in_any_entry(q, entry) || any_bit(entry, 6, 3)))
		return;
	entry = take(q, w, address_above(entry, 12), gpa, 12);
	if (w->not_present)
		return;
	w->misconfigured = bad_in_any_entry(q, entry) || bad_memory_type(entry);
	map(w, gpa, entry, 12);
}

/* Does EPT stop an access of this kind? Then it is the outcome. */
static bool ept_stops(struct run *run, const struct ept_walk *w, uint64_t gpa, bool read,
		      bool write, bool fetch)
{
	struct naive_l2_outcome *outcome = &run->outcome;

	if (!w->misconfigured && !w->not_present && !(read && !w->readable) &&
	    !(write && !w->writable) && !(fetch && !w->executable))
		return false;
	outcome->gpa = gpa;
	if (w->misconfigured) {
		outcome->end = NAIVE_L2_MISCONFIGURATION;
		return true;
	}
	outcome->end = NAIVE_L2_VIOLATION;
	outcome->qualification = read + 2 * write + 4 * fetch + 8 * w->readable + 16 * w->writable +
				 32 * w->executable + 128;
	outcome->undefined = 64 + 512 + 1024 + 2048;
	return true;
}

static uint64_t read_for_l2(const void *memory, uint64_t gpa)
{
	struct run *run = (struct run *)(uintptr_t)memory;
	const struct naive_l2_question *q = run->q;
	struct ept_walk *w = &run->step[run->steps];

	if (run->stopped >= 0)
		return 0;
	walk_ept(q, gpa, w);
	run->step_gpa[run->steps] = gpa;
	if (ept_stops(run, w, gpa, true, q->flags_for_ept, false)) {
		run->stopped = (int)run->steps;
		return 0;
	}
	run->steps++;
	return q->guest.read(q->guest.memory, w->physical);
}

/* A flag of L2's entry n is set: a write, which may be reported as a read as well. */
static bool update_stops(struct run *run, unsigned n)
{
	if (!ept_stops(run, &run->step[n], run->step_gpa[n], false, true, false))
		return false;
	run->outcome.undefined |= 1;
	return true;
}

/* Which of L2's entries get their accessed flag, were it only up to them. */
static unsigned entries_to_mark(const struct run *run, const struct naive_answer *answer)
{
	unsigned marked = 0, last = run->steps - 1;
	bool last_is_used = run->stopped >= 0 || answer->translated;

	for (unsigned n = 0; n < run->steps; n++)
		if (!bit(answer->entry[n].value, 5) && (n < last || last_is_used))
			marked |= 1u << n;
	return marked;
}

static bool page_stops(struct run *run, uint64_t gpa, const struct naive_answer *answer)
{
	const struct naive_l2_question *q = run->q;
	bool read = !q->guest.write && !q->guest.fetch;
	bool user = true, writable = true, no_execute = false;
	struct ept_walk w;

	walk_ept(q, gpa, &w);
	for (unsigned i = 0; q->paged && i < answer->entries; i++) {
		user = user && bit(answer->entry[i].value, 2);
		writable = writable && bit(answer->entry[i].value, 1);
		no_execute = no_execute || (q->guest.efer_nxe && bit(answer->entry[i].value, 63));
	}
	if (!ept_stops(run, &w, gpa, read, q->guest.write, q->guest.fetch)) {
		for (unsigned i = 0; i < w.entries; i++) {
			unsigned n = run->outcome.ept_entries++;

			run->outcome.ept_entry[n].address = w.address[i];
			run->outcome.ept_entry[n].flags =
				256 + (q->guest.write && i + 1 == w.entries ? 512 : 0);
		}
		return false;
	}
	run->outcome.qualification += 256;
	if (q->reads_too && q->guest.write)
		run->outcome.undefined |= 1;
	if (q->advanced_information && run->outcome.end == NAIVE_L2_VIOLATION) {
		run->outcome.undefined &= ~(512ull + 1024 + 2048);
		run->outcome.qualification += 512 * user + 1024 * writable + 2048 * no_execute;
	}
	return true;
}

static void note_entries_of_steps(struct run *run)
{
	for (unsigned n = 0; n < run->steps; n++) {
		for (unsigned i = 0; i < run->step[n].entries; i++) {
			unsigned at = run->outcome.ept_entries++;
			bool last = i + 1 == run->step[n].entries;

			run->outcome.ept_entry[at].address = run->step[n].address[i];
			run->outcome.ept_entry[at].flags = last ? 256 + 512 : 256;
		}
	}
}

/* The flags that are left to be set, D of a written page among them. */
static bool late_updates_stop(struct run *run, const struct naive_answer *answer, unsigned marked,
			      bool from_below)
{
	for (unsigned i = 0; i < run->steps; i++) {
		unsigned n = from_below ? run->steps - 1 - i : i;
		bool dirty = run->q->guest.write && n + 1 == run->steps &&
			     !bit(answer->entry[n].value, 6);

		if (((marked >> n & 1) || dirty) && update_stops(run, n))
			return true;
	}
	return false;
}

static struct naive_l2_outcome finish(struct run *run, const struct naive_answer *answer,
				      unsigned marked, bool page_first, bool from_below)
{
	note_entries_of_steps(run);
	if (page_first && page_stops(run, answer->physical, answer))
		return run->outcome;
	if (late_updates_stop(run, answer, marked, from_below))
		return run->outcome;
	if (!page_first)
		page_stops(run, answer->physical, answer);
	return run->outcome;
}

struct naive_l2_outcome naive_translate_l2(const struct naive_l2_question *question,
					   unsigned at_once, bool page_first, bool from_below)
{
	struct run run = {.q = question, .stopped = -1};
	struct naive_question guest = question->guest;
	struct naive_answer answer = {0};
	unsigned marked;

	if (!question->paged) {
		page_stops(&run, question->guest.linear, &answer);
		return run.outcome;
	}
	guest.read = read_for_l2;
	guest.memory = &run;
	answer = naive_translate(&guest);
	run.outcome.guest = answer;
	marked = entries_to_mark(&run, &answer);
	for (unsigned n = 0; n < run.steps; n++)
		if ((marked & at_once) >> n & 1 && update_stops(&run, n))
			return run.outcome;
	if (run.stopped >= 0)
		return run.outcome;
	if (answer.page_fault) {
		run.outcome.end = NAIVE_L2_PAGE_FAULT;
		run.outcome.error_code = answer.error_code;
		return run.outcome;
	}
	return finish(&run, &answer, marked & ~at_once, page_first, from_below);
}
