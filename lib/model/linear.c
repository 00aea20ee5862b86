/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/linear.h"

#define POINTER_IS_SUPERVISOR (1ull << 63)

/* "Linear-Address Masking": the bits from this one up to 62 are metadata; 63 for none. Which half
 * the pointer is of decides on the control bit, not the CPL. */
static unsigned first_masked_bit(const struct model_processor *processor, uint64_t pointer)
{
	if (pointer & POINTER_IS_SUPERVISOR) {
		if (!processor->lam_sup)
			return 63;
		return processor->format->linear_bits;
	}
	if (processor->lam_u57)
		return 57;
	return processor->lam_u48 ? 48 : 63;
}

/* The highest bit below the metadata has to equal bit 63, which takes the metadata's place. */
static bool mask_metadata(uint64_t *pointer, unsigned first)
{
	uint64_t metadata = POINTER_IS_SUPERVISOR - (1ull << first);
	bool upper = *pointer & POINTER_IS_SUPERVISOR;

	if (first == 63)
		return true;
	if ((*pointer >> (first - 1) & 1) != upper)
		return false;
	*pointer = upper ? *pointer | metadata : *pointer & ~metadata;
	return true;
}

bool model_linear_address(const struct model_processor *processor,
			  const struct model_access *access, uint64_t *linear)
{
	*linear = access->linear;
	if (access->compatibility) {
		*linear = (uint32_t)access->linear;
		return true;
	}
	if (!access->fetch && !mask_metadata(linear, first_masked_bit(processor, access->linear)))
		return false;
	return is_canonical(processor->format, *linear);
}

uint64_t model_byte_address(const struct model_access *access, uint64_t offset)
{
	uint64_t linear = access->linear + offset;

	return access->compatibility ? (uint32_t)linear : linear;
}
