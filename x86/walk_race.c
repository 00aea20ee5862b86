/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A walk while another processor exchanges the entry between two values.
 *
 * One value leads to a frame without a right, the other one to another frame with it. An access
 * that needs the right uses one of the values as a whole: it faults, or it completes in the second
 * frame (SDM Vol. 3, "Guaranteed Atomic Operations"; "Determination of Access Rights"; P24).
 *
 * Caught here: walkers, those of emulators and of hypervisors that translate for instructions which
 * they emulate, that read an entry twice, or in parts, and take the rights of one value for the
 * frame of the other (QT07, KS24); entries whose flags are set without a look at what else changed.
 *
 * Not checked: when a change is seen (table_write_race, shootdown_rights).
 */
#include "test.h"

SUBJECT(walk_race, "rights and frame of one value while an entry is exchanged");

#define MANUAL	 "SDM Vol. 3, \"Guaranteed Atomic Operations\"; \"Determination of Access Rights\""
#define ALL	 (P | RW | US)
#define SLICE_MS 60
#define FEWEST	 16

enum { WITHOUT = 21, WITH = 22 };

static struct race {
	struct page page;
	volatile uint64_t *entry, stop;
	volatile uint64_t *word; /* in the frame without the right */
	uint64_t value[2];
} race;

/* What the entry would be if it led to copies of the tables below, the last of which to `frame`. */
static uint64_t path_to(const struct page *page, enum level level, gpa_t frame)
{
	gpa_t lower = frame;

	for (int at = PT; at < (int)level; at++) {
		uint64_t *table = identity(frame_alloc());
		const uint64_t *old = table_of(page->entry[at]);

		memset(table, 0, PAGE_4K);
		table[page->entry[at] - old] = lower.value | ALL | A | D;
		lower = gpa_of(table);
	}
	return lower.value | ALL | A | (level == PT ? D : 0);
}

/* In batches, so that a walk by an interpreter sees an exchange now and then, not always. */
static void keep_exchanging(unsigned self, void *argument)
{
	(void)argument;
	for (uint64_t n = 0; !race.stop; n++) {
		__atomic_exchange_n(race.entry, race.value[n & 1], __ATOMIC_SEQ_CST);
		for (unsigned i = 0; i < n % 64; i++)
			__asm__ volatile("");
		if (n % 256 == 0)
			beat(self);
	}
}

static void expect_one_value(struct access access, bool writes)
{
	struct outcome outcome;

	invalidate(race.page.linear, INVLPG);
	outcome = attempt(access);
	if (outcome.vector == NO_VECTOR && !writes)
		expect(outcome.value[0] ==
			       (access.instruction == INSTRUCTION_fetch ? WITH : frame_word(WITH)),
		       "read 0x%llx: the frame of one value with the rights of the other",
		       (unsigned long long)outcome.value[0]);
	else
		expect(outcome.vector == NO_VECTOR || outcome.vector == VECTOR_PF, "%s",
		       vector_name(outcome.vector));
	expect(*race.word == frame_word(WITHOUT),
	       "0x%llx was stored in the frame of one value with the rights of the other",
	       (unsigned long long)*race.word);
}

/* `way` is one of nth_access() and needs the right that `right` gives, or as XD takes. */
static void try_race(enum level level, uint64_t right, unsigned way)
{
	gpa_t frames[] = {filled_frame(WITHOUT), filled_frame(WITH)};
	struct access access;
	uint64_t start;

	race = (struct race){.page = map_page_at(PT, frames[0], ALL)};
	race.entry = race.page.entry[level];
	race.word = identity(frames[0]);
	for (unsigned i = 0; i < 2; i++)
		race.value[i] = path_to(&race.page, level, frames[i]);
	race.value[0] ^= right;
	*race.entry = race.value[0];
	invalidate(race.page.linear, MOV_CR3);
	access = nth_access(way, race.page.linear);
	start_work(1, keep_exchanging, NULL);
	start = read_tsc();
	for (unsigned n = 0; n < FEWEST || read_tsc() - start < time_to_try(SLICE_MS); n++)
		expect_one_value(access, way % 3 == 1);
	race.stop = 1;
	finish_work(1);
}

static void try_levels(uint64_t right, unsigned way)
{
	start_processors(2);
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	for (int level = PT; level <= PML4; level++)
		try_race((enum level)level, right, way);
}

TEST(a_read_uses_one_value_of_an_entry,
     "A user read of a page that is exchanged for a supervisor page never reads the latter", MANUAL,
     "two_processors")
{
	try_levels(US, 0);
}

TEST(a_write_uses_one_value_of_an_entry,
     "A write to a page that is exchanged for a read-only page never changes the latter", MANUAL,
     "two_processors")
{
	try_levels(RW, 1);
}

TEST(a_fetch_uses_one_value_of_an_entry,
     "A fetch from a page that is exchanged for one with XD never executes the latter", MANUAL,
     "two_processors nx")
{
	try_levels(XD, 2);
}
