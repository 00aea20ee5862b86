/* SPDX-License-Identifier: BSD-2-Clause */
#include "smp/litmus.h"

#include "check/expect.h"
#include "check/options.h"
#include "check/random.h"
#include "check/report.h"
#include "cpu/control.h"
#include "cpu/io.h"
#include "drivers/timer.h"
#include "libc/string.h"
#include "libc/text.h"
#include "mem/frames.h"
#include "paging/edit.h"
#include "smp/patience.h"
#include "smp/processors.h"

#define SLICE_MS      12
#define FEWEST	      3	   /* batches of instances */
#define LONGEST_MEET  2000 /* turns of waiting for the others before an instance */
#define MOST_OUTCOMES 40
#define LINE	      200

struct outcome_count {
	uint64_t seen[LITMUS_SEEN], times;
	enum litmus_verdict verdict;
};

static struct run {
	const struct litmus *litmus;
	unsigned count; /* of processors */
	struct barrier barrier;
	uint64_t batches, start, ticks;
	volatile uint32_t stop;
	uint64_t seen[LITMUS_INSTANCES][LITMUS_SEEN];
	struct outcome_count outcomes[MOST_OUTCOMES];
	unsigned outcome_count;
	struct {
		uint32_t at;
		struct random random;
		char apart[48]; /* a cache line each */
	} position[LITMUS_PROCESSORS];
} run;

static void count_outcome(const uint64_t *seen)
{
	struct outcome_count *found = run.outcomes;
	unsigned n = 0;

	while (n < run.outcome_count && memcmp(found[n].seen, seen, sizeof(found->seen)) != 0)
		n++;
	if (n == MOST_OUTCOMES)
		n--; /* so many are wrong ones, and fail the case as they are */
	else if (n == run.outcome_count) {
		memcpy(found[n].seen, seen, sizeof(found->seen));
		found[n].verdict = run.litmus->judge(seen);
		run.outcome_count++;
	}
	found[n].times++;
}

static void count_batch(void)
{
	for (unsigned i = 0; i < LITMUS_INSTANCES; i++) {
		if (run.litmus->look)
			run.litmus->look(0, i, run.seen[i]);
		count_outcome(run.seen[i]);
	}
	count_checks(LITMUS_INSTANCES);
	run.batches++;
}

static void prepare_batch(void)
{
	memset(run.seen, 0, sizeof(run.seen));
	for (unsigned i = 0; i < LITMUS_PROCESSORS; i++)
		run.position[i].at = 0;
	for (unsigned i = 0; i < LITMUS_INSTANCES; i++)
		run.litmus->prepare(0, i, run.seen[i]);
	run.stop = run.batches >= FEWEST && read_tsc() - run.start >= run.ticks;
	progress("%s: %llu instances", run.litmus->name,
		 (unsigned long long)run.batches * LITMUS_INSTANCES);
}

/* What was cached before may be of entries that processor 0 has changed since. */
static void get_ready(unsigned self)
{
	invalidate(LINEAR(0), MOV_CR3);
	for (unsigned i = 0; i < LITMUS_INSTANCES && run.litmus->use; i++)
		run.litmus->use(self, i, run.seen[i]);
}

static bool others_are_at(uint32_t position)
{
	for (unsigned i = 0; i < run.count; i++)
		if (__atomic_load_n(&run.position[i].at, __ATOMIC_ACQUIRE) < position)
			return false;
	return true;
}

void litmus_linger(unsigned self)
{
	struct random *random = &run.position[self].random;
	uint64_t turns = random_below(random, 4) ? random_below(random, 40) : 0;

	if (random_below(random, 16) == 0)
		pause();
	while (turns--)
		__asm__ volatile("" : : : "memory");
}

/* Waits for the others, not for ever, and then a random while. */
static void meet(unsigned self, uint32_t position)
{
	__atomic_store_n(&run.position[self].at, position, __ATOMIC_SEQ_CST);
	for (unsigned n = 1; n < LONGEST_MEET && !others_are_at(position); n++)
		if (n % 32 == 0)
			pause();
	litmus_linger(self);
}

static void take_part(unsigned self, void *argument)
{
	(void)argument;
	run.position[self].random = random_start(77 + self);
	for (;;) {
		if (!self)
			prepare_batch();
		barrier_wait(&run.barrier, self);
		if (run.stop)
			return;
		get_ready(self);
		barrier_wait(&run.barrier, self);
		for (unsigned i = 0; i < LITMUS_INSTANCES; i++) {
			meet(self, i + 1);
			run.litmus->program[self](self, i, run.seen[i]);
		}
		barrier_wait(&run.barrier, self);
		if (!self)
			count_batch();
	}
}

static void add_outcome(struct text *text, const struct outcome_count *outcome)
{
	for (unsigned i = 0; i < LITMUS_SEEN && run.litmus->seen[i]; i++)
		text_add(text, "%s%s %llx", i ? ", " : "", run.litmus->seen[i],
			 (unsigned long long)outcome->seen[i]);
}

static void report(const struct litmus *litmus)
{
	static const char *const verdicts[] = {"", " (relaxed)", " (FORBIDDEN)"};

	note("%s: %llu instances", litmus->name,
	     (unsigned long long)run.batches * LITMUS_INSTANCES);
	for (unsigned i = 0; i < run.outcome_count; i++) {
		const struct outcome_count *outcome = &run.outcomes[i];
		char line[LINE];
		struct text text = TEXT(line);

		add_outcome(&text, outcome);
		note("  %8llu  %s%s", (unsigned long long)outcome->times, line,
		     verdicts[outcome->verdict]);
		expect(outcome->verdict != LITMUS_FORBIDDEN, "%s: %s, %llu of %llu times",
		       litmus->name, line, (unsigned long long)outcome->times,
		       (unsigned long long)run.batches * LITMUS_INSTANCES);
	}
}

void litmus_run(const struct litmus *litmus, unsigned runs)
{
	unsigned seconds = run_seconds(0);

	memset(&run, 0, sizeof(run));
	run.litmus = litmus;
	while (run.count < LITMUS_PROCESSORS && litmus->program[run.count])
		run.count++;
	run.barrier.count = run.count;
	run.ticks = seconds ? seconds * tsc_per_second() / runs : time_to_try(SLICE_MS);
	run.start = read_tsc();
	run_on_all(run.count, take_part, NULL);
	report(litmus);
}

struct litmus_window litmus_window(enum level level)
{
	struct page page = map_page(P | RW | US);
	uint64_t *table = table_of(page.entry[level]);
	uint64_t step = level == PD ? PAGE_2M : PAGE_4K;

	memset(table, 0, PAGE_4K);
	return (struct litmus_window){LINEAR(page.linear.value & ~(512 * step - 1)), step, table};
}
