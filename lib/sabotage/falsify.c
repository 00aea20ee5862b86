/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/control.h"
#include "libc/string.h"
#include "mem/frames.h"
#include "sabotage/operation.h"
#include "sabotage/processor.h"

/* One bit of the error code, where `when`. */
static void lose(uint64_t *error_code, enum sabotage which, uint64_t bit, bool when)
{
	if (when && *error_code & bit && sabotaged(which))
		*error_code &= ~bit;
}

static void add(uint64_t *error_code, enum sabotage which, uint64_t bit, bool when)
{
	if (when && !(*error_code & bit) && sabotaged(which))
		*error_code |= bit;
}

static void falsify_error_code(const struct operation *operation, uint64_t *code)
{
	bool absent = !(*code & PF_P), reserved = *code & PF_RSVD;
	bool executes = operation->fetch;

	lose(code, SABOTAGE_error_code_lacks_p, PF_P, !reserved);
	add(code, SABOTAGE_error_code_p_of_absent, PF_P, absent);
	lose(code, SABOTAGE_error_code_lacks_w, PF_W, true);
	add(code, SABOTAGE_error_code_w_of_reads, PF_W, !operation->write && !executes);
	lose(code, SABOTAGE_error_code_lacks_u, PF_U, true);
	add(code, SABOTAGE_error_code_u_of_supervisor, PF_U, !operation->access.user);
	lose(code, SABOTAGE_error_code_lacks_rsvd, PF_RSVD, true);
	add(code, SABOTAGE_error_code_rsvd_of_absent, PF_RSVD, absent);
	lose(code, SABOTAGE_error_code_lacks_id, PF_ID, true);
	add(code, SABOTAGE_error_code_id_of_data, PF_ID, !executes);
	lose(code, SABOTAGE_error_code_lacks_pk, PF_PK, true);
}

void falsify_fault_of_guest(const struct access *access, struct outcome *outcome)
{
	const struct operation operation = {
		.access = *access,
		.write = instruction_table[access->instruction].writes != NEVER,
		.fetch = access->instruction == INSTRUCTION_fetch,
	};

	falsify_error_code(&operation, &outcome->error_code);
}

static bool is_in_second_page(const struct operation *operation, uint64_t linear)
{
	return operation->pages == 2 && linear / PAGE_4K == operation->linear[1] / PAGE_4K;
}

static void falsify_cr2(const struct operation *operation, struct outcome *outcome)
{
	uint64_t first = operation->linear[0] | (PAGE_4K - 1);
	uint64_t second = operation->linear[1] + operation->bytes - operation->first_bytes - 1;

	if (outcome->cr2 % PAGE_4K && sabotaged(SABOTAGE_cr2_is_page_aligned))
		outcome->cr2 &= ~(PAGE_4K - 1);
	if (outcome->cr2 != operation->access.linear.value && sabotaged(SABOTAGE_cr2_of_first_byte))
		outcome->cr2 = operation->access.linear.value;
	if (outcome->cr2 != operation->cr2 && sabotaged(SABOTAGE_cr2_stays))
		outcome->cr2 = operation->cr2;
	/* String I/O has operands of one byte, however many. */
	if (operation->pages == 2 && !operation->fetch &&
	    !is_port_instruction(operation->access.instruction) &&
	    sabotaged(SABOTAGE_cr2_within_operand))
		outcome->cr2 = is_in_second_page(operation, outcome->cr2) ? second : first;
}

/* Puts back, or stores early, bytes of the operand. */
static void falsify_memory(const struct operation *operation, const struct outcome *outcome)
{
	const struct translation *first = &operation->right[0];
	uint64_t at = first->frame + (operation->linear[0] & (PAGE_4K - 1));
	volatile uint64_t *word = identity(GPA(at));

	if (operation->pages == 2 && operation->write && outcome->vector == VECTOR_PF &&
	    is_in_second_page(operation, outcome->cr2) && first->found == FOUND_PAGE &&
	    is_ram(GPA(first->frame), PAGE_4K) && sabotaged(SABOTAGE_partial_store_before_fault))
		memcpy(identity(GPA(at)), operation->access.value, operation->first_bytes);
	if (operation->second_bytes && outcome->vector == NO_VECTOR &&
	    sabotaged(SABOTAGE_second_page_not_written))
		memcpy(identity(GPA(operation->right[1].frame)), operation->second,
		       operation->second_bytes);
	if (!operation->has_data || outcome->vector != NO_VECTOR || !operation->write)
		return;
	if (operation->read && sabotaged(SABOTAGE_read_modify_write_lost))
		word[0] = operation->data[0];
	if (operation->bytes == 16 && sabotaged(SABOTAGE_store_of_16_bytes_torn))
		word[1] = operation->data[1];
}

