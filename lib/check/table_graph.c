/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/table_graph.h"

#include "check/expect.h"
#include "check/state.h"
#include "libc/string.h"
#include "mem/frames.h"
#include "paging/edit.h"

#define DATA_OFFSET 0x800
#define DATA_WORDS  ((PAGE_4K - DATA_OFFSET) / 8 - 2)
#define IN_LARGE    5 /* this many frames are part of the 2 MBytes */

static const unsigned indexes[GRAPH_INDEXES] = {1, 2, 3, 4, 100, 255};

/* What hypervisors' emulators of instructions are known to follow; table_writes has the others. */
static const enum store stores[] = {
	STORE_MOV8,
	STORE_MOV4,
	STORE_MOV4_HIGH_FIRST,
	STORE_MOV2,
	STORE_MOV1,
	STORE_MOV8_CROSSING,
	STORE_MOV4_CROSSING,
	STORE_XCHG,
	STORE_CMPXCHG,
	STORE_CMPXCHG8B,
	STORE_LOCK_AND_OR,
	STORE_LOCK_BTS_BTR,
	STORE_LOCK_XADD,
	STORE_ADD,
	STORE_NOT_NEG,
	STORE_REP_MOVSB,
	STORE_REP_MOVSQ,
	STORE_STOSQ,
	STORE_REP_MOVSQ_BACKWARDS,
};

static uint64_t below(struct table_graph *graph, uint64_t limit)
{
	return random_below(&graph->random, limit);
}

static bool one_in(struct table_graph *graph, unsigned n)
{
	return below(graph, n) == 0;
}

static uint64_t random_rights(struct table_graph *graph)
{
	uint64_t rights = 0;

	if (!one_in(graph, 4))
		rights |= RW;
	if (!one_in(graph, 4))
		rights |= US;
	if (one_in(graph, 6) && has(FEATURE_nx))
		rights |= XD;
	return rights;
}

static uint64_t random_entry(struct table_graph *graph)
{
	uint64_t entry = random_rights(graph) | (one_in(graph, 8) ? 0 : P);

	entry |= random_next(&graph->random) & (A | D | IGNORED_9_11 | IGNORED_52_58);
	if (one_in(graph, 10)) /* with A: reserved_bits looks at flags of entries that fault */
		return entry | graph->large.value | PS | A;
	return entry | graph->frame[below(graph, GRAPH_FRAMES)].value;
}

static void allocate(struct table_graph *graph)
{
	graph->large = frames_alloc(PAGE_2M);
	/* what accesses can reach of them */
	frame_fill(graph->large, PAGE_4K, 1000);
	for (unsigned i = 0; i < GRAPH_INDEXES; i++)
		frame_fill(gpa_plus(graph->large, indexes[i] * PAGE_4K), PAGE_4K,
			   1000 + indexes[i]);
	for (uint32_t i = 0; i < GRAPH_FRAMES; i++)
		graph->frame[i] = i % 2 && i / 2 < IN_LARGE
					  ? gpa_plus(graph->large, indexes[i / 2] * PAGE_4K)
					  : filled_frame(i);
}

static void fill_tables(struct table_graph *graph)
{
	for (unsigned i = 0; i < GRAPH_TABLES; i++) {
		uint64_t *entries = identity(graph->frame[i]);

		memset(entries, 0, DATA_OFFSET);
		for (unsigned n = 0; n < GRAPH_INDEXES; n++)
			entries[indexes[n]] = random_entry(graph);
	}
}

static void find_ways(struct table_graph *graph)
{
	for (unsigned i = 0; i < GRAPH_TABLES; i++) {
		gpa_t frame = graph->frame[i];
		struct page small = map_page_at(PT, frame, P | RW);
		uint64_t offset = frame.value & (PAGE_2M - 1);
		struct page large = map_page_at(PD, GPA(frame.value - offset), P | RW);

		graph->way[i][0] = identity(frame);
		graph->way[i][1] = (volatile uint64_t *)(uintptr_t)small.linear.value;
		graph->way[i][2] = (volatile uint64_t *)(uintptr_t)(large.linear.value + offset);
	}
}

