/* SPDX-License-Identifier: BSD-2-Clause */
#include "nested/shadow.h"

#include "check/report.h"
#include "cpu/control.h"
#include "cpu/exception.h"
#include "libc/string.h"
#include "mem/frames.h"
#include "nested/l2.h"
#include "paging/entry.h"

#define MOST_SHADOWS 64
#define MOST_TABLES  64
#define TABLE_FLAGS  (P | RW | US | A)

/* The map has the shape of 4-level paging; P, R/W and U/S together stand for every right. */
static const struct paging_format memory_map = {
	.name = "map of L2's memory",
	.top = PML4,
	.entry_bytes = 8,
	.linear_bits = 48,
	.present = P,
	.level =
		{
			[PT] = {.entry_name = "map 4K", .shift = 12, .index_bits = 9},
			[PD] = {.entry_name = "map 2M",
				.shift = 21,
				.index_bits = 9,
				.can_map_page = true},
			[PDPT] = {.entry_name = "map 1G",
				  .shift = 30,
				  .index_bits = 9,
				  .can_map_page = true},
			[PML4] = {.entry_name = "map top", .shift = 39, .index_bits = 9},
		},
};

static struct {
	gpa_t frame[MOST_SHADOWS]; /* the first is the root */
	unsigned frames;	   /* in use */
	uint64_t table[MOST_TABLES];
	unsigned tables;
	uint64_t cr0, cr3, cr4; /* of L2, which the shadows are made for */
} shadow;

static uint64_t map_rights(unsigned rights)
{
	return rights ? P | RW | US : 0;
}

static void map_invalidate(struct second_level *second, enum second_invalidation how)
{
	(void)second;
	(void)how;
	shadow_drop_all();
	shadow.cr3 = ~0ull; /* so that shadow_follow() sees it */
}

static const struct second_level_kind map = {
	.name = "map",
	.table_flags = P | RW | US,
	.rights = map_rights,
	.rights_mask = P | RW | US,
	.invalidate = map_invalidate,
};

void shadow_start(struct l2 *l2)
{
	if (l2->mode != L2_4LEVEL)
		end_case_failed("the shadow pager knows 4-level paging only");
	l2->second.kind = &map;
	l2->second.model = (struct model_second_level){
		.format = &memory_map,
		.rules = {.maxphyaddr = 52, .pages_1g = true, .execute_disable = true},
		.root = frame_alloc().value,
	};
	for (unsigned i = 0; i < MOST_SHADOWS; i++)
		shadow.frame[i] = frame_alloc();
	shadow_drop_all();
	shadow.cr3 = ~0ull;
}

gpa_t shadow_root(void)
{
	return shadow.frame[0];
}

/* Also forgets which pages are tables: they show again when they are walked. */
bool shadow_drop_all(void)
{
	memset(identity(shadow.frame[0]), 0, PAGE_4K);
	shadow.frames = 1;
	shadow.tables = 0;
	return true;
}

bool shadow_follow(const struct l2 *l2)
{
	bool cr3_differs = shadow.cr3 != l2->cr3;

	if (cr3_differs && ~shadow.cr3 && sabotaged(SABOTAGE_mov_cr3_keeps_translations))
		cr3_differs = false;
	if (shadow.cr0 == l2->cr0 && !cr3_differs && shadow.cr4 == l2->cr4)
		return false;
	shadow.cr0 = l2->cr0;
	shadow.cr3 = l2->cr3;
	shadow.cr4 = l2->cr4;
	return shadow_drop_all();
}

/* The shadow entry for a 4-KByte page, with the structures above it. */
static uint64_t *shadow_entry(linear_t linear)
{
	gpa_t table = shadow.frame[0];

	for (int level = PML4;; level--) {
		uint64_t *entry = (uint64_t *)identity(table) +
				  level_index(&paging_4level, (enum level)level, linear.value);

		if (level == PT)
			return entry;
		if (!(*entry & P)) {
			if (shadow.frames == MOST_SHADOWS)
				end_case_failed("too many shadows: drop some in between");
			table = shadow.frame[shadow.frames++];
			memset(identity(table), 0, PAGE_4K);
			*entry = table.value | TABLE_FLAGS;
		}
		table = GPA(*entry & ENTRY_ADDRESS);
	}
}

/* L2's page may have been of any size, and has been made of 4-KByte pages here. */
bool shadow_drop_page(linear_t linear)
{
	uint64_t *pml4e = (uint64_t *)identity(shadow.frame[0]) +
			  level_index(&paging_4level, PML4, linear.value);

	if (sabotaged(SABOTAGE_invlpg_lost))
		return false;
	if (sabotaged(SABOTAGE_invlpg_drops_4_kbyte_only))
		*shadow_entry(linear) = 0;
	else if (*pml4e & P)
		((uint64_t *)identity(GPA(
			*pml4e & ENTRY_ADDRESS)))[level_index(&paging_4level, PDPT, linear.value)] =
			0;
	return true;
}

/* Memory of L2's by its physical address. */
static void *l2_memory(const struct l2 *l2, uint64_t gpa)
{
	gpa_t frame = l2_frame_of(l2, GPA(gpa));

	if (!frame.value)
		end_case_failed("L2 uses physical memory that it does not have");
	return identity(frame);
}

static uint64_t read_l2(const void *memory, uint64_t gpa)
{
	return *(const volatile uint64_t *)l2_memory(memory, gpa);
}

static void walk_l2(const struct l2 *l2, struct walk *walk, linear_t linear)
{
	struct model_processor processor = l2_processor(l2, linear);

	walk_linear(walk, processor.format, &processor.rules, processor.root, linear.value, read_l2,
		    l2);
}

