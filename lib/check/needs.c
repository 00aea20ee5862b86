/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/needs.h"

#include "cpu/features.h"
#include "cpu/svm_features.h"
#include "cpu/vmx_features.h"
#include "drivers/local_apic.h"
#include "drivers/serial.h"
#include "libc/string.h"
#include "mem/frames.h"

#define LONGEST_WORD 32

static bool has_2g_of_memory(void)
{
	return is_ram(GPA(PAGE_1G), PAGE_1G);
}

/* Where cases look whether something is mistaken for what is 4 GBytes or more higher. Frames of
 * cases do not come that far, with some to spare above for those that are taken from the end of
 * RAM. */
static bool has_memory_at_96m(void)
{
	return is_ram(GPA(96 * MBYTE), 16 * MBYTE);
}

/* RAM that addresses reach: some machines have more than their processor. */
static bool has_memory_above_4g(void)
{
	return maxphyaddr_is_told() && maxphyaddr() > 32 && is_ram(GPA(4 * GBYTE), 256 * MBYTE) &&
	       has_memory_at_96m();
}

static bool has_physical_bits_to_spare(void)
{
	return maxphyaddr_is_told() && maxphyaddr() < 52;
}

static bool has_no_1_gbyte_pages(void)
{
	return !has(FEATURE_pages_1g);
}

static bool has_nested_paging(void)
{
	return svm_is_allowed() && has(FEATURE_svm_nested_paging);
}

/* EPT as every test of it needs it, or nested paging. */
static bool has_second_level(void)
{
	return has_nested_paging() ||
	       (has_vmx(VMX_FEATURE_ept) && has_vmx(VMX_FEATURE_ept_4level) &&
		has_vmx(VMX_FEATURE_invept));
}

static bool has_5_level_second_level(void)
{
	if (has_nested_paging())
		return has(FEATURE_la57);
	return has_vmx(VMX_FEATURE_ept_5level) && has_vmx(VMX_FEATURE_invept);
}

static bool has_second_level_flags(void)
{
	return has_nested_paging() || has_vmx(VMX_FEATURE_ept_accessed_dirty);
}

static bool has_two_processors(void)
{
	return processors_expected() >= 2;
}

static bool has_three_processors(void)
{
	return processors_expected() >= 3;
}

/* Needs that are no bit of CPUID. */
static const struct {
	const char *name, *meaning;
	bool (*met)(void);
} machine_needs[] = {
	{"ram_at_96m", "RAM at 96 MBytes", has_memory_at_96m},
	{"ram_to_2g", "RAM from 1 to 2 GBytes", has_2g_of_memory},
	{"ram_above_4g", "RAM above 4 GBytes that addresses reach", has_memory_above_4g},
	{"no_pages_1g", "a processor without 1-GByte pages", has_no_1_gbyte_pages},
	{"reserved_address_bits", "a MAXPHYADDR below 52 that CPUID tells",
	 has_physical_bits_to_spare},
	{"second_level", "VMX with EPT, or SVM with nested paging", has_second_level},
	{"second_level_5levels", "EPT or nested paging of 5 levels", has_5_level_second_level},
	{"second_level_flags", "accessed and dirty flags in the second level",
	 has_second_level_flags},
	{"two_processors", "a second processor", has_two_processors},
	{"three_processors", "a third processor", has_three_processors},
	{"serial_scratch", "a UART at COM1 with a scratch register", serial_has_scratch},
	{"svm_allowed", "VM_CR that does not lock SVM off", svm_is_allowed},
};

static bool is_met(const char *word, const char **meaning)
{
	for (int i = 0; i < FEATURE_COUNT; i++) {
		if (!strcmp(word, feature_table[i].name)) {
			*meaning = feature_table[i].meaning;
			return has((enum feature)i);
		}
	}
	for (int i = 0; i < VMX_FEATURE_COUNT; i++) {
		if (!strcmp(word, vmx_feature_table[i].name)) {
			*meaning = vmx_feature_table[i].meaning;
			return has_vmx((enum vmx_feature)i);
		}
	}
	for (unsigned i = 0; i < sizeof(machine_needs) / sizeof(machine_needs[0]); i++) {
		if (!strcmp(word, machine_needs[i].name)) {
			*meaning = machine_needs[i].meaning;
			return machine_needs[i].met();
		}
	}
	*meaning = "a word that no table of needs has";
	return false;
}

bool needs_are_met(const char *needs, struct text *missing, struct text *reason)
{
	char word[LONGEST_WORD];
	const char *meaning;

	while (next_word(&needs, word, sizeof(word))) {
		if (is_met(word, &meaning))
			continue;
		text_add(missing, "%s", word);
		text_add(reason, "not offered here: %s", meaning);
		return false;
	}
	return true;
}
