/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every bit of nested entries: reserved ones fault, ignored ones do not; whose registers decide.
 *
 * Nested entries have the format of the host's paging mode and its reserved bits: address bits from
 * MAXPHYADDR on, PS where it has no meaning, low address bits of large pages, XD while the host's
 * EFER.NXE = 0 (APM Vol. 2, "Nested Table Walk": the host's CR4 and EFER as VMRUN found them). A
 * present entry with one of them set is #VMEXIT(NPF) with RSV = 1, and P = 1 since it is present
 * ("Nested versus Guest Page Faults, Fault Ordering"). All nested accesses are user accesses, so
 * that SMEP and SMAP of neither side apply, and protection keys do not exist there.
 *
 * Caught here: masks that are off by a bit or another level's; EFER.NXE, CR4.SMEP or CR4.SMAP taken
 * from the guest for the nested walk (KN17); PKRU consulted (KN19); entries checked although they
 * are not present; P missing beside RSV (QT01). Who walks in software keeps such masks by hand.
 *
 * Not checked: bit 8 of the PML4E, which the APM reserves and hardware ignores (P14).
 */
#include "test.h"

SUBJECT(npt_reserved_bits,
	"every bit of every nested entry; the host's EFER and CR4 decide, not the guest's");

#define MANUAL \
	"APM Vol. 2, \"Nested Table Walk\"; \"Nested versus Guest Page Faults, Fault Ordering\""
#define NEEDS "svm svm_allowed svm_nested_paging nx"

static unsigned top_of_own(void)
{
	return maxphyaddr() > 39 ? PML4 : PDPT;
}

/* A guest with one page, and the address, of the page or of the entry in L2's page table, whose
 * nested entries are changed. */
struct target {
	struct l2 *l2;
	struct l2_page page;
	gpa_t gpa;
	enum level leaf;
};

static struct target target_of(enum level leaf, bool structure)
{
	struct target target = {.leaf = leaf};
	/* The top entry must not translate the instruction's own page. */
	unsigned alone = top_of_own() == PML4 ? (structure ? PT : ALONE_PAGE) : 0;

	target.l2 = l2_start(L2_4LEVEL, .second_of_pages = structure ? 0 : leaf,
			     .second_of_tables = structure ? leaf : 0, .alone = alone);
	target.page = l2_map(target.l2, PT, P | RW | US | A | D, 31);
	target.gpa = structure ? GPA(target.page.entry_gpa[PT]) : target.page.gpa;
	return target;
}

static void try_accesses(const struct target *target)
{
	linear_t linear = target->page.linear;
	const struct access all[] = {
		read_access(linear, 8),	       as_user(write_access(linear, 8, frame_word(31))),
		fetch_access(linear),	       write_access(linear, 8, frame_word(31)),
		as_user(fetch_access(linear)),
	};

	for (unsigned i = 0; i < COUNT_OF(all); i++)
		expect_l2_as_modelled(target->l2, all[i]);
}

static volatile uint64_t *entry_at(const struct target *target, enum level level)
{
	return second_entry(&target->l2->second, target->gpa, level);
}

static void try_entry(const struct target *target, enum level level, uint64_t value)
{
	volatile uint64_t *entry = entry_at(target, level);
	uint64_t good = *entry;

	*entry = value;
	try_accesses(target);
	*entry = good;
}

static bool is_reserved(const struct target *target, enum level level, uint64_t entry)
{
	const struct model_second_level *model = &target->l2->second.model;

	return reserved_bits_set(model->format, &model->rules, level, entry) != 0;
}

/* Bits that are not reserved and whose flip would unmap, or lead elsewhere. */
static bool leads_elsewhere(const struct target *target, enum level level, uint64_t bit)
{
	bool large = level == target->leaf && level > PT;

	if (bit == P || (level >= PML4 && bit == G))
		return true;
	if (bit == PS)
		return level == PD || level == PDPT;
	return (bit & ENTRY_ADDRESS) && !(large && bit == PAT_OF_LARGE_PAGE);
}

static void try_each_bit(const struct target *target)
{
	for (unsigned level = target->leaf; level <= top_of_own(); level++) {
		uint64_t good = *entry_at(target, level);

		for (unsigned i = 0; i < 64; i++) {
			uint64_t bit = 1ull << i;

			if (is_reserved(target, level, good | bit) ||
			    !leads_elsewhere(target, level, bit))
				try_entry(target, level, good ^ bit);
		}
	}
}

/* Entries that are marked as accessed already: what is marked where has cases of its own. */
static void try_leaf(enum level leaf, bool structure)
{
	struct target target = target_of(leaf, structure);

	second_set_flags(&target.l2->second, true, false);
	try_each_bit(&target);
	clear_efer(EFER_NXE);
	svm_host_changed(target.l2);
	try_each_bit(&target);
}

TEST(each_bit_is_reserved_or_ignored_for_4_kbyte_pages,
     "reserved bits of nested entries for a 4-KByte page fault, all others do not; NXE on and off",
     MANUAL, NEEDS)
{
	try_leaf(PT, false);
}

TEST(each_bit_is_reserved_or_ignored_for_2_mbyte_pages,
     "bits 20:13 of a nested PDE that maps a page are reserved; NXE on and off", MANUAL, NEEDS)
{
	try_leaf(PD, false);
}

TEST(each_bit_is_reserved_or_ignored_for_1_gbyte_pages,
     "bits 29:13 of a nested PDPTE that maps a page are reserved; NXE on and off", MANUAL,
     NEEDS " pages_1g")
{
	try_leaf(PDPT, false);
}

TEST(each_bit_is_reserved_or_ignored_for_structures_of_l2,
     "the same for the nested entries that translate L2's page table", MANUAL, NEEDS)
{
	try_leaf(PT, true);
	try_leaf(PD, true);
}

TEST(ps_of_a_nested_pdpte_is_reserved_without_1_gbyte_pages,
     "PS of a nested PDPTE is reserved where CPUID shows no 1-GByte pages", MANUAL,
     NEEDS " no_pages_1g")
{
	struct target target = target_of(PT, false);

	second_set_flags(&target.l2->second, true, false);
	try_entry(&target, PDPT, *entry_at(&target, PDPT) | PS);
}

static void try_unmarked(enum level leaf)
{
	struct target target = target_of(leaf, false);

	second_set_flags(&target.l2->second, false, false);
	for (unsigned level = leaf; level <= top_of_own(); level++) {
		uint64_t good = *entry_at(&target, level);

		for (unsigned bit = 13; bit < 52; bit++)
			if (is_reserved(&target, level, good | 1ull << bit))
				try_entry(&target, level, good | 1ull << bit);
	}
}

TEST(entries_with_a_reserved_bit_are_not_marked,
     "a nested entry with a reserved bit set does not become accessed",
     "APM Vol. 2, \"Page-Translation-Table Entry Fields\", Accessed (A) Bit", NEEDS)
{
	try_unmarked(PT);
	try_unmarked(PD);
}

TEST(entries_of_1_gbyte_pages_with_a_reserved_bit_are_not_marked,
     "the same for a nested PDPTE that maps a page",
     "APM Vol. 2, \"Page-Translation-Table Entry Fields\", Accessed (A) Bit", NEEDS " pages_1g")
{
	try_unmarked(PDPT);
}

TEST(faults_for_reserved_bits_report_present,
     "EXITINFO1 has P = 1 together with RSV = 1: the nested entry is present",
     "APM Vol. 2, \"Nested versus Guest Page Faults, Fault Ordering\"",
     NEEDS " reserved_address_bits")
{
	struct target target = target_of(PT, false);

	compare_p_of_reserved_bit_faults();
	for (unsigned level = PT; level <= top_of_own(); level++)
		try_entry(&target, level, *entry_at(&target, level) | 1ull << 51);
	target = target_of(PD, false);
	try_entry(&target, PD, *entry_at(&target, PD) | 1ull << 13);
}

TEST(entries_that_are_not_present_are_not_checked,
     "a nested entry with P = 0 is #NPF with P = 0 and RSV = 0, whatever its other bits", MANUAL,
     NEEDS)
{
	struct target target = target_of(PT, false);
	struct random random = random_start(1);

	for (unsigned level = PT; level <= top_of_own(); level++)
		for (unsigned i = 0; i < 20; i++)
			try_entry(&target, level, random_next(&random) & ~P);
}

#define SIDES (CR4_SMEP | CR4_SMAP)

/* Both sides' EFER.NXE and CR4, each on and off: `choice` has a bit for each. */
static void choose_sides(struct l2 *l2, unsigned choice)
{
	uint64_t offered = (has(FEATURE_smep) ? CR4_SMEP : 0) | (has(FEATURE_smap) ? CR4_SMAP : 0);

	l2->efer = (l2->efer & ~EFER_NXE) | (choice & 1 ? EFER_NXE : 0);
	l2->cr4 = (l2->cr4 & ~SIDES) | (choice & 2 ? SIDES & offered : 0);
	clear_cr4(SIDES & offered);
	if (choice & 8)
		set_cr4(SIDES & offered);
	clear_efer(EFER_NXE);
	if (choice & 4)
		set_efer(EFER_NXE);
	svm_host_changed(l2);
}

TEST(registers_of_the_host_decide_on_nested_entries,
     "XD of nested entries counts by the host's EFER.NXE, SMEP and SMAP never apply to them",
     MANUAL, NEEDS)
{
	struct target target = target_of(PT, false);
	volatile uint64_t *own = (volatile uint64_t *)target.page.entry[PT];
	uint64_t user_page = *own;

	for (unsigned choice = 0; choice < 16; choice++) {
		choose_sides(target.l2, choice);
		for (unsigned rights = 0; rights < 4; rights++) {
			uint64_t nested = *entry_at(&target, PT) | (rights & 1 ? XD : 0);

			*own = rights & 2 ? user_page : user_page & ~US;
			try_entry(&target, PT, nested);
		}
	}
}

TEST(xd_of_l2_is_reserved_by_its_own_register,
     "XD in L2's own entry is #PF with RSV by L2's EFER.NXE, whatever the host's is", MANUAL, NEEDS)
{
	struct target target = target_of(PT, false);

	*(volatile uint64_t *)target.page.entry[PT] |= XD;
	for (unsigned choice = 0; choice < 16; choice += 5) {
		choose_sides(target.l2, choice);
		for (unsigned i = 0; i < 2; i++) {
			struct access access = read_access(target.page.linear, 8);
			struct l2_outcome outcome = l2_attempt(target.l2, access);
			bool faults = !outcome.exited && outcome.outcome.vector == VECTOR_PF &&
				      (outcome.outcome.error_code & PF_RSVD);

			expect(faults == !(choice & 1), "vector %u error code 0x%llx",
			       outcome.outcome.vector,
			       (unsigned long long)outcome.outcome.error_code);
		}
	}
}

static void write_pkru(uint32_t value)
{
	__asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}

static void clear_pkru(void) /* while CR4.PKE is still set */
{
	write_pkru(0);
}

TEST(protection_keys_do_not_apply_to_nested_entries,
     "with the host's CR4.PKE = 1 and every key denied in PKRU nested entries with any key allow "
     "what they did",
     MANUAL, NEEDS " pku")
{
	struct target target = target_of(PT, false);

	set_cr4(CR4_PKE);
	at_case_end(clear_pkru);
	write_pkru(0xffffffff);
	for (uint64_t key = 0; key < 16; key++)
		try_entry(&target, PT, (*entry_at(&target, PT) & ~PROTECTION_KEY) | key << 59);
}
