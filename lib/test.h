/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Everything that a test may use. A test includes this header and nothing else.
 */
#ifndef TEST_H
#define TEST_H

#include "access/access.h"
#include "check/case.h"
#include "check/context.h"
#include "check/expect.h"
#include "check/five_levels.h"
#include "check/legacy_axes.h"
#include "check/legacy_invalidation.h"
#include "check/legacy_rewrite.h"
#include "check/low_pages.h"
#include "check/mode_scene.h"
#include "check/options.h"
#include "check/pae.h"
#include "check/pdpte_scene.h"
#include "check/protection_keys.h"
#include "check/random.h"
#include "check/report.h"
#include "check/sequence.h"
#include "check/sequence_scene.h"
#include "check/state.h"
#include "check/subject.h"
#include "check/system_tables.h"
#include "check/table_graph.h"
#include "check/task_scene.h"
#include "check/walk.h"
#include "check/watchdog.h"
#include "cpu/control.h"
#include "cpu/exception.h"
#include "cpu/features.h"
#include "cpu/svm_features.h"
#include "cpu/user.h"
#include "cpu/vmx_features.h"
#include "drivers/timer.h"
#include "libc/string.h"
#include "mem/address.h"
#include "mem/frames.h"
#include "nested/nested.h"
#include "nested/nested_svm.h"
#include "nested/nested_vmx.h"
#include "nested/second_image.h"
#include "paging/edit.h"
#include "paging/entry.h"
#include "paging/legacy.h"
#include "paging/space.h"
#include "paging/store.h"
#include "smp/patience.h"
#include "smp/processors.h"
#include "smp/requests.h"
#include "smp/shootdown.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
