/* SPDX-License-Identifier: BSD-2-Clause
 *
 * PKRU changed by XRSTOR rather than by WRPKRU.
 *
 * PKRU is component 9 of the state that XSAVE manages. XRSTOR loads it from the XSAVE area or,
 * where XSTATE_BV says so, with its initial value, which is 0. It decides on the next access,
 * whatever is cached (SDM Vol. 1, "Managing State Using the XSAVE Feature Set"; SDM Vol. 3,
 * "Protection Keys").
 *
 * Caught here: rights kept with a cached translation that only WRPKRU brings up to date; an initial
 * value that is forgotten. Operating systems change PKRU by XRSTOR at each switch of tasks.
 *
 * Not checked: what PKRU decides, of supervisor accesses too (protection_keys does); other
 * components.
 */
#include "test.h"

SUBJECT(xrstor_pkru, "PKRU that XRSTOR loads decides on the next access");

#define MANUAL	    "SDM Vol. 1, \"Operation of XRSTOR\""
#define CR4_OSXSAVE (1ull << 18)
#define CPUID_XSAVE (1u << 26)
#define PKRU_STATE  9
#define AREA_BYTES  (4 * PAGE_4K)
#define STATE_BV    512 /* in the area */
#define KEY	    5
#define TAG	    61

static uint8_t area[AREA_BYTES] __attribute__((aligned(64)));

static void write_xcr0(uint64_t value)
{
	__asm__ volatile("xsetbv" : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0));
}

static void restore_xcr0(void)
{
	write_cr4(read_cr4() | CR4_OSXSAVE);
	write_xcr0(1);
}

/* Leaves the offset of PKRU in the area; ends the case as skipped without this component. */
static uint32_t enable_pkru_state(void)
{
	if (!(cpuid(1, 0).ecx & CPUID_XSAVE) || !(cpuid(0xd, 0).eax >> PKRU_STATE & 1))
		end_case_skipped("xsave_pkru", "XSAVE does not manage PKRU here");
	if (cpuid(0xd, PKRU_STATE).ebx <= STATE_BV)
		end_case_skipped("xsave_pkru", "CPUID gives PKRU no place in the XSAVE area");
	set_cr4(CR4_OSXSAVE | CR4_PKE);
	at_case_end(restore_xcr0);
	write_xcr0(1 | 1u << PKRU_STATE);
	set_pkru(0);
	return cpuid(0xd, PKRU_STATE).ebx;
}

static void xrstor(bool initial)
{
	*(volatile uint64_t *)&area[STATE_BV] = initial ? 0 : 1u << PKRU_STATE;
	__asm__ volatile("xrstor (%0)" : : "r"(area), "a"(1u << PKRU_STATE), "d"(0) : "memory");
	processor_event(EVENT_PKRU, rdpkru(), NULL);
	processor_changed();
}

/* Those of user mode alone, protection_keys has the others in a case of their own. */
static void try_accesses(linear_t linear)
{
	for (unsigned n = 0; n < ACCESS_WAYS; n++) {
		struct access access = nth_access(n, linear);

		if (access.user)
			expect_as_modelled(access);
	}
}

/* Rights in all ordered pairs, every other time by the initial value where they are 0. */
static void try_pairs(enum level level)
{
	const uint32_t offset = enable_pkru_state();
	struct subject subject = map_subject(level, P | RW | US | entry_key(KEY), TAG);

	for (uint32_t i = 0; i < 2 * 16; i++) {
		uint32_t from = key_rights(KEY, i & 3), to = key_rights(KEY, i >> 2 & 3);

		set_pkru(from);
		try_accesses(subject.target);
		memcpy(&area[offset], &to, sizeof(to));
		if (!to && (i & 16))
			memset(&area[offset], 0xff, sizeof(to));
		xrstor(!to && (i & 16));
		expect(rdpkru() == to, "PKRU is 0x%x, not 0x%x", rdpkru(), to);
		try_accesses(subject.target);
	}
}

TEST(xrstor_takes_effect_on_cached_translations,
     "PKRU that XRSTOR loads, or sets to its initial value, decides without any flush", MANUAL,
     "pku")
{
	for (int level = PT; level <= (int)largest_page(); level++)
		try_pairs((enum level)level);
}