void shadow_read_code(const struct l2 *l2, linear_t linear, uint8_t *bytes, unsigned count)
{
	struct walk walk;

	for (unsigned i = 0; i < count; i++) {
		walk_l2(l2, &walk, linear_plus(linear, i));
		if (walk.end != WALK_MAPPED)
			end_case_failed("L2 executes code that is not mapped");
		bytes[i] = *(const volatile uint8_t *)l2_memory(l2, walk.physical);
	}
}

/* What L2's entries allow together. */
struct rights {
	bool user, write, no_execute;
};

static struct rights combine(const struct l2 *l2, const struct walk *walk)
{
	struct rights rights = {true, true, false};

	for (unsigned i = 0; i < walk->count; i++) {
		if (i && sabotaged(SABOTAGE_rights_of_the_last_entry_only))
			rights = (struct rights){true, true, false};
		rights.user &= (walk->step[i].entry & US) != 0;
		rights.write &= (walk->step[i].entry & RW) != 0;
		rights.no_execute |= (l2->efer & EFER_NXE) && (walk->step[i].entry & XD);
	}
	return rights;
}

static bool allows(const struct l2 *l2, const struct rights *rights, uint64_t error_code)
{
	bool user = error_code & PF_U, smap = (l2->cr4 & CR4_SMAP) && !(error_code & PF_ID);

	if (user && !rights->user)
		return false;
	if ((error_code & PF_W) && !rights->write && (user || (l2->cr0 & CR0_WP)))
		return !user && sabotaged(SABOTAGE_wp_ignored);
	if ((error_code & PF_ID) &&
	    (rights->no_execute || (!user && rights->user && (l2->cr4 & CR4_SMEP))))
		return false;
	if (!user && rights->user && smap)
		end_case_failed("the shadow pager does not know SMAP");
	return true;
}

/* Accessed and dirty flags of L2's entries: what the processor would have set. */
static void set_flags(const struct l2 *l2, const struct walk *walk, bool write)
{
	for (unsigned i = 0; i < walk->count; i++) {
		volatile uint64_t *entry = l2_memory(l2, walk->step[i].address);
		uint64_t flags = A | (write && i + 1 == walk->count ? D : 0);

		if (~*entry & flags)
			*entry |= flags;
	}
}

static bool is_table(uint64_t frame)
{
	for (unsigned i = 0; i < shadow.tables; i++)
		if (shadow.table[i] == frame)
			return true;
	return false;
}

/* Pages that turn out to be tables must not stay writable anywhere. */
static void note_tables(const struct l2 *l2, const struct walk *walk)
{
	for (unsigned i = 0; i < walk->count; i++) {
		uint64_t frame = gpa_of(l2_memory(l2, walk->step[i].address)).value;

		frame &= ENTRY_ADDRESS;
		if (is_table(frame))
			continue;
		if (shadow.tables == MOST_TABLES)
			shadow_drop_all();
		memset(identity(shadow.frame[0]), 0, PAGE_4K);
		shadow.frames = 1;
		shadow.table[shadow.tables++] = frame;
	}
}

/* With CR0.WP = 0 supervisor mode writes where R/W = 0. L2 runs with WP = 1: for as long as that
 * page is writable it is no user page, and the next user access changes it back. */
static uint64_t leaf_flags(const struct rights *rights, uint64_t error_code, bool dirty)
{
	uint64_t flags = P | A | (rights->user ? US : 0) | (rights->no_execute ? XD : 0);

	if (rights->write && dirty)
		return flags | RW | D;
	if ((error_code & PF_W) && !rights->write)
		return (flags | RW | D) & ~US;
	return flags;
}

/* The 8 bytes that a store to a table is about to change. */
static struct {
	volatile uint64_t *word;
	uint64_t value;
} table_write;

static void begin_table_write(uint64_t address)
{
	table_write.word = identity(GPA(address));
	table_write.value = *table_write.word;
}

bool shadow_table_was_written(void)
{
	if (table_write.word && sabotaged(SABOTAGE_carried_out_store_lost))
		*table_write.word = table_write.value;
	table_write.word = NULL;
	return shadow_drop_all();
}

enum shadow_result shadow_page_fault(struct l2 *l2, linear_t linear, uint64_t *error_code,
				     bool writes_tables)
{
	bool write = *error_code & PF_W, dirty;
	struct rights rights;
	struct walk walk;
	gpa_t frame;
	uint64_t flags;

	walk_l2(l2, &walk, linear);
	rights = combine(l2, &walk);
	if (walk.end != WALK_MAPPED || !allows(l2, &rights, *error_code)) {
		*error_code &= ~(uint64_t)(PF_P | PF_RSVD);
		*error_code |= walk.end == WALK_NOT_PRESENT ? 0 : PF_P;
		if (walk.end == WALK_RESERVED && !sabotaged(SABOTAGE_error_code_lacks_rsvd))
			*error_code |= PF_RSVD;
		return SHADOW_IS_L2S;
	}
	note_tables(l2, &walk);
	frame = GPA(gpa_of(l2_memory(l2, walk.physical)).value & ENTRY_ADDRESS);
	if (write && is_table(frame.value) && !writes_tables) {
		begin_table_write((frame.value | walk.physical % PAGE_4K) & ~7ull);
		return SHADOW_TABLE_WRITE;
	}
	set_flags(l2, &walk, write);
	dirty = write || (walk.step[walk.count - 1].entry & D);
	dirty = dirty || sabotaged(SABOTAGE_d_missing_after_read);
	flags = leaf_flags(&rights, *error_code, dirty);
	if (is_table(frame.value) && !writes_tables)
		flags &= ~(RW | D);
	*shadow_entry(linear) = frame.value | flags;
	return SHADOW_FILLED;
}
