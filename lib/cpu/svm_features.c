/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/svm_features.h"

#include "cpu/control.h"
#include "cpu/features.h"

#define LEAF_SVM 0x8000000au

/* Firmware that turns SVM off sets both bits; SVMDIS alone can be cleared. */
bool svm_is_allowed(void)
{
	const uint64_t locked_off = VM_CR_SVM_LOCK | VM_CR_SVM_DISABLE;

	return has(FEATURE_svm) && (read_msr(MSR_VM_CR) & locked_off) != locked_off;
}

unsigned svm_asids(void)
{
	return has(FEATURE_svm) ? cpuid(LEAF_SVM, 0).ebx : 0;
}
