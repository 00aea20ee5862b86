/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random sequences of edits, invalidations, changes of control registers and accesses.
 *
 * A few addresses share a few tables, two of each level, and two roots; any entry is rewritten at
 * any time, to another table, another frame, a large page, other rights and flags. Between the
 * edits INVLPG, MOV to CR3, INVPCID, CR4.PGE, CR4.SMEP and CR0.WP come as they like, and accesses
 * of all kinds. After each step the model (lib/model/history.h) knows all that may be cached, and
 * so what the next access may do (SDM Vol. 3, "Caching Translation Information").
 *
 * Caught here: what only an unforeseen order brings to light: state of a shadow page or of a cached
 * translation that survives the second edit but not the first, an upper level that returns to an
 * older table, global and other translations of one page, PCIDs recycled between roots, flags lost
 * or set in an entry that only looks like the one in use (KS03, KS05, XS41, BX03, BX04).
 *
 * A failure names the seed and the sequence, and prints its last steps; the same seed makes the
 * same sequences. Not checked: as in invalidation_sequences.
 */
#include "test.h"

SUBJECT(invalidation_random, "random sequences of edits, invalidations and accesses");

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""

enum {
	ADDRESSES = 5,
	SEQUENCES = 800,
	LEAST_SEQUENCES = 40,
	STEPS = 48,
	TABLES = 2,
	FRAMES = 4,
	MOST_ENTRIES = 24,
	PCIDS = 4096
};

/* Numbers of nth_access(). Where the two modes use different translations of an address, processors
 * may be right about both and still miss that one of them stored into code. */
enum { USER_WRITE = 1, SUPERVISOR_WRITE = 4 };
enum fetches { NO_FETCHES, WITH_USER_WRITES, WITH_ALL_WRITES };

static struct sequence sequence;
static char name[64];
static struct random rng;
static linear_t address[ADDRESSES];
static gpa_t root[TABLES], table[PML4][TABLES], frame[FRAMES], large[TABLES];

/* All entries that can be rewritten. */
static struct {
	uint64_t *entry;
	enum level level;
	bool may_be_large;
} entries[MOST_ENTRIES];
static unsigned count;
static unsigned pcid[3]; /* the first is 0, under which sequences start */

static unsigned below(unsigned end)
{
	return (unsigned)random_below(&rng, end);
}

static bool once_in(unsigned n)
{
	return below(n) == 0;
}

/* Two in one table of PTEs, the others each below a PDE of their own, which may map a large page:
 * that all pieces of a page go has tests of its own. The last has a PML4E of its own, and all other
 * indexes of the first: only their uppermost bits tell them apart. */
static void choose_addresses(void)
{
	const uint64_t within = 3 * PAGE_1G + 5 * PAGE_2M;
	uint64_t base = unused_linear().value;

	if (base >> 39 & 1)
		base = unused_linear().value; /* so that the next differs in one bit */
	for (unsigned i = 0; i < ADDRESSES - 1; i++)
		address[i] = LINEAR(base + within + (i > 1 ? i * PAGE_2M : 0) + (9 + i) * PAGE_4K +
				    0x340);
	address[ADDRESSES - 1] = LINEAR(address[0].value - base + unused_linear().value);
}

static void add_entries(gpa_t structure, enum level level)
{
	uint64_t *first = identity(structure);

	for (unsigned i = 0; i < ADDRESSES; i++) {
		uint64_t *entry = &first[level_index(current_format(), level, address[i].value)];
		bool known = false;

		for (unsigned n = 0; n < count; n++)
			known |= entries[n].entry == entry;
		if (known)
			continue;
		entries[count].entry = entry;
		entries[count].level = level;
		entries[count++].may_be_large = level == PD && i > 1;
	}
}

static void make_scene(void)
{
	choose_addresses();
	count = 0;
	root[0] = image_root();
	root[1] = copy_root();
	for (unsigned i = 0; i < FRAMES; i++)
		frame[i] = filled_frame(0x10 + i);
	for (unsigned i = 0; i < TABLES; i++) {
		large[i] = frames_alloc(PAGE_2M);
		for (unsigned a = 0; a < ADDRESSES; a++)
			frame_fill(gpa_plus(large[i], (9 + a) * PAGE_4K), PAGE_4K,
				   0x20 + 16 * i + a);
		add_entries(root[i], PML4);
		for (int level = PT; level <= PDPT; level++) {
			table[level][i] = frame_alloc();
			add_entries(table[level][i], (enum level)level);
		}
	}
}

/* Bit 8 of a PML4E is ignored on one vendor's processors (SDM Vol. 3, "4-Level Paging") and must be
 * zero on the other's (APM Vol. 2, "4-Kbyte Page Translation"). */
static bool may_have_g(enum level level)
{
	return level < PML4;
}

static uint64_t random_value(unsigned n)
{
	enum level level = entries[n].level;
	uint64_t value =
		level == PT ? frame[below(FRAMES)].value : table[level - 1][below(TABLES)].value;

	if (entries[n].may_be_large && once_in(4))
		value = large[below(TABLES)].value | PS;
	value |= once_in(30) ? 0 : P;
	value |= once_in(4) ? 0 : RW;
	value |= once_in(6) ? 0 : US;
	value |= once_in(3) ? 0 : A;
	value |= once_in(2) ? D : 0;
	value |= may_have_g(level) && once_in(3) ? G : 0;
	return value | (has(FEATURE_nx) && once_in(8) ? XD : 0);
}

