/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Makes one access to memory, comes back whatever happens, and says what happened. The instruction
 * is one of instructions.def; it runs in supervisor mode or in user mode (CPL 3, through the user
 * window) with EFLAGS.AC as wanted. User mode is left by #UD rather than by INT n, which some
 * hypervisors cannot emulate.
 */
#ifndef ACCESS_ACCESS_H
#define ACCESS_ACCESS_H

#include <stdbool.h>

#include "cpu/exception.h"
#include "cpu/features.h"
#include "libc/text.h"
#include "mem/address.h"

enum instruction {
#define INSTRUCTION(name, size, reads, writes, need, text) INSTRUCTION_##name,
#include "access/instructions.def"
#undef INSTRUCTION
	INSTRUCTION_COUNT,
	SHADOW_STACK_INSTRUCTIONS = INSTRUCTION_wrss,
	END_OF_SHADOW_STACK_INSTRUCTIONS = INSTRUCTION_incssp + 1,
	FIRST_PORT_INSTRUCTION = INSTRUCTION_ins,
	LAST_PORT_INSTRUCTION = INSTRUCTION_rep_outs,
	ORDINARY_INSTRUCTIONS =
		INSTRUCTION_prefetch /* those before it read or write data, or fetch */
};

/* NEVER: the access is not made; MAYBE: the manuals leave it open (P17). */
enum certainty { NEVER, ALWAYS, MAYBE };

struct instruction_entry {
	const char *text;
	unsigned char size; /* bytes of the operand */
	bool reads;
	enum certainty writes; /* is a write for rights and the dirty flag */
	enum feature need;
};

extern const struct instruction_entry instruction_table[INSTRUCTION_COUNT];

static inline bool is_port_instruction(enum instruction instruction)
{
	return instruction >= FIRST_PORT_INSTRUCTION && instruction <= LAST_PORT_INSTRUCTION;
}

/* Whether it is there for one operand that it reads, writes or executes. */
static inline bool is_access_to_data(enum instruction instruction)
{
	return instruction < ORDINARY_INSTRUCTIONS || is_port_instruction(instruction);
}

struct access {
	enum instruction instruction;
	bool user;	    /* at CPL 3 */
	bool ac;	    /* EFLAGS.AC, which for supervisor accesses lifts SMAP */
	bool compatibility; /* from a 32-bit code segment of 64-bit images */
	/* There: a data segment other than the flat one, by selector and base. */
	uint16_t segment;
	uint32_t base;
	linear_t linear;
	uint64_t value[2]; /* what is written */
};

struct outcome {
	unsigned vector; /* NO_VECTOR: the access completed */
	uint64_t error_code;
	uint64_t cr2; /* after an exception */
	uint64_t rip;
	uint64_t expected_rip; /* of the instruction that makes the access */
	uint64_t value[2]; /* what was read; of a fetch, the tag of the frame that was executed */
};

/* RFLAGS with which the instruction runs, but for what the caller adds. */
uint64_t access_rflags(const struct access *access);

/* Not for access to pages that the image itself runs on. */
struct outcome attempt(struct access access);

/* From now on with EFLAGS.IF = 1 or not (64-bit images), and how many attempts there were: for
 * check/watchdog.h. */
void attempts_are_interruptible(bool interruptible);
extern volatile uint64_t attempts_made;

/* In its place when it is not NULL (cpu/sabotage.h), and the access as the machine makes it. */
extern struct outcome (*attempt_hook)(struct access access);
struct outcome attempt_rightly(struct access access);

/* The same on an application processor (64-bit images), which stays interruptible if it was. */
struct outcome attempt_of_processor(struct access access);

/* The same from segments of another privilege level, whose selectors have it as RPL: CPL 1 or 2
 * (64-bit images). `stack` is the top of a stack in supervisor-mode pages. Not for instructions
 * that use XMM0; access.user does not matter. */
struct outcome attempt_at_level(struct access access, uint16_t code_segment, uint16_t stack_segment,
				linear_t stack);

/* Reads, writes and read-modify-writes of `size` 1, 2, 4, 8 or 16 bytes; a fetch of the 8 bytes of
 * code that frame_fill() puts everywhere. */
struct access read_access(linear_t linear, unsigned size);
struct access write_access(linear_t linear, unsigned size, uint64_t value);
struct access fetch_access(linear_t linear);
struct access instruction_access(enum instruction instruction, linear_t linear, uint64_t value);
struct access as_user(struct access access);
struct access with_ac(struct access access);

/* In compatibility mode; at CPL 3 only after use_low_pages(). Operands of 8 bytes have 4, and what
 * instructions_compatibility.S does not have raises #UD. */
struct access in_compatibility_mode(struct access access);

/* The nth of the ACCESS_WAYS ways to use 8 bytes of a filled frame: n % 3 is read, write (of
 * frame_word(77)) or fetch, n / 3 is user mode, supervisor mode, or supervisor mode with EFLAGS.AC.
 */
#define ACCESS_WAYS 9
struct access nth_access(unsigned n, linear_t linear);

/* Fills a frame with words that are both a recognisable value and code that returns `tag`. */
void frame_fill(gpa_t frame, uint64_t bytes, uint32_t tag);
uint64_t frame_word(uint32_t tag);

/* A new frame, filled. */
gpa_t filled_frame(uint32_t tag);

/* Appends "user write of 8 bytes (mov) at linear 0x..."; "completed, value 0x..." or "#PF ... CR2
 * ...". */
void text_access(struct text *text, const struct access *access);
void text_outcome(struct text *text, const struct outcome *outcome);

#endif
