/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/control.h"
#include "cpu/features.h"
#include "cpu/user.h"
#include "libc/string.h"
#include "mem/frames.h"
#include "paging/legacy.h"

#define ENTRIES_32   1024
#define ENTRIES_PAE  512
#define BYTES_32     (4 * MBYTE) /* that a PDE covers */
#define FIRST_LINEAR GBYTE
#define END_LINEAR   USER_WINDOW
#define SLOT_BYTES   (12 * MBYTE) /* from page to page: not a multiple of one directory */
#define UNUSED_BYTES (8 * MBYTE)
#define REFERENCE    (P | RW | US)
#define IDENTITY     (P | RW | A | D | PS)

extern char _user[], _user_end[];

static uint32_t directory_32[ENTRIES_32] __attribute__((aligned(PAGE_4K)));
static uint32_t window_32[ENTRIES_32] __attribute__((aligned(PAGE_4K)));
static uint64_t directory_pae[PDPTE_REGISTERS * ENTRIES_PAE] __attribute__((aligned(PAGE_4K)));
static uint64_t window_pae[ENTRIES_PAE] __attribute__((aligned(PAGE_4K)));
static uint64_t pdpt[PDPTE_REGISTERS] __attribute__((aligned(32)));
static uint64_t registers[PDPTE_REGISTERS];
static uint8_t user_stack[USER_STACK_BYTES] __attribute__((aligned(PAGE_4K)));
static uint64_t next_linear = FIRST_LINEAR;

static bool is_pae(void)
{
	return read_cr4() & CR4_PAE;
}

const struct paging_format *current_format(void)
{
	if (!(read_cr0() & CR0_PG))
		return &paging_off;
	if (is_pae())
		return &paging_pae;
	return read_cr4() & CR4_PSE ? &paging_32bit : &paging_32bit_without_pse;
}

struct paging_rules current_rules(void)
{
	return (struct paging_rules){
		.maxphyaddr = maxphyaddr(),
		.execute_disable = is_pae() && has(FEATURE_nx) && (read_msr(MSR_EFER) & EFER_NXE),
		.pse36 = has(FEATURE_pse36),
	};
}

static void fill_window(void)
{
	uint32_t from = (uintptr_t)_user, stack = (uintptr_t)user_stack;

	for (unsigned i = 0; from + i * PAGE_4K < (uintptr_t)_user_end; i++)
		window_pae[i] = window_32[i] = from + i * (uint32_t)PAGE_4K + (P | US | A);
	window_32[USER_STACK / PAGE_4K] = stack + (P | RW | US | A | D);
	window_pae[USER_STACK / PAGE_4K] = window_32[USER_STACK / PAGE_4K];
}

static void fill_directories(void)
{
	for (uint32_t i = 0; i < ENTRIES_32; i++)
		directory_32[i] = i << 22 | IDENTITY;
	for (uint64_t i = 0; i < PDPTE_REGISTERS * ENTRIES_PAE; i++)
		directory_pae[i] = i << 21 | IDENTITY;
	directory_32[USER_WINDOW >> 22] = (uintptr_t)window_32 + (REFERENCE | A);
	directory_pae[USER_WINDOW >> 21] = (uintptr_t)window_pae + (REFERENCE | A);
	for (unsigned i = 0; i < PDPTE_REGISTERS; i++)
		pdpt[i] = (uintptr_t)&directory_pae[i * ENTRIES_PAE] | P;
}

static void turn_paging_on(uint64_t cr4, const void *root)
{
	write_cr0(read_cr0() & ~CR0_PG);
	write_cr4(cr4);
	write_cr3((uintptr_t)root);
	write_cr0(read_cr0() | CR0_PG | CR0_WP);
}

void switch_to_pae(void)
{
	turn_paging_on(read_cr4() | CR4_PAE, pdpt);
	note_pdptes();
}

void switch_to_32bit(void)
{
	turn_paging_on((read_cr4() & ~CR4_PAE) | CR4_PSE, directory_32);
}

void spaces_init(void)
{
	fill_window();
	fill_directories();
	switch_to_32bit();
}

