/* SPDX-License-Identifier: BSD-2-Clause
 */
#include "sabotage/processor.h"

#include "cpu/control.h"
#ifdef __x86_64__
#include "cpu/per_processor.h"
#endif
#include "sabotage/cache.h"
#include "sabotage/lend.h"
#include "sabotage/operation.h"
#include "sabotage/pdptes.h"

#define SLOW_TICKS 20000

/* Control bits as the processor with a bug takes them. */
struct controls {
	uint64_t cr0, cr4;
	bool nxe_toggled;
	uint32_t pkru;
};

/* For every page, or for large ones, which stand behind it in the list in the same order. */
static bool is_ignored(enum sabotage which, bool large)
{
	bool of_large = large && sabotaged(which - SABOTAGE_wp_ignored +
					   SABOTAGE_wp_ignored_for_large_pages);

	return sabotaged(which) || of_large;
}

static struct controls wrong_controls(const struct controls *right,
				      const struct operation *operation)
{
	bool supervisor = !operation->access.user, fetch = operation->fetch;
	bool large = operation->right[0].level > PT;
	struct controls wrong = *right;

	if (supervisor && operation->write && is_ignored(SABOTAGE_wp_ignored, large))
		wrong.cr0 &= ~CR0_WP;
	if ((wrong.cr4 & CR4_SMEP && supervisor && fetch &&
	     is_ignored(SABOTAGE_smep_ignored, large)) ||
	    late.any.smep || (large && late.large.smep))
		wrong.cr4 &= ~CR4_SMEP;
	if ((wrong.cr4 & CR4_SMAP && supervisor && !fetch &&
	     is_ignored(SABOTAGE_smap_ignored, large)) ||
	    late.any.smap || (large && late.large.smap))
		wrong.cr4 &= ~CR4_SMAP;
	if (wrong.cr4 & (CR4_PKE | CR4_PKS) && sabotaged(SABOTAGE_keys_ignored))
		wrong.cr4 &= ~(CR4_PKE | CR4_PKS);
	if (late.any.wp || (large && late.large.wp))
		wrong.cr0 ^= CR0_WP;
	wrong.nxe_toggled = late.nxe;
	if ((late.any.pkru || (large && late.large.pkru)) && wrong.cr4 & CR4_PKE)
		wrong.pkru = late.old_pkru;
	return wrong;
}

/* Without the hooks; what EFER.NXE decides is cached. */
static void toggle_nxe(void)
{
	uint64_t efer = read_msr(MSR_EFER) ^ EFER_NXE;

	__asm__ volatile("wrmsr"
			 :
			 : "c"(MSR_EFER), "a"((uint32_t)efer), "d"((uint32_t)(efer >> 32))
			 : "memory");
	__asm__ volatile("mov %0, %%cr3" : : "r"((unsigned long)read_cr3()) : "memory");
}

/* Without the hooks. */
static void load_controls(const struct controls *from, const struct controls *to)
{
	if (from->pkru != to->pkru && to->cr4 & from->cr4 & CR4_PKE)
		__asm__ volatile("wrpkru" : : "a"(to->pkru), "c"(0), "d"(0) : "memory");
	if (from->cr0 != to->cr0)
		__asm__ volatile("mov %0, %%cr0" : : "r"((unsigned long)to->cr0) : "memory");
	if (from->cr4 != to->cr4)
		__asm__ volatile("mov %0, %%cr4" : : "r"((unsigned long)to->cr4) : "memory");
	if (from->nxe_toggled != to->nxe_toggled)
		toggle_nxe();
}

static struct outcome attempt_with_controls(const struct operation *operation)
{
	struct access access = operation->access;
	struct controls right = {.cr0 = read_cr0(), .cr4 = read_cr4()}, wrong;
	struct outcome outcome;

	if (right.cr4 & CR4_PKE)
		right.pkru = rdpkru();
	wrong = wrong_controls(&right, operation);
	if (access.ac && !access.user && right.cr4 & CR4_SMAP && sabotaged(SABOTAGE_ac_ignored))
		access.ac = false;
	load_controls(&right, &wrong);
	outcome = attempt_rightly(access);
	load_controls(&wrong, &right);
	return outcome;
}

static struct outcome attempt_under(const struct operation *operation,
				    const struct translation *wrong)
{
	struct outcome outcome;

	lend_begin();
	for (unsigned i = 0; i < operation->pages; i++)
		lend_page(operation->linear[i], &wrong[i]);
	lend_enter();
	outcome = attempt_with_controls(operation);
	lend_leave();
	return outcome;
}

/* A and D as a right walk would have set them, of entries that the lent ones stood for. */
static void set_flags(const struct translation *walked, bool write)
{
	for (unsigned n = 0; n < walked->count; n++)
		change_entry(walked->address[n], A | (write && n + 1 == walked->count ? D : 0), 0);
}

