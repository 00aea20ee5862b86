/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages in the upper half of the linear address space, where most systems keep their kernels.
 *
 * PML4Es 256 to 511 translate addresses whose bits 63:47 are 1. Nothing else is different there:
 * rights combine over all levels, the same bits are reserved, flags are set in every entry, and
 * INVLPG drops a page of any size (SDM Vol. 3, "4-Level Paging and 5-Level Paging",
 * "Determination of Access Rights"; "Operations that Invalidate TLBs and Paging-Structure Caches").
 *
 * Caught here: a level whose rights, reserved bits or flags are looked at in the lower half alone,
 * as where a hypervisor or emulator treats the upper one as the kernel's or compares addresses with
 * a sign (R2, R3, R15, R31; XS16); an address used with its upper bits cut off, by a TLB, by
 * INVLPG or in CR2, or kept where an instruction says that it has 32 bits.
 *
 * Each entry that translates a page differs in one or two bits from one that allows everything;
 * nine accesses each, judged by the model in all that they leave behind. Not checked: all
 * combinations of rights (access_rights does, in the lower half); PML4Es shared by both halves.
 */
#include "test.h"

SUBJECT(upper_half, "rights, reserved bits, flags and INVLPG in the upper half");

#define MANUAL	"SDM Vol. 3, \"4-Level Paging and 5-Level Paging\""
#define CACHES	"SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define OFFSET	0x340
#define TAG	61
#define ALLOWED (P | RW | US)

/* The first, one amidst and the last PML4E of the upper half, and one of the lower. */
static const uint64_t places[] = {0xffff800000000000, 0xffffb6db6da00000, 0xffffffffc0000000,
				  0x0000700000000000};

/* The page of `level`'s size that covers a filled frame, there. */
static struct subject map_there(uint64_t place, enum level level)
{
	uint64_t bytes = level_bytes(current_format(), level);
	gpa_t frame = filled_frame(TAG);
	gpa_t base = GPA(frame.value & ~(bytes - 1));
	struct subject subject = {
		.page = map_page_at_linear(LINEAR(place & ~(bytes - 1)), level, base, ALLOWED)};

	subject.target = linear_plus(subject.page.linear, frame.value - base.value + OFFSET);
	return subject;
}

static void try_accesses(const struct subject *subject)
{
	for (unsigned n = 0; n < ACCESS_WAYS; n++)
		expect_as_modelled(nth_access(n, subject->target));
}

/* One entry replaced, or none, for as long as the accesses take. */
static void try_entry(const struct subject *subject, enum level level, uint64_t value)
{
	uint64_t good = *subject->page.entry[level];

	write_entry(&subject->page, level, value, NO_FLUSH);
	invalidate(subject->target, INVLPG);
	try_accesses(subject);
	write_entry(&subject->page, level, good, NO_FLUSH);
	invalidate(subject->target, INVLPG);
}

/* In every place, with every size of page, every entry. */
static void for_all_entries(void (*try)(const struct subject *subject, enum level level))
{
	for (unsigned i = 0; i < COUNT_OF(places); i++) {
		for (int size = PT; size <= (int)largest_page(); size++) {
			struct subject subject = map_there(places[i], (enum level)size);

			for (int level = size; level <= PML4; level++) {
				progress("0x%llx, page of level %d, entry of level %d",
					 (unsigned long long)places[i], size, level);
				try(&subject, (enum level)level);
			}
			release_pages();
		}
	}
}

static void try_rights(const struct subject *subject, enum level level)
{
	uint64_t good = *subject->page.entry[level] & ~(A | D);
	const uint64_t without[] = {P, RW, US, RW | US, 0};

	for (unsigned i = 0; i < COUNT_OF(without); i++) {
		try_entry(subject, level, good & ~without[i]);
		if (has(FEATURE_nx))
			try_entry(subject, level, (good & ~without[i]) | XD);
	}
}

static void with_settings(void)
{
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	if (has(FEATURE_smep))
		set_cr4(CR4_SMEP);
	if (has(FEATURE_smap))
		set_cr4(CR4_SMAP);
}

TEST(rights_of_all_levels_decide,
     "R/W, U/S, XD and P of each entry decide as they do in the lower half", MANUAL, "")
{
	for_all_entries(try_rights);
	with_settings();
	for_all_entries(try_rights);
	clear_cr0(CR0_WP);
	for_all_entries(try_rights);
}

/* Bits that lead elsewhere are left out; so are those that no entry shows as reserved (P15). */
static void try_reserved(const struct subject *subject, enum level level)
{
	uint64_t good = *subject->page.entry[level] & ~(A | D);
	uint64_t preset = level == PDPT ? A : 0; /* reserved_bits has a case for it */
	struct paging_rules rules = current_rules();

	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t entry = good | preset | 1ull << bit;

		if (bit >= maxphyaddr() && bit < first_reserved_address_bit())
			continue;
		if (reserved_bits_set(current_format(), &rules, level, entry))
			try_entry(subject, level, entry);
	}
}

TEST(reserved_bits_fault, "The bits that are reserved in each entry are those of the lower half",
     MANUAL, "")
{
	for_all_entries(try_reserved);
}

static void try_flags(const struct subject *subject, enum level level)
{
	uint64_t others = level == subject->page.level ? 0 : *subject->page.entry[level];

	for (unsigned preset = 0; preset < 3; preset++) {
		uint64_t flags = preset == 0 ? 0 : preset == 1 ? A : A | D;

		if (!others)
			try_entry(subject, level, (*subject->page.entry[level] & ~(A | D)) | flags);
		else
			try_entry(subject, level, (others & ~A) | (flags & A));
	}
}

