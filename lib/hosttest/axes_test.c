/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The axes of walks: numbers lead to combinations and back, what is tried by default covers every
 * pair of values, and the model's answer depends on nothing but what the images keep it by.
 */
#include "check/slice.h"
#include "check/walk_axes.h"
#include "hosttest/expect.h"
#include "libc/string.h"
#include "model/model.h"
#include "paging/entry.h"
#include "paging/format_legacy.h"

#define MOST_VALUES 64

static const struct paging_format *const formats[] = {&paging_4level, &paging_5level, &paging_pae,
						      &paging_32bit};

static struct walk_axes declare(const struct paging_format *format, enum level level,
				enum walk_axes_of what)
{
	struct walk_offer offer = {true, true, format->entry_bytes == 8, {0}};

	for (int at = PT; at <= (int)format->top; at++)
		offer.reserved[at] = format->entry_bytes == 8 ? 1ull << 51 : 0;
	return declare_walk_axes(format, level, &offer, what);
}

/* Which pairs of values were seen: of axis i with axis j > i. */
struct coverage {
	struct walk_axes walk;
	bool all;
	unsigned controls;
	struct slice slice;
	uint64_t count, last;
	bool ascending;
	uint64_t seen[MOST_AXES][MOST_VALUES][MOST_AXES];
};

static struct coverage coverage;

static void note_combination(const struct walk_combination *combination)
{
	uint64_t number = walk_number(&coverage.walk, combination);
	unsigned char value[MOST_AXES];

	if (!slice_takes(&coverage.slice, number))
		return;
	combination_values(&coverage.walk.axes, number, value);
	if (coverage.count++ && number <= coverage.last)
		coverage.ascending = false;
	coverage.last = number;
	for (unsigned i = 0; i < coverage.walk.axes.count; i++)
		for (unsigned j = 0; j < coverage.walk.axes.count; j++)
			coverage.seen[i][value[i]][j] |= 1ull << value[j];
	if (number % 997 == 0) {
		struct walk_combination back = walk_combination(&coverage.walk, number);

		expect_equal(combination_number(&coverage.walk.axes, value), number);
		expect_equal(walk_number(&coverage.walk, &back), number);
		expect_equal(back.state.kind[coverage.walk.level],
			     combination->state.kind[coverage.walk.level]);
		expect_that(combination_is_offered(&coverage.walk.axes, value));
	}
}

static void note_state(void *context, const struct walk_state *state)
{
	struct walk_combination combination = {.controls = coverage.controls, .state = *state};
	int flags, access;

	(void)context;
	for (unsigned i = 0;; i++) {
		flags = nth_walk_flags(&coverage.walk, coverage.all, coverage.controls,
				       state->number, i);
		if (flags < 0)
			return;
		combination.flags = (unsigned)flags;
		for (unsigned n = 0;; n++) {
			access = nth_walk_access(&coverage.walk, coverage.all, coverage.controls,
						 state->number, combination.flags, n);
			if (access < 0)
				break;
			combination.access = (unsigned)access;
			note_combination(&combination);
		}
	}
}

static void cover_slice(const struct paging_format *format, enum level level,
			enum walk_axes_of what, unsigned shares)
{
	memset(&coverage, 0, sizeof(coverage));
	coverage.ascending = true;
	coverage.walk = declare(format, level, what);
	coverage.all = is_small_walk(&coverage.walk);
	slice_start(&coverage.slice, &coverage.walk.axes, shares);
	for (unsigned controls = 0; controls < WALK_CONTROLS; controls++) {
		coverage.controls = controls;
		if (!(controls & WALK_NXE) || format->entry_bytes == 8)
			visit_walk_states(&coverage.walk, coverage.all, note_state, NULL);
	}
}

static void cover(const struct paging_format *format, enum level level, enum walk_axes_of what)
{
	cover_slice(format, level, what, 1);
}

static uint64_t offered_values(const struct axis *axis)
{
	return (axis->values == 64 ? ~0ull : (1ull << axis->values) - 1) & ~axis->missing;
}

