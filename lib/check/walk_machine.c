/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/walk_machine.h"

#include "check/options.h"
#include "check/state.h"
#include "cpu/features.h"
#include "paging/space.h"

static bool has_nxe(void)
{
	return has(FEATURE_nx) && current_format()->entry_bytes == 8;
}

/* The bit that serves as reserved in entries of this level: an address bit that the machine does
 * not have, or else whatever the format reserves; 0 if nothing. */
static uint64_t choose_reserved_bit(const struct paging_format *format, enum level page,
				    enum level level)
{
	static const unsigned char candidates[] = {51, 62, 7, 21, 13};
	struct paging_rules rules = current_rules();
	uint64_t entry = P | (level == page && level > PT ? PS : 0);

	for (unsigned i = 0; i < sizeof(candidates); i++) {
		unsigned bit = candidates[i];

		if (bit >= 8u * format->entry_bytes ||
		    (bit == 51 && bit < first_reserved_address_bit()))
			continue;
		if (bit == 7 && level < PDPT)
			continue; /* maps a page, or is PAT */
		if (reserved_bits_set(format, &rules, level, entry | 1ull << bit) >> bit & 1)
			return 1ull << bit;
	}
	return 0;
}

struct walk_offer walk_offer_now(enum level level)
{
	const struct paging_format *format = current_format();
	struct walk_offer offer = {
		.smep = has(FEATURE_smep), .smap = has(FEATURE_smap), .nxe = has_nxe()};

	for (int at = level; at <= (int)format->top; at++)
		offer.reserved[at] = choose_reserved_bit(format, level, (enum level)at);
	return offer;
}

void set_walk_controls(unsigned controls)
{
	(controls & WALK_WP) ? set_cr0(CR0_WP) : clear_cr0(CR0_WP);
	if (has(FEATURE_smep))
		(controls & WALK_SMEP) ? set_cr4(CR4_SMEP) : clear_cr4(CR4_SMEP);
	if (has(FEATURE_smap))
		(controls & WALK_SMAP) ? set_cr4(CR4_SMAP) : clear_cr4(CR4_SMAP);
	if (has_nxe())
		(controls & WALK_NXE) ? set_efer(EFER_NXE) : clear_efer(EFER_NXE);
}

bool walk_controls_are_offered(unsigned controls)
{
	return (has(FEATURE_smep) || !(controls & WALK_SMEP)) &&
	       (has(FEATURE_smap) || !(controls & WALK_SMAP)) &&
	       (has_nxe() || !(controls & WALK_NXE));
}
