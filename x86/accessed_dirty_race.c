/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Accessed and dirty flags against another processor that changes the same entry.
 *
 * The processor sets A and D by locked read-modify-write cycles that change nothing else, and never
 * in an entry with P = 0 (SDM Vol. 3, "Accessed and Dirty Flags"; "Locked Atomic Operations": "When
 * updating page-directory and page-table entries"). So an operating system may count in bits that
 * are ignored with locked instructions, take an entry away with XCHG and trust the D flag that it
 * gets: no store that came before is missing in it, and none is made later that would have had to
 * set it.
 *
 * Caught here: walkers that read an entry and store it back with A or D (QT07), shadow pagers that
 * write the flags back late, from a copy, or into an entry that is gone (ER03), dirty flags that
 * are only kept in a cached translation; reserved-bit faults of shadow entries seen while an entry
 * comes and goes (XS20).
 *
 * Not checked: R/W taken away without a handshake, after which D may appear in a read-only entry
 * (P8).
 */
#include "test.h"

SUBJECT(accessed_dirty_race, "accessed and dirty flags while another processor changes the entry");

#define MANUAL	  "SDM Vol. 3, \"Accessed and Dirty Flags\""
#define SOFTWARE  (IGNORED_9_11 | IGNORED_52_58)
#define BOTH	  3000 /* accesses while the other processor was changing the entry */
#define BUDGET_MS 200
#define SLICE_MS  40
#define FEWEST	  32
#define LOOKS	  40 /* at an entry that must stay 0 */

static struct scene {
	struct page page;
	volatile uint64_t *entry, *word; /* of memory, by the identity map */
	unsigned way;			 /* of access */
	volatile uint64_t stop;
	uint64_t changes, lost, lost_at; /* of software bits */
	uint64_t wrong_faults, wrong_code;
} scene;

static void begin(enum level leaf, enum level level)
{
	memset(&scene, 0, sizeof(scene));
	scene.page = map_page_at(leaf, frames_alloc(leaf == PD ? PAGE_2M : PAGE_4K), P | RW | US);
	frame_fill(scene.page.frame, PAGE_4K, 0);
	scene.entry = scene.page.entry[level];
	scene.word = identity(scene.page.frame);
}

static uint64_t software_bits(uint64_t changes)
{
	return changes % 128 << 52 | changes % 8 << 9;
}

/* Bits 52 to 58 and 9 to 11 count the changes; each finds what the one before has left. */
static void change_software_bits(unsigned self, void *argument)
{
	(void)argument;
	for (uint64_t n = 0; !scene.stop; n++) {
		uint64_t found = software_bits(n + 1) - software_bits(n);

		__asm__ volatile("lock xaddq %0, %1"
				 : "+r"(found), "+m"(*scene.entry)
				 :
				 : "memory");
		if ((found & SOFTWARE) != software_bits(n) && !scene.lost++)
			scene.lost_at = found;
		scene.changes++;
		if (n % 64 == 0) {
			beat(self);
			pause();
		}
	}
}

/* Clears the flags, has them set by an access, looks. Whether the other processor was at it. */
static bool use_and_look(enum level level)
{
	bool leaf = level == scene.page.level;
	struct access access = nth_access(scene.way, scene.page.linear);
	uint64_t wanted = leaf && scene.way % 3 == 1 ? A | D : A, before = *scene.entry, found;
	struct outcome outcome;

	__asm__ volatile("lock andq %1, %0" : "+m"(*scene.entry) : "r"(~(A | D)));
	invalidate(scene.page.linear, INVLPG);
	outcome = attempt(access);
	found = *scene.entry;
	expect(outcome.vector == NO_VECTOR, "vector %u, error code 0x%llx", outcome.vector,
	       (unsigned long long)outcome.error_code);
	expect((found & wanted) == wanted && (!leaf || !(found & ~wanted & D)),
	       "entry 0x%llx after the access", (unsigned long long)found);
	return (found ^ before) & SOFTWARE;
}

static void count_while_walked(enum level leaf, enum level level)
{
	uint64_t start, address, rounds = 0, both = 0;

	begin(leaf, level);
	address = *scene.entry & (ENTRY_ADDRESS | P | RW | US | PS | XD);
	start_processors(2);
	start_work(1, change_software_bits, NULL);
	start = read_tsc();
	while (rounds < FEWEST || (both < BOTH && read_tsc() - start < time_to_try(BUDGET_MS))) {
		scene.way = rounds++ % 6;
		both += use_and_look(level);
		if (rounds % 16 == 0)
			pause();
	}
	scene.stop = 1;
	finish_work(1);
	expect(!scene.lost, "%llu of %llu changes were lost, the first with entry 0x%llx",
	       (unsigned long long)scene.lost, (unsigned long long)scene.changes,
	       (unsigned long long)scene.lost_at);
	expect((*scene.entry & (ENTRY_ADDRESS | P | RW | US | PS | XD)) == address, "entry 0x%llx",
	       (unsigned long long)*scene.entry);
	note("%llu changes, %llu accesses, %llu at the same time",
	     (unsigned long long)scene.changes, (unsigned long long)rounds,
	     (unsigned long long)both);
}

TEST(pte_keeps_software_bits, "Setting A and D in a PTE loses no locked change of other bits",
     MANUAL, "two_processors")
{
	count_while_walked(PT, PT);
}

TEST(large_pde_keeps_software_bits,
     "Setting A and D in the PDE of a 2-MByte page loses no locked change of other bits", MANUAL,
     "two_processors")
{
	count_while_walked(PD, PD);
}

TEST(pde_keeps_software_bits, "Setting A in a PDE loses no locked change of other bits", MANUAL,
     "two_processors")
{
	count_while_walked(PT, PD);
}

TEST(pdpte_keeps_software_bits, "Setting A in a PDPTE loses no locked change of other bits", MANUAL,
     "two_processors")
{
	count_while_walked(PT, PDPT);
}

TEST(pml4e_keeps_software_bits, "Setting A in a PML4E loses no locked change of other bits", MANUAL,
     "two_processors")
{
	count_while_walked(PT, PML4);
}

/* Uses the page without pause; faults must say that the page is not present, and nothing else. */
static void keep_using(unsigned self, void *argument)
{
	(void)argument;
	for (unsigned n = 0; !scene.stop; n++) {
		struct access access = nth_access(scene.way, scene.page.linear);
		struct outcome outcome;

		access.value[0] = frame_word(n + 1);
		outcome = attempt_as(self, access);
		if (outcome.vector != NO_VECTOR &&
		    (outcome.vector != VECTOR_PF || outcome.error_code & (PF_P | PF_RSVD))) {
			scene.wrong_faults++;
			scene.wrong_code = outcome.vector << 16 | outcome.error_code;
		}
		if (outcome.vector != NO_VECTOR || n % 16 == 0)
			pause();
	}
}

/* Some time, not always the same; PAUSE lets the other run where both share a host CPU. */
static void linger(struct random *random)
{
	uint64_t turns = random_below(random, 400);

	if (turns % 4 == 0)
		pause();
	while (turns--)
		__asm__ volatile("" : : : "memory");
}

/* The entry is taken away; answers with what it was. */
static uint64_t take_away(void)
{
	uint64_t old = 0;

	__asm__ volatile("xchgq %0, %1" : "+r"(old), "+m"(*scene.entry) : : "memory");
	for (unsigned look = 0; look < LOOKS; look++)
		if (*scene.entry) {
			expect(false, "entry 0x%llx after it was exchanged for 0",
			       (unsigned long long)*scene.entry);
			break;
		}
	return old;
}

static void come_and_go(struct random *random)
{
	uint64_t before = frame_word(0), old;

	*scene.word = before;
	*scene.entry = scene.page.frame.value | P | RW | US | (scene.page.level == PD ? PS : 0);
	linger(random);
	old = take_away();
	shoot_down(0, 1, SHOOTDOWN_INVLPG, scene.page.linear);
	expect(!*scene.entry, "entry 0x%llx after it was exchanged for 0 and forgotten",
	       (unsigned long long)*scene.entry);
	if (!(old & D))
		expect(*scene.word == before, "0x%llx was stored with D = 0",
		       (unsigned long long)*scene.word);
	else
		expect(scene.way % 3 == 1, "D = 1 without a write");
}

static void take_away_while_used(enum level leaf)
{
	struct random random = random_start(leaf);
	uint64_t rounds = 0;

	begin(leaf, leaf);
	start_processors(2);
	for (unsigned way = 0; way < 6; way++) {
		uint64_t start = read_tsc(), first = rounds;

		scene.way = way;
		scene.stop = 0;
		start_work(1, keep_using, NULL);
		while (rounds < first + FEWEST / 4 || read_tsc() - start < time_to_try(SLICE_MS)) {
			come_and_go(&random);
			rounds++;
		}
		scene.stop = 1;
		finish_work(1);
	}
	expect(!scene.wrong_faults, "%llu faults of another kind, vector and error code 0x%llx",
	       (unsigned long long)scene.wrong_faults, (unsigned long long)scene.wrong_code);
	note("%llu rounds", (unsigned long long)rounds);
}

TEST(absent_pte_gets_no_flags,
     "A PTE that XCHG made 0 stays 0, and with D = 0 in it nothing was or will be stored", MANUAL,
     "two_processors")
{
	take_away_while_used(PT);
}

TEST(absent_large_pde_gets_no_flags,
     "A PDE of a 2-MByte page that XCHG made 0 stays 0, and nothing is stored with D = 0", MANUAL,
     "two_processors")
{
	take_away_while_used(PD);
}

/* D is cleared and forgotten while another processor writes: what is stored then sets it again. */
TEST(store_after_the_answer_sets_dirty,
     "After D was cleared and a processor has answered, its next store sets D before it is seen",
     MANUAL, "two_processors")
{
	struct random random = random_start(9);
	uint64_t start, rounds = 0, stored = 0;

	begin(PT, PT);
	scene.way = 1;
	start_processors(2);
	start_work(1, keep_using, NULL);
	start = read_tsc();
	/* Where processors have to take turns, few rounds see a store. */
	while (rounds < FEWEST || read_tsc() - start < time_to_try(2 * SLICE_MS) ||
	       (stored < FEWEST && read_tsc() - start < time_to_try(20 * SLICE_MS))) {
		uint64_t first, second, entry;

		__asm__ volatile("lock btrq $6, %0" : "+m"(*scene.entry) : : "cc");
		shoot_down(0, 1, SHOOTDOWN_INVLPG, scene.page.linear);
		first = *scene.word;
		entry = *scene.entry;
		if (!(entry & D)) {
			linger(&random);
			second = *scene.word;
			entry = *scene.entry;
			expect(second == first || entry & D, "entry 0x%llx after a store",
			       (unsigned long long)entry);
			stored += second != first;
		}
		rounds++;
	}
	scene.stop = 1;
	finish_work(1);
	expect(true, " ");
	note("%llu rounds, %llu stores seen", (unsigned long long)rounds,
	     (unsigned long long)stored);
}
