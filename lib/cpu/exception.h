/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Exceptions: what was raised, in words, and who handles it. An attempt (access/access.h) that is
 * under way takes its own; every other exception is unexpected, is reported with its backtrace and
 * ends the case that caused it.
 */
#ifndef CPU_EXCEPTION_H
#define CPU_EXCEPTION_H

#define EXCEPTION_VECTORS 256

#define VECTOR_DE	  0
#define VECTOR_DB	  1
#define VECTOR_NMI	  2
#define VECTOR_BP	  3
#define VECTOR_UD	  6
#define VECTOR_DF	  8
#define VECTOR_NP	  11
#define VECTOR_SS	  12
#define VECTOR_GP	  13
#define VECTOR_PF	  14
#define VECTOR_AC	  17
#define VECTOR_MC	  18
#define VECTOR_WATCHDOG	  0xf1 /* an interrupt, see check/watchdog.h */
#define NO_VECTOR	  0xff

/* Page-fault error code (SDM Vol. 3, "Page-Fault Exceptions"). */
#define PF_P		  (1u << 0)
#define PF_W		  (1u << 1)
#define PF_U		  (1u << 2)
#define PF_RSVD		  (1u << 3)
#define PF_ID		  (1u << 4)
#define PF_PK		  (1u << 5)
#define PF_SS		  (1u << 6)

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#include "libc/text.h"

/* As the entry code lays it out on the stack; 64-bit mode. */
struct exception_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error_code;
	uint64_t rip, cs, rflags, rsp, ss;
};

extern const uintptr_t exception_entries[EXCEPTION_VECTORS];
/* Of application processors; 64-bit images. */
extern const uintptr_t exception_entries_of_processor[EXCEPTION_VECTORS];

/* "#PF", "#GP"; "vector" for one without a name. */
const char *vector_name(unsigned vector);

/* Appends "#PF error code 0x7 (P W U)", or "#UD" for a vector without an error code. */
void text_exception(struct text *text, unsigned vector, uint64_t error_code);

/* Appends "0x101234 0x1000f0 ...": the return addresses that frame pointers lead to, `rip` first.
 */
void text_backtrace(struct text *text, uint64_t rip, uint64_t rbp);

/* Called with every exception that no attempt takes; must not return. */
void set_unexpected_exception_handler(void (*handler)(const struct exception_frame *frame,
						      uint64_t cr2));
#endif
#endif
