/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One table reached through several parents with different rights, and one frame through several
 * large pages.
 *
 * The rights of an access are those of the entries on its own way, all of them; what another way to
 * the same table or frame allows is of no matter, in whatever order the ways are used (SDM Vol. 3,
 * "Determination of Access Rights").
 *
 * Caught here: shadow pages kept by the table's address alone, with the rights of the way that was
 * used first (KS01, CVE-2021-38198), or of the leaf mixed into those of a table above; large pages
 * kept by their frame (KS06, KS10 to KS12); D tracked for one of two entries. Nothing is
 * invalidated between the accesses: every structure stays as it was when it was first used, so
 * nothing may change but accessed and dirty flags.
 *
 * Not checked: edits of the ways in between (mov_to_cr3, invlpg and optional_invalidation do).
 */
#include "test.h"

SUBJECT(table_aliases, "tables and frames shared by ways with different rights, in every order");

#define MANUAL	  "SDM Vol. 3, \"Determination of Access Rights\""

#define ACCESSES  6 /* of user and of supervisor mode, see nth_access() */
#define MOST_WAYS 8

/* Linear addresses that share structures. */
struct ways {
	linear_t linear[MOST_WAYS];
	unsigned count;
};

static uint64_t nth_rights(unsigned n)
{
	return (n & 1 ? RW : 0) | (n & 2 ? US : 0) | (n & 4 ? XD : 0);
}

/* Every access by every way, the ways in turn; `first` says which way and which access begin. */
static void use_all(const struct ways *ways, unsigned first)
{
	for (unsigned n = 0; n < ACCESSES * ways->count; n++) {
		unsigned way = (first + n) % ways->count;
		unsigned access = (first / ways->count + n / ways->count) % ACCESSES;

		expect_as_modelled(nth_access(access, ways->linear[way]));
	}
}

/* A fresh set of structures for each beginning, so that each way is once the first to be used.
 * Every `step`th beginning, others for other rights. */
static void try_all_orders(void (*build)(struct ways *ways, unsigned rights), unsigned rights,
			   unsigned step)
{
	struct ways ways;

	watch_attempts();
	for (unsigned first = rights % step;; first += step) {
		build(&ways, rights);
		if (first >= ways.count * ACCESSES)
			break;
		invalidate(ways.linear[0], MOV_CR3);
		use_all(&ways, first);
		use_all(&ways, first + 1);
		release_pages();
	}
	release_pages();
}

/* Where events of paging are dear (check/effort.h), all rights and all beginnings still come, but
 * not each with each; `most` is not more than there are rights. */
static unsigned step_of_beginnings(unsigned most)
{
	unsigned shares = effort_shares();

	return shares < most ? shares : most;
}

static void allow_xd(void)
{
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
}

static uint64_t offered(uint64_t rights)
{
	return has(FEATURE_nx) ? rights : rights & ~XD;
}

/* Two entries at `level`, next to each other, for one lower table; the rights of each are 3 bits of
 * `rights`. */
static void two_parents(struct ways *ways, enum level level, unsigned rights)
{
	struct page page = map_page_at(PT, filled_frame(7), P | RW | US);
	uint64_t *entry = page.entry[level];
	uint64_t table = *entry & ENTRY_ADDRESS;
	uint64_t bytes = level_bytes(current_format(), level);

	/* the neighbour that an index of all ones does not wrap to */
	bool last = !((page.linear.value / bytes + 1) % 512);

	entry[0] = table | P | offered(nth_rights(rights & 7));
	entry[last ? -1 : 1] = table | P | offered(nth_rights(rights >> 3 & 7));
	ways->linear[0] = page.linear;
	ways->linear[1] =
		last ? LINEAR(page.linear.value - bytes) : linear_plus(page.linear, bytes);
	ways->count = 2;
}

static void two_pdes(struct ways *ways, unsigned rights)
{
	two_parents(ways, PD, rights);
}

static void two_pdptes(struct ways *ways, unsigned rights)
{
	two_parents(ways, PDPT, rights);
}

/* The second way's PML4E belongs to the same case. */
static void two_pml4es(struct ways *ways, unsigned rights)
{
	struct page page = map_page_at(PT, filled_frame(7), P | RW | US);
	uint64_t slot = unused_linear().value;
	uint64_t table = *page.entry[PML4] & ENTRY_ADDRESS;
	uint64_t *root = identity(image_root());

	*page.entry[PML4] = table | P | offered(nth_rights(rights & 7));
	root[slot >> 39] = table | P | offered(nth_rights(rights >> 3 & 7));
	ways->linear[0] = page.linear;
	ways->linear[1] = LINEAR(slot | (page.linear.value & ((1ull << 39) - 1)));
	ways->count = 2;
}

