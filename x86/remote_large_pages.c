/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Large pages of other processors: one INVLPG drops all of one.
 *
 * INVLPG drops all translations of the page that its operand is in, whatever the page's size and
 * the operand's offset in it (SDM Vol. 3, "Operations that Invalidate TLBs and Paging-Structure
 * Caches"). Software that shoots down a 2-MByte page sends each processor there once.
 *
 * Caught here: pieces of a large page that stay cached (QT22), where it is only application
 * processors that have it so: their INVLPG takes another way through a hypervisor that exits for
 * it, or flushes by address for other processors and by page for the one that asks.
 *
 * invlpg_large_pages has all sizes and offsets on one processor; shootdown races. Not checked:
 * fetches.
 */
#include "test.h"

SUBJECT(remote_large_pages, "one INVLPG drops a 2-MByte or 1-GByte page on each processor");

#define MANUAL "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""

static void invalidate_linear(unsigned self, void *argument)
{
	(void)self;
	forget_translation(SHOOTDOWN_INVLPG, *(linear_t *)argument);
}

/* A processor has cached pieces of a large page, and drops them by one INVLPG. */
static void drop_large_page(unsigned processor, uint64_t at)
{
	gpa_t old = frames_alloc(PAGE_2M), new = frames_alloc(PAGE_2M);
	struct page page = map_page_at(PD, old, P | RW | US);
	linear_t linear = linear_plus(page.linear, at);

	frame_fill(old, PAGE_2M, 91);
	frame_fill(new, PAGE_2M, 92);
	for (uint64_t piece = 0; piece < PAGE_2M; piece += 37 * PAGE_4K)
		attempt_on(processor, read_access(linear_plus(page.linear, piece), 8));
	write_entry(&page, PD, new.value | P | RW | US | PS, INVLPG);
	run_on(processor, invalidate_linear, &linear);
	for (uint64_t piece = 0; piece < PAGE_2M; piece += 37 * PAGE_4K) {
		struct outcome outcome =
			attempt_on(processor, read_access(linear_plus(page.linear, piece), 8));

		expect(outcome.vector == NO_VECTOR && outcome.value[0] == frame_word(92),
		       "processor %u reads 0x%llx at offset 0x%llx after INVLPG at 0x%llx",
		       processor, (unsigned long long)outcome.value[0], (unsigned long long)piece,
		       (unsigned long long)at);
	}
}

TEST(one_invlpg_of_any_processor_drops_its_large_page,
     "One INVLPG at any offset drops every piece of a 2-MByte page that its processor has cached",
     MANUAL, "two_processors")
{
	unsigned count = start_processors(2);

	for (unsigned i = 0; i < count; i++)
		for (uint64_t at = 0; at < PAGE_2M; at += 85 * PAGE_4K)
			drop_large_page(i, at);
}

#define PIECES 12

static void invalidate_all(unsigned self, void *argument)
{
	(void)self;
	(void)argument;
	forget_translation(SHOOTDOWN_MOV_CR3, LINEAR(0));
}

/* A 1-GByte page over low memory, of which the case owns some pieces; then a page directory in its
 * place, whose pages hold another tag at the same offsets. */
static void drop_1_gbyte_page(unsigned processor, uint64_t at)
{
	struct page page = map_page_at(PDPT, GPA(0), P | RW | US);
	gpa_t directory = frame_alloc();
	linear_t piece[PIECES];

	/* some emulators drop all at the second such page */
	run_on(processor, invalidate_all, NULL);
	for (unsigned i = 0; i < PIECES; i++) {
		gpa_t old = frames_alloc(PAGE_2M), new = frames_alloc(PAGE_2M);
		uint64_t offset = i * 13 * PAGE_4K; /* so that pieces differ in many address bits */

		frame_fill(gpa_plus(old, offset), PAGE_4K, 91);
		frame_fill(gpa_plus(new, offset), PAGE_4K, 92);
		piece[i] = linear_plus(page.linear, old.value + offset);
		((uint64_t *)identity(directory))[old.value / PAGE_2M] =
			new.value | P | RW | US | PS;
		attempt_on(processor, as_user(read_access(piece[i], 8)));
		attempt_on(processor, read_access(piece[i], 8));
	}
	write_entry(&page, PDPT, directory.value | P | RW | US, INVLPG);
	run_on(processor, invalidate_linear, &(linear_t){page.linear.value + at});
	for (unsigned i = 0; i < 2 * PIECES; i++) {
		struct access read = read_access(piece[i / 2], 8);
		uint64_t word = attempt_on(processor, i & 1 ? as_user(read) : read).value[0];

		expect(word == frame_word(92),
		       "processor %u reads 0x%llx at 0x%llx after INVLPG at offset 0x%llx",
		       processor, (unsigned long long)word, (unsigned long long)read.linear.value,
		       (unsigned long long)at);
	}
}

TEST(one_invlpg_of_any_processor_drops_its_1_gbyte_page,
     "One INVLPG at any offset drops every piece of a 1-GByte page that its processor has cached",
     MANUAL, "two_processors pages_1g")
{
	unsigned count = start_processors(2);

	for (unsigned i = 0; i < count; i++) {
		drop_1_gbyte_page(i, 0);
		drop_1_gbyte_page(i, 0x3fffffff);
	}
}