/* What is used from a TLB sets no flags. */
static void take_flags_back(const struct translation *right)
{
	for (unsigned n = 0; n < right->count; n++)
		change_entry(right->address[n], 0, (A | D) & ~right->seen[n]);
}

static void remember(const struct operation *operation, const struct translation *walked,
		     unsigned page)
{
	struct translation cached = *walked;
	uint64_t rights = walked->rights_above;

	if (operation->write)
		cached.last |= D;
	remember_translation(operation->linear[page], &cached);
	for (unsigned n = 0; n + 1 < walked->count; n++) {
		rights = rights_below(rights, walked->seen[n]);
		remember_upper_entry(operation->linear[page], walked->at[n],
				     walked->seen[n] & ENTRY_ADDRESS, rights);
	}
}

static void keep_caches(const struct operation *operation, const struct translation *wrong,
			const struct outcome *outcome)
{
	for (unsigned i = 0; i < operation->pages; i++) {
		if (outcome->vector == NO_VECTOR) {
			if (!wrong[i].cached)
				remember(operation, &wrong[i], i);
		} else if (outcome->vector == VECTOR_PF &&
			   outcome->cr2 / PAGE_4K == operation->linear[i] / PAGE_4K) {
			forget_after_fault(operation->linear[i]);
			if (wrong[i].found == FOUND_ABSENT &&
			    sabotaged(SABOTAGE_not_present_is_cached))
				remember_translation(operation->linear[i], &wrong[i]);
		}
	}
}

static void keep_flags(const struct operation *operation, const struct translation *wrong,
		       bool differs)
{
	for (unsigned i = 0; i < operation->pages; i++) {
		if (wrong[i].cached && !differs)
			take_flags_back(&operation->right[i]);
		else if (!wrong[i].cached && differs)
			set_flags(&wrong[i], operation->write);
	}
}

static void delay(void)
{
	uint64_t start = read_tsc();

	while (read_tsc() - start < SLOW_TICKS)
		__asm__ volatile("pause");
}

static void be_odd(void)
{
	static unsigned turn;

	if (sabotaged(SABOTAGE_slow_accesses))
		delay();
	if (sabotaged(SABOTAGE_flushes_often) && ++turn % 3 == 0)
		forget_everything();
}

/* The played caches are the only ones: what the machine itself kept would mix with them, and set
 * no flags. Without the hooks. */
static void drop_real_translations(const struct operation *operation)
{
	for (unsigned i = 0; i < operation->pages; i++)
		__asm__ volatile("invlpg (%0)"
				 :
				 : "r"((unsigned long)operation->linear[i])
				 : "memory");
}

/* The caches are those of the processor that started this; the others, which only 64-bit images
 * have, play nothing. */
#ifdef __x86_64__
static uint64_t own_gs_base;

static void note_processor(void)
{
	own_gs_base = read_msr(MSR_GS_BASE);
}

static bool is_own_processor(void)
{
	return read_msr(MSR_GS_BASE) == own_gs_base;
}
#else
static void note_processor(void) {}

static bool is_own_processor(void)
{
	return true;
}
#endif

static void take_event(enum processor_event event, uint64_t operand, const uint64_t *descriptor)
{
	if (is_own_processor())
		cache_event(event, operand, descriptor);
	else if (event == EVENT_STORE)
		store_event(operand, (enum store)descriptor[0], true);
}

static struct outcome attempt_wrongly(struct access access)
{
	struct translation wrong[2];
	struct operation operation;
	struct outcome outcome;
	bool differs = false;

	if (!is_own_processor())
		return attempt_rightly(access);
	be_odd();
	if (!operation_begin(&operation, &access))
		return attempt_other(&access);
	for (unsigned i = 0; i < operation.pages; i++) {
		translate_wrongly(&wrong[i], operation.linear[i], operation.write);
		if (i && !operation.write && wrong[0].found == FOUND_PAGE &&
		    wrong[1].found == FOUND_PAGE && sabotaged(SABOTAGE_second_page_read_from_first))
			wrong[1].frame = wrong[0].frame + PAGE_4K;
		differs |= translations_differ(&wrong[i], &operation.right[i]);
	}
	if (!can_lend(wrong, operation.pages))
		differs = false;
	if (caches_are_used())
		drop_real_translations(&operation);
	outcome = differs ? attempt_under(&operation, wrong) : attempt_with_controls(&operation);
	if (outcome.vector == NO_VECTOR) {
		keep_flags(&operation, wrong, differs);
		pdptes_after_access(access.linear.value);
	}
	if (caches_are_used())
		keep_caches(&operation, wrong, &outcome);
	falsify_flags(&operation, &outcome);
	falsify(&operation, &outcome);
	return outcome;
}

void sabotage_start(void)
{
	note_processor();
	attempt_hook = attempt_wrongly;
	processor_event_hook = take_event;
}
