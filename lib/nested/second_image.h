/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A second level as it is in memory, to be compared bit for bit with what it is later.
 */
#ifndef NESTED_SECOND_IMAGE_H
#define NESTED_SECOND_IMAGE_H

#include "nested/second_level.h"

#define MOST_IMAGE_ENTRIES 256

/* Every entry that is not 0, and where. */
struct second_image {
	unsigned count;
	struct {
		volatile uint64_t *entry;
		uint64_t value;
	} of[MOST_IMAGE_ENTRIES];
};

/* Ends the case as failed when there are more entries than the image has room for. */
void second_take_image(struct second_image *image, const struct second_level *second);

/* No entry appeared, vanished or changed since `before`, but for bits of `may_change`. */
#define expect_second_image(before, second, may_change) \
	judge_second_image(__FILE__, __LINE__, before, second, may_change)
void judge_second_image(const char *file, int line, const struct second_image *before,
			const struct second_level *second, uint64_t may_change);

#endif
