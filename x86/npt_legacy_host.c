/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Nested paging by a host under 32-bit paging and under PAE paging.
 *
 * The format of nested tables is that of the host's paging at VMRUN: with CR4.PAE = 0 a page
 * directory with 4-MByte pages by the host's CR4.PSE, with CR4.PAE = 1 outside long mode PDPTEs
 * (APM Vol. 2, "Nested Paging"; "Guest Paging"; R38). The guest is unpaged, so that its CR4, where
 * PSE and PAE are 0, has no say.
 *
 * Caught here: nested tables walked in the guest's format, or in one that is always that of long
 * mode (QT14, BX10, KN18); PSE or NXE of the host forgotten; what all levels of long mode have and
 * PAE paging has at some, reserved bits of PDPTEs and XD.
 *
 * Not checked: guests with paging of their own (npt_modes, for hosts in long mode).
 */
#include "test.h"

SUBJECT(npt_legacy_host, "nested tables in the formats of 32-bit paging and PAE paging");
BUILT_FOR_32BIT;

#define MANUAL	     "APM Vol. 2, \"Nested Paging\"; \"Nested Table Walk\""
#define NEEDS	     "svm svm_allowed svm_nested_paging"
#define MSR_HSAVE_PA 0xc0010117u
#define PAGE_4M	     0x400000u
#define ALL	     (P | RW | US)

/* L2-physical: code, and data in another GByte. */
enum { CODE = 0x00c01000, DATA = 0x40656000, STORED = 0x1234567, TAG = 23 };

static struct scene {
	struct vmcb *vmcb;
	gpa_t root;
	bool pae;
	void *entry; /* that maps the data */
} scene;

static uint64_t read_entry(const void *entry)
{
	return scene.pae ? *(const volatile uint64_t *)entry : *(const volatile uint32_t *)entry;
}

static void write_nested(void *entry, uint64_t value)
{
	if (scene.pae)
		*(volatile uint64_t *)entry = value;
	else
		*(volatile uint32_t *)entry = (uint32_t)value;
}

/* The entry for an L2-physical address in a structure whose entries cover 1 << `shift` bytes. */
static void *entry_in(gpa_t table, uint32_t gpa, unsigned shift)
{
	unsigned indexes = scene.pae ? 512 : 1024;

	return (char *)identity(table) + (gpa >> shift) % indexes * (scene.pae ? 8u : 4u);
}

static gpa_t table_below(void *entry, uint64_t flags)
{
	if (!(read_entry(entry) & P))
		write_nested(entry, frame_alloc().value | flags);
	return GPA(read_entry(entry) & ENTRY_ADDRESS);
}

static void *nested_entry(uint32_t gpa, bool large)
{
	gpa_t directory = scene.root;
	void *pde;

	if (scene.pae)
		directory = table_below(entry_in(scene.root, gpa, 30), P);
	pde = entry_in(directory, gpa, scene.pae ? 21 : 22);
	return large ? pde : entry_in(table_below(pde, ALL), gpa, 12);
}

static struct vmcb *make_vmcb(void)
{
	struct vmcb *vmcb = identity(frame_alloc());
	const struct vmcb_segment data = {0x10, 0xc93, 0xffffffff, 0};

	memset(vmcb, 0, sizeof(*vmcb));
	vmcb->control.intercept_exceptions = ~0u;
	vmcb->control.intercept_3 =
		VMCB_INTERCEPT_3_INTR | VMCB_INTERCEPT_3_NMI | VMCB_INTERCEPT_3_SHUTDOWN;
	vmcb->control.intercept_4 = VMCB_INTERCEPT_4_VMRUN | VMCB_INTERCEPT_4_VMMCALL;
	vmcb->control.guest_asid = 1;
	vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
	vmcb->control.np_enable = VMCB_NP_ENABLE;
	vmcb->state.cs = (struct vmcb_segment){8, 0xc9b, 0xffffffff, 0};
	vmcb->state.ds = vmcb->state.es = vmcb->state.ss = data;
	vmcb->state.efer = EFER_SVME;
	vmcb->state.cr0 = 0x11; /* PE, ET */
	vmcb->state.dr6 = 0xffff0ff0;
	vmcb->state.dr7 = 0x400;
	vmcb->state.g_pat = 0x0007040600070406;
	return vmcb;
}

