/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What each operation of the guest drops (SDM Vol. 3, "Operations that Invalidate TLBs and
 * Paging-Structure Caches"), and what it fails to.
 */
#include "cpu/control.h"
#include "cpu/features.h"
#include "sabotage/cache.h"
#include "sabotage/pdptes.h"

static void after_invlpg(uint64_t linear)
{
	uint64_t pcid = current_pcid();

	if (sabotaged(SABOTAGE_invlpg_lost))
		return;
	drop_translations((struct dropping){
		.by_linear = true,
		.linear = linear,
		.by_pcid = true,
		.pcid = pcid,
		.keeps_globals = caches_hold(true, PT) && sabotaged(SABOTAGE_invlpg_keeps_globals),
		.one_4_kbyte =
			caches_hold(false, PD) && sabotaged(SABOTAGE_invlpg_drops_4_kbyte_only)});
	if (sabotaged(SABOTAGE_invlpg_keeps_structure_caches))
		return;
	drop_upper_entries(true, pcid,
			   sabotaged(SABOTAGE_invlpg_keeps_structure_caches_elsewhere) ? &linear
										       : NULL);
}

static void after_mov_to_cr3(uint64_t value, uint64_t old)
{
	bool pcide = read_cr4() & CR4_PCIDE;
	uint64_t pcid = current_pcid();

	if (pcide && (value & CR3_NO_FLUSH || sabotaged(SABOTAGE_no_flush_always)))
		return;
	if (value == old && sabotaged(SABOTAGE_mov_cr3_of_same_value_keeps_all))
		return;
	if (!sabotaged(SABOTAGE_mov_cr3_keeps_translations))
		drop_translations(
			(struct dropping){.by_pcid = pcide, .pcid = pcid, .keeps_globals = true});
	if (!sabotaged(SABOTAGE_mov_cr3_keeps_structure_caches))
		drop_upper_entries(pcide, pcid, NULL);
}

static void after_invpcid(uint64_t type, const uint64_t *descriptor)
{
	uint64_t pcid = descriptor[0] & 0xfff;

	if (pcid != current_pcid() && sabotaged(SABOTAGE_invpcid_context_takes_current))
		pcid = current_pcid();
	if (type == 0 && !sabotaged(SABOTAGE_invpcid_address_lost)) {
		drop_translations((struct dropping){.by_linear = true,
						    .linear = descriptor[1],
						    .by_pcid = true,
						    .pcid = pcid,
						    .keeps_globals = true});
		drop_upper_entries(true, pcid, NULL);
	} else if (type == 1 && !sabotaged(SABOTAGE_invpcid_context_lost)) {
		drop_translations(
			(struct dropping){.by_pcid = true, .pcid = pcid, .keeps_globals = true});
		drop_upper_entries(true, pcid, NULL);
	} else if (type == 2) {
		drop_translations((struct dropping){
			.keeps_globals = caches_hold(true, PT) &&
					 sabotaged(SABOTAGE_invpcid_all_keeps_globals)});
		drop_upper_entries(false, 0, NULL);
	} else if (type == 3 && !sabotaged(SABOTAGE_invpcid_all_but_global_lost)) {
		drop_translations((struct dropping){.keeps_globals = true});
		drop_upper_entries(false, 0, NULL);
	}
}

#define FLUSHING_CR4 (CR4_PGE | CR4_PSE | CR4_PAE | CR4_LA57)

static void after_mov_to_cr4(uint64_t value, uint64_t old)
{
	uint64_t changed = value ^ old;
	bool pcide_cleared = changed & old & CR4_PCIDE;

	if (pcide_cleared && sabotaged(SABOTAGE_pcide_cleared_keeps_translations)) {
		take_into_pcid_0();
		return;
	}
	if (changed & CR4_PGE && caches_hold(true, PT) &&
	    sabotaged(SABOTAGE_pge_change_keeps_globals)) {
		drop_translations((struct dropping){.keeps_globals = true});
		drop_upper_entries(false, 0, NULL);
		return;
	}
	if (changed & FLUSHING_CR4 || pcide_cleared || changed & value & CR4_SMEP)
		forget_everything();
}

/* Entries that were stored in a way that is not noticed stay what they are, whatever is flushed. */
static bool store_is_lost(enum store method)
{
	switch (method) {
	case STORE_MOV1:
		return sabotaged(SABOTAGE_store_of_1_byte_lost);
	case STORE_MOV2:
		return sabotaged(SABOTAGE_store_of_2_bytes_lost);
	case STORE_MOV4:
		return sabotaged(SABOTAGE_store_of_4_bytes_lost);
	case STORE_MOV4_HIGH_FIRST:
		return sabotaged(SABOTAGE_store_of_high_half_first_lost);
	case STORE_MOV8_CROSSING ... STORE_MOV2_CROSSING:
		return sabotaged(SABOTAGE_crossing_store_lost);
	case STORE_XCHG ... STORE_LOCK_XOR:
		return sabotaged(SABOTAGE_locked_store_lost);
	case STORE_REP_MOVSB ... STORE_STOSQ:
		return sabotaged(SABOTAGE_string_store_lost);
	case STORE_MOVDQA ... STORE_MOVNTDQ:
		return sabotaged(SABOTAGE_sse_store_lost);
	case STORE_PUSH ... STORE_CALL:
		return sabotaged(SABOTAGE_push_lost);
	case STORE_SGDT ... STORE_FXSAVE:
		return sabotaged(SABOTAGE_system_store_lost);
	default:
		return false;
	}
}

void store_event(uint64_t alias, enum store method, bool by_other)
{
	struct walk walk;
	bool lost = by_other ? sabotaged(SABOTAGE_stores_of_others_lost) : store_is_lost(method);

	walk_now(&walk, LINEAR(alias));
	if (!by_other && walk.physical != alias && sabotaged(SABOTAGE_store_by_alias_lost))
		lost = true;
	if (lost)
		stick_translations(walk.physical, false);
	else if (!by_other && sabotaged(SABOTAGE_store_seen_late))
		stick_translations(walk.physical, true);
}

struct late late;
static uint64_t cr0, cr3, cr4, efer;
static uint32_t pkru;

/* A flush is when late changes come to be seen; that of EFER.NXE, which has to be followed by one,
 * outlasts it. */
static void see_late_changes(void)
{
	late = (struct late){.nxe = late.nxe};
}

static void after_change(bool *is_late, enum sabotage which, bool changed)
{
	if (changed && sabotaged(which))
		*is_late = !*is_late;
}

static void begin_case(void)
{
	caches_reset();
	forget_roles();
	late = (struct late){0};
	cr0 = read_cr0();
	cr3 = read_cr3();
	cr4 = read_cr4();
	efer = has(FEATURE_nx) ? read_msr(MSR_EFER) : 0;
	pkru = cr4 & CR4_PKE ? rdpkru() : 0;
}

void cache_event(enum processor_event event, uint64_t operand, const uint64_t *descriptor)
{
	bool changed;

	switch (event) {
	case EVENT_NEW_CASE:
		begin_case();
		break;
	case EVENT_PAGING_WAS_OFF:
		forget_everything();
		break;
	case EVENT_INVLPG:
		see_late_changes();
		after_invlpg(operand);
		break;
	case EVENT_INVPCID:
		see_late_changes();
		after_invpcid(operand, descriptor);
		break;
	case EVENT_STORE:
		store_event(operand, (enum store)descriptor[0], false);
		break;
	case EVENT_cr0:
		if ((operand ^ cr0) & CR0_PG)
			forget_everything();
		changed = (operand ^ cr0) & CR0_WP;
		after_change(&late.any.wp, SABOTAGE_wp_seen_late, changed);
		after_change(&late.large.wp, SABOTAGE_wp_of_large_pages_seen_late, changed);
		late.cr0 = cr0;
		pdptes_event(event, operand, cr0);
		cr0 = operand;
		break;
	case EVENT_cr3:
		see_late_changes();
		late.nxe -= !!late.nxe;
		after_mov_to_cr3(operand, cr3);
		pdptes_event(event, operand, cr3);
		cr3 = operand;
		break;
	case EVENT_cr4:
		changed = (operand ^ cr4) & operand & CR4_SMEP;
		after_change(&late.any.smep, SABOTAGE_smep_set_keeps_translations, changed);
		after_change(&late.large.smep, SABOTAGE_smep_of_large_pages_seen_late, changed);
		changed = (operand ^ cr4) & operand & CR4_SMAP;
		after_change(&late.any.smap, SABOTAGE_smap_set_keeps_translations, changed);
		after_change(&late.large.smap, SABOTAGE_smap_of_large_pages_seen_late, changed);
		late.cr4 = cr4;
		after_mov_to_cr4(operand, cr4);
		pdptes_event(event, operand, cr4);
		cr4 = operand;
		break;
	case EVENT_EFER:
		if ((operand ^ efer) & EFER_NXE && sabotaged(SABOTAGE_nxe_seen_late))
			late.nxe = late.nxe ? 0 : 2;
		efer = operand;
		break;
	case EVENT_PKRU:
		changed = (uint32_t)operand != pkru;
		after_change(&late.any.pkru, SABOTAGE_pkru_seen_late, changed);
		after_change(&late.large.pkru, SABOTAGE_pkru_of_large_pages_seen_late, changed);
		late.old_pkru = pkru;
		pkru = (uint32_t)operand;
		break;
	default:
		break;
	}
}
