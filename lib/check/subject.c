/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/subject.h"

#include "access/access.h"
#include "mem/frames.h"
#include "paging/edit.h"

#define TARGET_OFFSET 0x240
#define PAIR_INDEX    200 /* at every level but the top */

struct subject map_subject(enum level level, uint64_t flags, uint32_t tag)
{
	gpa_t frame = level == PD ? frames_alloc(PAGE_2M) : frame_alloc();
	gpa_t page = GPA(frame.value & ~(level_bytes(current_format(), level) - 1));
	uint64_t offset = frame.value - page.value + TARGET_OFFSET;
	struct subject subject;

	frame_fill(frame, PAGE_4K, tag);
	subject.page = map_page_at(level, page, flags);
	subject.target = linear_plus(subject.page.linear, offset);
	subject.memory = identity(gpa_plus(page, offset));
	return subject;
}

linear_t map_covering_page(enum level level, gpa_t frame)
{
	uint64_t bytes = level_bytes(current_format(), level);
	struct page page = map_page_at(level, GPA(frame.value & ~(bytes - 1)), P | RW | US);

	return linear_plus(page.linear, frame.value & (bytes - 1));
}

struct page_pair map_page_pair(uint32_t first_tag, uint32_t second_tag)
{
	uint64_t linear = unused_linear().value;
	struct page_pair pair;

	for (int level = PT; level <= PDPT; level++)
		linear |= (uint64_t)PAIR_INDEX << current_format()->level[level].shift;
	pair.frame[1] = filled_frame(second_tag);
	frame_alloc(); /* in between */
	pair.frame[0] = filled_frame(first_tag);
	pair.page = map_page_at_linear(LINEAR(linear), PT, pair.frame[0], P | RW | US);
	for (unsigned i = 0; i < 2; i++) {
		pair.entry[i] = pair.page.entry[PT] + i;
		pair.good[i] = pair.frame[i].value | P | RW | US | A | D;
	}
	pair.border = linear_plus(pair.page.linear, PAGE_4K);
	return pair;
}

void set_page_pair(const struct page_pair *pair, uint64_t first, uint64_t second)
{
	*(volatile uint64_t *)pair->entry[0] = first;
	*(volatile uint64_t *)pair->entry[1] = second;
	invalidate(pair->page.linear, INVLPG);
	invalidate(pair->border, INVLPG);
}

enum level largest_page(void)
{
	return has(FEATURE_pages_1g) ? PDPT : PD;
}
