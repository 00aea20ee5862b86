/* SPDX-License-Identifier: BSD-2-Clause */
#include "sabotage/pdptes.h"

#include "cpu/control.h"
#include "cpu/features.h"
#include "libc/string.h"
#include "paging/legacy.h"

#define LOADING_CR0 (CR0_CD | CR0_NW | CR0_PG)
#define LOADING_CR4 (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)

static bool is_pae(void)
{
	return current_format() == &paging_pae;
}

/* Loads the machine's registers and nothing else, without the hooks: what stands in memory is there
 * again afterwards. */
static void load_registers(const uint64_t *values)
{
	uint64_t *memory = identity(current_root()), saved[PDPTE_REGISTERS];
	const struct paging_rules rules = current_rules();

	memcpy(saved, memory, sizeof(saved));
	for (unsigned i = 0; i < PDPTE_REGISTERS; i++)
		memory[i] = values[i] & ~reserved_in_pdpte(&rules, values[i]);
	__asm__ volatile("mov %0, %%cr3" : : "r"((unsigned long)read_cr3()) : "memory");
	note_pdptes();
	memcpy(memory, saved, sizeof(saved));
}

static bool loads(enum processor_event event, uint64_t changed)
{
	return event == EVENT_cr3 || (event == EVENT_cr0 && changed & LOADING_CR0) ||
	       (event == EVENT_cr4 && changed & LOADING_CR4);
}

/* Not where paging begins: then there is nothing to keep. */
static bool keeps(enum processor_event event, uint64_t changed)
{
	return (event == EVENT_cr3 && sabotaged(SABOTAGE_pdptes_kept_by_mov_cr3)) ||
	       (event == EVENT_cr0 && !(changed & CR0_PG) &&
		sabotaged(SABOTAGE_pdptes_kept_by_mov_cr0)) ||
	       (event == EVENT_cr4 && !(changed & CR4_PAE) &&
		sabotaged(SABOTAGE_pdptes_kept_by_mov_cr4));
}

void pdptes_event(enum processor_event event, uint64_t value, uint64_t old)
{
	if (!is_pae() || !loads(event, value ^ old))
		return;
	if (keeps(event, value ^ old)) {
		load_registers(current_pdptes());
	} else if (event == EVENT_cr3 && sabotaged(SABOTAGE_pdpt_is_page_aligned)) {
		load_registers(identity(GPA(value & ~(PAGE_4K - 1))));
	} else {
		note_pdptes();
	}
}

/* The PDPT whose PDPTEs a MOV would have loaded. */
static uint64_t *refused_pdpt(const struct access *access)
{
	uint64_t root = access->value[0] & PAE_CR3_ADDRESS;

	if (access->instruction != INSTRUCTION_mov_to_cr3)
		return identity(current_root());
	return root < IDENTITY_MAP_BYTES ? identity(GPA(root)) : NULL;
}

static void try_without_reserved_bits(const struct access *access, uint64_t *pdpt,
				      struct outcome *outcome)
{
	const struct paging_rules rules = current_rules();
	uint64_t saved[PDPTE_REGISTERS];

	memcpy(saved, pdpt, sizeof(saved));
	for (unsigned i = 0; i < PDPTE_REGISTERS; i++)
		pdpt[i] &= ~reserved_in_pdpte(&rules, pdpt[i]);
	*outcome = attempt_rightly(*access);
	memcpy(pdpt, saved, sizeof(saved));
}

void pdptes_after_refusal(const struct access *access, struct outcome *outcome)
{
	uint64_t *pdpt;

	if (!(read_cr4() & CR4_PAE) || (access->instruction != INSTRUCTION_mov_to_cr0 &&
					access->instruction != INSTRUCTION_mov_to_cr3 &&
					access->instruction != INSTRUCTION_mov_to_cr4))
		return;
	pdpt = refused_pdpt(access);
	if (pdpt && sabotaged(SABOTAGE_pdpte_reserved_bits_unchecked))
		try_without_reserved_bits(access, pdpt, outcome);
	if (pdpt && is_pae() && sabotaged(SABOTAGE_refused_mov_loads_pdptes))
		load_registers(pdpt);
}

void pdptes_after_access(uint64_t linear)
{
	if (is_pae() && sabotaged(SABOTAGE_pdptes_get_accessed_flags))
		pdptes_in_memory()[linear >> PDPTE_SHIFT] |= A;
}
