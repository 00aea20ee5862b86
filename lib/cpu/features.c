/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/features.h"

#include "cpu/control.h"
#include "libc/string.h"

#define DEFAULT_MAXPHYADDR 36

enum { EAX, EBX, ECX, EDX };

const struct feature_entry feature_table[FEATURE_COUNT] = {
#define FEATURE(name, leaf, subleaf, reg, bit, meaning) \
	[FEATURE_##name] = {#name, meaning, leaf, subleaf, reg, bit},
#include "cpu/features.def"
#undef FEATURE
};

static bool present[FEATURE_COUNT];
static unsigned physical_bits;
static char vendor[13], hypervisor[13], brand[49];

struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

/* A leaf beyond the last of its range answers with the data of another: such a feature is absent.
 */
static bool leaf_exists(uint32_t leaf)
{
	return cpuid(leaf & 0xf0000000, 0).eax >= leaf;
}

static bool read_feature(const struct feature_entry *f)
{
	struct cpuid r;
	uint32_t words[4];

	if (!leaf_exists(f->leaf))
		return false;
	r = cpuid(f->leaf, f->subleaf);
	memcpy(words, &r, sizeof(words));
	return words[f->reg] >> f->bit & 1;
}

static void read_brand(void)
{
	if (!leaf_exists(0x80000004))
		return;
	for (uint32_t i = 0; i < 3; i++) {
		struct cpuid r = cpuid(0x80000002 + i, 0);

		memcpy(brand + 16 * i, &r, 16);
	}
	/* Some pad in front, and a quote would end the report's value. */
	for (char *c = brand; *c; c++)
		if (*c == '"' || *c < ' ')
			*c = ' ';
	while (brand[0] == ' ')
		memmove(brand, brand + 1, strlen(brand));
}

void features_init(void)
{
	struct cpuid r = cpuid(0, 0);

	memcpy(vendor, &r.ebx, 4);
	memcpy(vendor + 4, &r.edx, 4);
	memcpy(vendor + 8, &r.ecx, 4);
	for (int i = 0; i < FEATURE_COUNT; i++)
		present[i] = read_feature(&feature_table[i]);
	physical_bits = DEFAULT_MAXPHYADDR;
	if (maxphyaddr_is_told())
		physical_bits = cpuid(0x80000008, 0).eax & 0xff;
	if (present[FEATURE_hypervisor]) {
		r = cpuid(0x40000000, 0);
		memcpy(hypervisor, &r.ebx, 12);
	}
	read_brand();
}

bool has(enum feature feature)
{
	return present[feature];
}

unsigned maxphyaddr(void)
{
	return physical_bits;
}

bool maxphyaddr_is_told(void)
{
	return leaf_exists(0x80000008);
}

unsigned linear_levels(void)
{
	return read_cr4() & CR4_LA57 ? 5 : 4;
}

const char *cpu_vendor(void)
{
	return vendor;
}

const char *cpu_brand(void)
{
	return brand;
}

const char *hypervisor_vendor(void)
{
	return hypervisor;
}