/* The guest begins here; `code` is `mov (%edi), %eax` or `mov %ebx, (%edi)`, then VMMCALL. */
static uint64_t enter(const char *code)
{
	uint32_t address = (uint32_t)gpa_of((uint64_t *)(void *)scene.vmcb).value, stored = STORED;
	uint32_t data = DATA;
	gpa_t frame = GPA(read_entry(nested_entry(CODE, false)) & ENTRY_ADDRESS);

	memcpy(identity(frame), code, 5);
	scene.vmcb->state.rip = CODE;
	scene.vmcb->state.rflags = RFLAGS_FIXED;
	__asm__ volatile(".byte 0x0f, 0x01, 0xdd\n" /* clgi */
			 ".byte 0x0f, 0x01, 0xd8\n" /* vmrun */
			 ".byte 0x0f, 0x01, 0xdc\n" /* stgi */
			 : "+a"(address), "+b"(stored), "+D"(data)
			 :
			 : "ecx", "edx", "esi", "memory", "cc");
	return scene.vmcb->control.exitcode;
}

#define READ  "\x8b\x07\x0f\x01\xd9"
#define WRITE "\x89\x1f\x0f\x01\xd9"

/* P beside RSV is npt_reserved_bits' matter. */
static void expect_exit(const char *code, uint64_t flags, uint64_t error)
{
	uint64_t exit = enter(code), info = scene.vmcb->control.exitinfo1;
	uint64_t wrong = info ^ (error | NPF_U | NPF_FINAL);

	if (error == ~0ull) {
		expect(exit == VMEXIT_VMMCALL, "entry flags 0x%llx: exit 0x%llx, EXITINFO1 0x%llx",
		       (unsigned long long)flags, (unsigned long long)exit,
		       (unsigned long long)info);
		return;
	}
	expect(exit == VMEXIT_NPF && !(wrong & ~(error & NPF_RSV ? NPF_P : 0)) &&
		       scene.vmcb->control.exitinfo2 == DATA,
	       "entry flags 0x%llx: exit 0x%llx, EXITINFO1 0x%llx, EXITINFO2 0x%llx",
	       (unsigned long long)flags, (unsigned long long)exit, (unsigned long long)info,
	       (unsigned long long)scene.vmcb->control.exitinfo2);
}

static void try_rights(bool large)
{
	uint64_t bytes = !large ? PAGE_4K : scene.pae ? PAGE_2M : PAGE_4M;
	gpa_t frames = frames_alloc(bytes), frame = gpa_plus(frames, DATA & (bytes - 1));
	volatile uint32_t *word = identity(frame);
	uint64_t value = frames.value | (large ? PS : 0);

	scene.entry = nested_entry(DATA, large);
	for (unsigned n = 0; n < 8; n++) {
		uint64_t flags = (n & 1 ? 0 : P) | (n & 2 ? 0 : RW) | (n & 4 ? 0 : US);
		uint64_t fault = !(flags & P) ? 0 : NPF_P;
		bool reads = (flags & (P | US)) == (P | US), writes = reads && (flags & RW);

		*word = TAG;
		write_nested(scene.entry, value | flags);
		expect_exit(READ, flags, reads ? ~0ull : fault);
		if (reads)
			expect((uint32_t)scene.vmcb->state.rax == TAG &&
				       (read_entry(scene.entry) & (A | D)) == A,
			       "read 0x%x, entry 0x%llx", (unsigned)scene.vmcb->state.rax,
			       (unsigned long long)read_entry(scene.entry));
		expect_exit(WRITE, flags, writes ? ~0ull : fault | NPF_W);
		expect(*word == (writes ? STORED : TAG), "memory holds 0x%x", *word);
		if (writes)
			expect(read_entry(scene.entry) & D, "entry 0x%llx",
			       (unsigned long long)read_entry(scene.entry));
	}
}

static void start_host(bool pae)
{
	if (pae)
		run_under_pae();
	set_efer(EFER_SVME);
	write_msr(MSR_HSAVE_PA, frame_alloc().value);
	scene = (struct scene){.vmcb = make_vmcb(), .root = frame_alloc(), .pae = pae};
	scene.vmcb->control.n_cr3 = scene.root.value;
	write_nested(nested_entry(CODE, false), frame_alloc().value | ALL);
}

static void try_host(bool pae, bool large)
{
	start_host(pae);
	try_rights(large);
}

