/* SPDX-License-Identifier: BSD-2-Clause */
#include "hosttest/naive_keys.h"
#include "hosttest/naive_linear.h"
#include "hosttest/naive_shadow_stack.h"

struct naive {
	const struct naive_question *q;
	struct naive_answer answer;
	bool user_mode_address; /* U/S = 1 in all entries so far */
	bool writable;		/* R/W = 1 in all entries so far */
	bool execute_disabled;	/* XD = 1 in some entry so far */
	unsigned key;		/* bits 62:59 of the latest entry */
};

static bool bit(uint64_t value, unsigned number)
{
	return value >> number & 1;
}

/* "Page-Fault Exceptions", figure of the error code, bit by bit. */
static void page_fault(struct naive *n, bool present, bool reserved)
{
	n->answer.page_fault = true;
	n->answer.error_code = 0;
	if (present)
		n->answer.error_code |= 1;
	if (n->q->write)
		n->answer.error_code |= 2;
	if (naive_user_mode_access(n->q))
		n->answer.error_code |= 4;
	if (reserved)
		n->answer.error_code |= 8;
	if (n->q->shadow_stack)
		n->answer.error_code |= 64;
	if (n->q->fetch) {
		if (n->q->cr4_smep)
			n->answer.error_code |= 16;
		else if (n->q->efer_nxe)
			n->answer.error_code |= 16;
	}
}

/* "Accessed and Dirty Flags" are for entries that were used; whether an entry counts as used by an
 * access that faults below it or for its rights, the manual leaves open. */
static void not_present(struct naive *n)
{
	for (unsigned i = 0; i + 1 < n->answer.entries; i++)
		n->answer.entry[i].a_may_be_set = true;
	page_fault(n, false, false);
}

static void reserved_bit(struct naive *n)
{
	for (unsigned i = 0; i + 1 < n->answer.entries; i++)
		n->answer.entry[i].a_may_be_set = true;
	page_fault(n, true, true);
}

static void denied(struct naive *n)
{
	for (unsigned i = 0; i < n->answer.entries; i++)
		n->answer.entry[i].a_may_be_set = true;
	page_fault(n, true, false);
}

/* Where the rights of the entries deny the access, PK is about the key all the same. */
static void key_in_error_code(struct naive *n)
{
	if (n->user_mode_address) {
		if (!naive_pkru_allows(n->q, n->key))
			n->answer.error_code |= 32;
	} else if (!naive_user_mode_access(n->q)) {
		if (!naive_pkrs_allows(n->q, n->key))
			n->answer.error_code |= 32;
	} else {
		/* A user-mode access to a supervisor-mode address: nothing is said of IA32_PKRS. */
		if (n->q->cr4_pks && !n->q->fetch)
			n->answer.pk_may_be_set = bit(n->q->ia32_pkrs, 2 * n->key) ||
						  bit(n->q->ia32_pkrs, 2 * n->key + 1);
	}
}

static void allowed(struct naive *n)
{
	struct naive_entry *last = &n->answer.entry[n->answer.entries - 1];

	for (unsigned i = 0; i < n->answer.entries; i++)
		n->answer.entry[i].a_must_be_set = true;
	if (n->q->write) {
		last->d_must_be_set = true;
		/* It is one place in memory, however often the walk came by. */
		for (unsigned i = 0; i < n->answer.entries; i++)
			if (n->answer.entry[i].address == last->address)
				n->answer.entry[i].d_must_be_set = true;
	}
}

/* "Determination of Access Rights", sentence by sentence. */
static bool supervisor_read_is_allowed(const struct naive *n)
{
	if (!n->user_mode_address)
		return true;
	if (!n->q->cr4_smap)
		return true;
	if (n->q->implicit_supervisor)
		return false;
	return n->q->eflags_ac;
}

static bool supervisor_write_is_allowed(const struct naive *n)
{
	if (!n->user_mode_address) {
		if (!n->q->cr0_wp)
			return true;
		return n->writable;
	}
	if (!n->q->cr0_wp) {
		if (!n->q->cr4_smap)
			return true;
		if (n->q->implicit_supervisor)
			return false;
		return n->q->eflags_ac;
	}
	if (!n->q->cr4_smap)
		return n->writable;
	if (n->q->implicit_supervisor)
		return false;
	if (!n->q->eflags_ac)
		return false;
	return n->writable;
}

static bool supervisor_fetch_is_allowed(const struct naive *n)
{
	if (!n->user_mode_address) {
		if (!n->q->efer_nxe)
			return true;
		return !n->execute_disabled;
	}
	if (n->q->cr4_smep)
		return false;
	if (!n->q->efer_nxe)
		return true;
	return !n->execute_disabled;
}

static bool user_access_is_allowed(const struct naive *n)
{
	if (!n->user_mode_address)
		return false;
	if (n->q->write)
		return n->writable;
	if (n->q->fetch) {
		if (!n->q->efer_nxe)
			return true;
		return !n->execute_disabled;
	}
	return true;
}