TEST(flags_are_set_in_every_entry,
     "A is set in every entry, D in the last one by writes, and no other bit is changed",
     "SDM Vol. 3, \"Accessed and Dirty Flags\"", "")
{
	for_all_entries(try_flags);
}

/* A page that was used loses a right, then is missing; one INVLPG each, of any place in it. */
static void try_invlpg(const struct subject *subject, enum level level, unsigned first,
		       unsigned step)
{
	uint64_t good = *subject->page.entry[level];
	uint64_t bytes = level_bytes(current_format(), subject->page.level);
	const linear_t at[] = {subject->target, subject->page.linear,
			       linear_plus(subject->page.linear, bytes - 1)};

	for (unsigned i = 0; i < 2 * COUNT_OF(at); i++) {
		uint64_t entry = good | (i & 1 && level == subject->page.level ? G : 0);
		const uint64_t entries[] = {entry, entry & ~RW, entry & ~(P | A | D)};

		for (unsigned n = 0; n < COUNT_OF(entries); n++) {
			write_entry(&subject->page, level, entries[n], NO_FLUSH);
			invalidate(n ? at[i / 2] : subject->target, INVLPG);
			for (unsigned way = first; way < ACCESS_WAYS; way += step)
				expect_as_modelled(nth_access(way, subject->target));
		}
	}
	write_entry(&subject->page, level, good, NO_FLUSH);
	invalidate(subject->target, INVLPG);
}

static void try_invlpg_for_data(const struct subject *subject, enum level level)
{
	try_invlpg(subject, level, 0, 3);
	try_invlpg(subject, level, 1, 3);
}

static void try_invlpg_for_fetches(const struct subject *subject, enum level level)
{
	try_invlpg(subject, level, 2, 3);
}

TEST(invlpg_drops_a_page, "INVLPG of any address in a page drops it, global or not, of every size",
     CACHES, "")
{
	if (has(FEATURE_pge))
		set_cr4(CR4_PGE);
	for_all_entries(try_invlpg_for_data);
}

TEST(invlpg_drops_a_page_for_fetches,
     "INVLPG of any address in a page drops it for fetches, too, of every size", CACHES, "")
{
	if (has(FEATURE_pge))
		set_cr4(CR4_PGE);
	for_all_entries(try_invlpg_for_fetches);
}

static void invpcid(uint64_t type, uint64_t pcid, linear_t linear)
{
	static uint64_t descriptor[2] __attribute__((aligned(16)));

	descriptor[0] = pcid;
	descriptor[1] = linear.value;
	attempt(instruction_access(INSTRUCTION_invpcid, LINEAR(gpa_of(descriptor).value), type));
}

/* A page of another PCID, used and changed, and dropped by its address. */
TEST(invpcid_drops_a_page_of_another_pcid,
     "INVPCID of an address in the upper half drops the page in the PCID that it names", CACHES,
     "pcid invpcid")
{
	struct subject subject = map_there(places[1], PT);
	gpa_t other = filled_frame(TAG + 1);
	uint64_t good = *subject.page.entry[PT];

	set_cr4(CR4_PCIDE);
	for (unsigned i = 0; i < 6; i++) {
		mov_to_cr3(image_root().value | 1);
		write_entry(&subject.page, PT, good | A | D, INVLPG);
		expect_read(read_access(subject.target, 8), frame_word(TAG));
		expect_read(fetch_access(subject.target), TAG);
		mov_to_cr3(image_root().value | 2);
		write_entry(&subject.page, PT, other.value | ALLOWED | A | D, NO_FLUSH);
		invpcid(i & 1, 1, i & 2 ? subject.target : subject.page.linear);
		mov_to_cr3(image_root().value | 1 | CR3_NO_FLUSH);
		expect_read(read_access(subject.target, 8), frame_word(TAG + 1));
		expect_read(fetch_access(subject.target), TAG + 1);
	}
}

/* 64-bit code with an address-size prefix; what the registers hold besides leads to both halves. */
TEST(invlpg_with_a_32_bit_address_takes_no_upper_half,
     "INVLPG with an address of 32 bits drops the page there, whatever the register's upper half",
     "SDM Vol. 1, \"Address Calculations in 64-Bit Mode\"", "")
{
	static const uint64_t upper[] = {0, 0xffff800000000000, 0x0000700000000000,
					 0xa5a5a5a500000000};
	gpa_t frame[2] = {filled_frame(TAG), filled_frame(TAG + 1)};
	struct page page;

	use_low_pages();
	page = map_low_target(LINEAR(0x96789000), PT, TAG);
	for (uint32_t i = 0; i < 4 * COUNT_OF(upper); i++) {
		struct access read = read_access(page.linear, 8);

		write_entry(&page, PT, frame[i & 1].value | ALLOWED, NO_FLUSH);
		__asm__ volatile("invlpg (%k0)"
				 :
				 : "r"(page.linear.value | upper[i / 4])
				 : "memory");
		processor_event(EVENT_INVLPG, page.linear.value, NULL);
		read.user = i & 2;
		expect_read(read, frame_word(TAG + (i & 1)));
		expect_read(fetch_access(page.linear), TAG + (i & 1));
	}
}
