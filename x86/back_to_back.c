/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An access, an edit with its invalidation, and the same access again, with nothing in between.
 *
 * After INVLPG, MOV to CR3 or a change of CR4.PGE the next instruction uses the new entry (SDM
 * Vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches"; R9, R11). Most tests make
 * an access by way of a few calls, so that other pages are used before and after: what is
 * remembered of the last page alone, for the stack, for code or for strings, is then gone anyway.
 *
 * Caught here: such a memory of the page that was used last, which an invalidation leaves as it is;
 * a flush that forgets with the translations that some of them were of large pages, so that the
 * INVLPG which follows drops one piece of a page (QT22); emulators and the caches of instruction
 * emulators (XS10, BL01).
 *
 * Each instruction in supervisor mode, for 4-KByte and 2-MByte pages, global or not as the
 * invalidation allows. Not checked: rights and flags (invlpg, mov_to_cr3).
 */
#include "test.h"

SUBJECT(back_to_back, "access, edit, invalidation and access in consecutive instructions");

#define MANUAL	     "SDM Vol. 3, \"Operations that Invalidate TLBs and Paging-Structure Caches\""
#define STORED	     0x1234567890abcdefull
#define PLACE	     0x64120 /* of the access in a large page */
#define ANOTHER	     0x1b3458
#define OLD	     71
#define NEW	     72

/* The access, with its result in a register. */
#define LOAD(to)     "mov (%[at]), " to "\n"
#define STORE(to)    "mov %[stored], (%[at])\n"
#define XCHG(to)     "mov %[stored], " to "\n xchg " to ", (%[at])\n"
#define STOS(to)     "mov %[at], %%rdi\n mov %[stored], %%rax\n stosq\n"
#define REP_STOS(to) "mov %[at], %%rdi\n mov %[stored], %%rax\n mov $1, %%ecx\n rep stosq\n"
#define LODS(to)     "mov %[at], %%rsi\n lodsq\n mov %%rax, " to "\n"
#define PUSH(to)     "lea 8(%[at]), %%rsp\n push %[stored]\n mov %[stack], %%rsp\n"
#define POP(to)	     "mov %[at], %%rsp\n pop " to "\n mov %[stack], %%rsp\n"
#define FETCH(to)    "lea 77f(%%rip), %%r12\n jmp *%[at]\n77:\n mov %%rax, " to "\n"

#define BY_INVLPG    "invlpg (%[how])\n"
#define BY_CR3	     "mov %[how], %%cr3\n"
#define BY_CR4	     "mov %[how], %%cr4\n"

struct triple {
	uint64_t at, how; /* `how`: an address, or a value for CR3 or CR4 */
	volatile uint64_t *entry;
	uint64_t value; /* of the entry */
	uint64_t first, second;
};

#define FUNCTION(name, ACCESS, by)                                                              \
	static void name(struct triple *triple)                                                 \
	{                                                                                       \
		register uint64_t first __asm__("r8") = 0;                                      \
		register uint64_t second __asm__("r9") = 0;                                     \
		uint64_t stack;                                                                 \
                                                                                                \
		__asm__ volatile("mov %%rsp, %[stack]\n" ACCESS(                                \
					 "%%r8") "mov %[value], (%[entry])\n" by ACCESS("%%r9") \
				 : "+r"(first), "+r"(second), [stack] "=&r"(stack)              \
				 : [at] "r"(triple->at), [how] "r"(triple->how),                \
				   [entry] "r"(triple->entry), [value] "r"(triple->value),      \
				   [stored] "r"(STORED)                                         \
				 : "rax", "rcx", "rdi", "rsi", "r12", "memory", "cc");          \
		triple->first = first;                                                          \
		triple->second = second;                                                        \
	}

#define FUNCTIONS(name, ACCESS)                    \
	FUNCTION(name##_invlpg, ACCESS, BY_INVLPG) \
	FUNCTION(name##_cr3, ACCESS, BY_CR3)       \
	FUNCTION(name##_cr4, ACCESS, BY_CR4)

FUNCTIONS(load, LOAD)
FUNCTIONS(store, STORE)
FUNCTIONS(xchg, XCHG)
FUNCTIONS(stos, STOS)
FUNCTIONS(rep_stos, REP_STOS)
FUNCTIONS(lods, LODS)
FUNCTIONS(push, PUSH)
FUNCTIONS(pop, POP)
FUNCTIONS(fetch, FETCH)

enum flush { FLUSH_BY_INVLPG, FLUSH_BY_CR3, FLUSH_BY_CR4 };

struct kind {
	const char *name;
	void (*run[3])(struct triple *triple); /* by enum flush */
	bool loads, stores, fetches;
};

#define KIND(name)                                    \
#name,                                        \
	{                                             \
		name##_invlpg, name##_cr3, name##_cr4 \
	}

static const struct kind data[] = {{KIND(load), .loads = true},
				   {KIND(store), .stores = true},
				   {KIND(xchg), .loads = true, .stores = true},
				   {KIND(stos), .stores = true},
				   {KIND(rep_stos), .stores = true},
				   {KIND(lods), .loads = true},
				   {KIND(push), .stores = true},
				   {KIND(pop), .loads = true}};
static const struct kind fetches = {KIND(fetch), .loads = true, .fetches = true};

static gpa_t new_memory(enum level level, uint32_t tag)
{
	uint64_t bytes = level_bytes(current_format(), level);
	gpa_t frame = frames_alloc(bytes);

	frame_fill(level == PT ? frame : gpa_plus(frame, PLACE & ~(PAGE_4K - 1)), PAGE_4K, tag);
	return frame;
}

static void expect_word(const struct kind *kind, const char *which, uint64_t is, uint64_t wanted)
{
	expect(is == wanted, "%s: %s 0x%llx, not 0x%llx", kind->name, which, (unsigned long long)is,
	       (unsigned long long)wanted);
}

/* A page that leads to one frame and then to another; its addresses of the access and of INVLPG. */
struct moving {
	struct page page;
	gpa_t frame[2];
	uint64_t offset;
};

static struct moving map_moving(enum level level, uint64_t flags)
{
	struct moving moving = {.frame = {new_memory(level, OLD), new_memory(level, NEW)},
				.offset = level == PT ? PLACE % PAGE_4K : PLACE};

	moving.page = map_page_at(level, moving.frame[0], flags);
	return moving;
}

/* What a cache of the last page takes over may have to be cached elsewhere first. */
static void use(const struct kind *kind, linear_t at)
{
	attempt(kind->fetches  ? fetch_access(at)
		: kind->stores ? write_access(at, 8, 0)
			       : read_access(at, 8));
}

static void try_once(const struct kind *kind, enum flush flush, const struct moving *moving,
		     uint64_t flags, uint64_t how, bool used)
{
	const struct page *page = &moving->page;
	uint64_t page_flags = flags | A | D | (page->level == PT ? 0 : PS);
	struct triple triple = {.at = page->linear.value + moving->offset,
				.how = how,
				.entry = page->entry[page->level],
				.value = moving->frame[1].value | page_flags};
	uint64_t *old = identity(gpa_plus(moving->frame[0], moving->offset));
	uint64_t *new = identity(gpa_plus(moving->frame[1], moving->offset));
	uint64_t cr4 = read_cr4();

	write_entry(page, page->level, moving->frame[0].value | page_flags, INVLPG);
	if (used)
		use(kind, LINEAR(triple.at));
	*old = frame_word(OLD);
	*new = frame_word(NEW);
	kind->run[flush](&triple);
	write_cr4(cr4);
	if (kind->loads) {
		expect_word(kind, "first", triple.first, kind->fetches ? OLD : frame_word(OLD));
		expect_word(kind, "second", triple.second, kind->fetches ? NEW : frame_word(NEW));
	}
	expect_word(kind, "old memory", *old, kind->stores ? STORED : frame_word(OLD));
	expect_word(kind, "new memory", *new, kind->stores ? STORED : frame_word(NEW));
}

static void try_flush(const struct kind *kind, enum flush flush, const struct moving *moving,
		      uint64_t flags, uint64_t how)
{
	try_once(kind, flush, moving, flags, how, false);
	try_once(kind, flush, moving, flags, how, true);
}

static void try_kind(const struct kind *kind)
{
	if (has(FEATURE_pge))
		set_cr4(CR4_PGE);
	for (int level = PT; level <= PD; level++) {
		for (unsigned global = 0; global < 2; global++) {
			uint64_t flags = P | RW | (global && has(FEATURE_pge) ? G : 0);
			struct moving moving = map_moving((enum level)level, flags);
			uint64_t here = moving.page.linear.value + moving.offset;

			progress("%s, level %d, G = %u", kind->name, level, global);
			try_flush(kind, FLUSH_BY_INVLPG, &moving, flags, here);
			if (!global)
				try_flush(kind, FLUSH_BY_CR3, &moving, flags, read_cr3());
			if (has(FEATURE_pge))
				try_flush(kind, FLUSH_BY_CR4, &moving, flags, read_cr4() ^ CR4_PGE);
		}
	}
}

TEST(data_accesses_use_the_new_entry,
     "A load or store after the invalidation uses the new frame, whatever instruction it is",
     MANUAL, "")
{
	for (unsigned i = 0; i < COUNT_OF(data); i++) {
		try_kind(&data[i]);
		release_pages();
	}
}

TEST(fetches_use_the_new_entry, "A jump after the invalidation executes the new frame", MANUAL, "")
{
	try_kind(&fetches);
}

/* Two large pages, both entries replaced, INVLPG of each elsewhere in it. */
static void try_two(const struct moving *a, const struct moving *b, uint64_t flags)
{
	const struct moving *both[] = {a, b};
	uint64_t at[2], elsewhere[2], value[2], before[2], after[2];
	volatile uint64_t *entry[2];

	for (unsigned i = 0; i < 2; i++) {
		at[i] = both[i]->page.linear.value + PLACE;
		elsewhere[i] = both[i]->page.linear.value + ANOTHER;
		value[i] = both[i]->frame[1].value | flags;
		entry[i] = both[i]->page.entry[PD];
	}
	__asm__ volatile("mov (%[at0]), %[before0]\n"
			 "mov (%[at1]), %[before1]\n"
			 "mov %[value0], (%[entry0])\n"
			 "mov %[value1], (%[entry1])\n"
			 "invlpg (%[elsewhere0])\n"
			 "invlpg (%[elsewhere1])\n"
			 "mov (%[at1]), %[value1]\n"
			 "mov (%[at0]), %[value0]\n"
			 : [before0] "=&r"(before[0]), [before1] "=&r"(before[1]),
			   [value0] "+&r"(value[0]), [value1] "+&r"(value[1])
			 : [at0] "r"(at[0]), [at1] "r"(at[1]), [entry0] "r"(entry[0]),
			   [entry1] "r"(entry[1]), [elsewhere0] "r"(elsewhere[0]),
			   [elsewhere1] "r"(elsewhere[1])
			 : "memory");
	memcpy(after, value, sizeof(after));
	for (unsigned i = 0; i < 2; i++)
		expect(before[i] == frame_word(OLD) && after[i] == frame_word(NEW),
		       "page %u: 0x%llx, after the INVLPGs 0x%llx", i,
		       (unsigned long long)before[i], (unsigned long long)after[i]);
}

TEST(two_invlpgs_drop_two_large_pages,
     "Of two INVLPGs in a row each drops all of its 2-MByte page, global or not", MANUAL, "")
{
	for (unsigned global = 0; global < 2; global++) {
		uint64_t flags = P | RW | (global && has(FEATURE_pge) ? G : 0);
		struct moving a = map_moving(PD, flags), b = map_moving(PD, flags);

		if (has(FEATURE_pge))
			set_cr4(CR4_PGE);
		try_two(&a, &b, flags | PS);
	}
}

/* The page's entry is replaced, CR3 loaded, then INVLPG elsewhere in the page. */
static void invlpg_after_cr3(struct triple *triple, uint64_t elsewhere)
{
	__asm__ volatile(
		"mov (%[at]), %[first]\n"
		"mov %[value], (%[entry])\n"
		"mov %[cr3], %%cr3\n"
		"invlpg (%[elsewhere])\n"
		"mov (%[at]), %[second]\n"
		: [first] "=&r"(triple->first), [second] "=&r"(triple->second)
		: [at] "r"(triple->at), [value] "r"(triple->value), [entry] "r"(triple->entry),
		  [cr3] "r"(triple->how), [elsewhere] "r"(elsewhere)
		: "memory");
}

TEST(invlpg_after_mov_to_cr3_drops_a_global_large_page,
     "INVLPG drops all of a global 2-MByte page that MOV to CR3 has just spared", MANUAL, "pge")
{
	const uint64_t flags = P | RW | G;
	struct moving moving = map_moving(PD, flags);
	struct triple triple = {.at = moving.page.linear.value + PLACE,
				.how = read_cr3(),
				.entry = moving.page.entry[PD],
				.value = moving.frame[1].value | flags | PS};

	set_cr4(CR4_PGE);
	invlpg_after_cr3(&triple, moving.page.linear.value + ANOTHER);
	expect(triple.first == frame_word(OLD) && triple.second == frame_word(NEW),
	       "0x%llx, after INVLPG 0x%llx", (unsigned long long)triple.first,
	       (unsigned long long)triple.second);
}
