/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions that have a path of their own to memory, byte by byte of their operands.
 *
 * What an instruction reads or writes at CPL 3 is an access of user mode, each byte of it, whatever
 * the instruction does besides: frame pointers that ENTER copies, the selector of a far pointer,
 * the last word of an x87 environment (SDM Vol. 3, "Determination of Access Rights"; "Page-Fault
 * Exceptions"). At CPL 0 with CR4.SMAP = 1 none of it may come from or go to a user page.
 *
 * Caught here: emulators that serve such an instruction part by part, or by a function that system
 * structures share, and forget for whom (KS26, XS08, XS09); cached translations of the supervisor
 * used for it; parts of an operand that set no accessed or dirty flag (R17).
 *
 * The instructions are those that access/instructions.def does not have. Not checked: what a store
 * in parts has written before it faults (P18); what is loaded.
 */
#include "test.h"

SUBJECT(instruction_paths, "stack, string, x87 and segment instructions at CPL 3, part by part");

#define MANUAL	"SDM Vol. 3, \"Determination of Access Rights\"; \"Page-Fault Exceptions\""
#define USER_CS 0x1b
#define USER_DS 0x23
#define AREA	0x800 /* in the page of code: an operand that nothing is wrong with */
#define TAIL	0x400 /* there: the way back */

/* Registers that get the operand's address, less `offset`; RSI and RDI get the area's otherwise. */
enum { DI = 1, SI = 2, BX = 4, BP = 8, SP = 16, MOFFS = 32 /* behind the opcode */ };
/* What the operand holds: zeroes, the way back as a pointer, flags for POPF, what IRET pops; or it
 * is not to be completed, since that needs more. */
enum content { ZEROES, POINTER, FLAGS, FRAME, NEVER_COMPLETED };

struct row {
	const char *text;
	uint8_t bytes, count, code[8];
	uint8_t pointers;
	int8_t offset;
	bool writes, moves_stack;
	enum content content;
};

/* clang-format off */
#define CODE(...) sizeof((uint8_t[]){__VA_ARGS__}), {__VA_ARGS__}
static const struct row rows[] = {
	{"xlat", 1, CODE(0xd7), BX, .writes = false},
	{"cmps, through RSI", 8, CODE(0x48, 0xa7), SI, .writes = false},
	{"cmps, through RDI", 8, CODE(0x48, 0xa7), DI, .writes = false},
	{"rep lods", 8, CODE(0xb9, 1, 0, 0, 0, 0xf3, 0x48, 0xad), SI, .writes = false},
	{"bt", 8, CODE(0x48, 0x0f, 0xa3, 0x07), DI, .writes = false},
	{"scas", 8, CODE(0x48, 0xaf), DI, .writes = false},
	{"mov of moffs, from", 8, CODE(0x48, 0xa1), MOFFS, .writes = false},
	{"mov of moffs, to", 8, CODE(0x48, 0xa3), MOFFS, .writes = true},
	{"movs, from", 8, CODE(0x48, 0xa5), SI, .writes = false},
	{"cmovz", 8, CODE(0x48, 0x0f, 0x44, 0x07), DI, .writes = false},
	{"lfs", 6, CODE(0x0f, 0xb4, 0x07), DI, .writes = false},
	{"mov to ES", 2, CODE(0x8e, 0x07), DI, .writes = false},
	{"mov from ES", 2, CODE(0x8c, 0x07), DI, .writes = true},
	{"lar", 2, CODE(0x0f, 0x02, 0x07), DI, .writes = false},
	{"verr", 2, CODE(0x0f, 0x00, 0x27), DI, .writes = false},
	{"str", 2, CODE(0x0f, 0x00, 0x0f), DI, .writes = true},
	{"smsw", 2, CODE(0x0f, 0x01, 0x27), DI, .writes = true},
	{"fld of 10 bytes", 10, CODE(0xdb, 0xe3, 0xdb, 0x2f), DI, .writes = false},
	{"fstp of 10 bytes", 10, CODE(0xdb, 0xe3, 0xd9, 0xe8, 0xdb, 0x3f), DI, .writes = true},
	{"fbld", 10, CODE(0xdb, 0xe3, 0xdf, 0x27), DI, .writes = false},
	{"fbstp", 10, CODE(0xdb, 0xe3, 0xd9, 0xe8, 0xdf, 0x37), DI, .writes = true},
	{"fnstenv", 28, CODE(0xd9, 0x37), DI, .writes = true},
	{"frstor", 108, CODE(0xdd, 0x27, 0xdb, 0xe3), DI, .writes = false},
	{"fnsave", 108, CODE(0xdd, 0x37), DI, .writes = true},
	{"movhps, a load", 8, CODE(0x0f, 0x16, 0x07), DI, .writes = false},
	{"pinsrw", 2, CODE(0x66, 0x0f, 0xc4, 0x07, 0x00), DI, .writes = false},
	{"maskmovdqu", 16, CODE(0x66, 0x0f, 0x76, 0xc0, 0x66, 0x0f, 0xf7, 0xc0), DI, .writes = true},
	{"maskmovq", 8, CODE(0x0f, 0x76, 0xc0, 0x0f, 0xf7, 0xc0, 0x0f, 0x77), DI, .writes = true},
	{"enter with frame pointers", 16, CODE(0xc8, 0, 0, 3), BP, -16, .moves_stack = true},
	{"enter with its own frame pointer", 16, CODE(0xc8, 0, 0, 1), SP, -16, .writes = true, .moves_stack = true},
	{"leave", 8, CODE(0xc9), BP, .moves_stack = true},
	{"ret", 8, CODE(0xc3), SP, .moves_stack = true, .content = POINTER},
	{"ret and release", 8, CODE(0xc2, 8, 0), SP, .moves_stack = true, .content = POINTER},
	{"call through memory", 8, CODE(0xff, 0x17), DI, .moves_stack = true, .content = POINTER},
	{"jmp through memory", 8, CODE(0xff, 0x27), DI, .content = POINTER},
	{"far jmp through memory", 6, CODE(0xff, 0x2f), DI, .content = NEVER_COMPLETED},
	{"far call through memory", 6, CODE(0xff, 0x1f), DI, .moves_stack = true, .content = NEVER_COMPLETED},
	{"push of memory", 8, CODE(0xff, 0x37), DI, .moves_stack = true},
	{"push of an immediate", 8, CODE(0x6a, 0), SP, -8, .writes = true, .moves_stack = true},
	{"push of FS", 2, CODE(0x0f, 0xa0), SP, -8, .writes = true, .moves_stack = true},
	{"push of 2 bytes", 2, CODE(0x66, 0x50), SP, -2, .writes = true, .moves_stack = true},
	{"pop of FS", 2, CODE(0x0f, 0xa1), SP, .moves_stack = true},
	{"pop of 2 bytes", 2, CODE(0x66, 0x58), SP, .moves_stack = true},
	{"popf", 8, CODE(0x9d), SP, .moves_stack = true, .content = FLAGS},
};
static const struct row far_rows[] = {
	{"far ret", 16, CODE(0x48, 0xcb), SP, .moves_stack = true, .content = FRAME},
	{"iret", 40, CODE(0x48, 0xcf), SP, .moves_stack = true, .content = FRAME},
	{"stores of a far call", 8, CODE(0xff, 0x1e), SP, -8, .writes = true, .moves_stack = true, .content = NEVER_COMPLETED},
};
static const struct row environment[] = {{"fldenv", 28, CODE(0xd9, 0x27, 0xdb, 0xe3), DI, .writes = false}};
/* clang-format on */

struct scene {
	struct page code;
	struct page_pair pair;
	const struct row *row;
	uint64_t at; /* the operand's first byte */
	bool user;
};

static void append(uint8_t **to, const void *bytes, unsigned count)
{
	memcpy(*to, bytes, count);
	*to += count;
}

/* Pointers, EAX and EDX = 0, the instruction, and the way back. */
static void write_code(const struct scene *scene)
{
	static const uint8_t moves[][2] = {
		{0x48, 0xbf}, {0x48, 0xbe}, {0x48, 0xbb}, {0x48, 0xbd}, {0x48, 0xbc}};
	static const uint8_t zero[] = {0x31, 0xd2, 0x31, 0xc0};
	static const uint16_t far_pointer[] = {0, 0, USER_CS, 0};
	const struct row *row = scene->row;
	uint8_t *to = identity(scene->code.frame);
	uint64_t pointer = scene->at - (uint64_t)(int64_t)row->offset;
	uint64_t area = scene->code.linear.value + AREA, back = frame_word(1);

	for (unsigned i = 0; i < COUNT_OF(moves); i++) {
		if (!(row->pointers & 1u << i) && i >= 2)
			continue;
		append(&to, moves[i], 2);
		append(&to, row->pointers & 1u << i ? &pointer : &area, 8);
	}
	append(&to, zero, sizeof(zero));
	append(&to, row->code, row->count);
	if (row->pointers & MOFFS)
		append(&to, &pointer, 8);
	append(&to, &back, 8);
	memcpy((uint8_t *)identity(scene->code.frame) + TAIL, &back, 8);
	memcpy((uint8_t *)identity(scene->code.frame) + AREA, far_pointer, sizeof(far_pointer));
}

/* The operand lies over the border with `before` bytes in the first page. */
static void write_operand(struct scene *scene, unsigned before)
{
	uint8_t bytes[128] = {0};
	uint64_t back = scene->code.linear.value + TAIL;
	const uint64_t frame[] = {back, USER_CS, 2, back, USER_DS};

	scene->at = scene->pair.border.value - before;
	if (scene->row->content == POINTER || scene->row->content == FRAME)
		memcpy(bytes, frame, scene->row->content == FRAME ? sizeof(frame) : 8);
	if (scene->row->content == FLAGS)
		bytes[0] = 2;
	place_across(&scene->pair, bytes, scene->row->bytes, before);
	write_code(scene);
}

static struct outcome run(const struct scene *scene)
{
	struct access access = fetch_access(scene->code.linear);

	access.user = scene->user;
	return attempt(access);
}

static void expect_fault(const struct scene *scene, unsigned before, unsigned bad, uint64_t code)
{
	uint64_t border = scene->pair.border.value;
	uint64_t from = bad ? border : scene->at, to = bad ? scene->at + scene->row->bytes : border;
	struct outcome outcome = run(scene);

	code |= (scene->row->writes ? PF_W : 0) | (scene->user ? PF_U : 0);
	expect(outcome.vector == VECTOR_PF && outcome.error_code == code,
	       "%s with %u bytes in the first page, page %u bad: %s, error code 0x%llx, not 0x%llx",
	       scene->row->text, before, bad, vector_name(outcome.vector),
	       (unsigned long long)outcome.error_code, (unsigned long long)code);
	if (outcome.vector == VECTOR_PF)
		expect(outcome.cr2 - from < to - from, "%s: CR2 0x%llx, not 0x%llx to 0x%llx",
		       scene->row->text, (unsigned long long)outcome.cr2, (unsigned long long)from,
		       (unsigned long long)to - 1);
}

/* The page without P, U/S and R/W; cold, and with what the supervisor cached of it. */
static void try_faults(const struct scene *scene, unsigned before, unsigned bad)
{
	static const uint64_t taken[] = {P, US, RW};

	for (unsigned i = 0; i < 2 * COUNT_OF(taken); i++) {
		uint64_t good[2] = {scene->pair.good[0], scene->pair.good[1]};

		if (taken[i / 2] == RW && !scene->row->writes)
			continue;
		good[bad] &= ~taken[i / 2];
		set_page_pair(&scene->pair, good[0], good[1]);
		if (i & 1) {
			attempt(write_access(scene->pair.page.linear, 8, 0));
			attempt(write_access(LINEAR(scene->pair.border.value + 0x800), 8, 0));
		}
		expect_fault(scene, before, bad, taken[i / 2] == P ? 0 : PF_P);
	}
}

static void try_completion(const struct scene *scene, unsigned before)
{
	const struct page_pair *pair = &scene->pair;
	uint64_t wanted = scene->row->writes ? A | D : A;
	struct outcome outcome;

	set_page_pair(pair, pair->good[0] & ~(A | D), pair->good[1] & ~(A | D));
	outcome = run(scene);
	expect(outcome.vector == NO_VECTOR, "%s: %s, error code 0x%llx", scene->row->text,
	       vector_name(outcome.vector), (unsigned long long)outcome.error_code);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t flags = *(volatile uint64_t *)pair->entry[i] & (A | D);

		if (i ? before < scene->row->bytes : before > 0)
			expect(flags == wanted, "%s: page %u has A and D 0x%llx, not 0x%llx",
			       scene->row->text, i, (unsigned long long)flags,
			       (unsigned long long)wanted);
	}
}

