/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What INVPCID must drop, and what it must refuse.
 *
 * Type 0 drops the translation of one linear address in one PCID, and the upper-level entries used
 * for it; type 1 all of a PCID; both and type 3, which reaches all PCIDs, may keep global
 * translations; type 2 drops everything (SDM Vol. 2, "INVPCID - Invalidate Process-Context
 * Identifier"; SDM Vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches"). Other
 * types, reserved bits of the descriptor, a non-canonical address for type 0, and a PCID other than
 * 0 with types 0 and 1 while CR4.PCIDE = 0 raise #GP(0).
 *
 * Caught here: an INVPCID that reaches the current PCID only, or cached roots only, when the one
 * that it names is entered again with bit 63 = 1 (KS05, the bug that checks of faults alone never
 * saw); only one piece of a large page dropped; upper-level entries kept (XS41); globals that
 * survive type 2 (BX03); descriptors and types checked badly or handed on to the processor (XS05,
 * NV02). Such mistakes hide where INVPCID is intercepted or emulated.
 *
 * Not checked: that anything survives (P10, P11); a PCID other than 0 with types 2 and 3 while
 * CR4.PCIDE = 0, on which the vendors' manuals are not equally clear.
 */
#include "test.h"

SUBJECT(invpcid, "what each type of INVPCID must drop, and what must be refused");

#define MANUAL "SDM Vol. 2, \"INVPCID - Invalidate Process-Context Identifier\""
#define PAGE   (P | RW | US)

enum { ADDRESS, SINGLE, ALL_AND_GLOBAL, ALL, TYPES };
enum { NAMED = 0x345, OTHER = 0x346, OLD = 1, NEW = 2 };

static const linear_t non_canonical = {0x0000800000000000};
static uint64_t descriptor[2] __attribute__((aligned(16)));

static struct access invpcid_access(uint64_t type, uint64_t pcid, linear_t linear)
{
	descriptor[0] = pcid;
	descriptor[1] = linear.value;
	return instruction_access(INSTRUCTION_invpcid, LINEAR(gpa_of(descriptor).value), type);
}

static void invpcid(uint64_t type, uint64_t pcid, linear_t linear)
{
	struct outcome outcome = attempt(invpcid_access(type, pcid, linear));

	expect(outcome.vector == NO_VECTOR, "INVPCID of type %llu for PCID 0x%llx raised %s",
	       (unsigned long long)type, (unsigned long long)pcid, vector_name(outcome.vector));
}

static void visit(const struct context *context)
{
	enter_context(context, CR3_NO_FLUSH);
	expect_context(context);
}

/* One address space is used, changed while it or another is current, and named to INVPCID. What the
 * type does not look at is given as nonsense. */
static void try_type(unsigned type, bool current, enum level page, enum level at, uint64_t flags)
{
	struct context named = make_context(NAMED, page, PAGE | flags, OLD);
	struct context other = flags & G ? share_context(OTHER, &named)
					 : make_context(OTHER, page, PAGE | flags, 3);
	bool must_drop = !(flags & G) || type == ALL_AND_GLOBAL;

	visit(&other);
	visit(&named);
	if (!current)
		visit(&other);
	move_context(&named, at, NEW);
	if (flags & G) {
		*other.entry[PML4] = *named.entry[PML4];
		other.tag = NEW;
	}
	invpcid(type, type <= SINGLE ? NAMED : OTHER - 2,
		type == ADDRESS ? named.linear[1] : non_canonical);
	if (!current)
		enter_context(&named, CR3_NO_FLUSH);
	expect_context_or(&named, must_drop ? NEW : OLD);
	enter_context(&other, CR3_NO_FLUSH);
	expect_context_or(&other, must_drop ? other.tag : OLD);
	load_root(image_root());
	release_pages();
}

static void try_type_everywhere(unsigned type)
{
	set_cr4(CR4_PCIDE | (has(FEATURE_pge) ? CR4_PGE : 0));
	for (int page = PT; page <= PD; page++) {
		for (int at = page; at <= PML4; at++) {
			for (unsigned current = 0; current < 2; current++) {
				try_type(type, current, (enum level)page, (enum level)at, 0);
				if (has(FEATURE_pge))
					try_type(type, current, (enum level)page, (enum level)at,
						 G);
			}
		}
	}
}

TEST(type_0_drops_an_address_of_a_pcid,
     "Type 0 drops what translates its address in the PCID that it names, at every level", MANUAL,
     "pcid invpcid")
{
	try_type_everywhere(ADDRESS);
}

TEST(type_1_drops_a_pcid, "Type 1 drops all but global translations of the PCID that it names",
     MANUAL, "pcid invpcid")
{
	try_type_everywhere(SINGLE);
}

TEST(type_2_drops_everything, "Type 2 drops all translations of all PCIDs, global ones too", MANUAL,
     "pcid invpcid")
{
	try_type_everywhere(ALL_AND_GLOBAL);
}

TEST(type_3_drops_all_pcids, "Type 3 drops all but global translations of all PCIDs", MANUAL,
     "pcid invpcid")
{
	try_type_everywhere(ALL);
}

/* Each space of many is changed while one of them is current, and all are entered without a flush.
 */
static void try_many(unsigned type)
{
	static struct context spaces[200];

	set_cr4(CR4_PCIDE);
	for (unsigned i = 0; i < COUNT_OF(spaces); i++) {
		spaces[i] = make_context(i * 20, PT, PAGE, 1000 + i);
		visit(&spaces[i]);
	}
	for (unsigned i = 0; i < COUNT_OF(spaces); i++) {
		move_context(&spaces[i], (enum level)(PT + i % 4), 2000 + i);
		if (type <= SINGLE)
			invpcid(type, i * 20, spaces[i].linear[0]);
	}
	if (type > SINGLE)
		invpcid(type, 0, LINEAR(0));
	for (unsigned i = COUNT_OF(spaces); i-- > 0;)
		visit(&spaces[i]);
	load_root(image_root());
	release_pages();
}

