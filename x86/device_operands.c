/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Devices as operands: string moves between a device and memory, and the rights of device pages.
 *
 * Each operand of an instruction needs the rights of its own page, and a device's page has rights
 * like any other (SDM Vol. 3, "Determination of Access Rights", "Protection Keys"). What the access
 * may do is decided by the settings of the moment.
 *
 * Caught here: a hypervisor emulates instructions whose operand is a device, and then decides about
 * the other operand itself, even where the processor walks the guest's tables: with an old CR0.WP
 * (KS18) or CR4.SMAP, without keys (XS08), as a supervisor or with the wrong error code (KS26,
 * XS09), or with the device's address for both operands. One that remembers where a device is
 * mapped may forget for whom: the next access comes to it without its rights (KS30's kind).
 *
 * The device is the local APIC, whose task-priority register holds what is written. Not checked:
 * flags of the device's own entry; repeated moves; which of two bad operands faults.
 */
#include "access/attempt.h"
#include "test.h"

SUBJECT(device_operands, "string moves between a device and memory, rights of device pages");

#define MANUAL "SDM Vol. 3, \"Determination of Access Rights\""

enum { OTHER_OFFSET = 0x1b8, KEY = 5, WAYS = 3 /* user, supervisor, supervisor with AC */ };

struct scene {
	struct page device[2]; /* for supervisor mode, and for user mode */
	struct page memory;
	volatile uint32_t *words;
};

static struct scene make_scene(void)
{
	struct scene scene = {.memory = map_page(P | RW | US)};
	gpa_t frame = filled_frame(61);

	require_local_apic();
	for (unsigned user = 0; user < 2; user++)
		scene.device[user] =
			map_page_at(PT, GPA(APIC_PAGE), P | RW | PCD | A | D | (user ? US : 0));
	write_entry(&scene.memory, PT, frame.value | P | RW | US, INVLPG);
	scene.words = identity(frame);
	return scene;
}

static struct access way_of(struct access access, unsigned way)
{
	access.user = way == 0;
	access.ac = way == 2;
	return access;
}

static bool is_as_modelled(const struct outcome *outcome, const struct model_outcome *wanted)
{
	if (wanted->vector == MODEL_COMPLETES)
		return outcome->vector == NO_VECTOR;
	return outcome->vector == wanted->vector &&
	       !((outcome->error_code ^ wanted->error_code) & ~wanted->open_code);
}

/* One move, with both operands' contents before and after. */
static void try_move(struct scene *scene, struct access access)
{
	bool stores = access.instruction == INSTRUCTION_movs4_to;
	linear_t device = scene->device[access.user].linear;
	volatile uint32_t *word = scene->words + (access.linear.value & (PAGE_4K - 1)) / 4;
	struct model_outcome wanted = modelled_outcome(access);
	struct attempt run = prepare_attempt(&access);
	bool completes = wanted.vector == MODEL_COMPLETES;
	struct outcome outcome;

	*word = 0x30;
	*priority_register() = 0x50;
	run.readable = device.value + APIC_PRIORITY;
	attempt_prepared(&run, access);
	outcome = attempt_outcome(&run);
	expect(is_as_modelled(&outcome, &wanted),
	       "%s %s memory: vector %u, error code 0x%llx, not %s 0x%llx",
	       access.user ? "user" : "supervisor", stores ? "to" : "from", outcome.vector,
	       (unsigned long long)outcome.error_code, completes ? "completed" : "#PF",
	       (unsigned long long)wanted.error_code);
	expect(completes || outcome.vector != VECTOR_PF || outcome.cr2 == access.linear.value,
	       "CR2 is 0x%llx, not 0x%llx", (unsigned long long)outcome.cr2,
	       (unsigned long long)access.linear.value);
	expect(*word == (completes && stores ? 0x50 : 0x30), "memory holds 0x%x", *word);
	expect(*priority_register() == (completes && !stores ? 0x30 : 0x50),
	       "the device holds 0x%x", *priority_register());
	expect(!completes || !stores || (*(volatile uint64_t *)scene->memory.entry[PT] & D),
	       "D is missing after a store");
}

/* All ways, both directions, the operands at the same offset and not. */
static void try_moves(struct scene *scene)
{
	for (unsigned n = 0; n < WAYS * 4; n++) {
		enum instruction move = n & 1 ? INSTRUCTION_movs4_to : INSTRUCTION_movs4_from;
		linear_t at =
			linear_plus(scene->memory.linear, n & 2 ? APIC_PRIORITY : OTHER_OFFSET);

		edit_entry(&scene->memory, PT, INVLPG, .clear = A | D);
		try_move(scene, way_of(instruction_access(move, at, 0), n / 4));
	}
	*priority_register() = 0;
}

TEST(moves_need_the_rights_of_their_page_in_memory,
     "MOVS between a device and memory needs the memory's rights by WP and SMAP of the moment",
     MANUAL, "")
{
	struct scene scene = make_scene();

	for (unsigned setting = 0; setting < 4; setting++) {
		for (unsigned rights = 0; rights < 8; rights++) {
			edit_entry(&scene.memory, PT, INVLPG, .clear = P | RW | US,
				   .set = (rights & 1 ? RW : 0) | (rights & 2 ? US : 0) |
					  (rights < 4 ? P : 0));
			(setting & 1) ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
			if (has(FEATURE_smap))
				(setting & 2) ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
			try_moves(&scene);
		}
	}
}

TEST(moves_obey_the_key_of_their_page_in_memory,
     "MOVS between a device and memory obeys PKRU for the memory's key", MANUAL, "pku")
{
	struct scene scene = make_scene();

	set_cr4(CR4_PKE);
	edit_entry(&scene.memory, PT, INVLPG, .set = entry_key(KEY));
	for (unsigned rights = 0; rights < 4; rights++) {
		for (unsigned wp = 0; wp < 2; wp++) {
			wp ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
			set_pkru(key_rights(KEY, rights));
			try_moves(&scene);
		}
	}
}

TEST(keys_of_supervisor_pages_count_for_nothing,
     "MOVS between a device and memory: keys of pages with U/S = 0 are ignored, whatever PKRU says",
     "SDM Vol. 3, \"Protection Keys\"", "pku")
{
	struct scene scene = make_scene();

	set_cr4(CR4_PKE);
	edit_entry(&scene.memory, PT, INVLPG, .clear = US, .set = entry_key(KEY));
	edit_entry(&scene.device[0], PT, INVLPG, .set = entry_key(KEY));
	for (unsigned rights = 0; rights < 4; rights++) {
		set_pkru(key_rights(KEY, rights));
		try_moves(&scene);
	}
}

/* An access that is allowed, if it is, then each other one. */
static void try_device_rights(const struct page *page, unsigned first)
{
	linear_t at = linear_plus(page->linear, APIC_PRIORITY);

	for (unsigned second = 0; second < 2 * WAYS; second++) {
		for (unsigned n = 0; n < 2; n++) {
			unsigned way = n ? second : first;
			struct access access = way_of(way & 1 ? write_access(at, 4, 0x10 + 0x10 * n)
							      : read_access(at, 4),
						      way / 2);
			struct model_outcome wanted = modelled_outcome(access);
			struct outcome outcome = attempt(access);

			expect(is_as_modelled(&outcome, &wanted),
			       "%s %s: vector %u, error code 0x%llx, not %s 0x%llx",
			       access.user ? "user" : "supervisor", way & 1 ? "write" : "read",
			       outcome.vector, (unsigned long long)outcome.error_code,
			       wanted.vector == MODEL_COMPLETES ? "completed" : "#PF",
			       (unsigned long long)wanted.error_code);
		}
	}
}

TEST(each_access_to_a_device_needs_its_own_rights,
     "A page of a device that one access may use is not open to another one by that", MANUAL, "")
{
	for (unsigned smap = 0; smap < 2; smap++) {
		for (unsigned rights = 0; rights < 4; rights++) {
			struct page page;

			require_local_apic();
			page = map_page_at(PT, GPA(APIC_PAGE),
					   P | PCD | A | D | (rights & 1 ? RW : 0) |
						   (rights & 2 ? US : 0));
			if (smap && has(FEATURE_smap))
				set_cr4(CR4_SMAP);
			for (unsigned first = 0; first < 2 * WAYS; first++) {
				invalidate(page.linear, INVLPG);
				try_device_rights(&page, first);
			}
			if (has(FEATURE_smap))
				clear_cr4(CR4_SMAP);
		}
	}
	*priority_register() = 0;
}

TEST(rights_of_a_device_page_are_those_of_the_moment,
     "After a change of its entry and a flush a page of a device has the new rights alone", MANUAL,
     "")
{
	struct page page;
	linear_t at;

	require_local_apic();
	page = map_page_at(PT, GPA(APIC_PAGE), P | RW | US | PCD | A | D);
	at = linear_plus(page.linear, APIC_PRIORITY);
	for (unsigned n = 0; n < 32; n++) {
		unsigned rights = (n & 1 ? n / 2 : 3) & 3;

		for (unsigned way = 0; way < 2 * WAYS; way++)
			attempt(way_of(way & 1 ? write_access(at, 4, 0x10) : read_access(at, 4),
				       way / 2));
		edit_entry(&page, PT, n & 16 ? INVLPG : MOV_CR3, .clear = RW | US,
			   .set = (rights & 1 ? RW : 0) | (rights & 2 ? US : 0));
		try_device_rights(&page, n % (2 * WAYS));
	}
	*priority_register() = 0;
}
