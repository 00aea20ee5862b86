/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Written for speed, as it runs millions of times: pages are filled with combinations until there
 * are no more pages, then one flush serves all of them. The model is asked once for each way in
 * which a walk can end and rights can combine: all that counts (lib/hosttest/axes_test.c).
 */
#include "check/walk.h"

#include "check/effort.h"
#include "check/judged.h"
#include "check/options.h"
#include "check/slice.h"
#include "check/state.h"
#include "check/walk_machine.h"
#include "check/walk_pages.h"
#include "check/walk_ways.h"
#include "libc/string.h"
#include "paging/edit.h"

/* What the model permits, by entry's level. */
struct permitted {
	bool known;
	unsigned char must[MOST_LEVELS + 1], may[MOST_LEVELS + 1];
	unsigned vector;
	uint64_t error_code, compared; /* `compared`: which bits of it */
};

/* A combination in its page. */
struct job {
	struct walk_state state;
	unsigned char flags, access;
	struct permitted *permitted;
	uint64_t written[MOST_LEVELS + 1];
};

static struct
try {
	struct walk_axes walk;
	struct slice slice;
	struct walk_page *page;
	struct way way[WALK_ACCESSES];
	unsigned controls, jobs;
	bool all, wide;
	uint64_t tried, offered;
	unsigned queued[WALK_ACCESSES];
	unsigned char queue[WALK_ACCESSES][WALK_PAGES]; /* the jobs with this access */
	struct job job[WALK_PAGES];
	struct permitted permitted[WALK_CLASSES][WALK_ACCESSES];
}
try;

static void begin_try(enum level level, enum walk_axes_of what)
{
	const struct paging_format *format = current_format();
	struct walk_offer offer = walk_offer_now(level);

	try.walk = declare_walk_axes(format, level, &offer, what);
	try.wide = format->entry_bytes == 8;
	try.all = run_is_exhaustive() || is_small_walk(&try.walk);
	try.tried = try.jobs = 0;
	slice_start(&try.slice, &try.walk.axes, effort_shares());
	try.offered = offered_combinations(&try.walk.axes);
	memset(try.queued, 0, sizeof(try.queued));
	try.page = make_walk_pages(level);
	for (unsigned i = 0; i < try.walk.accesses; i++)
		try.way[i] = make_way(i);
}

static void set_controls(unsigned controls)
{
	set_walk_controls(controls);
	try.controls = controls;
	for (unsigned i = 0; i < WALK_CLASSES; i++)
		for (unsigned n = 0; n < WALK_ACCESSES; n++)
			try.permitted[i][n].known = false;
}

static const struct walk_target *target_of(const struct job *job)
{
	bool fetches = try.way[job->access].operation == FETCH;

	return &try.page[job - try.job].target[fetches ? FOR_CODE : FOR_DATA];
}

static linear_t linear_of(const struct job *job)
{
	return linear_plus(target_of(job)->linear, try.way[job->access].shift / 8);
}

/* Which bits of the error code are compared. P of reserved-bit faults is reserved_bits' matter, and
 * whether a read-modify-write that may not even read is reported as a write instruction_flags': two
 * widespread defects that shall hide nothing here. */
static uint64_t compared_bits(const struct walk *walk, const struct model_access *access,
			      const struct model_outcome *outcome)
{
	uint64_t compared = ~outcome->open_code;

	if (walk->end == WALK_RESERVED && !p_of_reserved_bit_faults_is_compared())
		compared &= ~(uint64_t)PF_P;
	if (access->reads && access->write &&
	    model_permitted(walk, processor_now(), access, false).vector != MODEL_COMPLETES)
		compared &= ~(uint64_t)PF_W;
	return compared;
}

static void ask_model(struct permitted *permitted, const struct walk *walk, const struct way *way)
{
	struct model_access access = modelled_access(&way->access);
	struct model_outcome outcome =
		model_permitted(walk, processor_now(), &access, access.write);

	*permitted = (struct permitted){
		.known = true,
		.vector = outcome.vector,
		.error_code = outcome.error_code,
		.compared = compared_bits(walk, &access, &outcome),
	};
	for (unsigned i = 0; i < walk->count; i++) {
		permitted->must[walk->step[i].level] = (unsigned char)outcome.must[i];
		permitted->may[walk->step[i].level] = (unsigned char)outcome.may[i];
	}
}

