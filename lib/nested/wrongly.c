/* SPDX-License-Identifier: BSD-2-Clause */
#include "nested/wrongly.h"

#include "check/expect.h"
#include "cpu/control.h"
#include "nested/nested_svm.h"
#include "nested/nested_vmx.h"
#include "paging/format_npt.h"
#include "sabotage/processor.h"

#define MOST_PASSES 8
#define OFFSET_BITS (3ull << 28)

static struct entered {
	bool known;
	uint64_t cr0, cr4;
} last;				      /* L2's registers at the entry before */
static struct model_l2_answer answer; /* as memory is before the VM entry */

static uint64_t raw(enum vmcs_field field)
{
	uint64_t value = 0;

	vmread_raw(field, &value);
	return value;
}

struct l2_context l2_context_of(const struct l2 *l2)
{
	const struct vmcb_control *control;
	uint64_t eptp;

	if (l2->second.model.nested_paging) {
		control = &svm_guest(l2)->vmcb->control;
		return (struct l2_context){control->n_cr3, control->guest_asid, true};
	}
	eptp = raw(VMCS_EPT_POINTER);
	return (struct l2_context){
		.root = eptp & ENTRY_ADDRESS,
		.tag = raw(VMCS_SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS) &
				       SECONDARY_ENABLE_VPID
			       ? (uint32_t)raw(VMCS_VIRTUAL_PROCESSOR_IDENTIFIER)
			       : 0,
		.accessed_dirty = eptp & EPTP_ACCESSED_DIRTY,
	};
}

static void ask(const struct l2 *l2, const struct l2_context *context, const struct access *access)
{
	struct model_second_level second = l2->second.model;
	const struct model_access wanted = modelled_access(access);

	second.root = context->root;
	second.accessed_dirty =
		second.nested_paging ? second.accessed_dirty : context->accessed_dirty;
	l2_translate(l2, &answer, &second, &wanted);
}

/* An entry of the second level with one right more, or all. */
static uint64_t with_rights(const struct l2 *l2, uint64_t entry, unsigned rights)
{
	const struct second_level_kind *kind = l2->second.kind;

	if (!(entry & l2->second.model.format->present))
		return entry;
	if (rights == SECOND_ALL)
		return (entry & ~kind->rights_mask) | kind->rights(SECOND_ALL);
	return entry | (l2->second.model.nested_paging ? RW : kind->rights(rights));
}

static uint64_t seen_entry(const struct l2 *l2, const struct model_reference *reference, unsigned n)
{
	const struct model_second_level *second = &l2->second.model;
	uint64_t entry = reference->walk.step[n].entry;
	bool is_last = n + 1 == reference->walk.count;

	if (!is_last && sabotaged(SABOTAGE_second_rights_of_the_last_entry_only))
		entry = with_rights(l2, entry, SECOND_ALL);
	if (n && sabotaged(SABOTAGE_second_rights_of_the_first_entry_only))
		entry = with_rights(l2, entry, SECOND_ALL);
	if (reference->guest_level && sabotaged(SABOTAGE_structures_need_no_right_to_write))
		entry = with_rights(l2, entry, SECOND_WRITE);
	if (is_last && reference->walk.end == WALK_RESERVED &&
	    sabotaged(SABOTAGE_second_reserved_bits_ignored))
		entry &= ~reserved_bits_set(second->format, &second->rules,
					    reference->walk.step[n].level, entry);
	return entry;
}

/* Entries that the walk reached; false where it will reach no more than the last time. */
static bool patch_rights(const struct l2 *l2)
{
	unsigned before = patches_made();

	for (unsigned r = 0; r < answer.references; r++)
		for (unsigned n = 0; n < answer.reference[r].walk.count; n++)
			patch_entry(answer.reference[r].walk.step[n].address, 8,
				    seen_entry(l2, &answer.reference[r], n), true);
	return patches_made() != before;
}

/* L2's own entry, so that a 1-GByte page of the second level is used at a lower offset. */
static void patch_offset(const struct l2 *l2)
{
	const struct model_reference *page = &answer.reference[answer.references - 1];
	const struct model_reference *table = page - 1;
	unsigned bytes;
	uint64_t entry;

	if (answer.references < 2 || page->guest_level || page->walk.end != WALK_MAPPED ||
	    table->walk.physical >= IDENTITY_MAP_BYTES ||
	    page->walk.step[page->walk.count - 1].level != PDPT)
		return;
	bytes = l2_format(l2)->entry_bytes;
	entry = read_entry_of(table->walk.physical, bytes);
	if (entry & OFFSET_BITS && sabotaged(SABOTAGE_second_gbyte_offset_lost))
		patch_entry(table->walk.physical, bytes, entry & ~OFFSET_BITS, true);
}

/* One entry of the second level after an access that completed. */
static uint64_t falsified_flags(const struct l2 *l2, const struct model_reference *reference,
				unsigned n, uint64_t entry)
{
	uint64_t accessed = l2->second.kind->accessed, dirty = l2->second.kind->dirty;
	uint64_t before = reference->walk.step[n].entry;
	bool is_last = n + 1 == reference->walk.count;

	if (sabotaged(is_last ? SABOTAGE_second_a_missing_in_pages
			      : SABOTAGE_second_a_missing_in_tables))
		entry &= ~accessed | before;
	if (is_last && sabotaged(reference->guest_level ? SABOTAGE_second_d_missing_of_structures
							: SABOTAGE_second_d_missing))
		entry &= ~dirty | before;
	if (is_last && !reference->guest_level && !reference->written && answer.second_flags &&
	    sabotaged(SABOTAGE_second_d_set_by_reads))
		entry |= dirty;
	if (!answer.second_flags && sabotaged(SABOTAGE_second_flags_although_disabled))
		entry |= accessed;
	return entry;
}

