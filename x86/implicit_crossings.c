/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The processor's own accesses that run over two pages, and those to the I/O permission bitmap.
 *
 * A descriptor may lie in two pages, and so may a gate; IN and OUT at CPL 3 read the bitmap behind
 * the TSS. All of that are supervisor-mode reads whatever the CPL, in each of the pages (SDM Vol.
 * 3, "Determination of Access Rights", implicit supervisor-mode accesses; "I/O Permission Bit Map"
 * in Vol. 1; R4, R18). A page that is missing is a fault with U/S = 0 and CR2 in that page, and A
 * is set in both pages' entries.
 *
 * Caught here: the second page read with the rights of user mode, or not at all; the bitmap read as
 * the program's own memory (XS08, XS09). Instruction emulators read these structures by functions
 * of their own, which split at pages by themselves.
 *
 * Not checked: writes (implicit_accesses); structures that wrap at the end of linear space.
 */
#include "test.h"

SUBJECT(implicit_crossings,
	"descriptors and gates over two pages, the I/O bitmap, from CPL 0 and 3");

#define MANUAL	      "SDM Vol. 3, \"Determination of Access Rights\""
#define ACCESSED_DATA 0x00cff3000000ffffull /* writable, DPL 3 */
#define PORT	      0x80u
#define TSS_LENGTH    200
#define IO_MAP	      104
#define IO_MAP_BASE   102 /* offset of the field in the TSS */

/* A structure over the pair's border, and the instruction that makes the processor read it. */
struct crossing {
	struct page_pair pair;
	struct access access;
	unsigned completed; /* vector */
	unsigned after;	    /* bytes of it in the second page */
};

static struct crossing new_crossing(unsigned after)
{
	struct crossing crossing = {.pair = map_page_pair(0, 0), .after = after};

	set_page_pair(&crossing.pair, crossing.pair.good[0] & ~(uint64_t)US,
		      crossing.pair.good[1] & ~(uint64_t)US);
	return crossing;
}

static struct crossing descriptor(unsigned before)
{
	struct crossing crossing = new_crossing(8 - before);
	uint64_t gdt[GDT_ENTRIES];

	copy_gdt(gdt);
	gdt[GDT_SPARE_SEL / 8] = ACCESSED_DATA;
	load_gdt(place_across(&crossing.pair, gdt, sizeof(gdt), GDT_SPARE_SEL + before),
		 sizeof(gdt));
	crossing.access = instruction_access(INSTRUCTION_mov_to_ds, LINEAR(0), GDT_SPARE_SEL | 3);
	crossing.completed = NO_VECTOR;
	return crossing;
}

static struct crossing gate(unsigned before)
{
	struct crossing crossing = new_crossing(16 - before);
	struct idt_gate idt[IDT_GATES];

	copy_idt(idt);
	load_idt(
		place_across(&crossing.pair, idt, sizeof(idt), IDT_SPARE * sizeof(idt[0]) + before),
		sizeof(idt));
	crossing.access = instruction_access(INSTRUCTION_int32, LINEAR(0), 0);
	crossing.completed = IDT_SPARE;
	return crossing;
}

/* in %dx, %al; mov $tag, %eax; jmp *%r12, in a page of user mode: executed as a fetch. */
static struct access port_access(void)
{
	struct page code = map_page(P | RW | US);
	const uint64_t word = frame_word(9);
	uint8_t *to = identity(code.frame);
	struct access access = fetch_access(code.linear);

	to[0] = 0xec;
	memcpy(to + 1, &word, sizeof(word));
	access.value[1] = PORT;
	return access;
}

/* The bitmap's two bytes for the port, first in the second page. */
static struct crossing bitmap(uint8_t bits)
{
	struct crossing crossing = new_crossing(2);
	uint8_t tss[TSS_LENGTH] = {0};
	uint64_t gdt[GDT_ENTRIES];
	const uint16_t base = IO_MAP;
	linear_t at;

	copy_tss(tss);
	memcpy(tss + IO_MAP_BASE, &base, 2);
	tss[IO_MAP + PORT / 8] = bits;
	at = place_across(&crossing.pair, tss, sizeof(tss), IO_MAP + PORT / 8);
	copy_gdt(gdt);
	make_system_descriptor(&gdt[GDT_SYSTEM_SEL / 8], DESCRIPTOR_TSS, at, TSS_LENGTH - 1);
	load_gdt_copy(gdt);
	load_task_register(GDT_SYSTEM_SEL);
	crossing.access = port_access();
	crossing.completed = bits & 1 ? VECTOR_GP : NO_VECTOR;
	return crossing;
}

/* With the second page missing, or not; the first one has what the image needs itself. */
static void try_pages(const struct crossing *crossing, struct access access, bool missing)
{
	const uint64_t flags = ~(uint64_t)(US | A | D);
	uint64_t border = crossing->pair.border.value;
	struct outcome outcome;

	set_page_pair(&crossing->pair, crossing->pair.good[0] & flags,
		      crossing->pair.good[1] & flags & ~(missing ? P : 0ull));
	outcome = attempt(access);
	if (missing) {
		expect(outcome.vector == VECTOR_PF && !outcome.error_code, "%s, error code 0x%llx",
		       vector_name(outcome.vector), (unsigned long long)outcome.error_code);
		expect(outcome.cr2 - border < crossing->after, "CR2 0x%llx",
		       (unsigned long long)outcome.cr2);
		return;
	}
	expect(outcome.vector == crossing->completed, "%s, error code 0x%llx",
	       vector_name(outcome.vector), (unsigned long long)outcome.error_code);
	expect(*crossing->pair.entry[0] & A && *crossing->pair.entry[1] & A,
	       "the entries are 0x%llx and 0x%llx", (unsigned long long)*crossing->pair.entry[0],
	       (unsigned long long)*crossing->pair.entry[1]);
}

static void try_crossing(const struct crossing *crossing, bool supervisor_too)
{
	for (unsigned i = 0; i < 8; i++) {
		progress("%u bytes in the second page, which is %s, CPL %u", crossing->after,
			 i & 1 ? "missing" : "there", i & 2 ? 3 : 0);
		if (i & 2)
			try_pages(crossing, as_user(crossing->access), i & 1);
		else if (supervisor_too)
			try_pages(crossing, crossing->access, i & 1);
	}
	set_page_pair(&crossing->pair, crossing->pair.good[0], crossing->pair.good[1]);
}

TEST(a_descriptor_may_lie_in_two_pages,
     "A segment register is loaded from a descriptor in two supervisor-mode pages, at any CPL",
     MANUAL, "")
{
	for (unsigned before = 1; before < 8; before++) {
		struct crossing crossing = descriptor(before);

		try_crossing(&crossing, true);
	}
}

TEST(a_gate_may_lie_in_two_pages, "INT n reads a gate in two supervisor-mode pages, at any CPL",
     MANUAL, "")
{
	/* Bytes 12 to 15 are reserved: no need to read them. */
	for (unsigned before = 2; before < 12; before += 2) {
		struct crossing crossing = gate(before);

		try_crossing(&crossing, true);
	}
}

TEST(the_io_bitmap_is_read_as_supervisor,
     "IN at CPL 3 reads the I/O permission bitmap in a supervisor-mode page", MANUAL, "")
{
	struct crossing allowed = bitmap(0);

	try_crossing(&allowed, false);
	allowed = bitmap(1);
	try_crossing(&allowed, false);
}
