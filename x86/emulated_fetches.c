/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The code of instructions that hypervisors emulate.
 *
 * An instruction's bytes are fetched by the rules for fetches, whatever the instruction is and
 * whoever carries it out: SMAP and protection keys have no say, SMEP and XD have (SDM Vol. 3,
 * "Determination of Access Rights", "Protection Keys"). The bytes are those that memory holds at
 * its linear address at that moment, in both pages where they straddle two.
 *
 * Caught here: a hypervisor that emulates an instruction fetches its code by itself, once more
 * after the processor did, and may do so as for a load, in supervisor mode, from one page alone, or
 * from what it decoded before (P29, BX11, XS09, KS26's kind): faults that no manual knows, a store
 * of another value, endless repetition.
 *
 * The instruction is a MOV of an immediate to the task-priority register of the local APIC, which
 * tells what was decoded. Not checked: code that changes between the processor's fetch and the
 * hypervisor's.
 */
#include "test.h"

SUBJECT(emulated_fetches, "the code of instructions that access a device");

#define RIGHTS "SDM Vol. 3, \"Determination of Access Rights\""
#define KEYS   "SDM Vol. 3, \"Protection Keys\""
#define CODE   "SDM Vol. 3, \"Self-Modifying Code\""

enum { KEY = 7, STORE_AT = 10, STORE_BYTES = 6, BEFORE = 0x50 };
enum { USER, SUPERVISOR, SUPERVISOR_WITH_AC, WAYS };

static struct page device[2]; /* for supervisor mode, and for user mode */

static void map_devices(void)
{
	require_local_apic();
	for (unsigned user = 0; user < 2; user++)
		device[user] =
			map_page_at(PT, GPA(APIC_PAGE), P | RW | PCD | A | D | (user ? US : 0));
}

/* mov $operand, %rcx; movl $value, (%rcx); jmp *%r12 */
static void make_code(uint8_t code[STORE_AT + STORE_BYTES + 3], bool user, uint32_t value)
{
	uint64_t operand = device[user].linear.value + APIC_PRIORITY;

	memcpy(code, "\x48\xb9", 2);
	memcpy(code + 2, &operand, 8);
	memcpy(code + STORE_AT, "\xc7\x01", 2);
	memcpy(code + STORE_AT + 2, &value, 4);
	memcpy(code + STORE_AT + STORE_BYTES, "\x41\xff\xe4", 3);
}

static struct access way_of(linear_t linear, unsigned way)
{
	struct access access = fetch_access(linear);

	access.user = way == USER;
	access.ac = way == SUPERVISOR_WITH_AC;
	return access;
}

/* What the model says of a fetch there is what must become of the code. */
static void try_code(linear_t linear, unsigned way, uint32_t value)
{
	struct access access = way_of(linear, way);
	struct model_outcome wanted = modelled_outcome(access);
	bool completes = wanted.vector == MODEL_COMPLETES;
	struct outcome outcome;

	*priority_register() = BEFORE;
	outcome = attempt(access);
	expect(completes ? outcome.vector == NO_VECTOR
			 : outcome.vector == wanted.vector &&
				   !((outcome.error_code ^ wanted.error_code) & ~wanted.open_code),
	       "vector %u, error code 0x%llx, CR2 0x%llx, not %s 0x%llx", outcome.vector,
	       (unsigned long long)outcome.error_code, (unsigned long long)outcome.cr2,
	       completes ? "completed" : "#PF", (unsigned long long)wanted.error_code);
	expect(*priority_register() == (completes ? value : BEFORE),
	       "the device holds 0x%x, not 0x%x", *priority_register(), completes ? value : BEFORE);
}

/* Code for each way on a page of its own, with every combination of rights. */
static void try_pages(uint64_t also)
{
	for (unsigned way = 0; way < WAYS; way++) {
		struct page page = map_page(P | RW | US);

		make_code(identity(page.frame), way == USER, 0x30);
		for (unsigned rights = 0; rights < 8; rights++) {
			if (rights & 4 && !has(FEATURE_nx))
				continue;
			edit_entry(&page, PT, INVLPG, .clear = RW | US | XD,
				   .set = also | (rights & 1 ? RW : 0) | (rights & 2 ? US : 0) |
					  (rights & 4 ? XD : 0));
			try_code(page.linear, way, 0x30);
		}
	}
	*priority_register() = 0;
}

TEST(code_needs_the_rights_of_fetches,
     "An instruction that accesses a device is fetched by the rules for fetches: SMEP and XD",
     RIGHTS, "")
{
	map_devices();
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	for (unsigned setting = 0; setting < 4; setting++) {
		if (has(FEATURE_smep))
			(setting & 1) ? set_cr4(CR4_SMEP) : clear_cr4(CR4_SMEP);
		(setting & 2) ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
		try_pages(0);
	}
}

TEST(smap_does_not_keep_code_from_being_fetched,
     "CR4.SMAP does not matter to the code of an instruction that accesses a device", RIGHTS,
     "smap")
{
	map_devices();
	if (has(FEATURE_nx))
		set_efer(EFER_NXE);
	set_cr4(CR4_SMAP);
	try_pages(0);
}

TEST(keys_do_not_keep_code_from_being_fetched,
     "PKRU does not matter to the code of an instruction that accesses a device", KEYS, "pku nx")
{
	map_devices();
	set_efer(EFER_NXE);
	set_cr4(CR4_PKE);
	for (uint32_t rights = 0; rights < 4; rights++) {
		set_pkru(key_rights(KEY, rights));
		try_pages(entry_key(KEY));
	}
}

/* A frame with the head of the code at its end, another with the rest. */
static void place_over_border(gpa_t first, gpa_t second, unsigned before, bool user, uint32_t value)
{
	uint8_t code[STORE_AT + STORE_BYTES + 3];
	unsigned head = STORE_AT + before;

	make_code(code, user, value);
	memcpy((uint8_t *)identity(first) + PAGE_4K - head, code, head);
	memcpy(identity(second), code + head, sizeof(code) - head);
}

/* The low byte of the immediate, all that the device keeps, is the instruction's third. */
static void try_straddling(unsigned before, unsigned way)
{
	struct page_pair pair = map_page_pair(1, 2);
	gpa_t other = frame_alloc(), rest = frame_alloc();
	linear_t linear = LINEAR(pair.border.value - STORE_AT - before);

	place_over_border(pair.frame[0], pair.frame[1], before, way == USER, 0x30);
	place_over_border(other, rest, before, way == USER, 0x40);
	set_page_pair(&pair, pair.good[0], pair.good[1]);
	try_code(linear, way, 0x30);
	set_page_pair(&pair, pair.good[0], (pair.good[1] & ~ENTRY_ADDRESS) | rest.value);
	try_code(linear, way, before > 2 ? 0x30 : 0x40);
	set_page_pair(&pair, (pair.good[0] & ~ENTRY_ADDRESS) | other.value, pair.good[1]);
	try_code(linear, way, before > 2 ? 0x40 : 0x30);
}

TEST(code_over_a_border_is_fetched_from_both_pages,
     "An instruction that accesses a device and straddles two pages is what both of them hold",
     "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\"", "")
{
	map_devices();
	for (unsigned before = 1; before < STORE_BYTES; before++)
		for (unsigned way = 0; way <= SUPERVISOR; way++)
			try_straddling(before, way);
	*priority_register() = 0;
}

TEST(code_that_was_stored_is_what_is_executed,
     "An instruction that accesses a device is executed as it was stored last, by any address",
     CODE, "")
{
	map_devices();
	for (unsigned way = 0; way <= SUPERVISOR; way++) {
		struct page page = map_page(P | RW | US);
		linear_t alias = map_page_at(PT, page.frame, P | RW | US).linear;

		if (way == SUPERVISOR)
			edit_entry(&page, PT, INVLPG, .clear = US);
		make_code(identity(page.frame), way == USER, 0x20);
		for (uint32_t value = 0x20; value < 0xa0; value += 0x10) {
			linear_t at = linear_plus(value & 0x10 ? alias : page.linear, STORE_AT + 2);

			expect_as_modelled(write_access(at, 4, value));
			try_code(page.linear, way, value);
		}
	}
	*priority_register() = 0;
}
