/* SPDX-License-Identifier: BSD-2-Clause
 *
 * TLB shootdown: one processor changes an entry, has every other one forget the translation, and
 * waits for their answers.
 *
 * After the answer no processor may use what the entry said before, for reads, writes or fetches
 * (SDM Vol. 3, "Propagation of Paging-Structure Changes to Multiple Processors"). Each frame holds
 * the number of the round that mapped it. A processor that reads a number below the last round that
 * was answered used a stale translation; a word of a frame that changes after its round was
 * answered was written through one.
 *
 * Caught here: shadow pagers that drop a translation on one processor only, whose flush of the
 * others is lost or late (KS39, XS28), or that keep parts of a large page that was split (KS28,
 * KS29).
 *
 * Not checked: what is used before the answer; rights (shootdown_rights).
 */
#include "test.h"

SUBJECT(shootdown, "translations that other processors must forget before they answer");

#define MANUAL	     "SDM Vol. 3, \"Propagation of Paging-Structure Changes to Multiple Processors\""
#define ALTERNATIVES 8
#define SLICE_MS     15 /* of one kind of invalidation by one processor */
#define FEWEST	     4
#define BATCH	     16 /* uses between interrupts */
#define SLOT_WORDS   8	/* between the words that the processors write to */

/* What the entry may say, and the memory that the linear address then leads to. */
struct alternative {
	uint64_t entry;
	volatile uint64_t *words;
	uint64_t left[MOST_PROCESSORS]; /* what was there when its round had ended */
	bool used;
};

struct observed {
	uint64_t stale, answered, tag;
	const char *access;
};

static struct scene {
	linear_t linear;
	volatile uint64_t *entry;
	struct alternative alternative[ALTERNATIVES];
	unsigned count, initiator;
	enum shootdown how;
	volatile uint64_t begun, answered, stop, used[MOST_PROCESSORS];
	struct observed observed[MOST_PROCESSORS];
	uint64_t stale_writes;
} scene;

static volatile uint64_t *word_at(unsigned self)
{
	return (volatile uint64_t *)(uintptr_t)scene.linear.value + SLOT_WORDS * (1 + self);
}

/* One access; answers with the tag of the frame that was reached. */
static uint64_t reached(unsigned self, unsigned n, const char **access)
{
	switch (n % 16) {
	case 0:
		*access = "fetch";
		return attempt_as(self, fetch_access(scene.linear)).value[0];
	case 8:
		*access = "user read";
		return attempt_as(self, as_user(read_access(scene.linear, 8))).value[0] >> 8 &
		       0xffffffff;
	default:
		*access = "read";
		return *(volatile uint64_t *)(uintptr_t)scene.linear.value >> 8 & 0xffffffff;
	}
}

static void use_page(unsigned self, unsigned n)
{
	struct observed *observed = &scene.observed[self];
	uint64_t answered = __atomic_load_n(&scene.answered, __ATOMIC_ACQUIRE);
	const char *access;
	uint64_t tag = reached(self, n, &access);

	*word_at(self) = n;
	scene.used[self] = answered;
	if (tag < answered && !observed->stale++)
		*observed = (struct observed){1, answered, tag, access};
}

/* Processor 0 has its interrupts off and comes for the request. */
static void shoot_down_all(unsigned self)
{
	shoot_down_others(self, scene.how, scene.linear);
	if (self)
		shoot_down_by_request(self, 0, scene.how, scene.linear);
	forget_translation(scene.how, scene.linear);
}

/* Whether somebody wrote to a frame since its round was answered. */
static void look_for_stale_writes(struct alternative *old)
{
	for (unsigned i = 0; i < scene.count && old->used; i++)
		scene.stale_writes += old->words[SLOT_WORDS * (1 + i)] != old->left[i];
}

static void note_end_of(struct alternative *old)
{
	for (unsigned i = 0; i < scene.count; i++)
		old->left[i] = old->words[SLOT_WORDS * (1 + i)];
	old->used = true;
}

static void initiate(unsigned self)
{
	uint64_t start = read_tsc(), n = scene.answered, first = n;

	while (++n <= first + FEWEST || read_tsc() - start < time_to_try(SLICE_MS)) {
		struct alternative *next = &scene.alternative[n % ALTERNATIVES];

		look_for_stale_writes(next);
		next->words[0] = frame_word((uint32_t)n);
		scene.begun = n;
		*scene.entry = next->entry;
		shoot_down_all(self);
		note_end_of(&scene.alternative[(n - 1) % ALTERNATIVES]);
		__atomic_store_n(&scene.answered, n, __ATOMIC_RELEASE);
		for (unsigned i = 0; i < scene.count; i++)
			if (i != self)
				wait_for_word(self, &scene.used[i], n, "uses of a page");
	}
	scene.stop = 1;
	scene.begun = n;
	shoot_down_others(self, scene.how, scene.linear); /* those that rest */
}

/* After each answered round a batch of uses, then rest until the next. */
static void take_part(unsigned self, void *argument)
{
	uint64_t done = 0;

	(void)argument;
	if (self == scene.initiator) {
		initiate(self);
		return;
	}
	while (!scene.stop) {
		for (unsigned n = 0; n < BATCH; n++)
			use_page(self, n);
		if (__atomic_load_n(&scene.answered, __ATOMIC_ACQUIRE) == done &&
		    done == scene.begun)
			rest(self, &scene.begun, done);
		else if (!take_request(self))
			pause();
		done = scene.answered;
	}
}

