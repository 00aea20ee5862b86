/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A new L2: the room's parts put together.
 */
#include "nested/l2.h"

#include "check/report.h"
#include "cpu/control.h"
#include "cpu/features.h"
#include "cpu/sabotage.h"
#include "libc/string.h"
#include "nested/shadow_svm.h"
#include "nested/wrongly.h"

#define CR4_OSFXSR (1ull << 9)

static struct l2 l2_of_case;

static void set_control_registers(struct l2 *l2)
{
	l2->cr0 = CR0_PE | (l2->mode == L2_UNPAGED ? 0 : CR0_PG | CR0_WP);
	l2->cr4 = CR4_OSFXSR | (l2->mode == L2_32BIT ? CR4_PSE : 0);
	if (l2->mode >= L2_PAE) {
		l2->cr4 |= CR4_PAE;
		l2->efer = has(FEATURE_nx) ? EFER_NXE : 0;
	}
	if (l2_is_64bit(l2))
		l2->efer |= EFER_LME | EFER_LMA;
	if (l2->mode == L2_5LEVEL)
		l2->cr4 |= CR4_LA57;
}

static const struct nested_backend *backend(void)
{
	return has(FEATURE_svm) ? nested_svm : &nested_vmx;
}

struct l2 *l2_start_with(enum l2_mode mode, struct l2_options options)
{
	struct l2 *l2 = &l2_of_case;

	memset(l2, 0, sizeof(*l2));
	l2->mode = mode;
	l2->options = options;
	l2->backend = backend();
	if (!l2->backend)
		end_case_skipped("vmx", "not offered here: VMX or SVM that the suite can use");
	if (options.shadow && l2->backend != nested_svm)
		end_case_skipped("svm", "not offered here: SVM, by which the shadow pager works");
	set_control_registers(l2);
	l2->backend->start(l2);
	if (options.shadow)
		shadow_svm_start(l2);
	l2_first_space(l2);
	if (processor_event_hook)
		l2_starts_wrongly();
	return l2;
}
