/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the nested room: what its files know of a guest.
 */
#ifndef NESTED_L2_H
#define NESTED_L2_H

#include "nested/nested.h"

/* NULL for L2_UNPAGED. The format for PAE begins at the page directory. */
const struct paging_format *l2_format(const struct l2 *l2);
bool l2_is_64bit(const struct l2 *l2);

uint64_t l2_read_entry(const struct l2 *l2, const volatile uint8_t *entry);

/* Where the access's instruction and the end of the worker stand in L2's linear space. */
linear_t l2_stub(const struct l2 *l2, const struct access *access);

/* Where code of the section .user.text stands there; where L2 ends, by #UD. */
uint64_t l2_code_address(const struct l2 *l2, bool user, const void *code);
uint64_t l2_end_of_code(const struct l2 *l2, bool user);

/* What an intercepted exception says of the access that was made last. */
struct outcome l2_exception_outcome(const struct l2 *l2, const struct l2_exit *exit,
				    const struct l2_registers *registers);

/* What the model says of an access, as memory is now. */
void l2_translate(const struct l2 *l2, struct model_l2_answer *answer,
		  const struct model_second_level *second, const struct model_access *access);

/* L2's first address space, with its stubs mapped. */
void l2_first_space(struct l2 *l2);

/* l2_attempt() as the machine makes it. */
struct l2_outcome l2_attempt_rightly(struct l2 *l2, struct access access);

/* A hypervisor with a bug, which is asked instead (wrongly.c); NULL: none. */
struct l2_run;
struct l2_hooks {
	struct l2_outcome (*attempt)(struct l2 *l2, struct access access);
	void (*run_steps)(struct l2 *l2, const struct access *steps, unsigned count,
			  struct l2_run *run);
};
extern const struct l2_hooks *l2_hooks;

#endif
