/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What CPUID reports, one line a feature in features.def; the names are the words of a test's
 * needs.
 */
#ifndef CPU_FEATURES_H
#define CPU_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

enum feature {
#define FEATURE(name, leaf, subleaf, register, bit, meaning) FEATURE_##name,
#include "cpu/features.def"
#undef FEATURE
	FEATURE_COUNT
};

struct feature_entry {
	const char *name, *meaning;
	uint32_t leaf, subleaf;
	unsigned char reg, bit; /* 0 to 3: EAX, EBX, ECX, EDX */
};

extern const struct feature_entry feature_table[FEATURE_COUNT];

/* Reads CPUID once; the functions below answer from that. */
void features_init(void);

bool has(enum feature feature);

/* The physical-address width, SDM Vol. 3, "Enumeration of Paging Features by CPUID"; and whether
 * CPUID says it: without leaf 80000008H it is 36 "generally" only. */
unsigned maxphyaddr(void);
bool maxphyaddr_is_told(void);

unsigned linear_levels(void);	     /* levels that CR4.LA57 = 0 or 1 gives now: 4 or 5 */
const char *cpu_vendor(void);	     /* "GenuineIntel" */
const char *cpu_brand(void);	     /* leaf 0x80000002.., "" where absent */
const char *hypervisor_vendor(void); /* leaf 0x40000000, "" where CPUID shows no hypervisor */

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

struct cpuid cpuid(uint32_t leaf, uint32_t subleaf);

#endif