static struct scene make_scene(bool user)
{
	return (struct scene){.code = map_page(user ? P | RW | US : P | RW),
			      .pair = map_page_pair(0, 0),
			      .user = user};
}

/* Every way to lie over the border; of long operands those near its ends, and the middle. */
static bool is_tried(const struct row *row, unsigned before)
{
	unsigned bytes = row->bytes;

	return bytes <= 16 || before <= 2 || before + 2 >= bytes || before == bytes / 2;
}

static void try_rows(const struct row *list, unsigned count)
{
	struct scene scene = make_scene(true);

	for (unsigned n = 0; n < count; n++) {
		scene.row = &list[n];
		for (unsigned before = 0; before <= list[n].bytes; before++) {
			if (!is_tried(scene.row, before))
				continue;
			write_operand(&scene, before);
			if (before > 0)
				try_faults(&scene, before, 0);
			if (before < list[n].bytes)
				try_faults(&scene, before, 1);
			if (list[n].content != NEVER_COMPLETED)
				try_completion(&scene, before);
		}
	}
}

TEST(each_part_of_an_operand_has_the_rights_of_user_mode,
     "Each byte of an operand is read or written with the rights of user mode, and marked", MANUAL,
     "")
{
	try_rows(rows, COUNT_OF(rows));
}

