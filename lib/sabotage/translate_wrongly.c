/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/control.h"
#include "libc/string.h"
#include "mem/frames.h"
#include "sabotage/cache.h"

/* Rights that a shadow pager keeps for a table, or a large page, from where it was first met. */
#define MOST_ROLES 64

struct role {
	uint64_t address, parent, rights;
};

static struct role roles[MOST_ROLES];
static unsigned role_count;

/* Where a page was found first. */
static struct first_use {
	uint64_t entry, page, frame;
} first_uses[MOST_ROLES];
static unsigned first_use_count;

void forget_roles(void)
{
	role_count = first_use_count = 0;
}

static uint64_t first_frame(uint64_t entry, uint64_t page, uint64_t frame)
{
	for (unsigned i = 0; i < first_use_count; i++)
		if (first_uses[i].entry == entry && first_uses[i].page == page)
			return first_uses[i].frame;
	if (first_use_count < MOST_ROLES)
		first_uses[first_use_count++] = (struct first_use){entry, page, frame};
	return frame;
}

/* The rights above a table or page at `address`, reached through the entry at `parent`. */
static uint64_t rights_of_role(uint64_t address, uint64_t parent, uint64_t rights)
{
	for (unsigned i = 0; i < role_count; i++) {
		if (roles[i].address != address)
			continue;
		if (roles[i].parent == parent)
			roles[i].rights = rights;
		return roles[i].rights;
	}
	if (role_count < MOST_ROLES)
		roles[role_count++] = (struct role){address, parent, rights};
	return rights;
}

/* The entry as far as the processor with a bug looks at its rights. */
static uint64_t seen_rights(enum level level, uint64_t entry)
{
	enum level down = (enum level)(PML4 - level);

	if (level > PML4)
		return entry;
	if (!(entry & RW) && sabotaged(SABOTAGE_rw_ignored_in_pml4e + down))
		entry |= RW;
	if (!(entry & US) && sabotaged(SABOTAGE_us_ignored_in_pml4e + down))
		entry |= US;
	if (entry & XD && sabotaged(SABOTAGE_xd_ignored_in_pml4e + down))
		entry &= ~XD;
	return entry;
}

static uint64_t seen_reserved_bits(const struct paging_format *format,
				   const struct paging_rules *rules, enum level level,
				   uint64_t entry)
{
	uint64_t set = reserved_bits_set(format, rules, level, entry);

	if (set && level <= PML4 && sabotaged(SABOTAGE_reserved_ignored_in_pml4e + PML4 - level))
		return 0;
	if (set & 1ull << 51 && sabotaged(SABOTAGE_reserved_bit_51_ignored))
		set &= ~(1ull << 51);
	if (set & XD && sabotaged(SABOTAGE_xd_is_never_reserved))
		set &= ~XD;
	return set;
}

static bool is_global(const struct translation *to)
{
	uint64_t g = to->last;

	for (unsigned i = 0; i < to->count; i++)
		if (to->seen[i] & ~g & G && sabotaged(SABOTAGE_g_of_upper_entries_counts))
			g |= to->seen[i];
	return g & G && (read_cr4() & CR4_PGE || sabotaged(SABOTAGE_g_counts_without_pge));
}

/* Where a page's 4 KBytes lie. Other frames are read only: what lies there may be the image's own.
 */
static uint64_t seen_frame(const struct paging_format *format, const struct translation *to,
			   uint64_t linear, bool write)
{
	uint64_t bytes = level_bytes(format, to->level), entry = to->last;
	uint64_t base = format->page_address ? format->page_address(to->level, entry)
					     : entry & ENTRY_ADDRESS & ~(bytes - 1);
	uint64_t offset = linear & (bytes - 1);
	uint64_t frame = base + (offset & ~(PAGE_4K - 1));

	/* To the memory below, which cases that go there have made their own. */
	if (format->page_address && frame >> 32 && sabotaged(SABOTAGE_pse36_bits_ignored))
		frame = (uint32_t)frame;
	if (write)
		return frame;
	if (to->level == PT && (sabotaged(SABOTAGE_wrong_4_kbyte_frame) ||
				(entry & PS && sabotaged(SABOTAGE_ps_of_pte_taken_for_frame))))
		frame ^= PAGE_4K;
	if (to->level == PD && offset >= PAGE_4K && sabotaged(SABOTAGE_large_page_offset_lost))
		frame = base;
	if (to->level == PDPT && offset >= PAGE_2M && sabotaged(SABOTAGE_gbyte_page_offset_lost))
		frame = base + (offset & (PAGE_2M - 1) & ~(PAGE_4K - 1));
	if (to->level > PT && entry & PAT_OF_LARGE_PAGE && sabotaged(SABOTAGE_pat_taken_for_frame))
		frame ^= PAGE_4K;
	base = first_frame(to->address[to->count - 1], linear / PAGE_4K, frame);
	if (base != frame && sabotaged(SABOTAGE_frame_stays))
		frame = base;
	return frame;
}

