/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Two accesses of L2 to one page within one VM entry.
 *
 * What the first access has cached holds for the second what the second level of translation
 * allows, not what the first access asked for: a write after a read needs the right to write and
 * sets the dirty flag, a fetch after a read the right to execute (SDM Vol. 3, "EPT Violations",
 * "Accessed and Dirty Flags for EPT"; APM Vol. 2, "Nested Paging"). L2's own paging, or that it has
 * none, makes no difference, nor does its privilege level.
 *
 * Caught here: combined translations that a read has cached and a write may use (R34 to R38; V803
 * in the second dimension), above all for an L2 without paging, whose translations are easily taken
 * for ones without rights; hypervisors that keep shadows of L2, emulators with one TLB for all.
 * Other images come back to L1 after each access, where a machine may drop everything.
 *
 * Not checked: all rights and levels (ept, npt and ept_modes); accesses after a change (vpid and
 * the like).
 */
#include "test.h"

SUBJECT(l2_sequences, "rights and flags of the second level for a second access in one VM entry");

#define MANUAL "SDM Vol. 3, \"EPT Violations\"; APM Vol. 2, \"Nested Paging\""
#define FLAGS  "SDM Vol. 3, \"Accessed and Dirty Flags for EPT\"; APM Vol. 2, \"Nested Paging\""
#define NEEDS  "second_level"
#define ALL    (P | RW | US | A | D)
#define TAG    31

/* The same bytes are 32-bit and 64-bit code; the page begins with UD2. */
enum { READ_READ, READ_WRITE, READ_FETCH, WRITE_READ, PROGRAMS };

static const struct program {
	uint8_t code[8];
	unsigned needs; /* of the second access */
	unsigned second_at;
} programs[PROGRAMS] = {
	[READ_READ] = {{0x8b, 0x07, 0x8b, 0x07, 0x0f, 0x0b}, SECOND_READ, 2},
	[READ_WRITE] = {{0x8b, 0x07, 0x89, 0x07, 0x0f, 0x0b}, SECOND_WRITE, 2},
	[READ_FETCH] = {{0x8b, 0x07, 0xff, 0xe7}, SECOND_EXECUTE, 2},
	[WRITE_READ] = {{0x89, 0x07, 0x8b, 0x07, 0x0f, 0x0b}, SECOND_READ, 2},
};

static const char *const names[] = {"read, read", "read, write", "read, jump", "write, read"};

struct scene {
	struct l2 *l2;
	struct l2_page page, code;
};

static struct scene make_scene(enum l2_mode mode, enum level second, bool flags)
{
	struct scene scene = {.l2 = l2_start(mode, .second_of_pages = second,
					     .accessed_dirty = flags && !has(FEATURE_svm))};

	scene.page = l2_map(scene.l2, PT, ALL, TAG);
	scene.code = l2_map(scene.l2, PT, ALL, TAG);
	return scene;
}

/* Runs it; AX holds UD2, so that the page stays what it is. */
static struct l2_exit run(const struct scene *scene, const struct program *program, bool user)
{
	struct l2_registers registers = {.rax = 0x0b0f,
					 .rdi = scene->page.linear.value,
					 .rip = scene->code.linear.value,
					 .rflags = RFLAGS_FIXED};
	struct l2_exit exit;

	memcpy(identity(scene->code.frame), program->code, sizeof(program->code));
	*(volatile uint32_t *)identity(scene->page.frame) = 0x0b0f;
	second_invalidate(&scene->l2->second, SECOND_FLUSH_ALL);
	scene->l2->user = user;
	scene->l2->backend->enter(scene->l2, &registers, &exit);
	return exit;
}