/* "Processors may set it speculatively": where the entry beside could have been used as well. */
static void set_a_beside(const struct l2 *l2, const struct walk_step *step)
{
	const struct model_second_level *second = &l2->second.model;
	uint64_t address = step->address ^ 8, entry = read_entry_of(address, 8);

	if (!(entry & second->format->present) || entry & l2->second.kind->accessed ||
	    reserved_bits_set(second->format, &second->rules, step->level, entry))
		return;
	if (sabotaged(SABOTAGE_second_a_of_neighbours))
		write_entry_at(address, 8, entry | l2->second.kind->accessed);
}

static void falsify_flags_of(const struct l2 *l2, bool completed)
{
	for (unsigned r = 0; r < answer.references; r++) {
		const struct model_reference *reference = &answer.reference[r];

		for (unsigned n = 0; n < reference->walk.count; n++) {
			uint64_t address = reference->walk.step[n].address, entry;

			if (address >= IDENTITY_MAP_BYTES)
				continue;
			entry = read_entry_of(address, 8);

			if (completed)
				entry = falsified_flags(l2, reference, n, entry);
			write_entry_at(address, 8, entry);
			if (completed && answer.second_flags)
				set_a_beside(l2, &reference->walk.step[n]);
		}
	}
}

/* What is cached is played, so the machine may have nothing. */
static void flush_machine(struct l2 *l2)
{
	processor_event_function *hook = guest_event_hook;

	guest_event_hook = NULL;
	if (l2->second.model.nested_paging)
		svm_guest(l2)->flush_unasked = true;
	else
		vmx_forget_everything();
	guest_event_hook = hook;
}

/* Bits that decide by what they were at the VM entry before. */
static void enter_late(struct l2 *l2)
{
	uint64_t cr0 = l2->cr0, cr4 = l2->cr4;

	if (last.known) {
		if ((cr0 ^ last.cr0) & CR0_WP && sabotaged(SABOTAGE_wp_seen_late))
			l2->cr0 ^= CR0_WP;
		if (cr4 & ~last.cr4 & CR4_SMEP && sabotaged(SABOTAGE_smep_set_keeps_translations))
			l2->cr4 ^= CR4_SMEP;
		if (cr4 & ~last.cr4 & CR4_SMAP && sabotaged(SABOTAGE_smap_set_keeps_translations))
			l2->cr4 ^= CR4_SMAP;
	}
	last = (struct entered){true, cr0, cr4};
}

/* Entries are made what the hypervisor with the bug would use. */
static void before_access(struct l2 *l2, const struct l2_context *context,
			  const struct access *access)
{
	unsigned pass = 0;

	if (l2->second.model.nested_paging && svm_guest(l2)->tlb_control)
		l2_caches_event(EVENT_TLB_CONTROL, svm_guest(l2)->tlb_control,
				&(uint64_t){context->tag});
	ask(l2, context, access);
	while (patch_rights(l2) && pass++ < MOST_PASSES)
		ask(l2, context, access);
	patch_offset(l2);
	if (l2_caches_are_used())
		l2_caches_before(l2, context, access, &answer);
	if (l2_caches_are_used() || patches_made() || sabotaged(SABOTAGE_l2_caches_nothing))
		flush_machine(l2);
	if (access->instruction >= ORDINARY_INSTRUCTIONS) /* the others flush nothing */
		l2_caches_event(EVENT_L2_RUNS, 0, &(uint64_t){0});
}

static struct l2_outcome attempt_wrongly(struct l2 *l2, struct access access)
{
	struct l2_context context;
	struct l2_outcome outcome;
	uint64_t cr0, cr4;

	if (l2->options.shadow)
		return l2_attempt_rightly(l2, access);
	context = l2_context_of(l2);
	before_access(l2, &context, &access);
	guest_event_hook = NULL; /* all was told */
	cr0 = l2->cr0;
	cr4 = l2->cr4;
	enter_late(l2);
	outcome = l2_attempt_rightly(l2, access);
	l2->cr0 = cr0;
	l2->cr4 = cr4;
	guest_event_hook = l2_caches_event;
	if (patches_made())
		flush_machine(l2);
	undo_patches(l2->second.kind->accessed | l2->second.kind->dirty);
	if (l2_caches_are_used())
		l2_caches_after(l2, &context, &access, &outcome, &answer);
	falsify_flags_of(l2, !outcome.exited && outcome.outcome.vector == NO_VECTOR);
	if (!outcome.exited && outcome.outcome.vector == VECTOR_PF)
		falsify_fault_of_guest(&access, &outcome.outcome);
	return outcome;
}

void l2_starts_wrongly(void)
{
	static const struct l2_hooks hooks = {attempt_wrongly, l2_run_steps_wrongly};

	l2_hooks = &hooks;
	guest_event_hook = l2_caches_event;
	l2_caches_reset();
	last.known = false;
}