static void write_entries(const struct walk_page *page, struct job *job)
{
	const struct walk_target *target = target_of(job);

	for (int level = try.walk.level; level <= (int)try.walk.format->top; level++) {
		uint64_t value = walk_entry_bits(&try.walk, (enum level)level,
						 job->state.kind[level], job->flags);

		value |= level == (int)try.walk.level ? target->base : page->base[level];
		job->written[level] = value;
		write_walk_entry(page, level, try.wide, value);
	}
}

static bool data_fits(const struct job *job, const struct way *way)
{
	const struct walk_target *target = target_of(job);
	volatile uint64_t *memory = identity(target->word);
	uint64_t word = frame_word(target->tag), after = memory[0], value = way->attempt.value[0];

	if (job->permitted->vector != MODEL_COMPLETES)
		return after == word && memory[1] == word && value == (uintptr_t)WALK_VALUE;
	if (after != word_after(way, word) || memory[1] != word)
		return false;
	if (way->operation == READ)
		return value == (word & way->mask) >> way->shift;
	return way->operation != FETCH || value == target->tag;
}

static bool entries_fit(const struct job *job, const struct walk_page *page)
{
	for (int level = try.walk.level; level <= (int)try.walk.format->top; level++) {
		uint64_t wanted = job->written[level] | job->permitted->must[level];
		uint64_t after = walk_entry(page, level, try.wide);

		if (after != wanted && (after & ~(uint64_t)job->permitted->may[level]) != wanted)
			return false;
	}
	return true;
}

static const char *words_of(uint64_t number)
{
	static char words[512];
	unsigned char value[MOST_AXES];
	struct text text = TEXT(words);

	combination_values(&try.walk.axes, number, value);
	text_combination(&text, &try.walk.axes, value);
	return words;
}

static uint64_t number_of(const struct job *job)
{
	return walk_number(&try.walk, &(struct walk_combination){try.controls, job->flags,
								 job->access, job->state});
}

/* Everything once more, as judge_access() has it, for a report in its manner. */
static void report(const struct job *job, const struct walk_page *page, const struct way *way)
{
	const struct walk_target *target = target_of(job);
	const volatile uint64_t *memory = identity(target->word);
	uint64_t after[MOST_LEVELS + 1];
	struct model_verdict verdict;
	struct judged judged = {
		.access = way->access,
		.outcome = attempt_outcome(&way->attempt),
		.has_data = job->permitted->vector == MODEL_COMPLETES,
		.before = {frame_word(target->tag) >> way->shift},
		.after = {memory[0] >> way->shift},
		.operand = {way->mask >> way->shift},
		.number = number_of(job),
	};
	const char *what;

	judged.combination = words_of(judged.number);
	judged.access.linear = linear_of(job);
	judged.model_access = modelled_access(&judged.access);
	judged.seen = (struct model_observation){
		judged.outcome.vector, judged.outcome.error_code, judged.outcome.cr2, {0}};
	for (int level = try.walk.level; level <= (int)try.walk.format->top; level++) {
		after[level] = walk_entry(page, level, try.wide);
		write_walk_entry(page, level, try.wide, job->written[level]);
	}
	walk_now(&judged.answer.walk, judged.access.linear);
	judged.answer.count = 1;
	judged.answer.outcome[0] = model_permitted(&judged.answer.walk, processor_now(),
						   &judged.model_access, judged.model_access.write);
	for (unsigned i = 0; i < judged.answer.walk.count; i++)
		judged.seen.entry_after[i] = after[judged.answer.walk.step[i].level];
	what = judged_mismatch(&judged, &verdict);
	report_judged(__FILE__, __LINE__, &judged, verdict,
		      what ? what : "memory, RAX or an entry behind the walk's end changed");
}

static void restore_word(const struct walk_target *target)
{
	volatile uint64_t *memory = identity(target->word);

	memory[0] = memory[1] = frame_word(target->tag);
}

