/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Two processors use the same paging structures at the same time with different controls.
 *
 * CR0.WP, CR4.SMEP, CR4.SMAP, EFER.NXE, CR4.PGE, CR4.PCIDE and CR4.LA57 are each processor's own:
 * what an entry permits is decided by the controls of the processor that makes the access, whoever
 * else uses the same structures in another mode (SDM Vol. 3, "Determination of Access Rights").
 *
 * Caught here: shadow pages that were built for one processor's controls and are found by another
 * that has others (KS09, KS01): write rights of CR0.WP = 0, XD that is ignored or reserved with
 * EFER.NXE = 0; global and tagged translations of a processor that has neither.
 *
 * Not checked: a change of controls without an invalidation (mode_toggles), 32-bit and PAE paging
 * of another processor.
 */
#include "test.h"

SUBJECT(different_modes, "paging structures shared by processors with different controls");

#define RIGHTS "SDM Vol. 3, \"Determination of Access Rights\""
#define PCIDS  "SDM Vol. 3, \"Process-Context Identifiers (PCIDs)\""
#define GLOBAL "SDM Vol. 3, \"Global Pages\""
#define PAGES  16 /* R/W, U/S and XD in the PTE, then the same in the PDE of a 2-MByte page */

/* Of one processor. */
struct controls {
	bool wp, smep, smap, nxe;
};

static struct scene {
	struct page page[PAGES];
	struct controls controls[2];
	struct outcome outcome[2][PAGES][ACCESS_WAYS];
} scene;

static uint64_t with(uint64_t value, uint64_t bit, bool set)
{
	return set ? value | bit : value & ~bit;
}

/* Everything cached before is forgotten. */
static void take_controls(unsigned self, void *argument)
{
	const struct controls *controls = &scene.controls[self];

	(void)argument;
	write_cr0(with(read_cr0(), CR0_WP, controls->wp));
	write_cr4(with(with(read_cr4(), CR4_SMEP, controls->smep), CR4_SMAP, controls->smap));
	if (has(FEATURE_nx))
		write_msr(MSR_EFER, with(read_msr(MSR_EFER), EFER_NXE, controls->nxe));
	forget_translation(SHOOTDOWN_PGE, LINEAR(0));
}

/* Every access to every page, in an order of this processor's own. */
static void use_all(unsigned self, void *argument)
{
	unsigned all = PAGES * ACCESS_WAYS, step = self ? 25 : 7, at = *(unsigned *)argument;

	for (unsigned n = 0; n < all; n++) {
		unsigned page = at / ACCESS_WAYS, way = at % ACCESS_WAYS;

		scene.outcome[self][page][way] =
			attempt_as(self, nth_access(way, scene.page[page].linear));
		at = (at + step) % all;
		if (n % 16 == 0)
			pause();
	}
}

static void judge(unsigned self, unsigned page, unsigned way)
{
	const struct controls *controls = &scene.controls[self];
	const struct outcome *outcome = &scene.outcome[self][page][way];
	struct access access = nth_access(way, scene.page[page].linear);
	struct model_access asked = modelled_access(&access);
	struct model_processor processor = *processor_now();
	struct model_answer answer;
	struct text text;
	char words[160];
	uint64_t code;

	processor.wp = controls->wp;
	processor.smep = controls->smep;
	processor.smap = controls->smap;
	processor.rules.execute_disable = controls->nxe;
	model_translate(&answer, &processor, &asked, read_identity, NULL);
	code = answer.outcome[0].error_code;
	text = TEXT(words);
	text_access(&text, &access);
	expect(outcome->vector == answer.outcome[0].vector &&
		       (outcome->vector == NO_VECTOR ||
			!((outcome->error_code ^ code) & ~(code & PF_RSVD ? PF_P : 0ull))),
	       "processor %u with WP %u, SMEP %u, SMAP %u, NXE %u, other with %u, %u, %u, %u: %s, "
	       "leaf entry 0x%llx: vector %u, error code 0x%llx",
	       self, controls->wp, controls->smep, controls->smap, controls->nxe,
	       scene.controls[!self].wp, scene.controls[!self].smep, scene.controls[!self].smap,
	       scene.controls[!self].nxe, words,
	       (unsigned long long)*scene.page[page].entry[scene.page[page].level], outcome->vector,
	       (unsigned long long)outcome->error_code);
}

static void map_all_rights(void)
{
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t flags = P | (i & 1 ? RW : 0) | (i & 2 ? US : 0) | (i & 4 ? XD : 0);
		enum level level = i & 8 ? PD : PT;
		gpa_t frame = frames_alloc(level == PD ? PAGE_2M : PAGE_4K);

		frame_fill(frame, PAGE_4K, 77);
		scene.page[i] = map_page_at(level, frame, has(FEATURE_nx) ? flags : flags & ~XD);
	}
}

static struct controls nth_controls(unsigned n)
{
	return (struct controls){
		.wp = n & 1,
		.smep = n & 2 && has(FEATURE_smep),
		.smap = n & 4 && has(FEATURE_smap),
		.nxe = n & 8 && has(FEATURE_nx),
	};
}

static void share_with_controls(unsigned first, unsigned second, unsigned *start)
{
	scene.controls[0] = nth_controls(first);
	scene.controls[1] = nth_controls(second);
	run_on(1, take_controls, NULL);
	take_controls(0, NULL);
	run_on_all(2, use_all, start);
	*start = (*start + 31) % (PAGES * ACCESS_WAYS);
	for (unsigned page = 0; page < PAGES; page++)
		for (unsigned way = 0; way < ACCESS_WAYS; way++)
			for (unsigned self = 0; self < 2; self++)
				judge(self, page, way);
}