static void try_pairs(void (*build)(struct ways *ways, unsigned rights))
{
	unsigned step = step_of_beginnings(2 * ACCESSES);

	allow_xd();
	for (unsigned rights = 0; rights < 64; rights++) {
		progress("%u of 64 pairs of rights", rights);
		try_all_orders(build, rights, step);
	}
}

TEST(page_table_has_the_rights_of_each_pde,
     "A page table under two PDEs gives each way the rights of its own PDE", MANUAL, "")
{
	try_pairs(two_pdes);
}

TEST(page_directory_has_the_rights_of_each_pdpte,
     "A page directory under two PDPTEs gives each way the rights of its own PDPTE", MANUAL, "")
{
	try_pairs(two_pdptes);
}

TEST(pdpt_has_the_rights_of_each_pml4e,
     "A page-directory-pointer table under two PML4Es gives each way the rights of its own PML4E",
     MANUAL, "")
{
	try_pairs(two_pml4es);
}

/* Two PDPTEs for one page directory with two PDEs for two page tables: four ways, the shape of
 * CVE-2021-38198. The rights of both PDPTEs and of both PTEs are 2 bits each. */
static void four_ways(struct ways *ways, unsigned rights)
{
	struct page page = map_page_at(PT, filled_frame(7), P | RW | US);
	uint64_t in_gbyte = page.linear.value % PAGE_1G;
	bool last = !((page.linear.value / PAGE_1G + 1) % 512),
	     last_pde = !((in_gbyte / PAGE_2M + 1) % 512);
	int64_t gbyte = last ? -(int64_t)PAGE_1G : (int64_t)PAGE_1G;
	int64_t pde = last_pde ? -(int64_t)PAGE_2M : (int64_t)PAGE_2M;
	uint64_t *table = identity(frame_alloc());
	uint64_t directory = *page.entry[PDPT] & ENTRY_ADDRESS;

	page.entry[PDPT][0] = directory | P | nth_rights(rights & 3);
	page.entry[PDPT][last ? -1 : 1] = directory | P | nth_rights(rights >> 2 & 3);
	page.entry[PD][last_pde ? -1 : 1] = gpa_of(table).value | P | RW | US;
	*page.entry[PT] = page.frame.value | P | nth_rights(rights >> 4 & 3);
	table[page.entry[PT] - table_of(page.entry[PT])] =
		page.frame.value | P | nth_rights(rights >> 6 & 3);
	for (unsigned i = 0; i < 4; i++)
		ways->linear[i] = LINEAR(page.linear.value +
					 (uint64_t)((i & 1 ? gbyte : 0) + (i & 2 ? pde : 0)));
	ways->count = 4;
}

TEST(four_ways_through_one_directory_keep_their_rights,
     "Two PDPTEs for one directory with two page tables: each of four ways has its own rights",
     MANUAL, "")
{
	for (unsigned rights = 0; rights < 256; rights += 3) {
		struct ways ways;

		four_ways(&ways, rights);
		invalidate(ways.linear[0], MOV_CR3);
		use_all(&ways, rights);
		use_all(&ways, rights + 1);
		release_pages();
	}
}

/* Large pages (and one small one) over one frame, each with rights of its own. */
static void shared_frame(struct ways *ways, enum level level, unsigned rights)
{
	gpa_t frame = level == PD ? frames_alloc(PAGE_2M) : filled_frame(7);
	uint64_t bytes = level_bytes(current_format(), level);
	gpa_t base = GPA(frame.value & ~(bytes - 1));

	frame_fill(frame, PAGE_4K, 7);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t flags = P | offered(nth_rights((rights + 3 * i) & 7));
		struct page page =
			i < 2 ? map_page_at(level, base, flags) : map_page_at(PT, frame, flags);

		ways->linear[i] = linear_plus(page.linear, i < 2 ? frame.value - base.value : 0);
	}
	ways->count = 3;
}

static void shared_2_mbyte_frame(struct ways *ways, unsigned rights)
{
	shared_frame(ways, PD, rights);
}

static void shared_1_gbyte_frame(struct ways *ways, unsigned rights)
{
	shared_frame(ways, PDPT, rights);
}

TEST(shared_2_mbyte_frame_has_the_rights_of_each_page,
     "Two 2-MByte pages and a 4-KByte page over one frame each have the rights of their own entry",
     MANUAL, "")
{
	unsigned step = step_of_beginnings(ACCESSES);

	allow_xd();
	for (unsigned rights = 0; rights < 8; rights++)
		try_all_orders(shared_2_mbyte_frame, rights, step);
}

TEST(shared_1_gbyte_frame_has_the_rights_of_each_page,
     "Two 1-GByte pages and a 4-KByte page over one frame each have the rights of their own entry",
     MANUAL, "pages_1g")
{
	unsigned step = step_of_beginnings(ACCESSES);

	allow_xd();
	for (unsigned rights = 0; rights < 8; rights++)
		try_all_orders(shared_1_gbyte_frame, rights, step);
}
