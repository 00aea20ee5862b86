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

SUBJECT(remote_large_pages, "one INVLPG drops a 2-MByte page on each processor");

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
     "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\"",
     "two_processors")
{
	unsigned count = start_processors(2);

	for (unsigned i = 0; i < count; i++)
		for (uint64_t at = 0; at < PAGE_2M; at += 85 * PAGE_4K)
			drop_large_page(i, at);
}
