/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/space.h"

#include "cpu/control.h"
#include "cpu/features.h"
#include "cpu/user.h"
#include "libc/string.h"
#include "mem/frames.h"

#define FIRST_PAGE_SLOT 1
#define END_PAGE_SLOTS	240
#define ENTRIES		512
#define WINDOW_SLOT	(USER_WINDOW >> 39)
#define UPPER_HALF_SLOT 256

extern uint64_t identity_pml4[];
extern char _user[], _user_end[];

static uint64_t identity_pml5[ENTRIES] __attribute__((aligned(PAGE_4K)));
static uint64_t window_pdpt[ENTRIES] __attribute__((aligned(PAGE_4K)));
static uint64_t window_pd[ENTRIES] __attribute__((aligned(PAGE_4K)));
static uint64_t window_pt[ENTRIES] __attribute__((aligned(PAGE_4K)));
static uint8_t user_stack[USER_STACK_BYTES] __attribute__((aligned(PAGE_4K)));

static unsigned next_slot = FIRST_PAGE_SLOT;

const struct paging_format *current_format(void)
{
	return linear_levels() == 5 ? &paging_5level : &paging_4level;
}

struct paging_rules current_rules(void)
{
	return (struct paging_rules){
		.maxphyaddr = maxphyaddr(),
		.pages_1g = has(FEATURE_pages_1g),
		.execute_disable = read_msr(MSR_EFER) & EFER_NXE,
	};
}

const uint64_t *current_pdptes(void)
{
	return NULL;
}

void spaces_init(void)
{
	uint64_t end = (uintptr_t)_user_end;
	unsigned i = 0;

	for (uint64_t at = (uintptr_t)_user; at < end; at += PAGE_4K)
		window_pt[i++] = at | P | US | A;
	window_pt[USER_STACK / PAGE_4K] = gpa_of(user_stack).value | P | RW | US | A | D;
	window_pd[0] = gpa_of(window_pt).value | P | RW | US | A;
	window_pdpt[0] = gpa_of(window_pd).value | P | RW | US | A;
	identity_pml5[0] = gpa_of(identity_pml4).value | P | RW | US | A;
	identity_pml4[WINDOW_SLOT] = gpa_of(window_pdpt).value | P | RW | US | A;
}

gpa_t image_root_of(const struct paging_format *format)
{
	return gpa_of(format->top == PML5 ? identity_pml5 : identity_pml4);
}

gpa_t image_root(void)
{
	return image_root_of(current_format());
}

gpa_t current_root(void)
{
	return GPA(read_cr3() & ENTRY_ADDRESS);
}

gpa_t copy_root(void)
{
	gpa_t root = frame_alloc();

	memcpy(identity(root), identity(image_root()), PAGE_4K);
	return root;
}

static uint64_t first_of_slot(unsigned slot)
{
	return (uint64_t)slot << current_format()->level[current_format()->top].shift;
}

/* The structure below an entry that belongs to the image and stays; NULL for others. */
static uint64_t *table_of_image(const uint64_t *entry)
{
	if (entry == &identity_pml5[0])
		return identity_pml4;
	return entry == &identity_pml4[WINDOW_SLOT] ? window_pdpt : NULL;
}

/* Indexes that differ between pages and between a page's levels, and are never 0. */
static linear_t linear_of_slot(unsigned slot, enum level level)
{
	uint64_t linear = first_of_slot(slot);

	if (current_format()->top == PML5)
		linear |= (uint64_t)((slot * 11 + 40) % ENTRIES) << 39;
	linear |= (uint64_t)((slot * 7 + 3) % ENTRIES) << 30;
	if (level <= PD)
		linear |= (uint64_t)((slot * 13 + 21) % ENTRIES) << 21;
	if (level <= PT)
		linear |= (uint64_t)((slot * 29 + 100) % ENTRIES) << 12;
	return LINEAR(linear);
}

struct page map_page_at_linear(linear_t linear, enum level level, gpa_t frame, uint64_t flags)
{
	const struct paging_format *format = current_format();
	uint64_t *table = identity(image_root());
	struct page page = {.linear = linear, .frame = frame, .level = level};

	page.bytes = level_bytes(format, level);
	for (int at = format->top; at > (int)level; at--) {
		page.entry[at] = &table[level_index(format, (enum level)at, linear.value)];
		table = table_of_image(page.entry[at]);
		if (table)
			continue;
		*page.entry[at] = frame_alloc().value | P | RW | US;
		table = identity(GPA(*page.entry[at] & ENTRY_ADDRESS));
	}
	page.entry[level] = &table[level_index(format, level, linear.value)];
	*page.entry[level] = frame.value | flags | (level > PT ? PS : 0);
	return page;
}

static unsigned take_slot(void)
{
	if (next_slot == END_PAGE_SLOTS)
		out_of_frames();
	return next_slot++;
}

struct page map_page_at(enum level level, gpa_t frame, uint64_t flags)
{
	return map_page_at_linear(linear_of_slot(take_slot(), level), level, frame, flags);
}

linear_t unused_linear(void)
{
	return LINEAR(first_of_slot(take_slot()));
}

uint64_t *table_of(const uint64_t *entry)
{
	return (uint64_t *)((uintptr_t)entry & ~(PAGE_4K - 1));
}

struct page map_page(uint64_t flags)
{
	return map_page_at(PT, frame_alloc(), flags);
}

uint64_t read_identity(const void *memory, uint64_t address)
{
	(void)memory;
	if (address >= IDENTITY_MAP_BYTES)
		return 0;
	return *(const volatile uint64_t *)(uintptr_t)address;
}

void walk_now(struct walk *walk, linear_t linear)
{
	struct paging_rules rules = current_rules();

	walk_linear(walk, current_format(), &rules, current_root().value, linear.value,
		    read_identity, NULL);
}

void spaces_reset(void)
{
	for (unsigned slot = FIRST_PAGE_SLOT; slot < next_slot; slot++)
		identity_pml4[slot] = 0;
	next_slot = FIRST_PAGE_SLOT;
	memset(&identity_pml5[1], 0, (ENTRIES - 1) * 8);
	memset(&identity_pml4[UPPER_HALF_SLOT], 0, (ENTRIES - UPPER_HALF_SLOT) * 8);
	memset(&window_pdpt[1], 0, (ENTRIES - 1) * 8);
}
