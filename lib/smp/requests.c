/* SPDX-License-Identifier: BSD-2-Clause */
#include "smp/requests.h"

#include "drivers/local_apic.h"
#include "smp/patience.h"
#include "smp/processor.h"

static void wait_or_give_up(unsigned self, struct patience *patience, const char *what)
{
	if (!self)
		look_after_processors();
	if (!patience_left(patience))
		give_up(self, what);
}

static void lock_requests(unsigned self, struct processor *other)
{
	struct patience patience = patience_start();

	while (__atomic_exchange_n(&other->request_lock, 1, __ATOMIC_ACQUIRE))
		wait_or_give_up(self, &patience, "a third processor's request to end");
}

static void post(unsigned self, struct processor *other, request_function *function, void *argument)
{
	lock_requests(self, other);
	other->request = function;
	other->request_argument = argument;
	__atomic_store_n(&other->asked, other->asked + 1, __ATOMIC_SEQ_CST);
}

static void await_answer(unsigned self, struct processor *other, const char *what)
{
	struct patience patience = patience_start();

	while (__atomic_load_n(&other->answered, __ATOMIC_ACQUIRE) != other->asked)
		wait_or_give_up(self, &patience, what);
	beat(self);
	__atomic_store_n(&other->request_lock, 0, __ATOMIC_RELEASE);
}

static void send_to(unsigned self, struct processor *other)
{
	if (!send_interrupt(other->apic_id, VECTOR_PROCESSOR))
		give_up(self, "the local APIC to send an interrupt");
}

void interrupt_processor(unsigned self, unsigned processor, request_function *function,
			 void *argument)
{
	struct processor *other = &processors[processor];

	post(self, other, function, argument);
	send_to(self, other);
	await_answer(self, other, "the answer to an interrupt");
}

void interrupt_others(unsigned self, request_function *function, void *argument)
{
	for (unsigned i = 1; i < processor_count(); i++) {
		if (i == self)
			continue;
		post(self, &processors[i], function, argument);
		send_to(self, &processors[i]);
	}
	for (unsigned i = 1; i < processor_count(); i++)
		if (i != self)
			await_answer(self, &processors[i], "the answer to an interrupt");
}

void ask_processor(unsigned self, unsigned processor, request_function *function, void *argument)
{
	post(self, &processors[processor], function, argument);
	await_answer(self, &processors[processor], "the answer to a request");
}

void answer_request(struct processor *self)
{
	uint64_t asked = __atomic_load_n(&self->asked, __ATOMIC_ACQUIRE);

	if (self->answered == asked)
		return;
	self->request(self->request_argument);
	self->beats++;
	__atomic_store_n(&self->answered, asked, __ATOMIC_RELEASE);
}

bool take_request(unsigned self)
{
	struct processor *own = &processors[self];

	if (own->answered == __atomic_load_n(&own->asked, __ATOMIC_ACQUIRE))
		return false;
	if (self)
		__asm__ volatile("cli" : : : "memory");
	answer_request(own);
	if (self)
		__asm__ volatile("sti" : : : "memory");
	return true;
}
