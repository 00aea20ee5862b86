/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the nested room: an L2 without nested paging, under SVM.
 */
#ifndef NESTED_SHADOW_SVM_H
#define NESTED_SHADOW_SVM_H

#include "nested/nested.h"
#include "svm/svm.h"

/* Makes the VMCB of nested_svm.c's guest one that the shadow pager serves. */
void shadow_svm_start(struct l2 *l2);

/* Before L2 is entered: the control registers that it really runs with. */
void shadow_svm_load(struct l2 *l2);

/* After each exit; true when L2 is to go on. */
bool shadow_svm_handle(struct l2 *l2, struct general_registers *registers);

#endif
