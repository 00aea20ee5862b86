/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/legacy_axes.h"

#include "check/expect.h"
#include "check/report.h"
#include "check/state.h"
#include "cpu/features.h"
#include "mem/frames.h"
#include "paging/edit.h"

#define ACCESSES    9
#define SUBJECT_TAG 31

/* The control bits as one number, so that they change as rarely as possible. */
enum { WITH_WP = 1, WITH_SMEP = 2, WITH_SMAP = 4, WITH_NXE = 8, CONTROLS = 16 };

static bool is_pae(void)
{
	return current_format() == &paging_pae;
}

static bool set_controls(unsigned controls)
{
	bool nx = is_pae() && has(FEATURE_nx);

	if ((controls & WITH_SMEP) && !has(FEATURE_smep))
		return false;
	if ((controls & WITH_SMAP) && !has(FEATURE_smap))
		return false;
	if ((controls & WITH_NXE) && !nx)
		return false;
	(controls & WITH_WP) ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
	(controls & WITH_SMEP) ? set_cr4(CR4_SMEP) : clear_cr4(CR4_SMEP);
	(controls & WITH_SMAP) ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
	if (nx)
		(controls & WITH_NXE) ? set_efer(EFER_NXE) : clear_efer(EFER_NXE);
	return true;
}

static struct access nth_legacy_access(unsigned n, linear_t linear)
{
	struct access access = n % 3 == 0   ? read_access(linear, 4)
			       : n % 3 == 1 ? write_access(linear, 4, (uint32_t)frame_word(77))
					    : fetch_access(linear);

	access.user = n < 3;
	access.ac = n >= 6;
	return access;
}

struct legacy_page map_legacy_subject(enum level level, uint32_t tag)
{
	gpa_t frame = frames_alloc(level_bytes(current_format(), level));

	frame_fill(frame, PAGE_4K, tag);
	return legacy_map(level, frame, P | RW | US);
}

static uint64_t rights_of(unsigned combination)
{
	return (combination & 1 ? RW : 0) | (combination & 2 ? US : 0) | (combination & 4 ? XD : 0);
}

/* Each access has a page of its own with the same rights, so that one flush serves all of them. */
struct subjects {
	struct legacy_page page[ACCESSES];
	uint64_t base[ACCESSES][PD + 1]; /* the entries without rights and flags */
};

static void map_subjects(struct subjects *subjects, enum level level)
{
	for (unsigned n = 0; n < ACCESSES; n++) {
		subjects->page[n] = map_legacy_subject(level, SUBJECT_TAG);
		for (int at = level; at <= PD; at++)
			subjects->base[n][at] =
				legacy_entry(&subjects->page[n], (enum level)at) & ~(RW | US);
	}
}

static void set_rights(const struct subjects *subjects, unsigned combination)
{
	unsigned bits = is_pae() ? 3 : 2;

	for (int at = subjects->page[0].level; at <= PD; at++, combination >>= bits)
		for (unsigned n = 0; n < ACCESSES; n++)
			legacy_write(&subjects->page[n], (enum level)at,
				     subjects->base[n][at] |
					     rights_of(combination & ((1u << bits) - 1)));
}

void try_all_legacy_rights(enum level level)
{
	static struct subjects subjects;
	unsigned bits = (is_pae() ? 3 : 2) * (unsigned)(PD - level + 1);

	map_subjects(&subjects, level);
	for (unsigned controls = 0; controls < CONTROLS; controls++) {
		if (!set_controls(controls))
			continue;
		for (unsigned n = 0; n < ACCESSES; n++)
			frame_fill(subjects.page[n].frame, PAGE_4K, SUBJECT_TAG);
		for (unsigned combination = 0; combination < 1u << bits; combination++) {
			set_rights(&subjects, combination);
			invalidate(subjects.page[0].linear, MOV_CR3);
			for (unsigned n = 0; n < ACCESSES; n++)
				expect_as_modelled(nth_legacy_access(n, subjects.page[n].linear));
		}
	}
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

/* An entry that is neither reserved nor leads where the page was is tried by reads alone: they go
 * to memory that is nobody's, or the case's own. */
void try_legacy_entry(const struct legacy_page *page, enum level level, uint64_t value)
{
	uint64_t good = legacy_entry(page, level);

	legacy_write(page, level, value);
	invalidate(page->linear, INVLPG);
	if (is_reserved(level, value))
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

void try_each_legacy_bit(enum level level, uint64_t left_out)
{
	struct legacy_page page = map_legacy_subject(level, SUBJECT_TAG);
	unsigned bits = 8u * current_format()->entry_bytes;

	for (int at = PD; at >= (int)level; at--) {
		uint64_t good = legacy_entry(&page, (enum level)at) & ~(A | D);

		for (unsigned i = 0; i < bits; i++) {
			uint64_t bit = 1ull << i;

			if (bit & left_out)
				continue;
			if (is_reserved((enum level)at, good | bit) ||
			    !leads_elsewhere(&page, (enum level)at, bit))
				try_legacy_entry(&page, (enum level)at, good ^ bit);
		}
	}
}
