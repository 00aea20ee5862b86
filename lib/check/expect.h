/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Expectations. Each counts as a check; a failed one is reported with the place that it stands at,
 * and the case goes on, so that one run shows the pattern of a defect.
 */
#ifndef CHECK_EXPECT_H
#define CHECK_EXPECT_H

#include "access/access.h"
#include "check/report.h"
#include "model/model.h"
#include "paging/space.h"

/* Something simple that must hold; the rest says in printf's manner what was seen instead. */
#define expect(condition, ...)                                                         \
	do {                                                                           \
		count_check();                                                         \
		if (!(condition))                                                      \
			fail_expectation(__FILE__, __LINE__, #condition, __VA_ARGS__); \
	} while (0)

/* Makes the access and judges everything by the model, for structures of which nothing is cached:
 * outcome, vector, error code, CR2, accessed and dirty flags of every entry, that nothing else
 * changed, where RIP stood, and the data: what was read, what was written, that a faulting access
 * changed nothing. */
#define expect_as_modelled(access) judge_access(__FILE__, __LINE__, access)

/* Makes the access, which must complete, and checks the value that it read; flags are not looked
 * at. For accesses through translations that may be cached. */
#define expect_read(access, value) judge_read(__FILE__, __LINE__, access, value)

/* Makes the access, which must raise #PF with this error code and with CR2 at its linear address.
 */
#define expect_page_fault(access, error_code) \
	judge_page_fault(__FILE__, __LINE__, access, error_code)

/* Makes the access, which must raise this exception, not #PF, and leave CR2 alone. */
#define expect_exception(access, vector, error_code) \
	judge_exception(__FILE__, __LINE__, access, vector, error_code)

/* Accessed and dirty flags of one entry: `mask` of A and D, `value` what they must be. */
#define expect_flags(page, level, mask, value) \
	judge_flags(__FILE__, __LINE__, page, level, mask, value)

/* The access in the model's terms. */
struct model_access modelled_access(const struct access *access);

/* The outcome that the model gives for an access as memory is now; without any access. */
struct model_outcome modelled_outcome(struct access access);

void fail_expectation(const char *file, int line, const char *condition, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
struct outcome judge_access(const char *file, int line, struct access access);
struct outcome judge_read(const char *file, int line, struct access access, uint64_t value);
struct outcome judge_page_fault(const char *file, int line, struct access access,
				uint64_t error_code);
struct outcome judge_exception(const char *file, int line, struct access access, unsigned vector,
			       uint64_t error_code);
void judge_flags(const char *file, int line, const struct page *page, enum level level,
		 uint64_t mask, uint64_t value);

/* While a case runs: that P is 1 in the error code of a reserved-bit fault is checked only after
 * this call, by the cases whose subject it is, so that one widespread defect (QT01) does not hide
 * others. */
void compare_p_of_reserved_bit_faults(void);
bool p_of_reserved_bit_faults_is_compared(void);
void expectations_reset(void);

#endif