TEST(nested_tables_of_32_bit_paging_map_4_kbyte_pages,
     "With the host under 32-bit paging nested tables have two levels of 4-byte entries", MANUAL,
     NEEDS)
{
	try_host(false, false);
}

TEST(nested_tables_of_32_bit_paging_map_4_mbyte_pages,
     "With CR4.PSE = 1 of the host nested tables of 32-bit paging map 4-MByte pages", MANUAL, NEEDS)
{
	try_host(false, true);
}

TEST(nested_tables_of_pae_paging_map_4_kbyte_pages,
     "With the host under PAE paging nested tables have a PDPT of four entries", MANUAL,
     NEEDS " pae")
{
	try_host(true, false);
}

TEST(nested_tables_of_pae_paging_map_2_mbyte_pages,
     "With the host under PAE paging nested tables map 2-MByte pages", MANUAL, NEEDS " pae")
{
	try_host(true, true);
}

TEST(nested_tables_of_pae_paging_map_nothing_by_a_reserved_pdpte,
     "With the host under PAE paging #NPF tells reserved bits of PDPTEs, from MAXPHYADDR to 63",
     MANUAL, NEEDS " pae")
{
	volatile uint64_t *pdpte;
	uint64_t good;

	start_host(true);
	write_nested(nested_entry(DATA, false), frame_alloc().value | ALL);
	pdpte = entry_in(scene.root, DATA, 30);
	good = *pdpte;
	for (unsigned bit = maxphyaddr(); bit < 64; bit++) {
		*pdpte = good;
		expect_exit(READ, good, ~0ull);
		*pdpte = good | 1ull << bit;
		expect_exit(READ, *pdpte, NPF_P | NPF_RSV);
	}
}

/* XD in one entry of the way to the code, then in one of the way to the data. */
static void try_xd(bool large)
{
	void *code = nested_entry(CODE, large), *data = nested_entry(DATA, large);
	uint64_t exit, info;

	write_nested(code, read_entry(code) | XD);
	exit = enter(READ);
	info = scene.vmcb->control.exitinfo1;
	write_nested(code, read_entry(code) & ~XD);
	expect(exit == VMEXIT_NPF && info == (NPF_P | NPF_U | NPF_ID | NPF_FINAL) &&
		       scene.vmcb->control.exitinfo2 == CODE,
	       "exit 0x%llx, EXITINFO1 0x%llx, EXITINFO2 0x%llx", (unsigned long long)exit,
	       (unsigned long long)info, (unsigned long long)scene.vmcb->control.exitinfo2);
	write_nested(data, read_entry(data) | XD);
	expect_exit(READ, read_entry(data), ~0ull);
	clear_efer(EFER_NXE);
	expect_exit(READ, read_entry(data), NPF_P | NPF_RSV);
	set_efer(EFER_NXE);
	write_nested(data, read_entry(data) & ~XD);
	expect_exit(WRITE, read_entry(data), ~0ull);
}

TEST(nested_tables_of_pae_paging_map_no_code_by_an_entry_with_xd,
     "With the host under PAE paging XD of nested tables denies fetches alone, by the host's NXE",
     MANUAL, NEEDS " pae nx")
{
	start_host(true);
	set_efer(EFER_NXE);
	write_nested(nested_entry(DATA, false), frame_alloc().value | ALL);
	try_xd(false); /* PTEs */
	try_xd(true);  /* PDEs */
}

/* Where nothing is translated the code is found there as well, so that the guest ends. */
static uint32_t enter_untranslated(void)
{
	char *memory = identity(GPA(CODE)), before[sizeof(READ)];
	uint64_t exit;

	memcpy(before, memory, sizeof(READ));
	memcpy(memory, READ, sizeof(READ));
	exit = enter(READ);
	memcpy(memory, before, sizeof(READ));
	return (uint32_t)exit;
}

TEST(nested_paging_needs_paging_of_the_host,
     "VMRUN with nested paging while the host's CR0.PG is 0 ends in VMEXIT_INVALID",
     "APM Vol. 2, \"Enabling Nested Paging\"", NEEDS)
{
	uint32_t exit;

	start_host(false);
	expect(enter_untranslated() != (uint32_t)VMEXIT_INVALID, "refused under paging");
	write_cr0(read_cr0() & ~CR0_PG);
	exit = enter_untranslated();
	write_cr0(read_cr0() | CR0_PG);
	expect(exit == (uint32_t)VMEXIT_INVALID, "exit 0x%x", exit);
}
