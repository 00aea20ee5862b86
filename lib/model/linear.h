/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What becomes of an address before it is translated (SDM Vol. 3, "Linear-Address Pre-Processing"):
 * 32 bits are kept outside of 64-bit mode, metadata is masked where linear-address masking is on,
 * and what is then not canonical is refused.
 */
#ifndef MODEL_LINEAR_H
#define MODEL_LINEAR_H

#include "model/model.h"

/* The address that paging translates and that CR2 reports; false where the access raises #GP, or
 * #SS, before any paging structure is looked at. */
bool model_linear_address(const struct model_processor *processor,
			  const struct model_access *access, uint64_t *linear);

/* Of an operand the byte at `offset`: in compatibility mode addresses wrap at 4 GBytes. */
uint64_t model_byte_address(const struct model_access *access, uint64_t offset);

#endif
