/* SPDX-License-Identifier: BSD-2-Clause */
#include "sabotage/operation.h"

#include "cpu/control.h"
#include "libc/string.h"
#include "mem/frames.h"

static void note_data(struct operation *operation)
{
	uint64_t at = operation->right[0].frame + (operation->linear[0] & (PAGE_4K - 1));
	const volatile uint64_t *word = identity(GPA(at));

	operation->has_data = operation->pages == 1 && operation->right[0].found == FOUND_PAGE &&
			      at + 16 < IDENTITY_MAP_BYTES && is_ram(GPA(at), 16);
	if (operation->has_data) {
		operation->data[0] = word[0];
		operation->data[1] = word[1];
	}
}

/* What a store over two pages replaces in the second one. */
static void note_second_page(struct operation *operation)
{
	const struct translation *second = &operation->right[1];

	if (operation->pages != 2 || !operation->write || second->found != FOUND_PAGE ||
	    second->frame >= IDENTITY_MAP_BYTES || !is_ram(GPA(second->frame), PAGE_4K))
		return;
	operation->second_bytes = operation->bytes - operation->first_bytes;
	memcpy(operation->second, identity(GPA(second->frame)), operation->second_bytes);
}

/* Tables where no identity map leads: accesses by them are made as they are. */
static bool is_out_of_reach(const struct translation *translation)
{
	for (unsigned n = 0; n < translation->count; n++)
		if (translation->address[n] >= IDENTITY_MAP_BYTES)
			return true;
	return current_root().value >= IDENTITY_MAP_BYTES;
}

/* Those of vectors stand behind the ordinary ones. */
static bool has_one_operand(enum instruction instruction)
{
	return (is_access_to_data(instruction) && instruction != INSTRUCTION_bts_far) ||
	       (instruction >= INSTRUCTION_read32 && instruction <= INSTRUCTION_write64);
}

/* Addresses of 32-bit code wrap at 4 GBytes. */
static uint64_t byte_address(const struct access *access, uint64_t offset)
{
	uint64_t linear = access->linear.value + offset;

	return access->compatibility ? (uint32_t)linear : linear;
}

bool operation_begin(struct operation *operation, const struct access *access)
{
	const struct instruction_entry *instruction = &instruction_table[access->instruction];
	uint64_t first = access->linear.value;
	uint64_t last = byte_address(access, instruction->size - 1u);

	if (!has_one_operand(access->instruction) || !is_canonical(current_format(), first) ||
	    !is_canonical(current_format(), last) || !(read_cr0() & CR0_PG))
		return false;
	*operation = (struct operation){
		.access = *access,
		.bytes = instruction->size,
		.write = instruction->writes != NEVER,
		.read = instruction->reads,
		.fetch = access->instruction == INSTRUCTION_fetch,
		.pages = first / PAGE_4K == last / PAGE_4K ? 1 : 2,
		.linear = {first, last & ~(PAGE_4K - 1)},
		.first_bytes = (unsigned)(PAGE_4K - first % PAGE_4K),
		.cr2 = read_cr2(),
	};
	for (unsigned i = 0; i < operation->pages; i++) {
		translate_rightly(&operation->right[i], operation->linear[i]);
		if (is_out_of_reach(&operation->right[i]))
			return false;
	}
	note_data(operation);
	note_second_page(operation);
	return true;
}
