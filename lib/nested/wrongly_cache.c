/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a processor with a bug still has of translations that L2 used (SDM Vol. 3, "Information That
 * May Be Cached", "Operations that Invalidate Cached Mappings"; APM Vol. 2, "TLB Control").
 */
#include "nested/wrongly.h"

#include "cpu/control.h"
#include "libc/string.h"
#include "nested/nested_svm.h"
#include "paging/entry.h"
#include "vmx/vmx.h"

#define KEPT	     16
#define MOST_ENTRIES 40
#define FLAGS(l2)    ((l2)->second.kind->accessed | (l2)->second.kind->dirty)

struct kept_entry {
	uint64_t address, value;
	unsigned bytes;
	bool second;
};

/* Of one linear address: entries of the second level, and while `combined` those of L2 as well. */
static struct kept {
	bool valid, combined, written;
	struct l2_context context;
	uint64_t page, bytes, cr0, cr3, cr4, efer;
	unsigned count;
	uint64_t last_of_l2, last_of_second;
	struct kept_entry entry[MOST_ENTRIES];
} kept[KEPT];
static unsigned next;

bool l2_caches_are_used(void)
{
	return sabotaged_family(FAMILY_nested_invalidation) ||
	       sabotage_chosen[SABOTAGE_caches_all_it_may] ||
	       sabotage_chosen[SABOTAGE_violation_of_old_rights];
}

void l2_caches_reset(void)
{
	memset(kept, 0, sizeof(kept));
}

static bool is_of(const struct kept *at, const struct l2 *l2, const struct l2_context *context,
		  uint64_t page)
{
	return at->valid && at->page == page && at->context.root == context->root &&
	       at->context.tag == context->tag && at->cr0 == l2->cr0 && at->cr3 == l2->cr3 &&
	       at->cr4 == l2->cr4 && at->efer == l2->efer;
}

static uint64_t page_of(const struct access *access)
{
	return access->linear.value & ~(PAGE_4K - 1);
}

/* "VM entries ... if VPID is disabled invalidate combined mappings of VPID 0000H". */
static void begin_entry(const struct l2 *l2)
{
	if (l2->second.model.nested_paging)
		return;
	for (unsigned i = 0; i < KEPT; i++)
		if (kept[i].valid && !kept[i].context.tag && kept[i].combined &&
		    !sabotaged(SABOTAGE_entries_without_vpid_keep_translations))
			kept[i].combined = false;
}

static void use(const struct kept *at)
{
	for (unsigned i = 0; i < at->count; i++)
		if (at->entry[i].second || at->combined)
			patch_entry(at->entry[i].address, at->entry[i].bytes, at->entry[i].value,
				    false);
}

/* What another context has for the same page. */
static void use_of_other(const struct kept *at, const struct l2 *l2,
			 const struct l2_context *context, const struct model_l2_answer *answer)
{
	const struct model_reference *page = &answer->reference[answer->references - 1];
	const struct model_reference *table = page - 1;

	if (answer->references < 2 || page->guest_level || !page->walk.count)
		return;
	if (at->context.root != context->root && sabotaged(SABOTAGE_second_levels_are_one))
		patch_entry(page->walk.step[page->walk.count - 1].address, 8, at->last_of_second,
			    false);
	if (at->context.tag != context->tag && at->combined && sabotaged(SABOTAGE_tags_are_one))
		patch_entry(table->walk.physical, l2_format(l2)->entry_bytes, at->last_of_l2,
			    false);
}

/* That a write finds an old right is permitted once: the violation drops it. */
static bool write_is_denied(const struct kept *at)
{
	for (unsigned i = 0; i < at->count; i++)
		if (at->entry[i].second && !(at->entry[i].value & RW))
			return sabotaged(SABOTAGE_violation_of_old_rights) ||
			       sabotaged(SABOTAGE_violation_keeps_translation);
	return false;
}

void l2_caches_before(const struct l2 *l2, const struct l2_context *context,
		      const struct access *access, const struct model_l2_answer *answer)
{
	bool write = instruction_table[access->instruction].writes != NEVER;

	begin_entry(l2);
	for (unsigned i = 0; i < KEPT; i++) {
		struct kept *at = &kept[i];

		if (is_of(at, l2, context, page_of(access))) {
			if (write && !at->written && !write_is_denied(at))
				at->valid = false; /* walks again, to set D */
			else
				use(at);
		} else if (at->valid && at->page == page_of(access)) {
			use_of_other(at, l2, context, answer);
		}
	}
}

static void add(struct kept *to, uint64_t address, unsigned bytes, bool second)
{
	if (to->count < MOST_ENTRIES && address < IDENTITY_MAP_BYTES)
		to->entry[to->count++] =
			(struct kept_entry){address, read_entry_of(address, bytes), bytes, second};
}

static void remember(const struct l2 *l2, const struct l2_context *context,
		     const struct access *access, const struct model_l2_answer *answer)
{
	struct kept *to = &kept[next++ % KEPT];

	*to = (struct kept){.valid = true,
			    .combined = true,
			    .written = instruction_table[access->instruction].writes != NEVER,
			    .context = *context,
			    .page = page_of(access),
			    .bytes = answer->paged ? answer->guest.page_bytes : PAGE_4K,
			    .cr0 = l2->cr0,
			    .cr3 = l2->cr3,
			    .cr4 = l2->cr4,
			    .efer = l2->efer};
	for (unsigned r = 0; r < answer->references; r++) {
		const struct model_reference *reference = &answer->reference[r];

		for (unsigned n = 0; n < reference->walk.count; n++)
			add(to, reference->walk.step[n].address, 8, true);
		if (!to->count) {
			to->valid = false; /* out of reach */
			return;
		}
		to->last_of_second = to->entry[to->count - 1].value;
		if (!reference->guest_level)
			break;
		add(to, reference->walk.physical, l2_format(l2)->entry_bytes, false);
		to->last_of_l2 = to->entry[to->count - 1].value;
	}
}

/* What a cached translation leads to sets no flags. */
static bool used(const struct l2 *l2, const struct l2_context *context, const struct access *access)
{
	for (unsigned i = 0; i < KEPT; i++)
		if (is_of(&kept[i], l2, context, page_of(access)) && kept[i].combined)
			return true;
	return false;
}

/* Combined mappings of other VPIDs stay. */
static void forget_page(const struct l2_context *context, uint64_t page)
{
	for (unsigned i = 0; i < KEPT; i++)
		if (kept[i].page == page && kept[i].context.root == context->root &&
		    (!kept[i].combined || kept[i].context.tag == context->tag))
			kept[i].valid = false;
}

/* What is remembered next takes the place of what there is, but for that of L2's other PCIDs. */
static void replace_page(const struct l2 *l2, const struct l2_context *context, uint64_t page)
{
	struct kept others[KEPT];

	memcpy(others, kept, sizeof(kept));
	forget_page(context, page);
	for (unsigned i = 0; i < KEPT; i++)
		if (others[i].combined && (l2->cr4 & CR4_PCIDE) && others[i].cr3 != l2->cr3)
			kept[i] = others[i];
}

void l2_caches_after(const struct l2 *l2, const struct l2_context *context,
		     const struct access *access, const struct l2_outcome *outcome,
		     const struct model_l2_answer *answer)
{
	if (outcome->exited || outcome->outcome.vector == VECTOR_PF) {
		if (!sabotaged(SABOTAGE_violation_keeps_translation))
			forget_page(context, page_of(access));
		return;
	}
	if (used(l2, context, access) || outcome->outcome.vector != NO_VECTOR ||
	    answer->outcome[answer->count - 1].kind != MODEL_L2_COMPLETES)
		return;
	replace_page(l2, context, page_of(access));
	remember(l2, context, access, answer);
}

static void drop_root(uint64_t eptp)
{
	for (unsigned i = 0; i < KEPT; i++)
		if (kept[i].context.root == (eptp & ENTRY_ADDRESS))
			kept[i].valid = false;
}

/* `page` NULL: all of the tag; `tag` NULL: of every tag. */
static void drop_combined(const uint32_t *tag, const uint64_t *linear, bool second_as_well)
{
	for (unsigned i = 0; i < KEPT; i++) {
		if (!kept[i].valid || (tag && kept[i].context.tag != *tag) ||
		    (linear && (kept[i].page ^ *linear) / kept[i].bytes))
			continue;
		kept[i].combined = false;
		if (second_as_well)
			kept[i].valid = false;
	}
}

static void after_invept(uint64_t type, uint64_t eptp)
{
	uint64_t current = eptp;

	if (type == INVEPT_SINGLE_CONTEXT && sabotaged(SABOTAGE_invept_single_context_lost))
		return;
	if (type == INVEPT_ALL_CONTEXT && sabotaged(SABOTAGE_invept_all_context_lost))
		return;
	vmread_raw(VMCS_EPT_POINTER, &current);
	if (type == INVEPT_SINGLE_CONTEXT && eptp != current &&
	    sabotaged(SABOTAGE_invept_takes_current))
		eptp = current;
	if (type == INVEPT_SINGLE_CONTEXT)
		drop_root(eptp);
	else
		l2_caches_reset();
}

static void after_invvpid(uint64_t type, uint32_t vpid, uint64_t linear)
{
	if (sabotaged(SABOTAGE_invvpid_of_an_address_lost + type))
		return;
	drop_combined(type == INVVPID_ALL_CONTEXT ? NULL : &vpid,
		      type == INVVPID_INDIVIDUAL_ADDRESS ? &linear : NULL, false);
}

static void after_tlb_control(uint64_t control, uint32_t asid)
{
	if (control == TLB_CONTROL_FLUSH_ALL && !sabotaged(SABOTAGE_tlb_control_of_all_lost))
		l2_caches_reset();
	else if (control != TLB_CONTROL_FLUSH_ALL && !sabotaged(SABOTAGE_tlb_control_of_asid_lost))
		drop_combined(&asid, NULL, true);
}

void l2_caches_event(enum processor_event event, uint64_t operand, const uint64_t *descriptor)
{
	uint32_t tag = (uint32_t)descriptor[0];

	if (event == EVENT_INVEPT)
		after_invept(operand, descriptor[0]);
	else if (event == EVENT_INVVPID)
		after_invvpid(operand, tag & 0xffff, descriptor[1]);
	else if (event == EVENT_TLB_CONTROL)
		after_tlb_control(operand, tag);
	else if (event == EVENT_L2_RUNS && !sabotaged(SABOTAGE_own_flushes_of_l2_lost))
		drop_combined(NULL, NULL, false);
	else if (event == EVENT_INVLPGA && !sabotaged(SABOTAGE_invlpga_lost))
		drop_combined(&tag, &operand, false);
}
