/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Application processors for the length of one case (SDM Vol. 3, "Multiple-Processor (MP)
 * Initialization"). Processor 0 is the one that booted and runs the case. The others get work from
 * it; work must not use expect() and the like, which are processor 0's: it notes what it saw.
 * At the end of a case all others are sent INIT, whatever they do.
 */
#ifndef SMP_PROCESSORS_H
#define SMP_PROCESSORS_H

#include "access/access.h"
#include "mem/address.h"

#define MOST_PROCESSORS 8

/* Starts others until there are `most` processors, or as many as there are, and answers with that
 * number, at least 2; ends the case as skipped when there is one only, and as failed when one that
 * ACPI lists does not start. They begin with the control registers, EFER and CR3 of processor 0,
 * interrupts on. */
unsigned start_processors(unsigned most);

/* INIT and SIPI for one of them, whatever it is doing. */
void restart_processor(unsigned processor);

/* What real-mode code of the processor that was started last found: registers before they were
 * changed (SDM Vol. 3, "Processor State After Reset", for INIT), and the word that lies at a
 * physical address below 1 MByte, which read_when_starting() chose: of a 16-byte boundary. */
struct found_at_start {
	uint32_t cr0, cr3, cr4, efer, word;
};
const struct found_at_start *found_at_start(void);
void read_when_starting(gpa_t below_1_mbyte);

/* The page below 1 MByte at which processors start; the one behind it is RAM, too. */
gpa_t start_page(void);

/* Work for another processor, which knows itself as `self`. finish_work() waits for its end, and
 * ends the case as failed when the processor died, gave up or does not get on. */
typedef void work_function(unsigned self, void *argument);
void start_work(unsigned processor, work_function *work, void *argument);
void finish_work(unsigned processor);

/* On one processor, which may be 0; on processors 0 to count - 1 at once. */
void run_on(unsigned processor, work_function *work, void *argument);
void run_on_all(unsigned count, work_function *work, void *argument);

/* An attempt on a processor: from its own work; or by processor 0 on any that has no other work. */
struct outcome attempt_as(unsigned self, struct access access);
struct outcome attempt_on(unsigned processor, struct access access);

/* All `count` processors arrive before any leaves. Start with {.count = n}. */
struct barrier {
	uint32_t count, arrived, round;
};
void barrier_wait(struct barrier *barrier, unsigned self);

/* Waits until *word >= value. `what` is for the report: "the next round". */
void wait_for_word(unsigned self, const volatile uint64_t *word, uint64_t value, const char *what);

/* Until the next interrupt, or not at all when *word is another value than `value`: halted, so that
 * others get the host's CPU. Who changes the word sends an interrupt after it. Processor 0 takes a
 * request, if there is one. */
void rest(unsigned self, const volatile uint64_t *word, uint64_t value);

/* A sign that long work gets on; attempts, barriers and requests are signs, too. */
void beat(unsigned self);

/* Leaves the work, or the case, at once: `what` never came. */
_Noreturn void give_up(unsigned self, const char *what);

#endif
