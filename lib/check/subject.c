/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/subject.h"

#include "access/access.h"
#include "mem/frames.h"

#define TARGET_OFFSET 0x240

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

enum level largest_page(void)
{
	return has(FEATURE_pages_1g) ? PDPT : PD;
}
