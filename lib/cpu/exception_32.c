/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An exception of a 32-bit image in the form in which 64-bit ones come.
 */
#include "cpu/exception.h"

/* As exception_entry_32.S lays it out. */
struct frame_32 {
	uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
	uint32_t vector, error_code;
	uint32_t eip, cs, eflags;
	uint32_t user_esp, user_ss; /* from CPL 3 only */
};

void exception_unexpected(const struct exception_frame *frame);
void exception_unexpected_32(const struct frame_32 *from);

void exception_unexpected_32(const struct frame_32 *from)
{
	bool user = from->cs & 3;
	struct exception_frame frame = {
		.rbp = from->ebp,
		.rdi = from->edi,
		.rsi = from->esi,
		.rdx = from->edx,
		.rcx = from->ecx,
		.rbx = from->ebx,
		.rax = from->eax,
		.vector = from->vector,
		.error_code = from->error_code,
		.rip = from->eip,
		.cs = from->cs,
		.rflags = from->eflags,
		.rsp = user ? from->user_esp : (uintptr_t)&from->user_esp,
		.ss = user ? from->user_ss : 0,
	};

	exception_unexpected(&frame);
}