/* The far pointer of CALL is in the area. Apart, since emulators use what they have for interrupts.
 */
TEST(far_transfers_use_the_stack_with_the_rights_of_user_mode,
     "RET, IRET and CALL to another segment of CPL 3 use the stack with the rights of user mode",
     MANUAL, "")
{
	try_rows(far_rows, COUNT_OF(far_rows));
}

/* Apart, since emulators keep no more of it than they need. */
TEST(fldenv_reads_its_environment_with_the_rights_of_user_mode,
     "FLDENV reads each of 28 bytes with the rights of user mode", MANUAL, "")
{
	try_rows(environment, COUNT_OF(environment));
}

TEST(smap_counts_for_each_part_of_an_operand,
     "With CR4.SMAP = 1 no byte of a supervisor's operand may be in a user page", MANUAL, "smap")
{
	struct scene scene = make_scene(false);

	set_cr4(CR4_SMAP);
	for (unsigned n = 0; n < COUNT_OF(rows); n++) {
		scene.row = &rows[n];
		for (unsigned before = 0; before <= rows[n].bytes; before++) {
			if (rows[n].moves_stack || !is_tried(&rows[n], before))
				continue;
			write_operand(&scene, before);
			for (unsigned bad = before == 0; bad <= (before < rows[n].bytes); bad++) {
				uint64_t first = scene.pair.good[0], second = scene.pair.good[1];

				set_page_pair(&scene.pair, bad ? first & ~US : first,
					      bad ? second : second & ~US);
				expect_fault(&scene, before, bad, PF_P);
			}
		}
	}
}