TEST(reaches_pcids_used_long_ago,
     "Each type drops translations of PCIDs that were current long before", MANUAL, "pcid invpcid")
{
	for (unsigned type = ADDRESS; type < TYPES; type++)
		try_many(type);
}

TEST(works_for_pcid_0_without_pcide,
     "With CR4.PCIDE = 0 each type drops translations of PCID 0, which are then all", MANUAL,
     "invpcid")
{
	for (unsigned type = ADDRESS; type < TYPES; type++) {
		for (int page = PT; page <= PD; page++) {
			for (int at = page; at <= PML4; at++) {
				struct context context =
					make_context(0, (enum level)page, PAGE, OLD);

				enter_context(&context, 0);
				expect_context(&context);
				move_context(&context, (enum level)at, NEW);
				invpcid(type, 0, context.linear[0]);
				expect_context(&context);
				load_root(image_root());
				release_pages();
			}
		}
	}
}

static void expect_refused(struct access access)
{
	uint64_t cr3 = read_cr3(), cr4 = read_cr4();

	expect_exception(access, VECTOR_GP, 0);
	expect(read_cr3() == cr3 && read_cr4() == cr4, "CR3 or CR4 changed");
}

static void try_invalid_types(unsigned bit, unsigned end)
{
	for (; bit < end; bit++)
		for (uint64_t type = ADDRESS; type < TYPES; type++)
			expect_refused(invpcid_access(type | 1ull << bit, 0, LINEAR(0)));
}

TEST(invalid_types_are_refused, "A type above 3 raises #GP(0)", MANUAL, "invpcid")
{
	try_invalid_types(2, 32);
}

TEST(all_64_bits_of_the_type_are_looked_at,
     "In 64-bit mode a type with any of bits 63:32 set raises #GP(0)", MANUAL, "invpcid")
{
	try_invalid_types(32, 64);
}

static void try_reserved_bits(unsigned most_pcid)
{
	for (unsigned type = ADDRESS; type < TYPES; type++) {
		for (unsigned bit = 12; bit < 64; bit++) {
			expect_refused(invpcid_access(type, 1ull << bit, LINEAR(0)));
			expect_refused(invpcid_access(type, most_pcid | 1ull << bit, LINEAR(0)));
		}
	}
}

TEST(reserved_bits_of_the_descriptor_are_refused,
     "Bits 63:12 of the descriptor raise #GP(0) with each type, with CR4.PCIDE = 0 and 1", MANUAL,
     "invpcid")
{
	try_reserved_bits(0);
	if (!has(FEATURE_pcid))
		return;
	set_cr4(CR4_PCIDE);
	try_reserved_bits(0xfff);
}

TEST(non_canonical_address_is_refused_by_type_0,
     "Type 0 raises #GP(0) for a non-canonical address; the other types ignore the address", MANUAL,
     "invpcid")
{
	static const uint64_t addresses[] = {0x0000800000000000, 0xffff7fffffffffff,
					     0x8000000000000000, 0x7fffffffffffffff,
					     0x0001000000000000, 0xfffeffffffffffff};

	for (unsigned i = 0; i < COUNT_OF(addresses); i++) {
		expect_refused(invpcid_access(ADDRESS, 0, LINEAR(addresses[i])));
		for (unsigned type = SINGLE; type < TYPES; type++)
			invpcid(type, 0, LINEAR(addresses[i]));
	}
	invpcid(ADDRESS, 0, LINEAR(0xffff800000000000));
	invpcid(ADDRESS, 0, LINEAR(0x00007fffffffffff));
}

TEST(other_pcids_are_refused_without_pcide,
     "With CR4.PCIDE = 0 types 0 and 1 raise #GP(0) for a PCID other than 0", MANUAL, "invpcid")
{
	for (unsigned pcid = 1; pcid < 4096; pcid <<= 1) {
		expect_refused(invpcid_access(ADDRESS, pcid, LINEAR(0)));
		expect_refused(invpcid_access(SINGLE, pcid, LINEAR(0)));
	}
}

TEST(user_mode_is_refused, "INVPCID at CPL 3 raises #GP(0) whatever its operands are", MANUAL,
     "invpcid")
{
	for (unsigned type = ADDRESS; type <= TYPES; type++)
		expect_refused(as_user(invpcid_access(type, 0, LINEAR(0))));
}

TEST(descriptor_is_read_as_data_is,
     "The descriptor's 16 bytes are read with the rights and faults of an ordinary read", MANUAL,
     "invpcid")
{
	struct page page = map_page(P | RW | US);
	const struct access access = instruction_access(INSTRUCTION_invpcid, page.linear, ALL);

	expect_as_modelled(access);
	edit_entry(&page, PT, INVLPG, .clear = RW | US);
	expect_as_modelled(access);
	edit_entry(&page, PT, INVLPG, .clear = P);
	expect_as_modelled(access);
	expect_exception(instruction_access(INSTRUCTION_invpcid, non_canonical, ALL), VECTOR_GP, 0);
}

TEST(absent_instruction_is_undefined, "Where CPUID does not offer INVPCID it raises #UD", MANUAL,
     "")
{
	if (has(FEATURE_invpcid))
		end_case_skipped("no_invpcid", "the processor has INVPCID");
	for (unsigned type = ADDRESS; type < TYPES; type++)
		expect_exception(invpcid_access(type, 0, LINEAR(0)), VECTOR_UD, 0);
}
