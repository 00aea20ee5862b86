/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The scene's memory and the writing of its script; judge_scene.c judges.
 */
#include "check/mode_scene.h"

#include "check/report.h"
#include "cpu/control.h"
#include "cpu/features.h"
#include "libc/string.h"
#include "mem/frames.h"
#include "paging/space.h"

#define BLOCK_BYTES   (4 * MBYTE) /* holds the target, as do large pages */
#define TARGET_OFFSET 0x5240
#define TARGET_PAGE   5
#define ENTRIES_32    1024
#define IDENTITY      (P | RW | A | D)
#define USER	      (P | RW | US)

/* mov $tag, %eax; ret */
static void put_code(uint64_t address, uint32_t tag)
{
	uint8_t *code = identity(GPA(address));

	code[0] = 0xb8;
	memcpy(code + 1, &tag, 4);
	code[5] = 0xc3;
}

static uint32_t small_page(unsigned entry_bytes, uint32_t tag)
{
	uint64_t table = frame_alloc().value, frame = frame_alloc().value;

	put_code(frame + TARGET_OFFSET % PAGE_4K, tag);
	*(uint32_t *)identity(GPA(table + TARGET_PAGE * entry_bytes)) = (uint32_t)frame | USER;
	return (uint32_t)table | USER;
}

/* Where CR4.PSE = 0 the large page's first bytes are a page table with nothing in it. */
static uint32_t large_page(uint32_t tag)
{
	uint64_t block = frames_alloc(BLOCK_BYTES).value;

	memset(identity(GPA(block)), 0, PAGE_4K);
	put_code(block + TARGET_OFFSET, tag);
	return (uint32_t)block | USER | PS;
}

static void make_entry(struct mode_scene *scene, enum paging_mode mode, gpa_t directory)
{
	unsigned bytes = mode == MODE_32BIT ? 4 : 8;
	struct scene_root *root = &scene->mode[mode];
	uint32_t tag = 16 * mode;

	root->entry = (uint32_t)directory.value +
		      scene->target / (mode == MODE_32BIT ? 4 * MBYTE : PAGE_2M) * bytes;
	for (int variant = SMALL_PAGE; variant < LARGE_PAGE; variant++)
		root->value[variant] = small_page(bytes, tag + (uint32_t)variant);
	root->value[LARGE_PAGE] = large_page(tag + LARGE_PAGE);
	*(uint32_t *)identity(GPA(root->entry)) = root->value[SMALL_PAGE];
}

/* The image alone, by page tables, whose PDEs mean the same whatever CR4.PSE is. */
static void make_32bit_root(struct mode_scene *scene)
{
	gpa_t directory = frame_alloc();
	uint32_t *entry = identity(directory);

	for (uint32_t i = 0; i < MODE_SCRIPT_IMAGE_TO / BLOCK_BYTES; i++) {
		gpa_t table = frame_alloc();

		entry[i] = (uint32_t)table.value | P | RW | A;
		for (uint32_t j = 0; j < ENTRIES_32; j++)
			((uint32_t *)identity(table))[j] = i << 22 | j << 12 | IDENTITY;
	}
	scene->mode[MODE_32BIT].root = (uint32_t)directory.value;
	make_entry(scene, MODE_32BIT, directory);
}

/* The first GByte by pages of 2 MBytes. */
static gpa_t identity_directory(void)
{
	gpa_t directory = frame_alloc();

	for (uint64_t i = 0; i < PAGE_4K / 8; i++)
		((uint64_t *)identity(directory))[i] = i << 21 | IDENTITY | PS;
	return directory;
}

static void make_pae_root(struct mode_scene *scene)
{
	gpa_t pdpt = frame_alloc(), directory = identity_directory();

	*(uint64_t *)identity(pdpt) = directory.value | P;
	scene->mode[MODE_PAE].root = (uint32_t)pdpt.value;
	make_entry(scene, MODE_PAE, directory);
}

static uint64_t *first_of_copy(gpa_t copy, const uint64_t *table)
{
	memcpy(identity(copy), table, PAGE_4K);
	return identity(copy);
}

static gpa_t make_long_mode_root(struct mode_scene *scene, enum paging_mode mode)
{
	gpa_t root = copy_root(), pdpt = frame_alloc(), directory = identity_directory();
	uint64_t *entry = identity(root);

	*first_of_copy(pdpt, identity(GPA(*entry & ENTRY_ADDRESS))) = directory.value | USER;
	*entry = pdpt.value | USER;
	scene->mode[mode].root = (uint32_t)root.value;
	make_entry(scene, mode, directory);
	return root;
}

