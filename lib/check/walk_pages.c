/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/walk_pages.h"

#include "access/access.h"
#include "mem/frames.h"
#include "paging/format_legacy.h"

#define FRAMES	   8  /* of 4 KBytes, that words are spread over, for each use */
#define WORD_BYTES 16 /* from word to word: what follows an operand is seen too */
#define FIRST_TAG  0x101

static struct walk_page pages[WALK_PAGES];

/* Where the frames of words lie: `page` is what the entry that maps it holds. */
struct place {
	gpa_t page, frame;
};

static void find_places(enum level level, struct place place[FRAMES])
{
	uint64_t bytes = level_bytes(current_format(), level);
	gpa_t large[2];

	if (level == PD)
		for (unsigned i = 0; i < 2; i++)
			large[i] = frames_alloc(bytes);
	for (unsigned i = 0; i < FRAMES; i++) {
		place[i].frame = level == PD ? gpa_plus(large[i % 2], (i * 61 + 3) * PAGE_4K)
					     : frame_alloc();
		place[i].page = GPA(place[i].frame.value & ~(bytes - 1));
	}
}

static uint64_t *top_structure(linear_t linear)
{
	const uint64_t *pdpte = current_pdptes();

	if (pdpte)
		return identity(GPA(pdpte[linear.value >> PDPTE_SHIFT] & ENTRY_ADDRESS));
	return identity(current_root());
}

/* Below the top, where each page has an entry of its own anyway, indexes differ from page to page
 * and, for one page, from level to level. No two are neighbours: pages share their tables, and a
 * processor that looks ahead to the next linear page may set A there, through entries of another
 * page's walk that would not lead there from its own. */
static linear_t linear_of(unsigned n, enum level level)
{
	static const unsigned step[] = {0, 29, 13, 7, 11}, start[] = {0, 100, 21, 3, 40};
	const struct paging_format *format = current_format();
	linear_t linear = unused_linear();

	for (int at = level; at < (int)format->top; at++) {
		unsigned index = (n * step[at] + start[at]) % 256 * 2;

		linear.value |= (uint64_t)index << format->level[at].shift;
	}
	return linear;
}

static void add_entries(struct walk_page *page, linear_t linear, enum level level,
			const gpa_t *structure)
{
	const struct paging_format *format = current_format();

	for (int at = format->top; at >= (int)level; at--) {
		void *table =
			at == (int)format->top ? top_structure(linear) : identity(structure[at]);

		page->entry[at] =
			(char *)table +
			level_index(format, (enum level)at, linear.value) * format->entry_bytes;
		page->base[at] = at == (int)level ? 0 : structure[at - 1].value;
	}
}

static void add_target(struct walk_target *target, linear_t linear, const struct place *place,
		       uint32_t number)
{
	uint64_t offset = place->frame.value - place->page.value;
	uint64_t *word;

	offset += number % WALK_PAGES * WORD_BYTES;
	target->linear = linear_plus(linear, offset);
	target->base = place->page.value;
	target->word = gpa_plus(place->page, offset);
	target->tag = FIRST_TAG + number;
	word = identity(target->word);
	word[0] = word[1] = frame_word(target->tag);
}

struct walk_page *make_walk_pages(enum level level)
{
	gpa_t structure[MOST_LEVELS + 1];
	struct place place[WALK_USES][FRAMES];

	for (unsigned use = 0; use < WALK_USES; use++)
		find_places(level, place[use]);
	for (int at = level; at < (int)current_format()->top; at++)
		structure[at] = frame_alloc();
	for (unsigned n = 0; n < WALK_PAGES; n++) {
		linear_t linear = linear_of(n, level);

		add_entries(&pages[n], linear, level, structure);
		for (unsigned use = 0; use < WALK_USES; use++)
			add_target(&pages[n].target[use], linear, &place[use][n % FRAMES],
				   use * WALK_PAGES + n);
	}
	return pages;
}

void note_early_accessed(const struct walk_page *page, enum level level,
			 const struct paging_format *format, uint64_t *written)
{
	for (int at = level; at <= (int)format->top; at++)
		if (written[at] & P)
			written[at] |= walk_entry(page, at, format->entry_bytes == 8) & A;
}
