/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the image's command line says (docs/report.md).
 */
#ifndef CHECK_OPTIONS_H
#define CHECK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct run_options {
	const char *cases;   /* globs with commas, each perhaps with #NUMBER; "" for all */
	const char *permits; /* ids with commas */
	const char *avoided; /* globs of cases that are known to bring this hypervisor down */
	uint64_t omitted;    /* cases, a bit for each of the first 64 */
	unsigned resume;
	uint64_t seed;
	unsigned seconds; /* 0: not told */
	unsigned guest;	  /* 0: not told */
	bool exhaustive;  /* all combinations, however long that takes */
	const char *boot; /* "multiboot1" */
};

/* Keeps the options for the functions below; *options must stay. */
void set_options(const struct run_options *options);
const struct run_options *run_options(void);

/* Whether the command line selects a case of this name, and whether it says that the case is to be
 * avoided. */
bool is_selected(const char *name);
bool is_avoided(const char *name);

/* Whether it leaves out the image's case with this index, whatever its name. */
bool is_omitted(unsigned index);

/* Whether the command line says permit=ID: that this hypervisor is known to make use of a
 * permission that only some have (P15: address bits that are not virtualised). */
bool is_permitted(const char *id);

/* The lowest address bit of entries and of CR3 that is reserved for certain: MAXPHYADDR, or 52 with
 * permit=P15 or where CPUID does not tell MAXPHYADDR, which is then 36 "generally" (SDM Vol. 3,
 * "Enumeration of Paging Features by CPUID"). */
unsigned first_reserved_address_bit(void);

/* Whether the glob that selects this case asks for a single combination of its axes, and which. */
bool asked_combination(const char *name, uint64_t *number);

/* Whether all combinations of a case's axes are to be tried. */
bool run_is_exhaustive(void);

/* The seed of everything random. */
uint64_t run_seed(void);

/* The number, from 1, of this guest among several that run at once; 0 when it is alone. */
unsigned run_guest(void);

/* For how long a case that knows no end of its own goes on; `otherwise` where nothing was said. */
unsigned run_seconds(unsigned otherwise);

#endif
