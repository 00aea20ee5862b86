/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses of two kinds that do not mix: each is a struct of its own, so the compiler refuses a
 * linear address where a guest-physical one is meant.
 */
#ifndef MEM_ADDRESS_H
#define MEM_ADDRESS_H

#include <stdint.h>

typedef struct {
	uint64_t value;
} gpa_t; /* guest-physical address */

typedef struct {
	uint64_t value;
} linear_t; /* linear address */

#define GPA(address)	   ((gpa_t){address})
#define LINEAR(address)	   ((linear_t){address})

#define KBYTE		   1024ull
#define MBYTE		   (1024 * KBYTE)
#define GBYTE		   (1024 * MBYTE)
#define PAGE_4K		   (4 * KBYTE)
#define PAGE_2M		   (2 * MBYTE)
#define PAGE_1G		   GBYTE

/* 32-bit images need linear addresses for other things, too. */
#define IDENTITY_MAP_BYTES (sizeof(void *) == 8 ? 4 * GBYTE : GBYTE)

static inline gpa_t gpa_plus(gpa_t gpa, uint64_t bytes)
{
	return GPA(gpa.value + bytes);
}

static inline linear_t linear_plus(linear_t linear, uint64_t bytes)
{
	return LINEAR(linear.value + bytes);
}

/* The identity map, which the image's own code and tables use: valid below IDENTITY_MAP_BYTES. */
static inline void *identity(gpa_t gpa)
{
	return (void *)(uintptr_t)gpa.value;
}

static inline gpa_t gpa_of(const volatile void *identity_mapped)
{
	return GPA((uintptr_t)identity_mapped);
}

#endif
