/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Physical frames: handed out for the length of one case and all taken back after it.
 */
#ifndef MEM_FRAMES_H
#define MEM_FRAMES_H

#include <stdbool.h>

#include "mem/address.h"

struct memory_range {
	gpa_t start;
	uint64_t bytes;
};

/* Tells which RAM there is (at most 32 ranges are kept). Frames come from the largest range behind
 * the image that the identity map reaches. */
void frames_init(const struct memory_range *ranges, unsigned count);

/* A 4-KByte frame, or `bytes` (a power of two, at least 4 KBytes) naturally aligned, zeroed below 2
 * MBytes only. Ends the case as failed when memory is short: give the image more in unittests.cfg.
 */
gpa_t frame_alloc(void);
gpa_t frames_alloc(uint64_t bytes);

/* The same from the upper end, never taken back; what was allocated there before is lost, too. */
gpa_t frames_keep(uint64_t bytes);

/* 4-KByte frames that can still be had. */
uint64_t frames_left(void);

/* Whether all of a physical range is RAM. */
bool is_ram(gpa_t start, uint64_t bytes);

/* The ranges of RAM in turn; false when there are no more. */
bool ram_range(unsigned index, struct memory_range *range);

/* Takes all frames back; they are handed out again, the same ones first. */
void frames_release(void);

/* Single frames are from now on, until frames_release(), ones that nobody had before, so that no
 * hypervisor knows them as paging structures. When nothing is handed out and few such are left, it
 * begins with the first ones again. */
void frames_skip_used(void);

/* Ends the case as allocation does when memory is short. */
_Noreturn void out_of_frames(void);

/* Called when memory is short; must not return. */
void set_out_of_frames_handler(void (*handler)(void));

#endif