void make_table_graph(struct table_graph *graph, uint64_t salt)
{
	*graph = (struct table_graph){.random = random_start(salt)};
	graph->base = unused_linear();
	allocate(graph);
	fill_tables(graph);
	find_ways(graph);
	graph->top = (uint64_t *)identity(image_root()) +
		     level_index(current_format(), current_format()->top, graph->base.value);
	*graph->top = graph->frame[0].value | P | RW | US;
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	graph->other_root = copy_root();
	invalidate(LINEAR(0), MOV_CR3);
}

static linear_t random_linear(struct table_graph *graph)
{
	uint64_t linear = graph->base.value + DATA_OFFSET + 8 * below(graph, DATA_WORDS);

	for (int level = PT; level < (int)current_format()->top; level++)
		linear |= (uint64_t)indexes[below(graph, GRAPH_INDEXES)]
			  << current_format()->level[level].shift;
	return LINEAR(linear);
}

/* Returns whether something may be cached of the entry. */
static bool edit_one(struct table_graph *graph)
{
	volatile uint64_t *entry = graph->way[below(graph, GRAPH_TABLES)][below(graph, GRAPH_WAYS)];
	enum store how = graph->any_store ? stores[below(graph, sizeof(stores) / sizeof(*stores))]
					  : STORE_MOV8;
	uint64_t value = random_entry(graph);
	bool was_present;

	entry += indexes[below(graph, GRAPH_INDEXES)];
	was_present = *entry & P;
	if (one_in(graph, 3)) /* rights only, or P only */
		value = *entry ^ (one_in(graph, 2) ? P : RW);
	store_methods[how].store(entry, value);
	/* some stores pass through values of their own */
	return was_present || how != STORE_MOV8;
}

static void toggle(struct table_graph *graph, uint64_t now, uint64_t bit, void (*set)(uint64_t),
		   void (*clear)(uint64_t))
{
	if (one_in(graph, 2))
		(now & bit ? clear : set)(bit);
}

/* These take effect without a flush. */
static void change_modes(struct table_graph *graph)
{
	toggle(graph, read_cr0(), CR0_WP, set_cr0, clear_cr0);
	if (has(FEATURE_smep))
		toggle(graph, read_cr4(), CR4_SMEP, set_cr4, clear_cr4);
	if (has(FEATURE_smap))
		toggle(graph, read_cr4(), CR4_SMAP, set_cr4, clear_cr4);
}

static void invalidate_each(const struct table_graph *graph)
{
	unsigned count = GRAPH_INDEXES * GRAPH_INDEXES * GRAPH_INDEXES;

	for (unsigned n = 0; n < count; n++)
		invalidate(LINEAR(graph->base.value | (uint64_t)indexes[n % 6] << 12 |
				  (uint64_t)indexes[n / 6 % 6] << 21 |
				  (uint64_t)indexes[n / 36] << 30),
			   INVLPG);
}

static void invalidate_all(struct table_graph *graph)
{
	uint64_t how = below(graph, 8);

	if (how == 0) {
		invalidate(LINEAR(0), CR4_PGE_TWICE);
	} else if (how == 1 && linear_levels() == 4) {
		invalidate_each(graph);
	} else if (how <= 3) { /* the other root has everything but the top entry as it was */
		load_root(graph->other_root);
		load_root(image_root());
	} else {
		invalidate(LINEAR(0), MOV_CR3);
	}
}

void edit_table_graph(struct table_graph *graph)
{
	bool cached = false;

	for (unsigned n = 1 + (unsigned)below(graph, 4); n; n--)
		cached |= edit_one(graph);
	if (one_in(graph, 8)) {
		cached = true;
		*graph->top =
			graph->frame[below(graph, GRAPH_TABLES)].value | P | random_rights(graph);
	}
	if (graph->changes_modes && one_in(graph, 2))
		change_modes(graph);
	if (graph->changes_nxe && has(FEATURE_nx) && one_in(graph, 4)) {
		cached = true;
		toggle(graph, read_msr(MSR_EFER), EFER_NXE, set_efer, clear_efer);
	}
	if (cached)
		invalidate_all(graph);
}

void use_table_graph(struct table_graph *graph, unsigned accesses)
{
	while (accesses--) {
		struct access access =
			nth_access((unsigned)below(graph, ACCESS_WAYS), random_linear(graph));

		access.value[0] = frame_word((uint32_t)below(graph, 1 << 24));
		/* AC that comes and goes while WP = 0 has a case of its own in mode_toggles. */
		if (!(read_cr0() & CR0_WP))
			access.ac = false;
		expect_as_modelled(access);
	}
}
