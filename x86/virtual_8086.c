/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Virtual-8086 mode: accesses by 16-bit code are user-mode accesses.
 *
 * In virtual-8086 mode CPL is 3, and a linear address is 16 times the segment's selector plus the
 * offset (SDM Vol. 3, "8086 Emulation"). Paging treats the accesses as those of user mode: U/S must
 * be 1 in every entry, U/S is 1 in the error code, and accessed and dirty flags are set as ever
 * ("Determination of Access Rights", "Page-Fault Exceptions").
 *
 * Caught here: a mode that is taken for real mode, so that rights are not looked at (R30); a CPL
 * taken from the low bits of a selector, which here is 0 or anything; pushes by 16-bit code with
 * other rights; addresses from descriptors; edits that are not seen from this mode. Hypervisors
 * that emulate 16-bit code of guests go wrong here, and emulators that derive the mode from CS.
 *
 * Not checked: addresses above 1 MByte, where the image itself lies; interrupts and I/O of the
 * mode.
 */
#include "test.h"

SUBJECT(virtual_8086, "accesses from virtual-8086 mode under 32-bit and PAE paging");
BUILT_FOR_32BIT;

#define MANUAL	    "SDM Vol. 3, \"Determination of Access Rights\""
#define CODE_LINEAR 0x20000u
#define DATA_LINEAR 0x30000u
#define WORD_OFFSET 0x124u
#define EFLAGS_VM   (1u << 17)

/* What IRET pops to enter the mode. */
struct v86_frame {
	uint32_t eip, cs, eflags, esp, ss, es, ds, fs, gs;
};

enum operation { READ, WRITE, PUSH, EXECUTE, OPERATIONS };

struct scene {
	struct legacy_page code, data;
	struct v86_frame frame;
};

static const char *const names[OPERATIONS] = {"read", "write", "push", "fetch"};

/* Page 0x20 and page 0x30 of the first megabyte become the case's; the rest of their page table
 * stays the identity map. */
static struct legacy_page low_page(uint32_t linear, char *directory, char *table)
{
	unsigned bytes = current_format()->entry_bytes;
	struct legacy_page page = {
		.linear = LINEAR(linear), .frame = frame_alloc(), .level = PT, .bytes = PAGE_4K};

	page.entry[PD] = directory;
	page.entry[PT] = table + linear / PAGE_4K * bytes;
	legacy_write(&page, PT, page.frame.value | P | RW | US);
	return page;
}

static void make_scene(struct scene *scene)
{
	unsigned bytes = current_format()->entry_bytes;
	struct legacy_page any = legacy_map(PT, frame_alloc(), P | RW | US);
	struct legacy_root root = make_legacy_root(&any, 1);
	gpa_t directory = frame_alloc(), table = frame_alloc();
	uint64_t *pdptes = identity(root.address);

	if (current_pdptes()) {
		memcpy(identity(directory), identity(GPA(pdptes[0] & ~0xfffull)), PAGE_4K);
		pdptes[0] = directory.value | P;
	} else {
		directory = root.address;
	}
	for (unsigned i = 0; i < PAGE_4K / bytes; i++) {
		struct legacy_page entry = {.entry[PT] = (char *)identity(table) + i * bytes};

		legacy_write(&entry, PT, i * PAGE_4K | P | RW | A | D);
	}
	scene->code = low_page(CODE_LINEAR, identity(directory), identity(table));
	scene->data = low_page(DATA_LINEAR, identity(directory), identity(table));
	legacy_write(&scene->data, PD, table.value | P | RW | US);
	mov_to_cr3(root.address.value);
	if (current_pdptes())
		note_pdptes();
}

/* mov eax, tag; hlt */
static void fill_data(const struct scene *scene, uint32_t tag)
{
	uint8_t *to = (uint8_t *)identity(scene->data.frame) + WORD_OFFSET;
	const uint8_t code[] = {0x66, 0xb8, (uint8_t)tag, 0, 0, 0, 0xf4, 0xf4};

	memcpy(to, code, sizeof(code));
}

/* The instruction and HLT, by which CPL 3 is left; the offset of HLT. */
static uint32_t write_code(const struct scene *scene, enum operation operation)
{
	static const uint8_t code[OPERATIONS][8] = {
		{0x66, 0xa1, WORD_OFFSET & 0xff, WORD_OFFSET >> 8, 0xf4},
		{0x66, 0xa3, WORD_OFFSET & 0xff, WORD_OFFSET >> 8, 0xf4},
		{0x66, 0x50, 0xf4},
		{0xea, WORD_OFFSET & 0xff, WORD_OFFSET >> 8, 0x00, DATA_LINEAR >> 12, 0xf4},
	};
	static const uint32_t halt[OPERATIONS] = {4, 4, 2, WORD_OFFSET + 6};

	memcpy(identity(scene->code.frame), code[operation], 8);
	return halt[operation];
}

