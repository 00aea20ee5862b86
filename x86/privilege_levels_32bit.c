/* SPDX-License-Identifier: BSD-2-Clause
 *
 * CPL 1 and CPL 2 are supervisor mode to 32-bit and PAE paging.
 *
 * An access is a user-mode access at CPL 3 alone, whatever the paging mode; at CPL 1 and 2 it
 * reaches pages with U/S = 0, obeys CR0.WP, SMEP and SMAP, and has U/S = 0 in its error code (SDM
 * Vol. 3, "Determination of Access Rights"; APM Vol. 2, "Page-Protection Checks"; R3, R4, R18).
 *
 * Caught here: a mode taken from CPL != 0, or SMEP, SMAP or WP asked at CPL 0 alone, in a walk of
 * one of these formats, where privilege_levels passes: walks of different formats are often code of
 * their own, and the guests that use the levels between are 32-bit ones.
 *
 * The page may be in use at CPL 0 or CPL 3 before. Not checked: implicit accesses.
 */
#include "test.h"

SUBJECT(privilege_levels_32bit, "accesses at CPL 1 and CPL 2 under 32-bit and PAE paging");
BUILT_FOR_32BIT;

#define MANUAL	    "SDM Vol. 3, \"Determination of Access Rights\""
#define LEVEL_CODE  0x00cf9b000000ffffull /* flat, accessed; DPL in bits 46:45 */
#define LEVEL_DATA  0x00cf93000000ffffull
#define DPL_SHIFT   45
#define EFLAGS_AC   (1u << 18)
#define IMAGE_GDT   6 /* descriptors; then code and data of CPL 1, and of CPL 2 */
#define WORD_OFFSET 0x124u
#define TAG	    0x5a

enum operation { READ, WRITE, PUSH, EXECUTE, OPERATIONS };
enum before { NOBODY, CPL_0, CPL_3, BEFORE };

static const char *const names[OPERATIONS] = {"read", "write", "push", "fetch"};

static struct gdt_pointer {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed)) image_gdt;

static void load_segments(void)
{
	static uint64_t gdt[IMAGE_GDT + 4];
	const struct gdt_pointer own = {sizeof(gdt) - 1, (uintptr_t)gdt};

	__asm__ volatile("sgdt %0" : "=m"(image_gdt));
	memcpy(gdt, (const void *)(uintptr_t)image_gdt.base, sizeof(uint64_t[IMAGE_GDT]));
	for (uint64_t cpl = 1; cpl < 3; cpl++) {
		gdt[IMAGE_GDT + 2 * cpl - 2] = LEVEL_CODE | cpl << DPL_SHIFT;
		gdt[IMAGE_GDT + 2 * cpl - 1] = LEVEL_DATA | cpl << DPL_SHIFT;
	}
	__asm__ volatile("lgdt %0" : : "m"(own));
}

/* The instruction for `at`, and UD2, by which the level is left; where UD2 is. */
static uint32_t write_code(uint8_t *code, enum operation operation, uint32_t at)
{
	static const uint8_t bytes[OPERATIONS][10] = {
		{0xa1, 0, 0, 0, 0, 0x0f, 0x0b},			 /* mov at, %eax */
		{0xa3, 0, 0, 0, 0, 0x0f, 0x0b},			 /* mov %eax, at */
		{0x50, 0x0f, 0x0b},				 /* push %eax */
		{0xb9, 0, 0, 0, 0, 0xff, 0xe1, 0x0f, 0x0b, 0x90} /* mov at, %ecx; jmp *%ecx */
	};

	memcpy(code, bytes[operation], sizeof(bytes[0]));
	if (operation != PUSH)
		memcpy(code + 1, &at, sizeof(at));
	return operation == EXECUTE ? at + 5
				    : (uint32_t)(uintptr_t)code + (operation == PUSH ? 1 : 5);
}

static struct outcome run_at_level(uint16_t cpl, uint32_t esp, uint8_t *code, bool ac)
{
	uint16_t selector = (uint16_t)((IMAGE_GDT + 2 * cpl - 2) * 8 + cpl);
	const uint32_t frame[] = {(uintptr_t)code, selector, 2 | (ac ? EFLAGS_AC : 0), esp,
				  selector + 8u};

	return attempt(instruction_access(INSTRUCTION_iret_32bit, LINEAR((uintptr_t)frame), 0x77));
}

static void prepare_page(const struct legacy_page *page, uint64_t flags, enum before before)
{
	static const uint8_t code[] = {0xb8, TAG, 0, 0, 0, 0x0f, 0x0b}; /* mov TAG, %eax; ud2 */
	linear_t at = linear_plus(page->linear, WORD_OFFSET);

	memcpy((uint8_t *)identity(page->frame) + WORD_OFFSET, code, sizeof(code));
	legacy_write(page, PT, page->frame.value | flags);
	invalidate(page->linear, INVLPG);
	for (unsigned n = 0; before != NOBODY && n < 2; n++) {
		struct access access = read_access(at, 4);

		if (n)
			access = write_access(at, 4, 0xb8 | TAG << 8); /* what is there */
		expect_as_modelled(before == CPL_3 ? as_user(access) : access);
	}
}