void falsify(const struct operation *operation, struct outcome *outcome)
{
	if (outcome->vector == VECTOR_PF) {
		falsify_error_code(operation, &outcome->error_code);
		falsify_cr2(operation, outcome);
		if (!operation->fetch && sabotaged(SABOTAGE_rip_after_instruction))
			outcome->rip += 3;
	} else if (outcome->vector != NO_VECTOR &&
		   sabotaged(SABOTAGE_cr2_changed_by_other_exceptions)) {
		outcome->cr2 = operation->access.linear.value;
	}
	falsify_memory(operation, outcome);
	if (outcome->vector == VECTOR_DF && sabotaged(SABOTAGE_double_fault_is_page_fault))
		outcome->vector = VECTOR_PF;
}

/* By locked instructions, as flags are. */
void change_entry(uint64_t address, uint32_t set, uint32_t clear)
{
	volatile uint32_t *low = identity(GPA(address));

	if (!is_ram(GPA(address), 8))
		return;
	if (set)
		__atomic_fetch_or(low, set, __ATOMIC_SEQ_CST);
	if (clear)
		__atomic_fetch_and(low, ~clear, __ATOMIC_SEQ_CST);
}

/* What other processors changed since the entry was read is lost. */
static void store_copy(const struct translation *at, unsigned n)
{
	uint64_t now = read_identity(NULL, at->address[n]), flags = (now ^ at->seen[n]) & (A | D);

	if (current_format()->entry_bytes == 8 && flags && (now ^ at->seen[n]) & ~(A | D) &&
	    is_ram(GPA(at->address[n]), 8) && sabotaged(SABOTAGE_flags_stored_from_a_copy))
		*(volatile uint64_t *)identity(GPA(at->address[n])) = at->seen[n] | flags;
}

static bool d_is_missing(const struct operation *operation, const struct translation *at)
{
	uint64_t before = at->last;

	if (before & D)
		return false;
	return sabotaged(SABOTAGE_d_missing_in_pte + at->level - PT) ||
	       (before & A && sabotaged(SABOTAGE_d_missing_after_read)) ||
	       (!operation->access.user && !(at->rights & RW) &&
		sabotaged(SABOTAGE_d_missing_when_wp_is_clear));
}

static void falsify_completed_flags(const struct operation *operation, const struct translation *at,
				    unsigned n)
{
	uint64_t before = at->seen[n], clear = 0, set = 0;
	enum level level = at->at[n];
	bool is_last = n + 1 == at->count;

	if (!(before & A) && level <= PML4 && sabotaged(SABOTAGE_a_missing_in_pml4e + PML4 - level))
		clear |= A;
	if (!(before & A) && before & IGNORED_9_11 && sabotaged(SABOTAGE_flags_clear_ignored_bits))
		clear |= IGNORED_9_11;
	if (!is_last && sabotaged(SABOTAGE_d_set_in_upper_entries))
		set |= D;
	if (is_last && operation->write && d_is_missing(operation, at))
		clear |= D;
	if (is_last && !operation->write && sabotaged(SABOTAGE_d_set_by_reads))
		set |= D;
	store_copy(at, n);
	if (set | (clear & ~before) | (clear & IGNORED_9_11))
		change_entry(at->address[n], set, clear & ~(before & (A | D)));
}

static void falsify_denied_flags(const struct operation *operation, const struct translation *at,
				 unsigned n)
{
	bool is_last = n + 1 == at->count;

	if (is_last && at->found == FOUND_ABSENT) {
		if (sabotaged(SABOTAGE_flags_set_in_absent_entries))
			change_entry(at->address[n], A, 0);
		return;
	}
	if (!(is_last && at->found == FOUND_RESERVED) && sabotaged(SABOTAGE_a_of_denied_accesses))
		change_entry(at->address[n], A, 0);
	if (is_last && at->found == FOUND_PAGE && operation->write && !(at->seen[n] & D) &&
	    sabotaged(SABOTAGE_d_set_by_denied_writes))
		change_entry(at->address[n], D, 0);
}

/* The entry beside the last one, where it could have been used just as well. */
static void set_a_of_neighbour(const struct translation *at)
{
	const struct paging_rules rules = current_rules();
	uint64_t address, entry;

	if (!at->count)
		return;
	address = at->address[at->count - 1] ^ current_format()->entry_bytes;
	entry = read_identity(NULL, address);
	if (entry & P && !reserved_bits_set(current_format(), &rules, at->level, entry))
		change_entry(address, A, 0);
}

void falsify_flags(const struct operation *operation, const struct outcome *outcome)
{
	for (unsigned i = 0; i < operation->pages; i++) {
		const struct translation *at = &operation->right[i];

		for (unsigned n = 0; n < at->count; n++) {
			if (outcome->vector == NO_VECTOR)
				falsify_completed_flags(operation, at, n);
			else if (outcome->vector == VECTOR_PF &&
				 outcome->cr2 / PAGE_4K == operation->linear[i] / PAGE_4K)
				falsify_denied_flags(operation, at, n);
		}
		if (outcome->vector == NO_VECTOR && sabotaged(SABOTAGE_a_of_neighbours))
			set_a_of_neighbour(at);
	}
}
