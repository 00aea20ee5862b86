/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The face's SVM side.
 */
#include "nested/nested.h"

const struct nested_backend *const nested_svm;