static void page(struct naive *n, uint64_t first_byte, uint64_t bytes)
{
	bool is_allowed;

	n->answer.translated = true;
	n->answer.page_bytes = bytes;
	n->answer.physical = first_byte + n->q->linear % bytes;
	if (n->q->shadow_stack)
		is_allowed = naive_shadow_stack_allows(n->q, &n->answer);
	else if (naive_user_mode_access(n->q))
		is_allowed = user_access_is_allowed(n);
	else if (n->q->write)
		is_allowed = supervisor_write_is_allowed(n);
	else if (n->q->fetch)
		is_allowed = supervisor_fetch_is_allowed(n);
	else
		is_allowed = supervisor_read_is_allowed(n);
	if (n->user_mode_address && !naive_pkru_allows(n->q, n->key))
		is_allowed = false;
	if (!n->user_mode_address && !naive_user_mode_access(n->q) &&
	    !naive_pkrs_allows(n->q, n->key))
		is_allowed = false;
	if (is_allowed) {
		allowed(n);
	} else {
		denied(n);
		key_in_error_code(n);
	}
}

static uint64_t take_entry(struct naive *n, uint64_t table, uint64_t index)
{
	struct naive_entry *entry = &n->answer.entry[n->answer.entries++];

	entry->address = table + index * 8;
	entry->value = n->q->read(n->q->memory, entry->address);
	if (!bit(entry->value, 1))
		n->writable = false;
	if (!bit(entry->value, 2))
		n->user_mode_address = false;
	if (bit(entry->value, 63))
		n->execute_disabled = true;
	n->key = (unsigned)(entry->value / ((uint64_t)1 << 59)) % 16;
	return entry->value;
}

static bool any_bit(uint64_t value, unsigned last, unsigned first)
{
	for (unsigned i = first; i <= last; i++)
		if (bit(value, i))
			return true;
	return false;
}

/* Reserved in every present entry: address bits from MAXPHYADDR on, and XD while EFER.NXE = 0. */
static bool reserved_everywhere(const struct naive *n, uint64_t entry)
{
	if (any_bit(entry, 51, n->q->maxphyaddr))
		return true;
	return bit(entry, 63) && !n->q->efer_nxe;
}

static uint64_t bits_51_to(uint64_t entry, unsigned first)
{
	uint64_t result = 0;

	for (unsigned i = first; i <= 51; i++)
		if (bit(entry, i))
			result += (uint64_t)1 << i;
	return result;
}

static void page_table(struct naive *n, uint64_t table)
{
	uint64_t pte = take_entry(n, table, n->q->linear / 4096 % 512);

	if (!bit(pte, 0)) {
		not_present(n);
	} else {
		if (reserved_everywhere(n, pte))
			reserved_bit(n);
		else
			page(n, bits_51_to(pte, 12), 4096);
	}
}

static void page_directory(struct naive *n, uint64_t table)
{
	uint64_t pde = take_entry(n, table, n->q->linear / 4096 / 512 % 512);

	if (!bit(pde, 0)) {
		not_present(n);
	} else {
		if (reserved_everywhere(n, pde)) {
			reserved_bit(n);
		} else {
			if (bit(pde, 7)) {
				if (any_bit(pde, 20, 13))
					reserved_bit(n);
				else
					page(n, bits_51_to(pde, 21), 2 * 1024 * 1024);
			} else {
				page_table(n, bits_51_to(pde, 12));
			}
		}
	}
}

static void page_directory_pointer_table(struct naive *n, uint64_t table)
{
	uint64_t pdpte = take_entry(n, table, n->q->linear / 4096 / 512 / 512 % 512);

	if (!bit(pdpte, 0)) {
		not_present(n);
	} else {
		if (reserved_everywhere(n, pdpte)) {
			reserved_bit(n);
		} else {
			if (bit(pdpte, 7)) {
				if (!n->q->pages_1g)
					reserved_bit(n);
				else if (any_bit(pdpte, 29, 13))
					reserved_bit(n);
				else
					page(n, bits_51_to(pdpte, 30), 1024 * 1024 * 1024);
			} else {
				page_directory(n, bits_51_to(pdpte, 12));
			}
		}
	}
}

static void pml4_table(struct naive *n, uint64_t table)
{
	uint64_t pml4e = take_entry(n, table, n->q->linear / 4096 / 512 / 512 / 512 % 512);

	if (!bit(pml4e, 0)) {
		not_present(n);
	} else {
		if (reserved_everywhere(n, pml4e) || bit(pml4e, 7))
			reserved_bit(n);
		else
			page_directory_pointer_table(n, bits_51_to(pml4e, 12));
	}
}

static void pml5_table(struct naive *n, uint64_t table)
{
	uint64_t pml5e = take_entry(n, table, n->q->linear / 4096 / 512 / 512 / 512 / 512 % 512);

	if (!bit(pml5e, 0)) {
		not_present(n);
	} else {
		if (reserved_everywhere(n, pml5e) || bit(pml5e, 7))
			reserved_bit(n);
		else
			pml4_table(n, bits_51_to(pml5e, 12));
	}
}

struct naive_answer naive_translate(const struct naive_question *question)
{
	struct naive_question processed = *question;
	struct naive n = {.q = &processed, .user_mode_address = true, .writable = true};
	bool canonical = naive_linear(question, &processed.linear);

	n.answer.linear = processed.linear;
	if (!canonical)
		n.answer.general_protection = true;
	else if (question->five_levels)
		pml5_table(&n, question->cr3);
	else
		pml4_table(&n, question->cr3);
	return n.answer;
}
