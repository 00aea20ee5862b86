/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Tables and large pages that several PDEs lead to.
 */
#include "check/expect.h"
#include "check/legacy_axes.h"
#include "check/legacy_rewrite.h"
#include "check/state.h"
#include "mem/frames.h"
#include "paging/edit.h"
#include "paging/legacy.h"

#define PLACES	  4
#define OTHER_TAG 5000

/* A place in each quarter of the linear space, and the rights that its PDE gives. */
static const struct {
	uint32_t linear;
	uint64_t rights;
} places[PLACES] = {{0x30000000, RW | US}, {0x50000000, US}, {0xa0000000, RW}, {0xc8000000, 0}};

static struct access user_write(linear_t linear)
{
	return as_user(write_access(linear, 1, 0xb8)); /* the byte that is there */
}

/* The same table under four PDEs. */
struct shared_table {
	struct legacy_page page[PLACES]; /* of the table's first entry */
	gpa_t table, frames;
	unsigned entries;
};

static struct shared_table make_shared_table(void)
{
	struct shared_table shared = {.table = frame_alloc(), .frames = frames_alloc(4 * MBYTE)};
	struct legacy_page entry;

	shared.entries = (unsigned)(PAGE_4K / current_format()->entry_bytes);
	for (unsigned i = 0; i < PLACES; i++) {
		shared.page[i] = legacy_map_at(LINEAR(places[i].linear), PT, GPA(0), 0);
		legacy_write(&shared.page[i], PD, shared.table.value | P | places[i].rights);
	}
	entry = shared.page[0];
	for (unsigned i = 0; i < shared.entries; i++) {
		gpa_t frame = gpa_plus(shared.frames, i * PAGE_4K);

		frame_fill(frame, PAGE_4K, i);
		entry.entry[PT] =
			(char *)identity(shared.table) + i * current_format()->entry_bytes;
		legacy_write(&entry, PT, frame.value | P | RW | US);
	}
	invalidate(LINEAR(0), MOV_CR3);
	return shared;
}

static linear_t address_of(const struct shared_table *shared, unsigned place, unsigned index)
{
	return linear_plus(shared->page[place].linear, index * PAGE_4K);
}

static void store_entry(const struct shared_table *shared, unsigned index, uint64_t value,
			const struct legacy_store *method)
{
	unsigned bytes = current_format()->entry_bytes;

	legacy_store(method, (char *)identity(shared->table) + index * bytes, bytes, value);
	for (unsigned place = 0; place < PLACES; place++)
		invalidate(address_of(shared, place, index), INVLPG);
}

/* Every entry in every place, `changed` at its new frame; rights at a few. */
static void expect_all(const struct shared_table *shared, unsigned changed)
{
	for (unsigned place = 0; place < PLACES; place++) {
		for (unsigned i = 0; i < shared->entries; i++) {
			linear_t linear = address_of(shared, place, i);

			expect_read(read_access(linear, 4),
				    (uint32_t)frame_word(i == changed ? OTHER_TAG : i));
			if (i % 64 && i != changed)
				continue;
			expect_as_modelled(user_write(linear));
			expect_as_modelled(fetch_access(linear));
			expect_as_modelled(write_access(linear, 1, 0xb8));
		}
	}
}

void try_shared_page_table(void)
{
	struct shared_table shared = make_shared_table();
	const struct legacy_store *method = legacy_stores[LEGACY_MOVES];
	gpa_t other = filled_frame(OTHER_TAG), table = frame_alloc();

	expect_all(&shared, shared.entries);
	for (unsigned i = 3; i < shared.entries; i += shared.entries / 8 + 1, method++) {
		gpa_t frame = gpa_plus(shared.frames, i * PAGE_4K);

		if (!method->name)
			method = legacy_stores[LEGACY_MOVES];
		store_entry(&shared, i, other.value | P | RW | US, method);
		expect_all(&shared, i);
		store_entry(&shared, i, frame.value | P | RW | US, method);
	}
	/* One PDE after another leads to an empty table: the others stay. */
	for (unsigned gone = 0; gone < PLACES; gone++) {
		legacy_write(&shared.page[gone], PD, table.value | P | RW | US);
		invalidate(LINEAR(0), MOV_CR3);
		for (unsigned place = 0; place < PLACES; place++)
			for (unsigned i = 0; i < shared.entries; i += 73)
				try_legacy_reads(address_of(&shared, place, i));
	}
}

/* The offsets lie in both halves of 4 MBytes, or all over 2 MBytes. */
void try_shared_large_page(void)
{
	uint64_t bytes = level_bytes(current_format(), PD);
	const uint64_t offsets[] = {0x1000, bytes / 2 + 0x1000, bytes - PAGE_4K};
	struct legacy_page page[PLACES];
	gpa_t frame = frames_alloc(bytes);

	for (unsigned i = 0; i < PLACES; i++)
		page[i] = legacy_map_at(LINEAR(places[i].linear), PD, frame, P | places[i].rights);
	for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		frame_fill(gpa_plus(frame, offsets[i]), PAGE_4K, i);
	for (unsigned n = 0; n < 4 * PLACES * PLACES; n++) {
		unsigned first = n / PLACES % PLACES, then = n % PLACES;
		uint64_t offset = offsets[n % 3];

		n & 32 ? clear_cr0(CR0_WP) : set_cr0(CR0_WP);
		if (n % 16 == 0) {
			for (unsigned i = 0; i < PLACES; i++)
				legacy_write(&page[i], PD, frame.value | P | places[i].rights | PS);
			invalidate(LINEAR(0), MOV_CR3);
		}
		expect_as_modelled(read_access(linear_plus(page[first].linear, offset), 4));
		expect_as_modelled(user_write(linear_plus(page[then].linear, offset)));
		expect_as_modelled(write_access(linear_plus(page[first].linear, offset), 1, 0xb8));
		expect_as_modelled(as_user(fetch_access(linear_plus(page[then].linear, offset))));
		expect_as_modelled(user_write(linear_plus(page[first].linear, offset)));
		expect_as_modelled(write_access(linear_plus(page[then].linear, offset), 1, 0xb8));
	}
}

void try_table_under_new_pde(void)
{
	for (unsigned i = 0; i < 8; i++) {
		struct legacy_page old = map_legacy_subject(PT, 1);
		struct legacy_page new = legacy_map_at(
			LINEAR(places[2].linear + i * 16 * MBYTE +
			       (old.linear.value & (level_bytes(current_format(), PD) - 1))),
			PT, GPA(0), 0);
		uint64_t table = legacy_entry(&old, PD) & ENTRY_ADDRESS;

		legacy_write(&new, PD, 0);
		invalidate(LINEAR(0), MOV_CR3);
		try_legacy_accesses(old.linear);
		expect_as_modelled(read_access(new.linear, 4));
		legacy_write(&old, PT, filled_frame(2).value | P | RW | US);
		legacy_write(&new, PD, table | P | RW | US);
		expect_read(as_user(read_access(new.linear, 4)), (uint32_t)frame_word(2));
		expect_read(fetch_access(new.linear), 2);
		expect_as_modelled(write_access(new.linear, 4, (uint32_t)frame_word(2)));
	}
}
