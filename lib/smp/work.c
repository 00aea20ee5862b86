/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/report.h"
#include "cpu/control.h"
#include "cpu/io.h"
#include "drivers/local_apic.h"
#include "smp/patience.h"
#include "smp/processor.h"

#define TURNS_BEFORE_HALT 2000

static void run_work(struct processor *self) __attribute__((noinline));

static void run_work(struct processor *self)
{
	if (__builtin_setjmp(self->before_work) == 0)
		self->work(self->index, self->argument);
}

/* Spins a while, since work often follows work, and then halts, since a host CPU may be wanted. */
static void await_work(struct processor *self)
{
	for (unsigned turns = 0; turns < TURNS_BEFORE_HALT; turns++) {
		if (__atomic_load_n(&self->given, __ATOMIC_ACQUIRE) != self->done)
			return;
		pause();
	}
	__asm__ volatile("cli" : : : "memory");
	__atomic_store_n(&self->halted, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&self->given, __ATOMIC_SEQ_CST) == self->done)
		__asm__ volatile("sti; hlt" : : : "memory");
	else
		__asm__ volatile("sti" : : : "memory");
	self->halted = 0;
}

_Noreturn void processor_serve(struct processor *self)
{
	__atomic_store_n(&self->state, IDLE, __ATOMIC_RELEASE);
	__asm__ volatile("sti" : : : "memory");
	for (;;) {
		while (__atomic_load_n(&self->given, __ATOMIC_ACQUIRE) == self->done)
			await_work(self);
		self->state = WORKING;
		run_work(self);
		__asm__ volatile("sti" : : : "memory");
		self->beats++;
		if (self->state == WORKING)
			self->state = IDLE;
		__atomic_store_n(&self->done, self->given, __ATOMIC_RELEASE);
	}
}

void processor_interrupted(struct per_processor *own)
{
	answer_request((struct processor *)own);
	end_of_interrupt();
}

void processor_died(const struct exception_frame *frame, struct per_processor *own)
{
	struct processor *self = (struct processor *)own;

	self->exception = *frame;
	self->cr2 = read_cr2();
	__atomic_store_n(&self->state, DIED, __ATOMIC_RELEASE);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void start_work(unsigned processor, work_function *work, void *argument)
{
	struct processor *other = &processors[processor];

	other->work = work;
	other->argument = argument;
	__atomic_store_n(&other->given, other->given + 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&other->halted, __ATOMIC_SEQ_CST))
		send_interrupt(other->apic_id, VECTOR_PROCESSOR);
}

void finish_work(unsigned processor)
{
	struct processor *other = &processors[processor];
	struct patience patience = patience_start();
	uint64_t beats = other->beats;

	while (__atomic_load_n(&other->done, __ATOMIC_ACQUIRE) != other->given) {
		look_after_processors();
		if (other->beats != beats) {
			beats = other->beats;
			patience = patience_start();
		}
		if (!patience_left(&patience))
			fail_with_processors("a processor does not get on", processor);
	}
	look_after_processors();
}

void run_on(unsigned processor, work_function *work, void *argument)
{
	if (!processor) {
		work(0, argument);
		return;
	}
	start_work(processor, work, argument);
	finish_work(processor);
}

void run_on_all(unsigned count, work_function *work, void *argument)
{
	for (unsigned i = 1; i < count; i++)
		start_work(i, work, argument);
	work(0, argument);
	for (unsigned i = 1; i < count; i++)
		finish_work(i);
}

struct outcome attempt_as(unsigned self, struct access access)
{
	struct processor *own = &processors[self];
	struct outcome outcome;

	if (!self)
		return attempt(access);
	own->at = access.linear.value;
	outcome = attempt_of_processor(access);
	own->at = NO_ATTEMPT;
	own->beats++;
	if (outcome.vector != NO_VECTOR) {
		own->faults++;
		own->last_fault = outcome.cr2;
	}
	return outcome;
}

struct attempt_elsewhere {
	struct access access;
	struct outcome outcome;
};

static void attempt_there(unsigned self, void *argument)
{
	struct attempt_elsewhere *elsewhere = argument;

	elsewhere->outcome = attempt_as(self, elsewhere->access);
}

struct outcome attempt_on(unsigned processor, struct access access)
{
	struct attempt_elsewhere elsewhere = {.access = access};

	run_on(processor, attempt_there, &elsewhere);
	return elsewhere.outcome;
}

void rest(unsigned self, const volatile uint64_t *word, uint64_t value)
{
	beat(self);
	if (!self) {
		if (!take_request(self))
			pause();
		look_after_processors();
		return;
	}
	__asm__ volatile("cli" : : : "memory");
	if (*word == value)
		__asm__ volatile("sti; hlt" : : : "memory");
	else
		__asm__ volatile("sti" : : : "memory");
}

void wait_for_word(unsigned self, const volatile uint64_t *word, uint64_t value, const char *what)
{
	struct patience patience = patience_start();

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < value) {
		if (!self)
			look_after_processors();
		if (!patience_left(&patience))
			give_up(self, what);
	}
	beat(self);
}

void barrier_wait(struct barrier *barrier, unsigned self)
{
	uint32_t round = __atomic_load_n(&barrier->round, __ATOMIC_ACQUIRE);
	struct patience patience = patience_start();

	if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == barrier->count) {
		barrier->arrived = 0;
		__atomic_store_n(&barrier->round, round + 1, __ATOMIC_RELEASE);
	}
	while (__atomic_load_n(&barrier->round, __ATOMIC_ACQUIRE) == round) {
		if (!self)
			look_after_processors();
		if (!patience_left(&patience))
			give_up(self, "the others at a barrier");
	}
	beat(self);
}
