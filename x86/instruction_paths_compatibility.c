/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions of 32-bit code with a path of their own to memory, byte by byte of their operands.
 *
 * The same promise as that of instruction_paths, in compatibility mode at CPL 3, for instructions
 * that 64-bit mode does not have, and for the stack in parts of 2 and 4 bytes: PUSHA, POPA, BOUND,
 * LES, PUSH and POP of segments (SDM Vol. 3, "Determination of Access Rights"; "Page-Fault
 * Exceptions").
 *
 * Caught here: emulators that serve such an instruction part by part, or by a function that system
 * structures share, and forget for whom (KS26, XS08, XS09).
 *
 * Not checked: what a store in parts has written before it faults (P18); what is loaded.
 */
#include "test.h"

SUBJECT(instruction_paths_compatibility, "PUSHA, BOUND, LES and others of 32-bit code, by parts");

#define MANUAL "SDM Vol. 3, \"Determination of Access Rights\"; \"Page-Fault Exceptions\""
#define ALL    (P | RW | US | A | D)
#define FIRST  LINEAR(0x56789000)
#define SECOND LINEAR(0x5678a000)
#define CODE   LINEAR(0x6a3c5000)

/* In the page of code: the way back, an operand that nothing is wrong with, a stack, ESP. */
enum { TAIL = 0x400, AREA = 0x800, STACK = 0xa00, SAVED = 0xc00 };

enum { DI = 1, SI = 2, BX = 4, BP = 8, SP = 16 };

struct row {
	const char *text;
	uint8_t bytes, count, code[6];
	uint8_t pointers;
	int8_t offset;
	bool writes;
	uint8_t content; /* of the operand: zeroes, the way back as a pointer, flags */
};

enum { ZEROES, POINTER, FLAGS };

#define BYTES(...)                        \
	sizeof((uint8_t[]){__VA_ARGS__}), \
	{                                 \
		__VA_ARGS__               \
	}
/* clang-format off */
static const struct row rows[] = {
	{"pusha", 32, BYTES(0x60), SP, -32, true, ZEROES},
	{"pusha of 2 bytes each", 16, BYTES(0x66, 0x60), SP, -16, true, ZEROES},
	{"popa", 32, BYTES(0x61), SP, 0, false, ZEROES},
	{"popa of 2 bytes each", 16, BYTES(0x66, 0x61), SP, 0, false, ZEROES},
	{"push of ES", 2, BYTES(0x06), SP, -4, true, ZEROES},
	{"pop of ES", 2, BYTES(0x07), SP, 0, false, ZEROES},
	{"push of 4 bytes", 4, BYTES(0x50), SP, -4, true, ZEROES},
	{"pop of 4 bytes", 4, BYTES(0x58), SP, 0, false, ZEROES},
	{"pushf", 4, BYTES(0x9c), SP, -4, true, ZEROES},
	{"popf", 4, BYTES(0x9d), SP, 0, false, FLAGS},
	{"push of memory", 4, BYTES(0xff, 0x37), DI, 0, false, ZEROES},
	{"pop to memory", 4, BYTES(0x8f, 0x07), DI, 0, true, ZEROES},
	{"call through memory", 4, BYTES(0xff, 0x17), DI, 0, false, POINTER},
	{"jmp through memory", 4, BYTES(0xff, 0x27), DI, 0, false, POINTER},
	{"ret", 4, BYTES(0xc3), SP, 0, false, POINTER},
	{"enter with frame pointers", 8, BYTES(0xc8, 0, 0, 3), BP, -8, false, ZEROES},
	{"leave", 4, BYTES(0xc9), BP, 0, false, ZEROES},
	{"bound", 8, BYTES(0x62, 0x07), DI, 0, false, ZEROES},
	{"bound of 2 bytes each", 4, BYTES(0x66, 0x62, 0x07), DI, 0, false, ZEROES},
	{"scas", 4, BYTES(0xaf), DI, 0, false, ZEROES},
	{"enter", 4, BYTES(0xc8, 0, 0, 0), SP, -4, true, ZEROES},
	{"les", 6, BYTES(0xc4, 0x07), DI, 0, false, ZEROES},
	{"xlat", 1, BYTES(0xd7), BX, 0, false, ZEROES},
	{"cmps, through ESI", 4, BYTES(0xa7), SI, 0, false, ZEROES},
	{"cmps, through EDI", 4, BYTES(0xa7), DI, 0, false, ZEROES},
	{"movs, from", 4, BYTES(0xa5), SI, 0, false, ZEROES},
	{"fld of 10 bytes", 10, BYTES(0xdb, 0xe3, 0xdb, 0x2f), DI, 0, false, ZEROES},
	{"fstp of 10 bytes", 10, BYTES(0xdb, 0xe3, 0xd9, 0xe8, 0xdb, 0x3f), DI, 0, true, ZEROES},
	{"fnstenv", 28, BYTES(0xd9, 0x37), DI, 0, true, ZEROES},
};
/* clang-format on */

struct scene {
	struct page code, page[2];
	const struct row *row;
	uint32_t at; /* the operand's first byte */
};

static struct scene make_scene(void)
{
	use_low_pages();
	return (struct scene){.code = map_low_page(CODE, PT, frame_alloc(), ALL),
			      .page = {map_low_page(FIRST, PT, frame_alloc(), ALL),
				       map_low_page(SECOND, PT, frame_alloc(), ALL)}};
}

static void append(uint8_t **to, const void *bytes, unsigned count)
{
	memcpy(*to, bytes, count);
	*to += count;
}

/* An instruction whose bytes end with 4 that are a number. */
static void append_number(uint8_t **to, const char *bytes, unsigned count, uint32_t number)
{
	append(to, bytes, count);
	append(to, &number, 4);
}

/* Back with the stack pointer that the attempt came with. */
static void append_return(uint8_t **to)
{
	uint64_t back = frame_word(1);

	append_number(to, "\x8b\x25", 2, (uint32_t)CODE.value + SAVED); /* mov saved, %esp */
	append(to, &back, 8);
}

static void write_code(const struct scene *scene)
{
	static const char moves[] = "\xbf\xbe\xbb\xbd\xbc";
	const struct row *row = scene->row;
	uint32_t pointer = scene->at - (uint32_t)row->offset, code = (uint32_t)CODE.value;
	uint8_t *page = identity(scene->code.frame), *to = page, *tail = page + TAIL;

	append_number(&to, "\x89\x25", 2, code + SAVED); /* mov %esp, saved */
	for (unsigned i = 0; i < 5; i++)
		append_number(&to, &moves[i], 1,
			      row->pointers & 1u << i ? pointer : code + (i == 4 ? STACK : AREA));
	append(&to, "\x31\xc0\x31\xd2", 4); /* xor %eax, %eax; xor %edx, %edx */
	append(&to, row->code, row->count);
	append_return(&to);
	append_return(&tail);
}

/* `before` bytes of the operand are in the first page. */
static void write_operand(struct scene *scene, unsigned before)
{
	uint8_t bytes[32] = {0};
	uint32_t back = (uint32_t)CODE.value + TAIL;

	scene->at = (uint32_t)SECOND.value - before;
	if (scene->row->content == POINTER)
		memcpy(bytes, &back, 4);
	if (scene->row->content == FLAGS)
		bytes[0] = 2;
	memcpy((uint8_t *)identity(scene->page[0].frame) + PAGE_4K - before, bytes, before);
	memcpy(identity(scene->page[1].frame), bytes + before, scene->row->bytes - before);
	write_code(scene);
}

static struct outcome run(void)
{
	return attempt(in_compatibility_mode(as_user(fetch_access(CODE))));
}

static void set_entry(const struct page *page, uint64_t clear)
{
	write_entry(page, PT, (page->frame.value | ALL) & ~clear, INVLPG);
}

static void try_fault(const struct scene *scene, unsigned before, unsigned bad, uint64_t taken)
{
	const struct row *row = scene->row;
	uint64_t code = PF_U | (taken == P ? 0 : PF_P) | (row->writes ? PF_W : 0);
	uint64_t from = bad ? SECOND.value : scene->at;
	uint64_t to = bad ? scene->at + row->bytes : SECOND.value;
	struct outcome outcome;

	set_entry(&scene->page[bad], taken);
	set_entry(&scene->page[!bad], 0);
	attempt(read_access(FIRST, 8));
	attempt(read_access(linear_plus(SECOND, 0x800), 8));
	outcome = run();
	expect(outcome.vector == VECTOR_PF && outcome.error_code == code,
	       "%s with %u bytes in the first page, page %u bad: %s, error code 0x%llx, not 0x%llx",
	       row->text, before, bad, vector_name(outcome.vector),
	       (unsigned long long)outcome.error_code, (unsigned long long)code);
	if (outcome.vector == VECTOR_PF)
		expect(outcome.cr2 - from < to - from, "%s: CR2 0x%llx, not 0x%llx to 0x%llx",
		       row->text, (unsigned long long)outcome.cr2, (unsigned long long)from,
		       (unsigned long long)to - 1);
}

static void try_completion(const struct scene *scene, unsigned before)
{
	struct outcome outcome;

	for (unsigned i = 0; i < 2; i++)
		set_entry(&scene->page[i], A | D);
	outcome = run();
	expect(outcome.vector == NO_VECTOR, "%s: %s, error code 0x%llx", scene->row->text,
	       vector_name(outcome.vector), (unsigned long long)outcome.error_code);
	for (unsigned i = 0; i < 2; i++)
		if (i ? before < scene->row->bytes : before > 0)
			expect_flags(&scene->page[i], PT, A | D, scene->row->writes ? A | D : A);
}

TEST(each_part_of_an_operand_has_the_rights_of_user_mode,
     "Each byte of an operand of 32-bit code has the rights of user mode, and is marked", MANUAL,
     "")
{
	static const uint64_t taken[] = {P, US, RW};
	struct scene scene = make_scene();

	for (unsigned n = 0; n < COUNT_OF(rows); n++) {
		scene.row = &rows[n];
		for (unsigned before = 0; before <= rows[n].bytes; before++) {
			write_operand(&scene, before);
			for (unsigned i = 0; i < 2 * (rows[n].writes ? 3u : 2u); i++)
				if (i & 1 ? before < rows[n].bytes : before > 0)
					try_fault(&scene, before, i & 1, taken[i / 2]);
			try_completion(&scene, before);
		}
	}
}