/* Which entry is read in place of the right one: of another half or quarter that a shadow pager
 * whose entries have 8 bytes makes of a structure of 32-bit paging. */
static uint64_t seen_address(const struct paging_format *format, enum level level, uint64_t address,
			     bool write)
{
	uint64_t half = PAGE_4K / 2, quarters = half | half / 2;

	if (write || format->entry_bytes == 8)
		return address;
	if (level == PT && address & half && sabotaged(SABOTAGE_other_half_of_a_page_table))
		return address & ~half;
	if (level == PD && address & quarters &&
	    sabotaged(SABOTAGE_other_quarter_of_a_page_directory))
		return address & ~quarters;
	return address;
}

/* A page's first bytes as a page table, where its entry would lead to memory. */
static void go_on_into_page(struct translation *to, const struct paging_format *format,
			    const struct paging_rules *rules, uint64_t linear)
{
	uint64_t address = (to->frame & ~(level_bytes(format, PD) - 1)) +
			   format->entry_bytes * level_index(format, PT, linear);
	uint64_t entry = is_ram(GPA(address), 8) ? read_identity(NULL, address) : 0;

	if (!(entry & P))
		to->found = FOUND_ABSENT;
	else if (reserved_bits_set(format, rules, PT, entry))
		to->found = FOUND_RESERVED;
	else if (is_ram(GPA(entry & ENTRY_ADDRESS), PAGE_4K))
		to->frame = entry & ENTRY_ADDRESS;
}

/* One step down; false where the walk ends. */
static bool step(struct translation *to, const struct paging_format *format,
		 const struct paging_rules *rules, enum level level, uint64_t address)
{
	uint64_t entry = read_identity(NULL, address);

	to->at[to->count] = level;
	to->address[to->count] = address;
	to->seen[to->count++] = entry;
	to->last = entry;
	to->level = level;
	if (!(entry & P)) {
		to->found = FOUND_ABSENT;
		return false;
	}
	if (seen_reserved_bits(format, rules, level, entry)) {
		to->found =
			sabotaged(SABOTAGE_reserved_means_absent) ? FOUND_ABSENT : FOUND_RESERVED;
		return false;
	}
	if (maps_page(format, rules, level, entry)) {
		if (level == PD && sabotaged(SABOTAGE_rights_of_first_large_alias))
			entry = rights_of_role(entry & ENTRY_ADDRESS, address, entry);
		if (to->rights != RIGHTS && sabotaged(SABOTAGE_rights_of_the_last_entry_only))
			to->rights = RIGHTS;
		to->rights = rights_below(to->rights, seen_rights(level, entry));
		to->found = FOUND_PAGE;
		return false;
	}
	to->rights = rights_below(to->rights, seen_rights(level, entry));
	if (level == PD && sabotaged(SABOTAGE_rights_of_first_parent))
		to->rights = rights_of_role(entry & ENTRY_ADDRESS, address, to->rights);
	return true;
}

static void walk_wrongly(struct translation *to, uint64_t linear, bool write)
{
	const struct paging_format *format = current_format();
	const struct paging_rules rules = current_rules();
	const struct cached_entry *upper = caches_are_used() ? cached_upper_entry(linear) : NULL;
	uint64_t table = upper ? upper->table : table_to_begin_with(linear);
	int level = upper ? (int)upper->level - 1 : (int)format->top;

	*to = (struct translation){.rights = upper ? upper->rights : RIGHTS};
	to->rights_above = to->rights;
	if (!table)
		return;
	for (; level >= PT; level--) {
		uint64_t address = table + format->entry_bytes *
						   level_index(format, (enum level)level, linear);

		address = seen_address(format, (enum level)level, address, write);
		if (!step(to, format, &rules, (enum level)level, address))
			break;
		table = to->last & ENTRY_ADDRESS;
	}
	if (to->found != FOUND_PAGE)
		return;
	if (to->level > PT && to->last & PROTECTION_KEY &&
	    sabotaged(SABOTAGE_keys_of_large_pages_ignored))
		to->last &= ~PROTECTION_KEY;
	to->frame = seen_frame(format, to, linear, write);
	to->global = is_global(to);
	if (to->level == PD && !write && sabotaged(SABOTAGE_large_page_taken_for_table))
		go_on_into_page(to, format, &rules, linear);
}

void translate_wrongly(struct translation *translation, uint64_t linear, bool write)
{
	const struct translation *cached = caches_are_used() ? cached_translation(linear) : NULL;

	/* A write that finds D = 0 walks again, to set it. */
	if (cached && !(write && cached->found == FOUND_PAGE && !(cached->last & D)))
		*translation = *cached;
	else
		walk_wrongly(translation, linear, write);
}
