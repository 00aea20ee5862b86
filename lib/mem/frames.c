/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem/frames.h"

#include "libc/string.h"

#define MOST_RANGES  32
#define TOO_FEW_LEFT PAGE_2M /* of frames that nobody has had */

extern char _end[];

static struct memory_range ranges[MOST_RANGES];
static unsigned range_count;
static uint64_t low, high;	     /* what frames can come from */
static uint64_t next_low, next_high; /* single frames grow upwards, larger ones downwards */
static uint64_t unused_from;	     /* above, no single frame has ever been handed out */
static void (*out_of_frames_handler)(void);

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) & ~(to - 1);
}

void frames_init(const struct memory_range *found, unsigned count)
{
	uint64_t image_end = gpa_of(_end).value;

	range_count = (unsigned)smaller(count, MOST_RANGES);
	memcpy(ranges, found, range_count * sizeof(ranges[0]));
	low = high = 0;
	/* The largest: UEFI leaves a few MBytes only around the image. */
	for (unsigned i = 0; i < range_count; i++) {
		uint64_t start = ranges[i].start.value, end = start + ranges[i].bytes;

		/* Beyond the 2 MBytes with the image: there is no memory from 640 KBytes on, so
		 * that no hypervisor backs them by a large page, and tables would never be in one.
		 */
		start = align_up(start < image_end ? image_end : start, PAGE_4K);
		end = smaller(end, IDENTITY_MAP_BYTES) & ~(PAGE_4K - 1);
		if (align_up(start, PAGE_2M) + TOO_FEW_LEFT < end)
			start = align_up(start, PAGE_2M);
		if (start < end && end - start > high - low) {
			low = start;
			high = end;
		}
	}
	unused_from = low;
	frames_release();
}

void frames_release(void)
{
	next_low = low;
	next_high = high;
}

void frames_skip_used(void)
{
	if (next_high < unused_from + TOO_FEW_LEFT && next_low == low)
		unused_from = low;
	next_low = unused_from;
}

uint64_t frames_left(void)
{
	return (next_high - next_low) / PAGE_4K;
}

_Noreturn void out_of_frames(void)
{
	if (out_of_frames_handler)
		out_of_frames_handler();
	for (;;)
		__asm__ volatile("cli; hlt");
}

gpa_t frame_alloc(void)
{
	gpa_t frame = GPA(next_low);

	if (next_high - next_low < PAGE_4K)
		out_of_frames();
	next_low += PAGE_4K;
	if (next_low > unused_from)
		unused_from = next_low;
	memset(identity(frame), 0, PAGE_4K);
	return frame;
}

gpa_t frames_alloc(uint64_t bytes)
{
	uint64_t start;

	if (bytes <= PAGE_4K)
		return frame_alloc();
	if (bytes > next_high)
		out_of_frames();
	start = (next_high - bytes) & ~(bytes - 1);
	if (start < next_low)
		out_of_frames();
	next_high = start;
	if (bytes < PAGE_2M)
		memset(identity(GPA(start)), 0, bytes);
	return GPA(start);
}

gpa_t frames_keep(uint64_t bytes)
{
	gpa_t start = frames_alloc(bytes);

	high = next_high;
	return start;
}

bool is_ram(gpa_t start, uint64_t bytes)
{
	if (start.value >= low && start.value + bytes <= high)
		return true; /* where frames come from: asked most often */
	for (unsigned i = 0; i < range_count; i++) {
		uint64_t first = ranges[i].start.value;

		if (start.value >= first && start.value + bytes <= first + ranges[i].bytes)
			return true;
	}
	return false;
}

bool ram_range(unsigned index, struct memory_range *range)
{
	if (index >= range_count)
		return false;
	*range = ranges[index];
	return true;
}

void set_out_of_frames_handler(void (*handler)(void))
{
	out_of_frames_handler = handler;
}