/* An old value with something changed is more likely to be mistaken for it. */
static uint64_t random_change(unsigned n)
{
	static const uint64_t bits[] = {P, RW, US, A, D, G};
	uint64_t old = *(volatile uint64_t *)entries[n].entry;

	if (once_in(2))
		return random_value(n);
	return old ^ bits[below(COUNT_OF(bits) - !may_have_g(entries[n].level))];
}

/* Of most sequences two differ in one bit, for tags that leave out some of the bits. */
static void choose_pcids(void)
{
	pcid[1] = once_in(4) ? 0 : below(PCIDS);
	pcid[2] = once_in(6) ? below(PCIDS) : pcid[1] ^ 1u << below(12);
}

static unsigned random_pcid(void)
{
	return pcid[below(COUNT_OF(pcid))];
}

static void random_load(void)
{
	uint64_t value = root[below(TABLES)].value;

	if (read_cr4() & CR4_PCIDE)
		value |= random_pcid() | (once_in(3) ? 0 : CR3_NO_FLUSH);
	sequence_mov_to_cr3(&sequence, value);
}

static void random_invpcid(void)
{
	bool pcide = read_cr4() & CR4_PCIDE;

	sequence_invpcid(&sequence, once_in(6) ? 2 + below(2) : below(2), pcide ? random_pcid() : 0,
			 address[below(ADDRESSES)]);
}

static void random_event(void)
{
	unsigned n = below(20);

	if (n < 8)
		sequence_invlpg(&sequence, address[below(ADDRESSES)]);
	else if (n < 13)
		random_load();
	else if (n < 16 && has(FEATURE_invpcid))
		random_invpcid();
	else if (n == 16 && has(FEATURE_pge))
		sequence_toggle_cr4(&sequence, CR4_PGE);
	else if (n == 17 && has(FEATURE_smep))
		sequence_toggle_cr4(&sequence, CR4_SMEP);
	else if (n == 18 && read_cr4() & CR4_PCIDE)
		sequence_toggle_cr4(&sequence, CR4_PCIDE);
	else
		sequence_toggle_cr0(&sequence, CR0_WP);
}

/* Fetches go to addresses that differ in more than their uppermost bits. */
static void random_access(enum fetches fetches)
{
	unsigned kind = below(6);

	if (fetches == NO_FETCHES && kind % 3 == 2)
		kind--;
	if (fetches == WITH_USER_WRITES && kind == SUPERVISOR_WRITE)
		kind = USER_WRITE;
	sequence_access(&sequence,
			nth_access(kind, address[below(fetches ? ADDRESSES - 1 : ADDRESSES)]));
}

static void random_sequence(enum fetches fetches)
{
	for (unsigned n = 0; n < count; n++)
		*(volatile uint64_t *)entries[n].entry = random_value(n) | P | RW | US;
	choose_pcids();
	sequence_start(&sequence, address, ADDRESSES);
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned what = below(12), n = below(count);

		if (what < 3)
			sequence_edit(&sequence, entries[n].entry, random_change(n));
		else if (what < 4)
			random_event();
		else
			random_access(fetches);
	}
}

static void try_sequences(unsigned salt, uint64_t cr4, bool faults_keep, enum fetches fetches)
{
	unsigned sequences = effort_scaled(SEQUENCES, LEAST_SEQUENCES);

	rng = random_start(salt);
	sequence.faults_keep = faults_keep;
	sequence.name = name;
	sequence_counts_reset();
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	make_scene();
	for (unsigned i = 0; i < sequences; i++) {
		struct text text = TEXT(name);

		text_add(&text, "sequence %u of seed %llu", i, (unsigned long long)run_seed());
		load_root(root[0]);
		set_cr4(cr4);
		random_sequence(fetches);
	}
	sequence_note();
}

TEST(random_sequences_do_what_the_model_permits,
     "After any sequence of edits and invalidations accesses use what may still be cached or "
     "memory",
     MANUAL, "")
{
	try_sequences(1, 0, true, NO_FETCHES);
}

TEST(random_sequences_with_fetches_do_what_the_model_permits,
     "The same with fetches, and writes of user mode only", MANUAL, "")
{
	try_sequences(4, 0, true, WITH_USER_WRITES);
}

TEST(random_sequences_with_fetches_and_all_writes_do_what_the_model_permits,
     "The same with fetches, and writes of both modes through translations that may differ", MANUAL,
     "")
{
	try_sequences(5, 0, true, WITH_ALL_WRITES);
}

TEST(random_sequences_with_pcids_do_what_the_model_permits,
     "The same with PCIDs, given to one root and then to another", MANUAL, "pcid")
{
	try_sequences(2, CR4_PCIDE, true, NO_FETCHES);
}

TEST(random_sequences_with_page_faults_that_drop,
     "The same for data accesses, where each #PF drops what was cached of its address", MANUAL, "")
{
	try_sequences(3, 0, false, NO_FETCHES);
}