static void try_operation(const struct legacy_page *page, enum operation operation, uint16_t cpl,
			  bool ac)
{
	linear_t at = linear_plus(page->linear, WORD_OFFSET);
	struct access access = operation == READ      ? read_access(at, 4)
			       : operation == EXECUTE ? fetch_access(at)
						      : write_access(at, 4, 0x77);
	static uint8_t code[16];
	uint32_t end = write_code(code, operation, (uint32_t)at.value);
	struct model_outcome wanted = modelled_outcome(ac ? with_ac(access) : access);
	struct outcome seen = run_at_level(cpl, (uint32_t)at.value + 4, code, ac);
	uint64_t entry = legacy_entry(page, PT);

	if (wanted.vector == MODEL_COMPLETES) {
		expect(seen.vector == VECTOR_UD && seen.rip == end,
		       "%s at CPL %u: vector %u, error code 0x%llx", names[operation], cpl,
		       seen.vector, (unsigned long long)seen.error_code);
		expect(operation != EXECUTE || seen.value[0] == TAG, "another page was executed");
		expect(entry & A && (entry & D || operation == READ || operation == EXECUTE),
		       "%s: the PTE is 0x%llx", names[operation], (unsigned long long)entry);
		return;
	}
	expect(seen.vector == VECTOR_PF && seen.cr2 == at.value &&
		       !((seen.error_code ^ wanted.error_code) & ~wanted.open_code),
	       "%s at CPL %u: vector %u, error code 0x%llx instead of 0x%llx", names[operation],
	       cpl, seen.vector, (unsigned long long)seen.error_code,
	       (unsigned long long)wanted.error_code);
}

static void try_page(uint64_t flags)
{
	struct legacy_page page = legacy_map(PT, frame_alloc(), flags);

	load_segments();
	for (unsigned n = 0; n < 4 * BEFORE * OPERATIONS; n++) {
		prepare_page(&page, flags, (enum before)(n / 4 % BEFORE));
		try_operation(&page, (enum operation)(n / (4 * BEFORE)), 1 + n % 2, n & 2);
	}
	__asm__ volatile("lgdt %0" : : "m"(image_gdt));
}

static void try_rights(void)
{
	for (unsigned wp = 0; wp < 2; wp++) {
		wp ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
		for (unsigned rights = 0; rights < 4; rights++)
			try_page(P | (rights & 1 ? RW : 0) | (rights & 2 ? US : 0));
	}
	try_page(RW | US);
}

TEST(rights_are_those_of_supervisor_mode,
     "At CPL 1 and 2 pages with U/S = 0 are reached, and R/W counts as CR0.WP says", MANUAL, "")
{
	try_rights();
}

TEST(rights_are_those_of_supervisor_mode_under_pae,
     "At CPL 1 and 2 pages with U/S = 0 are reached, and R/W counts as CR0.WP says", MANUAL, "pae")
{
	run_under_pae();
	try_rights();
}

/* The control is set before a change of the paging mode: no PDPTEs are loaded by it. */
static void try_control(uint64_t control, bool pae)
{
	set_cr4(control);
	if (pae)
		run_under_pae();
	for (unsigned rights = 0; rights < 4; rights++)
		try_page(P | (rights & 1 ? RW : 0) | (rights & 2 ? US : 0));
}

TEST(smep_denies_fetches, "At CPL 1 and 2 SMEP denies fetches from pages with U/S = 1", MANUAL,
     "smep")
{
	try_control(CR4_SMEP, false);
}

TEST(smep_denies_fetches_under_pae, "At CPL 1 and 2 SMEP denies fetches from pages with U/S = 1",
     MANUAL, "smep pae")
{
	try_control(CR4_SMEP, true);
}

TEST(smap_denies_data_accesses,
     "At CPL 1 and 2 SMAP denies data accesses to pages with U/S = 1 unless EFLAGS.AC = 1", MANUAL,
     "smap")
{
	try_control(CR4_SMAP, false);
}

TEST(smap_denies_data_accesses_under_pae,
     "At CPL 1 and 2 SMAP denies data accesses to pages with U/S = 1 unless EFLAGS.AC = 1", MANUAL,
     "smap pae")
{
	try_control(CR4_SMAP, true);
}

TEST(xd_denies_fetches_under_pae, "At CPL 1 and 2 XD denies fetches from pages of either mode",
     MANUAL, "pae nx")
{
	run_under_pae();
	set_efer(EFER_NXE);
	try_page(P | RW | XD);
	try_page(P | RW | US | XD);
}