static void expect_exit(const struct scene *scene, unsigned n, const struct l2_exit *exit,
			unsigned rights)
{
	const struct program *program = &programs[n];
	uint64_t second = scene->code.linear.value + program->second_at;

	if (program->needs & ~rights) {
		expect(exit->kind == L2_VIOLATION && exit->gpa == scene->page.gpa.value &&
			       exit->access == program->needs,
		       "%s with rights %u: exit kind %u at 0x%llx, access %u, vector %u", names[n],
		       rights, exit->kind, (unsigned long long)exit->gpa, exit->access,
		       exit->vector);
		expect(exit->rip == (n == READ_FETCH ? scene->page.linear.value : second),
		       "RIP 0x%llx", (unsigned long long)exit->rip);
		return;
	}
	expect(exit->kind == L2_EXCEPTION && exit->vector == VECTOR_UD,
	       "%s with rights %u: exit kind %u at 0x%llx, vector %u", names[n], rights, exit->kind,
	       (unsigned long long)exit->gpa, exit->vector);
}

/* The page with each right beside that to read; the first access is always allowed. */
static void try_rights(enum l2_mode mode, enum level second)
{
	struct scene scene = make_scene(mode, second, false);
	enum level level = second_page_level(&scene.l2->second, scene.page.gpa);
	bool can_deny_fetches = second_can_deny(&scene.l2->second, SECOND_EXECUTE);

	for (unsigned i = 0; i < 4 * 2 * PROGRAMS; i++) {
		unsigned rights = SECOND_READ | (i & 1 ? SECOND_WRITE : 0) |
				  (i & 2 || !can_deny_fetches ? SECOND_EXECUTE : 0);
		unsigned n = i / 8;
		struct l2_exit exit;

		if (n == WRITE_READ && !(rights & SECOND_WRITE))
			continue;
		second_allow(&scene.l2->second, scene.page.gpa, level, rights, SECOND_NO_FLUSH);
		exit = run(&scene, &programs[n], i & 4);
		expect_exit(&scene, n, &exit, rights);
	}
	second_allow(&scene.l2->second, scene.page.gpa, level, SECOND_ALL, SECOND_FLUSH);
}

/* Flags of the page's entry, and of those of its structures' pages in which it is kept. */
static void try_flags(enum l2_mode mode, enum level second)
{
	struct scene scene = make_scene(mode, second, true);
	const struct second_level_kind *kind = scene.l2->second.kind;
	enum level level = second_page_level(&scene.l2->second, scene.page.gpa);
	volatile uint64_t *entry = second_entry(&scene.l2->second, scene.page.gpa, level);

	for (unsigned i = 0; i < 2 * PROGRAMS; i++) {
		unsigned n = i / 2;
		uint64_t wanted =
			kind->accessed | (n == READ_WRITE || n == WRITE_READ ? kind->dirty : 0);

		second_set_flags(&scene.l2->second, false, false);
		run(&scene, &programs[n], i & 1);
		expect((*entry & (kind->accessed | kind->dirty)) == wanted,
		       "%s, %s mode: the entry is 0x%llx", names[n], i & 1 ? "user" : "supervisor",
		       (unsigned long long)*entry);
	}
}

static void try_mode(enum l2_mode mode, void (*try)(enum l2_mode mode, enum level second))
{
	for (int second = PT; second <= PD; second++)
		try(mode, (enum level)second);
}

TEST(rights_hold_for_the_second_access_without_paging,
     "of an L2 with CR0.PG = 0, too, each access needs its own right, whatever came before", MANUAL,
     NEEDS)
{
	if (!has(FEATURE_svm) && !has_vmx(VMX_FEATURE_unrestricted_guest))
		end_case_skipped("unrestricted_guest", "not offered here: L2 without paging");
	try_mode(L2_UNPAGED, try_rights);
}

TEST(rights_hold_for_the_second_access,
     "each access of L2 needs its own right of the second level, whatever came before", MANUAL,
     NEEDS)
{
	for (int mode = L2_32BIT; mode <= L2_4LEVEL; mode++)
		try_mode((enum l2_mode)mode, try_rights);
}

TEST(flags_follow_the_second_access,
     "a write after a read sets the dirty flag of the second level, a read after it none", FLAGS,
     NEEDS " second_level_flags")
{
	for (int mode = L2_32BIT; mode <= L2_4LEVEL; mode++)
		try_mode((enum l2_mode)mode, try_flags);
}