static void judge(void)
{
	const char *how = shootdown_names[scene.how];

	for (unsigned i = 0; i < scene.count; i++) {
		const struct observed *observed = &scene.observed[i];

		expect(!observed->stale,
		       "processor %u, %s for processor %u: a %s found round %llu's frame after "
		       "round %llu; %llu times",
		       i, how, scene.initiator, observed->access, (unsigned long long)observed->tag,
		       (unsigned long long)observed->answered, (unsigned long long)observed->stale);
	}
	for (unsigned i = 0; i < ALTERNATIVES; i++)
		if (i != scene.answered % ALTERNATIVES)
			look_for_stale_writes(&scene.alternative[i]);
	expect(!scene.stale_writes, "%llu words were written by a stale translation after %s",
	       (unsigned long long)scene.stale_writes, how);
}

/* Every invalidation that the translation's kind allows, by every processor in turn. */
static void shoot_all_ways(bool global)
{
	*scene.entry = scene.alternative[0].entry;
	scene.count = start_processors(3);
	for (scene.how = 0; scene.how < SHOOTDOWNS; scene.how++) {
		if (!shootdown_is_offered(scene.how) ||
		    (global && !shootdown_is_for_global(scene.how)))
			continue;
		for (scene.initiator = 0; scene.initiator < 2; scene.initiator++) {
			scene.stop = 0;
			memset(scene.observed, 0, sizeof(scene.observed));
			run_on_all(scene.count, take_part, NULL);
			judge();
		}
	}
}

/* A new frame behind new structures below `level`. */
static void add_alternative(unsigned i, const struct page *page, enum level level, uint64_t flags)
{
	gpa_t frame = frames_alloc(page->bytes);
	uint64_t entry = frame.value | flags | (page->level > PT ? PS : 0);

	for (unsigned at = page->level; at < level; at++) {
		gpa_t table = frame_alloc();

		((uint64_t *)identity(
			table))[level_index(current_format(), (enum level)at, page->linear.value)] =
			entry;
		entry = table.value | P | RW | US;
	}
	frame_fill(frame, PAGE_4K, 0);
	scene.alternative[i] = (struct alternative){entry, identity(frame), {0}, false};
}

static void begin_scene(struct page page, enum level level)
{
	memset(&scene, 0, sizeof(scene));
	scene.linear = page.linear;
	scene.entry = page.entry[level];
}

static void switch_entry(enum level leaf, enum level level, uint64_t flags)
{
	struct page page = map_page_at(leaf, frames_alloc(leaf == PD ? PAGE_2M : PAGE_4K), flags);

	begin_scene(page, level);
	for (unsigned i = 0; i < ALTERNATIVES; i++)
		add_alternative(i, &page, level, i & 1 ? flags : flags | A | D);
	shoot_all_ways(flags & G);
}

TEST(page_is_not_used_after_the_answer,
     "After a PTE was changed and every processor has answered, none uses the old frame", MANUAL,
     "two_processors")
{
	switch_entry(PT, PT, P | RW | US);
}

TEST(global_page_is_not_used_after_the_answer,
     "INVLPG, CR4.PGE and INVPCID type 2 make other processors forget a global translation", MANUAL,
     "two_processors pge")
{
	set_cr4(CR4_PGE);
	switch_entry(PT, PT, P | RW | US | G);
}

TEST(large_page_is_not_used_after_the_answer,
     "After the PDE of a 2-MByte page was changed and answered, none uses the old frame", MANUAL,
     "two_processors")
{
	switch_entry(PD, PD, P | RW | US);
}

TEST(page_table_is_not_used_after_the_answer,
     "After a PDE leads to another page table and all have answered, none uses the old one", MANUAL,
     "two_processors")
{
	switch_entry(PT, PD, P | RW | US);
}

TEST(upper_tables_are_not_used_after_the_answer,
     "After a PDPTE, then a PML4E leads elsewhere and all have answered, none goes the old way",
     MANUAL, "two_processors")
{
	switch_entry(PT, PDPT, P | RW | US);
	switch_entry(PT, PML4, P | RW | US);
}

TEST(page_under_a_pcid_is_not_used_after_the_answer,
     "With CR4.PCIDE = 1 every invalidation of PCID 0 reaches its translations", MANUAL,
     "two_processors pcid")
{
	set_cr4(CR4_PCIDE);
	switch_entry(PT, PT, P | RW | US);
}

/* A 2-MByte page, and in its first frame a page table that the same entry without PS leads to. */
TEST(split_page_is_not_used_after_the_answer,
     "After a 2-MByte page was split or merged and all have answered, none uses the old pages",
     MANUAL, "two_processors")
{
	struct page page = map_page_at(PD, frames_alloc(PAGE_2M), P | RW | US);
	uint64_t offset = 5 * PAGE_4K;

	begin_scene(page, PD);
	scene.linear = linear_plus(page.linear, offset);
	for (unsigned i = 0; i < ALTERNATIVES; i += 2) {
		gpa_t large = frames_alloc(PAGE_2M), small = frame_alloc();
		uint64_t *table = identity(large);

		frame_fill(gpa_plus(large, offset), PAGE_4K, 0);
		frame_fill(small, PAGE_4K, 0);
		memset(table, 0, PAGE_4K);
		table[5] = small.value | P | RW | US;
		scene.alternative[i] = (struct alternative){large.value | P | RW | US | PS,
							    identity(gpa_plus(large, offset)),
							    {0},
							    false};
		scene.alternative[i + 1] = (struct alternative){
			large.value | P | RW | US, identity(small), {0}, false};
	}
	shoot_all_ways(false);
}
