/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the nested room: an L2 without nested paging, under SVM.
 */
#ifndef NESTED_SHADOW_SVM_H
#define NESTED_SHADOW_SVM_H

#include "nested/nested.h"
#include "svm/svm.h"

/* Makes the VMCB of nested_svm.c's guest one that the shadow pager serves: it sets the registers
 * that L2 really runs with, and handles its exits. */
void shadow_svm_start(struct l2 *l2);

#endif