TEST(rights_follow_the_controls_of_the_processor,
     "CR0.WP, SMEP, SMAP and NXE of one processor do not matter to another with the same tables",
     RIGHTS, "two_processors")
{
	struct random random = random_start(1);
	unsigned start = 0;

	map_all_rights();
	start_processors(2);
	for (unsigned n = 0; n < 16; n++) {
		for (unsigned bit = 1; bit < 16; bit *= 2)
			share_with_controls(n, n ^ bit, &start);
		share_with_controls(n, (unsigned)random_below(&random, 16), &start);
		progress("%u of 16", n);
	}
	take_controls(0, NULL);
}

static void set_pge(unsigned self, void *argument)
{
	(void)self;
	write_cr4(with(read_cr4(), CR4_PGE, *(bool *)argument));
}

static void load_cr3_again(unsigned self, void *argument)
{
	(void)self;
	(void)argument;
	invalidate(LINEAR(0), MOV_CR3);
}

static uint64_t word_on(unsigned processor, linear_t linear)
{
	return attempt_on(processor, read_access(linear, 8)).value[0];
}

TEST(global_translations_belong_to_a_processor_with_pge,
     "MOV to CR3 drops a G = 1 translation where CR4.PGE = 0, whatever the other processor has",
     GLOBAL, "two_processors pge")
{
	bool yes = true, no = false;

	start_processors(2);
	for (unsigned n = 0; n < 40; n++) {
		unsigned global = n & 1, other = !global;
		struct page page = map_page_at(PT, filled_frame(2 * n), P | RW | US | G);
		uint64_t found;

		run_on(global, set_pge, &yes);
		run_on(other, set_pge, &no);
		expect(word_on(0, page.linear) == frame_word(2 * n) &&
			       word_on(1, page.linear) == frame_word(2 * n),
		       "other words than the frame's");
		write_entry(&page, PT, filled_frame(2 * n + 1).value | P | RW | US | G, NO_FLUSH);
		run_on(0, load_cr3_again, NULL);
		run_on(1, load_cr3_again, NULL);
		found = word_on(other, page.linear);
		expect(found == frame_word(2 * n + 1), "PGE = 0 after MOV to CR3: 0x%llx",
		       (unsigned long long)found);
		run_on(global, set_pge, &no);
		found = word_on(global, page.linear);
		expect(found == frame_word(2 * n + 1), "after CR4.PGE was cleared: 0x%llx",
		       (unsigned long long)found);
	}
}

/* Two roots with another frame at one linear address, used with PCIDs and without. */
struct roots {
	uint64_t cr3[2];
	linear_t linear;
	bool with_pcids[2];
	uint64_t wrong[2];
};

static void alternate_roots(unsigned self, void *argument)
{
	struct roots *roots = argument;
	uint64_t image = read_cr3();
	bool tagged = roots->with_pcids[self];

	if (tagged)
		write_cr4(read_cr4() | CR4_PCIDE);
	for (unsigned n = 0; n < 200; n++) {
		unsigned which = (n + self) % 2;
		struct outcome outcome;

		write_cr3(roots->cr3[which] |
			  (tagged ? (which + 1) | (n > 4 ? CR3_NO_FLUSH : 0) : 0));
		outcome = attempt_as(self, read_access(roots->linear, 8));
		roots->wrong[self] += outcome.value[0] != frame_word(which + 1);
		if (n % 8 == 0)
			pause();
	}
	write_cr3(image);
	write_cr4(read_cr4() & ~CR4_PCIDE);
}

TEST(pcids_belong_to_a_processor_with_pcide,
     "Roots that one processor switches by PCID another may use without, each finds its frames",
     PCIDS, "two_processors pcid")
{
	struct context first = make_context(0, PT, P | RW | US, 1);
	struct context second = make_context(0, PT, P | RW | US, 2);

	start_processors(2);
	for (unsigned n = 0; n < 8; n++) {
		struct roots roots = {
			{first.cr3, second.cr3}, first.linear[0], {n % 4 != 1, n % 4 != 0}, {0}};

		run_on_all(2, alternate_roots, &roots);
		for (unsigned i = 0; i < 2; i++)
			expect(!roots.wrong[i],
			       "processor %u with CR4.PCIDE = %u: %llu times wrong", i,
			       roots.with_pcids[i], (unsigned long long)roots.wrong[i]);
	}
}

TEST(tables_are_shared_by_4_and_5_levels,
     "A PML4 table is PML5E 0's on one processor and the root of another, with the same frames",
     "SDM Vol. 3, \"4-Level Paging and 5-Level Paging\"", "two_processors la57")
{
	struct page page = map_page_at(PT, filled_frame(1), P | RW | US);

	start_processors(2);
	enter_5level_paging();
	for (uint32_t n = 2; n < 60; n++) {
		unsigned first = n & 1;

		write_entry(&page, PT, filled_frame(n).value | P | RW | US, INVLPG);
		shoot_down(0, 1, SHOOTDOWN_INVLPG, page.linear);
		expect(word_on(first, page.linear) == frame_word(n), "processor %u", first);
		expect(word_on(!first, page.linear) == frame_word(n), "processor %u", !first);
	}
}