static void run_job(struct job *job, const struct walk_page *page)
{
	struct way *way = &try.way[job->access];
	struct attempt *attempt = &way->attempt;
	const struct permitted *permitted = job->permitted;
	bool fits;

	note_early_accessed(page, try.walk.level, try.walk.format, job->written);
	way->access.linear = linear_of(job);
	attempt->operand = way->access.linear.value;
	attempt->value[0] = WALK_VALUE;
	if (way->operation == FETCH)
		attempt->expected_rip = attempt->operand;
	attempt_prepared(attempt, way->access);
	fits = attempt->vector == permitted->vector;
	if (fits && permitted->vector != MODEL_COMPLETES)
		fits = !((attempt->error_code ^ permitted->error_code) & permitted->compared) &&
		       attempt->cr2 == attempt->operand && attempt->rip == attempt->expected_rip;
	if (!fits || !entries_fit(job, page) || !data_fits(job, way))
		report(job, page, way);
	if (way->operation != READ && way->operation != FETCH)
		restore_word(target_of(job));
}

/* All jobs with the same access in a row, which emulators that translate code like best. */
static void run_jobs(void)
{
	invalidate(LINEAR(0), MOV_CR3);
	for (unsigned access = 0; access < try.walk.accesses; access++) {
		for (unsigned i = 0; i < try.queued[access]; i++) {
			unsigned job = try.queue[access][i];

			run_job(&try.job[job], &try.page[job]);
		}
		try.queued[access] = 0;
	}
	try.tried += try.jobs;
	count_checks(try.jobs);
	try.jobs = 0;
	progress("%llu combinations of %llu", 1ull * try.tried, 1ull * try.offered);
}

/* `class` is set by the first of a state's jobs, and used by the others. */
static void add_job(const struct walk_state *state, unsigned flags, unsigned access, int *class)
{
	struct job *job = &try.job[try.jobs];
	const struct walk_page *page = &try.page[try.jobs];
	struct walk walk;

	job->state = *state;
	job->flags = (unsigned char)flags;
	job->access = (unsigned char)access;
	if (!slice_takes(&try.slice, number_of(job)))
		return;
	write_entries(page, job);
	if (*class < 0) {
		walk_now(&walk, linear_of(job));
		*class = (int)walk_class(&walk);
	}
	job->permitted = &try.permitted[*class][access];
	if (!job->permitted->known) {
		walk_now(&walk, linear_of(job));
		ask_model(job->permitted, &walk, &try.way[access]);
	}
	try.queue[access][try.queued[access]++] = (unsigned char)try.jobs;
	if (++try.jobs == WALK_PAGES)
		run_jobs();
}

static void try_state(void *context, const struct walk_state *state)
{
	int class = -1, flags, access;

	(void)context;
	for (unsigned i = 0;; i++) {
		flags = nth_walk_flags(&try.walk, try.all, try.controls, state->number, i);
		if (flags < 0)
			return;
		for (unsigned n = 0;; n++) {
			access = nth_walk_access(&try.walk, try.all, try.controls, state->number,
						 (unsigned)flags, n);
			if (access < 0)
				break;
			add_job(state, (unsigned)flags, (unsigned)access, &class);
		}
	}
}

static void try_one(uint64_t number)
{
	struct walk_combination one = walk_combination(&try.walk, number);
	unsigned char value[MOST_AXES];
	int class = -1;

	if (number >= numbered_combinations(&try.walk.axes))
		end_case_failed("there is no combination of this number");
	combination_values(&try.walk.axes, number, value);
	note("combination %llu: %s", (unsigned long long)number, words_of(number));
	if (!combination_is_offered(&try.walk.axes, value))
		end_case_skipped("combination", "some value of this one is not offered here");
	set_controls(one.controls);
	add_job(&one.state, one.flags, one.access, &class);
	run_jobs();
}

void try_walks(enum level level, enum walk_axes_of what)
{
	uint64_t number;

	begin_try(level, what);
	if (combination_is_asked(&number)) {
		try_one(number);
	} else {
		for (unsigned controls = 0; controls < WALK_CONTROLS; controls++) {
			if (!walk_controls_are_offered(controls))
				continue;
			set_controls(controls);
			visit_walk_states(&try.walk, try.all, try_state, NULL);
			if (try.jobs)
				run_jobs();
		}
	}
	count_combinations(try.tried, try.offered);
}