static void make_5level_root(struct mode_scene *scene)
{
	gpa_t below = make_long_mode_root(scene, MODE_5LEVEL), root = frame_alloc();

	*(uint64_t *)identity(root) = below.value | USER;
	scene->mode[MODE_5LEVEL].root = (uint32_t)root.value;
}

void make_mode_scene(struct mode_scene *scene)
{
	gpa_t block = frames_alloc(BLOCK_BYTES);

	scene->target = (uint32_t)block.value + TARGET_OFFSET;
	put_code(scene->target, 16 * UNPAGED);
	make_32bit_root(scene);
	make_pae_root(scene);
	make_long_mode_root(scene, MODE_4LEVEL);
	make_5level_root(scene);
	scene->pkru = 0;
	scene->count = 0;
	scene->now =
		(struct model_registers){read_cr0(), read_cr3(), read_cr4(), read_msr(MSR_EFER)};
	scene_write(scene, MODEL_CR3, scene->mode[MODE_4LEVEL].root);
}

bool mode_is_offered(enum paging_mode mode)
{
	return (mode != MODE_5LEVEL || has(FEATURE_la57)) &&
	       (mode != MODE_32BIT || has(FEATURE_pse));
}

bool scene_has_room(const struct mode_scene *scene, unsigned steps)
{
	return scene->count + steps <= MOST_SCENE_STEPS;
}

void scene_step(struct mode_scene *scene, uint32_t op, uint32_t operand, uint32_t value)
{
	if (!scene_has_room(scene, 1))
		end_case_failed("the script is too long");
	scene->before[scene->count] = scene->now;
	scene->step[scene->count++] =
		(struct mode_step){.op = op, .operand = operand, .value = value};
}

void scene_write(struct mode_scene *scene, enum model_register which, uint64_t value)
{
	static const uint32_t ops[] = {[MODEL_CR0] = MODE_SCRIPT_CR0,
				       [MODEL_CR3] = MODE_SCRIPT_CR3,
				       [MODEL_CR4] = MODE_SCRIPT_CR4,
				       [MODEL_EFER] = MODE_SCRIPT_EFER};

	scene_step(scene, ops[which], 0, (uint32_t)value);
	model_write_register(&scene->now, which, value);
}

void scene_use(struct mode_scene *scene)
{
	scene_step(scene, MODE_SCRIPT_READ, scene->target, 0);
	scene_step(scene, MODE_SCRIPT_CALL, scene->target, 0);
}

void scene_store(struct mode_scene *scene, enum paging_mode mode, enum scene_variant variant)
{
	scene_step(scene, MODE_SCRIPT_WRITE, scene->mode[mode].entry,
		   scene->mode[mode].value[variant]);
}

enum paging_mode mode_of_registers(const struct model_registers *registers)
{
	const struct paging_format *format = model_format(registers);

	if (!format)
		return UNPAGED;
	if (format->entry_bytes == 4)
		return MODE_32BIT;
	return format->top == PD ? MODE_PAE : format->top == PML4 ? MODE_4LEVEL : MODE_5LEVEL;
}

enum paging_mode scene_mode(const struct mode_scene *scene)
{
	return mode_of_registers(&scene->now);
}

void leave_paging(struct mode_scene *scene)
{
	if (scene->now.cr4 & CR4_PCIDE)
		scene_write(scene, MODEL_CR4, scene->now.cr4 & ~CR4_PCIDE);
	if (scene->now.cr0 & CR0_PG)
		scene_write(scene, MODEL_CR0, scene->now.cr0 & ~CR0_PG);
}

/* A register is written where its value is another one. */
static void set(struct mode_scene *scene, enum model_register which, uint64_t old, uint64_t value)
{
	if (old != value)
		scene_write(scene, which, value);
}

void enter_mode(struct mode_scene *scene, enum paging_mode mode)
{
	bool long_mode = mode >= MODE_4LEVEL;
	uint64_t cr4 = scene->now.cr4 & ~CR4_PAE, efer = scene->now.efer & ~EFER_LME;

	if (mode == UNPAGED)
		return;
	if (mode >= MODE_PAE)
		cr4 |= CR4_PAE;
	if (long_mode)
		cr4 = mode == MODE_5LEVEL ? cr4 | CR4_LA57 : cr4 & ~CR4_LA57;
	set(scene, MODEL_CR4, scene->now.cr4, cr4);
	set(scene, MODEL_EFER, scene->now.efer, long_mode ? efer | EFER_LME : efer);
	set(scene, MODEL_CR3, scene->now.cr3, scene->mode[mode].root);
	scene_write(scene, MODEL_CR0, scene->now.cr0 | CR0_PG);
}

void scene_go(struct mode_scene *scene, enum paging_mode mode)
{
	leave_paging(scene);
	enter_mode(scene, mode);
}
