/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/watchdog.h"

#include "access/access.h"
#include "check/state.h"
#include "check/system_tables.h"
#include "drivers/local_apic.h"

#define MOST_TICKS 8 /* of one attempt: two seconds and more */

extern const char attempt_watch_entry[];
bool attempt_is_stuck(void);

static uint64_t watched;
static unsigned ticks;

/* Called in the interrupt. */
bool attempt_is_stuck(void)
{
	end_of_interrupt();
	if (attempts_made != watched) {
		watched = attempts_made;
		ticks = 0;
	}
	return ++ticks >= MOST_TICKS;
}

static void stop(void)
{
	local_apic_timer_stop();
	attempts_are_interruptible(false);
}

static void set_gate(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr;
	uint64_t entry = (uintptr_t)attempt_watch_entry, *gate;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	gate = (uint64_t *)(uintptr_t)(idtr.base + VECTOR_WATCHDOG * sizeof(struct idt_gate));
	write_word_until_end(&gate[0], (gate[0] & 0x0000ffffffff0000) | (entry & 0xffff) |
					       (entry & 0xffff0000) << 32);
	write_word_until_end(&gate[1], entry >> 32);
}

bool watch_attempts(void)
{
	if (!local_apic_is_usable())
		return false;
	ticks = 0;
	set_gate();
	at_case_end(stop);
	local_apic_enable(local_apic_mode());
	local_apic_timer_start(VECTOR_WATCHDOG);
	attempts_are_interruptible(true);
	return true;
}