gpa_t current_root(void)
{
	return GPA(read_cr3() & (is_pae() ? PAE_CR3_ADDRESS : ENTRY_ADDRESS));
}

gpa_t image_root(void)
{
	return gpa_of(is_pae() ? (void *)pdpt : (void *)directory_32);
}

volatile uint64_t *pdptes_in_memory(void)
{
	return identity(current_root());
}

const uint64_t *current_pdptes(void)
{
	return current_format() == &paging_pae ? registers : NULL;
}

void note_pdptes(void)
{
	for (unsigned i = 0; i < PDPTE_REGISTERS; i++)
		registers[i] = pdptes_in_memory()[i];
}

uint64_t read_identity(const void *memory, uint64_t address)
{
	(void)memory;
	if (address >= IDENTITY_MAP_BYTES)
		return 0;
	if (is_pae())
		return *(const volatile uint64_t *)(uintptr_t)address;
	return *(const volatile uint32_t *)(uintptr_t)address;
}

void walk_now(struct walk *walk, linear_t linear)
{
	struct paging_rules rules = current_rules();
	uint64_t root = current_root().value;

	if (is_pae())
		root = registers[linear.value >> PDPTE_SHIFT] & ENTRY_ADDRESS;
	walk_linear(walk, current_format(), &rules, root, linear.value, read_identity, NULL);
}

uint64_t legacy_entry(const struct legacy_page *page, enum level level)
{
	return read_identity(NULL, gpa_of(page->entry[level]).value);
}

void legacy_write(const struct legacy_page *page, enum level level, uint64_t value)
{
	if (is_pae())
		*(volatile uint64_t *)page->entry[level] = value;
	else
		*(volatile uint32_t *)page->entry[level] = (uint32_t)value;
}

static volatile void *entry_in(gpa_t table, enum level level, linear_t linear)
{
	const struct paging_format *format = current_format();

	return (char *)identity(table) +
	       level_index(format, level, linear.value) * format->entry_bytes;
}

static gpa_t directory_of(linear_t linear)
{
	if (is_pae())
		return GPA(registers[linear.value >> PDPTE_SHIFT] & ENTRY_ADDRESS);
	return current_root();
}

/* The PDE mapped the identity, which a processor that looks ahead may have cached by now: its page
 * goes first, then comes the new entry, of another size maybe. */
static void replace_identity(const struct legacy_page *page, uint64_t pde)
{
	legacy_write(page, PD, 0);
	invlpg(page->linear.value);
	legacy_write(page, PD, pde);
}

struct legacy_page legacy_map_at(linear_t linear, enum level level, gpa_t frame, uint64_t flags)
{
	struct legacy_page page = {.linear = linear, .frame = frame, .level = level};
	gpa_t table;

	page.bytes = level_bytes(current_format(), level);
	page.entry[PD] = entry_in(directory_of(linear), PD, linear);
	if (level == PD) {
		replace_identity(&page, frame.value | flags | PS);
		return page;
	}
	table = frame_alloc();
	page.entry[PT] = entry_in(table, PT, linear);
	legacy_write(&page, PT, frame.value | flags);
	replace_identity(&page, table.value | REFERENCE);
	return page;
}

/* Indexes that differ between pages and between a page's levels, in all GBytes that are free. */
struct legacy_page legacy_map(enum level level, gpa_t frame, uint64_t flags)
{
	uint64_t linear = next_linear, slot = (linear - FIRST_LINEAR) / SLOT_BYTES;

	next_linear += SLOT_BYTES;
	if (next_linear >= END_LINEAR)
		out_of_frames();
	if (level == PT)
		linear += (slot * 29 + 100) % ENTRIES_PAE * PAGE_4K;
	return legacy_map_at(LINEAR(linear), level, frame, flags);
}

/* For more pages than legacy_map() has slots for. */
linear_t unused_linear(void)
{
	uint64_t linear = next_linear;

	next_linear += UNUSED_BYTES;
	if (next_linear >= END_LINEAR)
		out_of_frames();
	return LINEAR(linear);
}

void spaces_reset(void)
{
	next_linear = FIRST_LINEAR;
	fill_directories();
}
