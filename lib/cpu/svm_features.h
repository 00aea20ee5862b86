/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What SVM offers besides the bits of CPUID that stand in features.def (APM Vol. 2, "Secure Virtual
 * Machine", "Enabling SVM"; CPUID Fn8000_000A).
 */
#ifndef CPU_SVM_FEATURES_H
#define CPU_SVM_FEATURES_H

#include <stdbool.h>

#define MSR_VM_CR	  0xc0010114u
#define MSR_VM_HSAVE_PA	  0xc0010117u

#define VM_CR_SVM_LOCK	  (1ull << 3)
#define VM_CR_SVM_DISABLE (1ull << 4) /* SVMDIS: EFER.SVME must be zero */

/* Whether EFER.SVME may be set: SVM is there, and VM_CR.SVMDIS is clear or can be cleared. */
bool svm_is_allowed(void);

/* ASIDs from 0 to this less 1 exist; 0 is the host's. */
unsigned svm_asids(void);

#endif
