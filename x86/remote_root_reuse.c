/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Paging structures that two processors used are freed, become data, and are structures of another
 * kind again.
 *
 * After every processor has loaded CR3 with another root, or has answered a shootdown, nothing of
 * the old structures may be used: their frames are plain memory, in which no walk sets A or D, and
 * what is built in them counts as if they had never been anything else (SDM Vol. 3, "Operations
 * that Invalidate TLBs and Paging-Structure Caches", "Propagation of Paging-Structure Changes to
 * Multiple Processors").
 *
 * Caught here: shadow roots and tables that stay with one processor when another frees them (KS28,
 * KS29), are found again by their address alone when the frame has another level or role, or are
 * emptied while a processor still runs on them (XS28); flags that are written into a page that is
 * no table any more.
 *
 * Not checked: rights (table_aliases), stores while a page becomes a table (table_write_race).
 */
#include "test.h"

SUBJECT(remote_root_reuse, "roots and tables freed by one processor that another has used");

#define MANUAL	    "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define PROPAGATION "SDM Vol. 3, \"Propagation of Paging-Structure Changes to Multiple Processors\""
#define SPACES	    2 /* one is in use, the other is data */
#define STRUCTURES  4
#define PLACES	    4 /* pages next to each other */
#define USES	    12
#define BUDGET_MS   150
#define FEWEST	    24

/* Looks like an entry whose flags a walk would set. */
#define DATA(i)	    ((0x00000000deadb000ull ^ (uint64_t)(i) << 20) | P | RW | US)

static struct scene {
	linear_t linear;
	gpa_t structure[SPACES][STRUCTURES];
	gpa_t root[SPACES], frame[PLACES];
	struct barrier barrier;
	volatile uint64_t stop;
	unsigned round, table;
	struct {
		uint64_t count, value, wanted;
	} wrong[2];
} scene;

static void fill_with_data(gpa_t frame)
{
	uint64_t *word = identity(frame);

	for (unsigned i = 0; i < 512; i++)
		word[i] = DATA(i);
}

static void expect_data(gpa_t frame, const char *was)
{
	const volatile uint64_t *word = identity(frame);
	unsigned changed = 0, last = 0;

	for (unsigned i = 0; i < 512; i++)
		if (word[i] != DATA(i)) {
			changed++;
			last = i;
		}
	expect(!changed, "%u words changed in memory that was %s, the last from 0x%llx to 0x%llx",
	       changed, was, (unsigned long long)DATA(last), (unsigned long long)word[last]);
}

/* Rounds of one space differ. */
static uint32_t tag_at(unsigned round, unsigned place)
{
	return 1 + (round / SPACES + round + place) % PLACES;
}

/* Another order of the frames every time: each is a root, a PDPT, a page directory and a page
 * table. */
static void build_space(unsigned space, unsigned round)
{
	gpa_t table = scene.structure[space][round / SPACES % STRUCTURES];
	uint64_t *entry;

	scene.root[space] = table;
	memcpy(identity(table), identity(image_root()), PAGE_4K);
	for (enum level level = PML4; level > PT; level--) {
		gpa_t next =
			scene.structure[space][(round / SPACES + PML4 - level + 1) % STRUCTURES];

		entry = (uint64_t *)identity(table) +
			level_index(current_format(), level, scene.linear.value);
		memset(identity(next), 0, PAGE_4K);
		*entry = next.value | P | RW | US;
		table = next;
	}
	entry = (uint64_t *)identity(table) + level_index(current_format(), PT, scene.linear.value);
	for (unsigned place = 0; place < PLACES; place++)
		entry[place] = scene.frame[tag_at(round, place) - 1].value | P | RW | US;
}

/* Reads, fetches, and writes beside the tag. */
static void use_place(unsigned self, unsigned round, unsigned n)
{
	unsigned place = n % PLACES, way = (n / PLACES + self) % ACCESS_WAYS;
	linear_t linear = linear_plus(scene.linear, place * PAGE_4K + (way % 3 == 1 ? 64 : 0));
	struct outcome outcome = attempt_as(self, nth_access(way, linear));
	uint32_t tag = tag_at(round, place);
	uint64_t wanted = way % 3 == 2 ? tag : frame_word(tag);

	if (outcome.vector == NO_VECTOR && (way % 3 == 1 || outcome.value[0] == wanted))
		return;
	scene.wrong[self].count++;
	scene.wrong[self].value =
		outcome.vector == NO_VECTOR ? outcome.value[0] : outcome.error_code;
	scene.wrong[self].wanted = wanted;
}

static void use_space(unsigned self)
{
	unsigned round = scene.round;

	if (scene.root[round % SPACES].value != (read_cr3() & ENTRY_ADDRESS))
		write_cr3(scene.root[round % SPACES].value);
	for (unsigned n = 0; n < USES; n++)
		use_place(self, round, n);
}

static void follow(unsigned self, void *argument)
{
	uint64_t image = read_cr3();

	(void)argument;
	for (;;) {
		barrier_wait(&scene.barrier, self);
		if (scene.stop)
			break;
		use_space(self);
		barrier_wait(&scene.barrier, self);
	}
	write_cr3(image);
}

static void judge_uses(void)
{
	for (unsigned i = 0; i < 2; i++)
		expect(!scene.wrong[i].count,
		       "processor %u, round %u: %llu times wrong, 0x%llx in place of 0x%llx", i,
		       scene.round, (unsigned long long)scene.wrong[i].count,
		       (unsigned long long)scene.wrong[i].value,
		       (unsigned long long)scene.wrong[i].wanted);
	memset(scene.wrong, 0, sizeof(scene.wrong));
}

static void begin(void)
{
	memset(&scene, 0, sizeof(scene));
	scene.barrier.count = 2;
	scene.linear = linear_plus(unused_linear(), 9 * PAGE_1G + 77 * PAGE_2M + 100 * PAGE_4K);
	for (unsigned i = 0; i < PLACES; i++)
		scene.frame[i] = filled_frame(i + 1);
	for (unsigned i = 0; i < SPACES * STRUCTURES; i++)
		scene.structure[i / STRUCTURES][i % STRUCTURES] = frame_alloc();
}

static void use_on_both(void)
{
	barrier_wait(&scene.barrier, 0);
	use_space(0);
	barrier_wait(&scene.barrier, 0);
	judge_uses();
}

/* What was used in the round before becomes data, is looked at after more uses, and is built anew.
 */
static void reuse_roots(void)
{
	unsigned other = (scene.round + 1) % SPACES;

	use_on_both();
	for (unsigned i = 0; i < STRUCTURES; i++)
		fill_with_data(scene.structure[other][i]);
	use_on_both();
	for (unsigned i = 0; i < STRUCTURES; i++)
		expect_data(scene.structure[other][i], "a root or a table");
	build_space(other, scene.round + 1);
	scene.round++;
}

/* On all pages: INVLPG and INVPCID's type 0 are for one. */
static void forget_everywhere(enum shootdown how)
{
	for (unsigned place = 0; place < PLACES; place++) {
		linear_t linear = linear_plus(scene.linear, place * PAGE_4K);

		shoot_down(0, 1, how, linear);
		forget_translation(how, linear);
	}
}

/* In the space that stays, the page table is exchanged for the frame in front of it in the list. */
static void reuse_page_table(void)
{
	uint64_t *root = identity(scene.root[0]), *pd, *pdpt, *entry;
	gpa_t *table = scene.structure[1], old = table[scene.table];
	enum shootdown how = scene.round / SPACES % SHOOTDOWNS;

	if (!shootdown_is_offered(how))
		how = SHOOTDOWN_INVLPG;
	pdpt = identity(
		GPA(root[level_index(current_format(), PML4, scene.linear.value)] & ENTRY_ADDRESS));
	pd = identity(
		GPA(pdpt[level_index(current_format(), PDPT, scene.linear.value)] & ENTRY_ADDRESS));
	scene.table = (scene.table + 1) % STRUCTURES;
	scene.round += SPACES; /* the root of the same space */
	entry = (uint64_t *)identity(table[scene.table]) +
		level_index(current_format(), PT, scene.linear.value);
	memset(identity(table[scene.table]), 0, PAGE_4K);
	for (unsigned place = 0; place < PLACES; place++)
		entry[place] = scene.frame[tag_at(scene.round, place) - 1].value | P | RW | US;
	pd[level_index(current_format(), PD, scene.linear.value)] =
		table[scene.table].value | P | RW | US;
	forget_everywhere(how);
	fill_with_data(old);
	use_on_both();
	expect_data(old, "a page table");
}

static void share_and_reuse(void (*play_round)(void))
{
	uint64_t start, image = read_cr3();

	begin();
	build_space(0, 0);
	start_processors(2);
	start_work(1, follow, NULL);
	start = read_tsc();
	for (unsigned n = 0; n < FEWEST || read_tsc() - start < time_to_try(BUDGET_MS); n++)
		play_round();
	scene.stop = 1;
	barrier_wait(&scene.barrier, 0);
	finish_work(1);
	write_cr3(image);
	note("%u rounds", scene.round);
}

TEST(reused_roots_translate_anew,
     "A root and tables that both processors have left are data, and then what is built in them",
     MANUAL, "two_processors")
{
	share_and_reuse(reuse_roots);
}

TEST(freed_page_table_is_data_after_the_answer,
     "A page table that was taken out of a space in use is data once every processor has answered",
     PROPAGATION, "two_processors")
{
	share_and_reuse(reuse_page_table);
}