static void expect_all_pairs(void)
{
	const struct axes *axes = &coverage.walk.axes;

	for (unsigned i = 0; i < axes->count; i++)
		for (unsigned value = 0; value < axes->axis[i].values; value++)
			for (unsigned j = 0; j < axes->count; j++) {
				uint64_t wanted = offered_values(&axes->axis[j]);

				if (axes->axis[i].missing >> value & 1)
					wanted = 0;
				if (j == i)
					wanted &= 1ull << value;
				expect_equal(coverage.seen[i][value][j], wanted);
			}
}

HOST_TEST(walks_by_default_cover_every_pair_of_values)
{
	for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		for (int level = PT; level <= (int)formats[i]->top && level <= PDPT; level++) {
			if (level > PD && formats[i]->top < PML4)
				continue;
			cover(formats[i], (enum level)level, ALL_WALK_AXES);
			expect_all_pairs();
			cover(formats[i], (enum level)level, RIGHTS_ALONE);
			expect_all_pairs();
		}
}

/* And a slice of them, which is not much more than its share. */
HOST_TEST(slices_of_walks_cover_every_pair_of_values)
{
	for (int level = PT; level <= PDPT; level++)
		for (unsigned shares = 2; shares <= 16; shares *= 2)
			for (unsigned rights = 0; rights < 2; rights++) {
				enum walk_axes_of what = rights ? RIGHTS_ALONE : ALL_WALK_AXES;
				uint64_t whole;

				cover(&paging_4level, (enum level)level, what);
				whole = coverage.count;
				cover_slice(&paging_4level, (enum level)level, what, shares);
				expect_all_pairs();
				expect_that(coverage.count < whole / shares + 4000);
			}
}

/* What the images' reports say of a machine that offers everything: docs and people quote it. */
HOST_TEST(walks_by_default_are_as_many_as_the_reports_say)
{
	static const struct {
		const struct paging_format *format;
		enum level level;
		uint64_t count, offered;
	} known[] = {
		{&paging_4level, PT, 179200, 107520000}, {&paging_4level, PD, 94720, 5376000},
		{&paging_4level, PDPT, 32000, 268800},	 {&paging_5level, PT, 288640, 268800000},
		{&paging_5level, PD, 179200, 107520000}, {&paging_5level, PDPT, 94720, 5376000},
		{&paging_pae, PT, 32000, 268800},	 {&paging_pae, PD, 13440, 13440},
	};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		cover(known[i].format, known[i].level, ALL_WALK_AXES);
		expect_equal(coverage.count, known[i].count);
		expect_equal(offered_combinations(&coverage.walk.axes), known[i].offered);
		expect_that(coverage.ascending);
	}
}

/* Of three entries at a time, by level, which kinds were seen together. */
static bool seen_together[PML4 + 1][ENTRY_RIGHTS][ENTRY_RIGHTS][ENTRY_RIGHTS];

static void note_three(void *context, const struct walk_state *state)
{
	unsigned kind[PML4];

	(void)context;
	for (unsigned left_out = PT; left_out <= PML4; left_out++) {
		for (unsigned level = PT, i = 0; level <= PML4; level++)
			if (level != left_out)
				kind[i++] = state->kind[level];
		seen_together[left_out][kind[0]][kind[1]][kind[2]] = true;
	}
}

HOST_TEST(rights_by_default_cover_any_three_entries_with_everything_else)
{
	struct walk_axes walk = declare(&paging_4level, PT, RIGHTS_ALONE);
	unsigned count = 0;

	expect_that(!is_small_walk(&walk));
	visit_walk_states(&walk, false, note_three, NULL);
	for (unsigned i = 0; i < ENTRY_RIGHTS * ENTRY_RIGHTS * ENTRY_RIGHTS * PML4; i++)
		count += (&seen_together[PT][0][0][0])[i];
	expect_equal(count, ENTRY_RIGHTS * ENTRY_RIGHTS * ENTRY_RIGHTS * PML4);
	cover(&paging_4level, PT, RIGHTS_ALONE);
	expect_equal(coverage.count, 278784);
}

