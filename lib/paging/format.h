/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Formats of paging structures as data: how a linear address is cut up, which entries can map
 * pages, which bits are reserved. Pure: used by the walker, by the model and on the host.
 */
#ifndef PAGING_FORMAT_H
#define PAGING_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

/* A structure's distance from the page. */
enum level { PT = 1, PD = 2, PDPT = 3, PML4 = 4, PML5 = 5, MOST_LEVELS = 5 };

struct level_format {
	const char *entry_name; /* "PTE" */
	unsigned char shift;	/* of the linear address */
	unsigned char index_bits;
	bool can_map_page;	   /* with PS = 1; always at level PT */
	uint64_t reserved;	   /* bits that must be 0 in each present entry of this level */
	uint64_t reserved_of_page; /* and these, where it maps a large page */
};

struct paging_rules;

struct paging_format {
	const char *name;
	enum level top;
	unsigned char entry_bytes;
	unsigned char linear_bits;
	uint64_t present; /* an entry is present when any of these bits is 1 */
	/* Replaces the common rules of reserved_bits_set(); NULL where those apply. */
	uint64_t (*reserved_bits)(const struct paging_rules *rules, enum level level,
				  uint64_t entry);
	/* Where the address of a page does not stand in its own bits of the entry; NULL. */
	uint64_t (*page_address)(enum level level, uint64_t entry);
	struct level_format level[MOST_LEVELS + 1];
};

extern const struct paging_format paging_4level;
extern const struct paging_format paging_5level;

/* What the processor's features and EFER add to a format. */
struct paging_rules {
	unsigned maxphyaddr;
	bool pages_1g;		 /* CPUID.80000001H:EDX.Page1GB */
	bool execute_disable;	 /* EFER.NXE = 1 */
	bool pse36;		 /* CPUID.01H:EDX.PSE-36, for 32-bit paging */
	bool execute_only;	 /* EPT: X without R is allowed */
	bool mode_based_execute; /* EPT: bit 10 allows fetches from user-mode addresses */
};

/* Whether a present entry maps a page rather than references a table, and then of level_bytes(). */
bool maps_page(const struct paging_format *format, const struct paging_rules *rules,
	       enum level level, uint64_t entry);

/* The bits of a present entry that are 1 although they are reserved. */
uint64_t reserved_bits_set(const struct paging_format *format, const struct paging_rules *rules,
			   enum level level, uint64_t entry);

/* Bytes that an entry at `level` covers: the page's size where it maps one. */
static inline uint64_t level_bytes(const struct paging_format *format, enum level level)
{
	return 1ull << format->level[level].shift;
}

static inline unsigned level_index(const struct paging_format *format, enum level level,
				   uint64_t linear)
{
	return (unsigned)(linear >> format->level[level].shift) &
	       ((1u << format->level[level].index_bits) - 1);
}

/* Whether bits 63:linear_bits - 1 are all alike (SDM Vol. 1, "Canonical Addressing"). */
static inline bool is_canonical(const struct paging_format *format, uint64_t linear)
{
	unsigned unused = 64u - format->linear_bits;

	if (format->linear_bits == 32)
		return !(linear >> 32); /* outside 64-bit mode there is nothing else */
	return (uint64_t)((int64_t)(linear << unused) >> unused) == linear;
}

/* "4-KByte", "2-MByte", "1-GByte". */
const char *page_size_name(enum level level);

#endif
