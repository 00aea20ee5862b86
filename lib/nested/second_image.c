/* SPDX-License-Identifier: BSD-2-Clause */
#include "nested/second_image.h"

#include "check/expect.h"

static void add_to_image(void *context, volatile uint64_t *entry, bool maps_page)
{
	struct second_image *image = context;

	(void)maps_page;
	if (!*entry)
		return;
	if (image->count == MOST_IMAGE_ENTRIES)
		end_case_failed("more second-level entries than the image has room for");
	image->of[image->count].entry = entry;
	image->of[image->count++].value = *entry;
}

void second_take_image(struct second_image *image, const struct second_level *second)
{
	image->count = 0;
	second_visit(second, add_to_image, image);
}

void judge_second_image(const char *file, int line, const struct second_image *before,
			const struct second_level *second, uint64_t may_change)
{
	static struct second_image after;

	second_take_image(&after, second);
	count_checks(1 + before->count);
	if (after.count != before->count)
		fail_expectation(file, line, "after.count == before->count",
				 "%u entries instead of %u", after.count, before->count);
	for (unsigned i = 0; i < before->count; i++) {
		uint64_t value = *before->of[i].entry;

		if ((value ^ before->of[i].value) & ~may_change)
			fail_expectation(file, line, "no other bit changes",
					 "second-level entry at 0x%llx is 0x%llx, was 0x%llx",
					 (unsigned long long)(uintptr_t)before->of[i].entry,
					 (unsigned long long)value,
					 (unsigned long long)before->of[i].value);
	}
}