/* Segments' selectors have all values of their low two bits. */
static struct outcome run_16bit(struct scene *scene)
{
	scene->frame = (struct v86_frame){
		.cs = CODE_LINEAR >> 4,
		.eflags = EFLAGS_VM | 2,
		.ss = (DATA_LINEAR >> 4) - 3,
		.esp = WORD_OFFSET + 4 + 3 * 16,
		.ds = DATA_LINEAR >> 4,
		.es = 1,
		.fs = 2,
		.gs = 3,
	};
	return attempt(
		instruction_access(INSTRUCTION_iret_32bit, LINEAR((uintptr_t)&scene->frame), 0x77));
}

static struct access access_of(const struct scene *scene, enum operation operation)
{
	linear_t linear = linear_plus(scene->data.linear, WORD_OFFSET);

	return as_user(operation == READ      ? read_access(linear, 4)
		       : operation == EXECUTE ? fetch_access(linear)
					      : write_access(linear, 4, 0x77));
}

static void expect_flags_of(const struct scene *scene, enum operation operation, bool completes)
{
	uint64_t entry = legacy_entry(&scene->data, PT);
	bool writes = operation != READ && operation != EXECUTE;

	expect(!completes || entry & A, "%s: PTE is 0x%llx", names[operation],
	       (unsigned long long)entry);
	expect(!(entry & D) == !(completes && writes), "%s: PTE is 0x%llx", names[operation],
	       (unsigned long long)entry);
}

static void try_operation(struct scene *scene, enum operation operation)
{
	uint32_t halt = write_code(scene, operation);
	struct model_outcome wanted = modelled_outcome(access_of(scene, operation));
	bool completes = wanted.vector == MODEL_COMPLETES;
	struct outcome seen;

	fill_data(scene, 0x5a);
	seen = run_16bit(scene);
	if (completes)
		expect(seen.vector == VECTOR_GP && seen.rip == halt, "%s: vector %u at 0x%llx",
		       names[operation], seen.vector, (unsigned long long)seen.rip);
	else
		expect(seen.vector == VECTOR_PF &&
			       !((seen.error_code ^ wanted.error_code) & ~wanted.open_code) &&
			       seen.cr2 == scene->data.linear.value + WORD_OFFSET,
		       "%s: vector %u, error code 0x%llx, CR2 0x%llx; wanted error code 0x%llx",
		       names[operation], seen.vector, (unsigned long long)seen.error_code,
		       (unsigned long long)seen.cr2, (unsigned long long)wanted.error_code);
	if (completes && operation == EXECUTE)
		expect(seen.value[0] == 0x5a, "executed 0x%llx", (unsigned long long)seen.value[0]);
	expect_flags_of(scene, operation, completes);
}

static void try_rights(void)
{
	struct scene scene;
	uint64_t table;

	clear_cr0(CR0_WP); /* the image itself lies under the PDE */
	make_scene(&scene);
	table = legacy_entry(&scene.data, PD) & ~0xfffull;
	for (unsigned rights = 0; rights < 16 * OPERATIONS; rights++) {
		legacy_write(&scene.data, PT, scene.data.frame.value | (rights & 7));
		legacy_write(&scene.data, PD, table | P | US | (rights & 8 ? RW : 0));
		invalidate(scene.data.linear, rights & 1 ? INVLPG : MOV_CR3);
		try_operation(&scene, (enum operation)(rights / 16));
	}
	legacy_write(&scene.data, PD, table | P | RW | US);
}

TEST(accesses_are_those_of_user_mode,
     "In virtual-8086 mode an access needs U/S = 1, and its error code says user mode", MANUAL, "")
{
	try_rights();
}

TEST(accesses_are_those_of_user_mode_under_pae,
     "In virtual-8086 mode an access needs U/S = 1, and its error code says user mode", MANUAL,
     "pae")
{
	run_under_pae();
	try_rights();
}

static void try_edits(void)
{
	struct scene scene;

	make_scene(&scene);
	for (uint32_t i = 1; i < 40; i++) {
		struct outcome seen;

		scene.data.frame = frame_alloc();
		legacy_write(&scene.data, PT, scene.data.frame.value | P | RW | US);
		invalidate(scene.data.linear, i & 1 ? INVLPG : MOV_CR3);
		write_code(&scene, EXECUTE);
		fill_data(&scene, i);
		seen = run_16bit(&scene);
		expect(seen.vector == VECTOR_GP && seen.value[0] == i,
		       "executed 0x%llx of frame %u", (unsigned long long)seen.value[0], i);
		/* 32-bit code reads the same, and leaves a translation that the next edit changes
		 */
		expect_read(as_user(read_access(linear_plus(scene.data.linear, WORD_OFFSET), 4)),
			    i << 16 | 0xb866);
	}
}

TEST(edits_are_seen_after_an_invalidation,
     "Code of virtual-8086 mode is fetched from the frame that its PTE names after INVLPG or MOV "
     "to CR3",
     "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\"", "")
{
	try_edits();
}
