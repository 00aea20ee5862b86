/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What tests of SVM alone need to know of an L2 guest: its VMCB, which they may change between
 * attempts.
 */
#ifndef NESTED_NESTED_SVM_H
#define NESTED_NESTED_SVM_H

#include "nested/nested.h"
#include "svm/svm.h"

struct nested_svm_guest {
	struct vmcb *vmcb;
	uint8_t tlb_control; /* of the next VMRUN; then TLB_CONTROL_NOTHING */
	bool flush_unasked;  /* at the next VMRUN: what is cached is played (wrongly.c) */
	/* For the shadow pager, or NULL: the last word on what is loaded for a VMRUN. */
	void (*load)(struct l2 *l2);
	/* Events that are not the access's end. Returns true when L2 is to go on; NULL: none. */
	bool (*handle)(struct l2 *l2, struct general_registers *registers);
};

struct nested_svm_guest *svm_guest(const struct l2 *l2);

/* Tells the model which of the host's EFER and CR4 bits decide on nested tables: to be called after
 * every change of the host's EFER.NXE. */
void svm_host_changed(struct l2 *l2);

#endif
