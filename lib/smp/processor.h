/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Inside the smp room: what is kept of each processor.
 */
#ifndef SMP_PROCESSOR_H
#define SMP_PROCESSOR_H

#include "cpu/descriptor.h"
#include "cpu/per_processor.h"
#include "smp/processors.h"
#include "smp/requests.h"

enum processor_state { NOT_STARTED, IDLE, WORKING, GAVE_UP, DIED };

struct processor {
	struct per_processor own; /* first: GS.base leads here */
	struct processor_descriptors descriptors;
	unsigned index;
	uint32_t apic_id;
	volatile enum processor_state state;
	volatile uint32_t halted;

	/* Work: given by processor 0, done by this one. */
	work_function *work;
	void *argument;
	volatile uint64_t given, done;

	/* Requests by others, see requests.c. */
	volatile uint32_t request_lock;
	request_function *request;
	void *request_argument;
	volatile uint64_t asked, answered;

	/* For the report. */
	volatile uint64_t beats, faults, last_fault;
	volatile uint64_t at; /* linear address of the attempt under way, 1: none */
	const char *volatile waiting_for;
	struct exception_frame exception;
	uint64_t cr2;
	void *before_work[5];
};

#define NO_ATTEMPT 1

extern struct processor processors[MOST_PROCESSORS];

/* How many there are now, 0 before start_processors(). */
unsigned processor_count(void);
void set_processor_count(unsigned number);

/* Ends the case with `what` and what each processor does. Processor 0 only. */
_Noreturn void fail_with_processors(const char *what, unsigned processor);

/* Processor 0: ends the case when one of the others died or gave up. */
void look_after_processors(void);

/* What another processor does from its start on; its handlers. */
_Noreturn void processor_serve(struct processor *self);
void processor_interrupted(struct per_processor *own);
void processor_died(const struct exception_frame *frame, struct per_processor *own);

/* One processor's request, if there is one. With interrupts off. */
void answer_request(struct processor *self);

#endif
