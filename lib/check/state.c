/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/state.h"

#include "check/report.h"
#include "cpu/features.h"
#include "mem/frames.h"
#include "paging/edit.h"
#include "paging/space.h"

#define MOST_JOURNAL_ENTRIES 256

struct journal_entry {
	volatile uint64_t *word; /* NULL: an MSR */
	uint32_t msr;
	uint64_t old;
};

#define MOST_UNDO_FUNCTIONS 4

static void (*undo_functions[MOST_UNDO_FUNCTIONS])(void);
static unsigned undo_count;
static uint64_t saved_cr0, saved_cr3, saved_cr4, saved_efer;
static struct journal_entry journal[MOST_JOURNAL_ENTRIES];
static unsigned journal_length;
static struct model_processor processor;

static void update_processor(void)
{
	uint64_t cr4 = read_cr4();

	processor.format = current_format();
	processor.rules = current_rules();
	processor.root = current_root().value;
	processor.pdpte = current_pdptes();
	processor.wp = read_cr0() & CR0_WP;
	processor.smep = cr4 & CR4_SMEP;
	processor.smap = cr4 & CR4_SMAP;
	processor.pke = cr4 & CR4_PKE;
	processor.pks = cr4 & CR4_PKS;
	processor.pkru = processor.pke ? rdpkru() : 0;
	processor.pkrs = processor.pks ? (uint32_t)read_msr(MSR_PKRS) : 0;
}

const struct model_processor *processor_now(void)
{
	return &processor;
}

void processor_changed(void)
{
	update_processor();
}

#define STATE_FUNCTIONS(name, read, write) \
	void set_##name(uint64_t bits)     \
	{                                  \
		write(read() | bits);      \
		update_processor();        \
	}                                  \
	void clear_##name(uint64_t bits)   \
	{                                  \
		write(read() & ~bits);     \
		update_processor();        \
	}

static uint64_t read_efer(void)
{
	return read_msr(MSR_EFER);
}

static void write_efer(uint64_t value)
{
	write_msr(MSR_EFER, value);
}

STATE_FUNCTIONS(cr0, read_cr0, write_cr0)
STATE_FUNCTIONS(cr4, read_cr4, write_cr4)
STATE_FUNCTIONS(efer, read_efer, write_efer)

void mov_to_cr3(uint64_t value)
{
	write_cr3(value);
	processor.root = value & ENTRY_ADDRESS;
}

void load_root(gpa_t root)
{
	mov_to_cr3(root.value);
}

static void note_in_journal(struct journal_entry entry)
{
	if (journal_length == MOST_JOURNAL_ENTRIES)
		end_case_failed("the journal is full");
	journal[journal_length++] = entry;
}

void write_msr_until_end(uint32_t msr, uint64_t value)
{
	note_in_journal((struct journal_entry){.msr = msr, .old = read_msr(msr)});
	write_msr(msr, value);
}

void write_word_until_end(volatile uint64_t *word, uint64_t value)
{
	note_in_journal((struct journal_entry){.word = word, .old = *word});
	*word = value;
}

void at_case_end(void (*undo)(void))
{
	for (unsigned i = 0; i < undo_count; i++)
		if (undo_functions[i] == undo)
			return;
	if (undo_count == MOST_UNDO_FUNCTIONS)
		end_case_failed("too many functions for the end of a case");
	undo_functions[undo_count++] = undo;
}

void state_save(void)
{
	saved_cr0 = read_cr0();
	saved_cr3 = read_cr3();
	saved_cr4 = read_cr4();
	saved_efer = read_efer();
	journal_length = 0;
	update_processor();
	processor_event(EVENT_NEW_CASE, 0, NULL);
}

static void undo_journal(void)
{
	while (journal_length) {
		const struct journal_entry *entry = &journal[--journal_length];

		if (entry->word)
			*entry->word = entry->old;
		else
			write_msr(entry->msr, entry->old);
	}
}

void release_pages(void)
{
	spaces_reset();
	frames_release();
	invalidate(LINEAR(0), CR4_PGE_TWICE);
}

void state_restore(void)
{
	while (undo_count)
		undo_functions[--undo_count]();
	write_cr3(saved_cr3);
	write_cr4(saved_cr4);
	write_cr0(saved_cr0);
	if (read_efer() != saved_efer)
		write_efer(saved_efer);
	undo_journal();
	release_pages();
	update_processor();
}
