/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/exception.h"

#include "cpu/control.h"

#define MOST_FRAMES 12
#define WORD	    sizeof(uintptr_t)

extern const char _load[], _end[];
void exception_unexpected(const struct exception_frame *frame);

static void (*unexpected)(const struct exception_frame *frame, uint64_t cr2);

static const char *const names[] = {
	"#DE", "#DB", "NMI", "#BP", "#OF",    "#BR", "#UD", "#NM", "#DF", "vector", "#TS",
	"#NP", "#SS", "#GP", "#PF", "vector", "#MF", "#AC", "#MC", "#XM", "#VE",    "#CP",
};

static const char *const error_code_bits[] = {"P", "W", "U", "RSVD", "I/D", "PK", "SS"};

const char *vector_name(unsigned vector)
{
	return vector < sizeof(names) / sizeof(names[0]) ? names[vector] : "vector";
}

static bool has_error_code(unsigned vector)
{
	return vector == VECTOR_DF || (vector >= 10 && vector <= VECTOR_PF) ||
	       vector == VECTOR_AC || vector == 21;
}

void text_exception(struct text *text, unsigned vector, uint64_t error_code)
{
	text_add(text, "%s", vector_name(vector));
	if (has_error_code(vector))
		text_add(text, " error code 0x%llx", (unsigned long long)error_code);
	if (vector != VECTOR_PF)
		return;
	text_add(text, " (");
	for (unsigned bit = 0; bit < sizeof(error_code_bits) / sizeof(error_code_bits[0]); bit++)
		if (error_code >> bit & 1)
			text_add(text, "%s%s", text->at[text->length - 1] == '(' ? "" : " ",
				 error_code_bits[bit]);
	text_add(text, ")");
}

static bool in_image(uint64_t address, uint64_t bytes)
{
	return address >= (uintptr_t)_load && address + bytes <= (uintptr_t)_end;
}

void text_backtrace(struct text *text, uint64_t rip, uint64_t rbp)
{
	text_add(text, "0x%llx", (unsigned long long)rip);
	for (unsigned i = 0; i < MOST_FRAMES && in_image(rbp, 2 * WORD) && !(rbp & (WORD - 1));
	     i++) {
		const uintptr_t *frame = (const uintptr_t *)(uintptr_t)rbp;

		if (!in_image(frame[1], 1))
			break;
		text_add(text, " 0x%llx", (unsigned long long)frame[1]);
		if (frame[0] <= rbp) /* stacks grow down: anything else is not a chain */
			break;
		rbp = frame[0];
	}
}

void set_unexpected_exception_handler(void (*handler)(const struct exception_frame *frame,
						      uint64_t cr2))
{
	unexpected = handler;
}

void exception_unexpected(const struct exception_frame *frame)
{
	if (unexpected)
		unexpected(frame, read_cr2());
	for (;;)
		__asm__ volatile("cli; hlt");
}