HOST_TEST(all_walks_are_all_that_are_offered)
{
	memset(&coverage, 0, sizeof(coverage));
	coverage.walk = declare(&paging_4level, PDPT, ALL_WALK_AXES);
	coverage.all = true;
	slice_start(&coverage.slice, &coverage.walk.axes, 1);
	for (coverage.controls = 0; coverage.controls < WALK_CONTROLS; coverage.controls++)
		visit_walk_states(&coverage.walk, true, note_state, NULL);
	expect_equal(coverage.count, offered_combinations(&coverage.walk.axes));
	expect_equal(coverage.count, numbered_combinations(&coverage.walk.axes));
}

HOST_TEST(combinations_are_told_in_words)
{
	struct walk_axes walk = declare(&paging_4level, PDPT, ALL_WALK_AXES);
	unsigned char value[MOST_AXES];
	char buffer[256];
	struct text text = TEXT(buffer);

	combination_values(&walk.axes, 0, value);
	text_combination(&text, &walk.axes, value);
	expect_text(buffer, "WP 0, SMEP 0, SMAP 0, NXE 0, PML4E P RW US, PDPTE P RW US, flags 0, "
			    "access user read");
	combination_values(&walk.axes, numbered_combinations(&walk.axes) - 1, value);
	text = TEXT(buffer);
	text_combination(&text, &walk.axes, value);
	expect_text(buffer, "WP 1, SMEP 1, SMAP 1, NXE 1, PML4E P RW US and a reserved bit, PDPTE "
			    "P RW US and a reserved bit, flags 7, access supervisor "
			    "read-modify-write of a byte with AC");
}

static struct walk walk_of_rights(unsigned count, unsigned rights, enum walk_end end)
{
	struct walk walk = {.format = &paging_5level, .count = count, .end = end};

	for (unsigned i = 0; i < count; i++, rights >>= 3)
		walk.step[i] = (struct walk_step){
			.level = PML5 - i,
			.address = i * 0x1000,
			.entry = P | (rights & 1 ? RW : 0) | (rights & 2 ? US : 0) |
				 (rights & 4 ? XD : 0),
		};
	return walk;
}

static bool same_outcome(const struct model_outcome *a, const struct model_outcome *b)
{
	bool same = a->vector == b->vector && a->error_code == b->error_code &&
		    a->open_code == b->open_code;

	for (unsigned i = 0; i < MOST_LEVELS; i++)
		same = same && a->must[i] == b->must[i] && a->may[i] == b->may[i];
	return same;
}

static void compare_classes(const struct model_processor *processor,
			    const struct model_access *access)
{
	static struct model_outcome first[WALK_CLASSES];
	static bool known[WALK_CLASSES];

	memset(known, 0, sizeof(known));
	for (unsigned end = WALK_MAPPED; end <= WALK_RESERVED; end++)
		for (unsigned rights = 0; rights < 1u << 15; rights += host_quick ? 61 : 5) {
			unsigned count = 1 + rights % MOST_LEVELS;
			struct walk walk = walk_of_rights(count, rights, (enum walk_end)end);
			unsigned class = walk_class(&walk);
			struct model_outcome outcome =
				model_permitted(&walk, processor, access, access->write);

			if (!known[class])
				first[class] = outcome;
			known[class] = true;
			expect_that(same_outcome(&first[class], &outcome));
		}
}

HOST_TEST(the_model_answers_alike_for_all_walks_of_a_class)
{
	for (unsigned controls = 0; controls < WALK_CONTROLS; controls++)
		for (unsigned number = 0; number < 9; number++) {
			struct model_processor processor = {
				.format = &paging_5level,
				.rules = {.maxphyaddr = 40, .execute_disable = controls & WALK_NXE},
				.wp = controls & WALK_WP,
				.smep = controls & WALK_SMEP,
				.smap = controls & WALK_SMAP,
			};
			struct model_access access = {
				.bytes = 8,
				.write = number % 3 == 1,
				.fetch = number % 3 == 2,
				.user = number / 3 == 0,
				.ac = number / 3 == 2,
			};

			compare_classes(&processor, &access);
		}
}
