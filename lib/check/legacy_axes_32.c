/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/legacy_axes.h"

#include "check/expect.h"
#include "check/options.h"
#include "check/report.h"
#include "check/state.h"
#include "cpu/features.h"
#include "mem/frames.h"
#include "paging/edit.h"

#define SUBJECT_TAG 31

struct legacy_page map_legacy_subject(enum level level, uint32_t tag)
{
	gpa_t frame = frames_alloc(level_bytes(current_format(), level));

	frame_fill(frame, PAGE_4K, tag);
	return legacy_map(level, frame, P | RW | US);
}

void try_legacy_accesses(linear_t linear)
{
	const uint32_t code = (uint32_t)frame_word(SUBJECT_TAG);

	try_legacy_reads(linear);
	expect_as_modelled(write_access(linear, 4, code));
	expect_as_modelled(as_user(write_access(linear, 4, code)));
	expect_as_modelled(fetch_access(linear));
	expect_as_modelled(as_user(fetch_access(linear)));
}

void try_legacy_reads(linear_t linear)
{
	expect_as_modelled(read_access(linear, 4));
	expect_as_modelled(as_user(read_access(linear, 4)));
}

static bool is_reserved(enum level level, uint64_t entry)
{
	struct paging_rules rules = current_rules();

	return reserved_bits_set(current_format(), &rules, level, entry) != 0;
}

/* Does it fault, as it has to? Otherwise writes and fetches would go to memory that is nobody's. */
static bool faults_as_reserved(const struct legacy_page *page, enum level level, uint64_t value)
{
	return is_reserved(level, value) &&
	       attempt(read_access(page->linear, 4)).vector != NO_VECTOR;
}

/* An entry that is neither reserved nor leads where the page was is tried by reads alone: they go
 * to memory that is nobody's, or the case's own. */
void try_legacy_entry(const struct legacy_page *page, enum level level, uint64_t value)
{
	uint64_t good = legacy_entry(page, level);

	legacy_write(page, level, value);
	invalidate(page->linear, INVLPG);
	if (faults_as_reserved(page, level, value))
		try_legacy_accesses(page->linear);
	else
		try_legacy_reads(page->linear);
	legacy_write(page, level, good);
	invalidate(page->linear, INVLPG);
}

/* Bits whose flip is no matter of reservation: it would unmap, or lead elsewhere. */
static bool leads_elsewhere(const struct legacy_page *page, enum level level, uint64_t bit)
{
	uint64_t address = current_format()->entry_bytes == 4 ? 0xfffff000ull : ENTRY_ADDRESS;
	bool large = level == PD && page->level == PD;

	if (bit == P || (bit == PS && level == PD))
		return true;
	return (bit & address) && !(large && bit == PAT_OF_LARGE_PAGE);
}

/* An address bit of which nobody knows whether the processor has it. */
static bool is_in_doubt(unsigned bit)
{
	return current_format()->entry_bytes == 8 && bit >= maxphyaddr() &&
	       bit < first_reserved_address_bit();
}

void try_each_legacy_bit(enum level level, uint64_t left_out)
{
	struct legacy_page page = map_legacy_subject(level, SUBJECT_TAG);
	unsigned bits = 8u * current_format()->entry_bytes;

	for (int at = PD; at >= (int)level; at--) {
		uint64_t good = legacy_entry(&page, (enum level)at) & ~(A | D);

		for (unsigned i = 0; i < bits; i++) {
			uint64_t bit = 1ull << i;

			if ((bit & left_out) || is_in_doubt(i))
				continue;
			if (is_reserved((enum level)at, good | bit) ||
			    !leads_elsewhere(&page, (enum level)at, bit))
				try_legacy_entry(&page, (enum level)at, good ^ bit);
		}
	}
}
