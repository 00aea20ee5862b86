/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/context.h"

#include "check/expect.h"
#include "mem/frames.h"

#define CONTEXT_LINEAR 0x0000123456789000ull
#define REFERENCE      (P | RW | US) /* flags of an entry that references a structure */

/* Memory for the page with the tag at both places, which for a 1-GByte page lie where memory is. */
static gpa_t tagged_memory(struct context *context)
{
	uint64_t bytes = level_bytes(&paging_4level, context->level);
	uint64_t base = CONTEXT_LINEAR & ~(bytes - 1);
	uint64_t place[CONTEXT_PLACES] = {0, PAGE_4K - 8};
	gpa_t frame;

	if (context->level == PDPT) {
		uint64_t within = filled_frame(context->tag).value;

		frame = GPA(within & ~(PAGE_1G - 1));
		place[0] += within & (PAGE_1G - 1);
		place[1] += within & (PAGE_1G - 1);
	} else {
		frame = frames_alloc(bytes);
		if (context->level == PD)
			place[1] = PAGE_2M - PAGE_4K;
		for (unsigned i = 0; i < CONTEXT_PLACES; i++)
			frame_fill(GPA((frame.value + place[i]) & ~(PAGE_4K - 1)), PAGE_4K,
				   context->tag);
	}
	for (unsigned i = 0; i < CONTEXT_PLACES; i++)
		context->linear[i] = LINEAR(base + place[i]);
	return frame;
}

/* Builds what an entry of `level` leads to, and answers with that entry's value. */
static uint64_t build(struct context *context, enum level level)
{
	gpa_t table;
	unsigned below = level - 1;

	if (level == context->level)
		return tagged_memory(context).value | context->flags | (level > PT ? PS : 0);
	table = frame_alloc();
	context->entry[below] =
		(uint64_t *)identity(table) +
		level_index(&paging_4level, (enum level)below,
			    CONTEXT_LINEAR & ~(level_bytes(&paging_4level, context->level) - 1));
	*context->entry[below] = build(context, (enum level)below);
	return table.value | REFERENCE;
}

static void make_root(struct context *context, unsigned pcid)
{
	gpa_t root = copy_root();

	context->cr3 = root.value | pcid;
	context->entry[PML4] =
		(uint64_t *)identity(root) + level_index(&paging_4level, PML4, CONTEXT_LINEAR);
}

struct context make_context(unsigned pcid, enum level level, uint64_t flags, uint32_t tag)
{
	struct context context = {.level = level, .flags = flags, .tag = tag};

	make_root(&context, pcid);
	*context.entry[PML4] = build(&context, PML4);
	return context;
}

struct context share_context(unsigned pcid, const struct context *other)
{
	struct context context = *other;

	make_root(&context, pcid);
	*context.entry[PML4] = *other->entry[PML4];
	return context;
}

void enter_context(const struct context *context, uint64_t no_flush)
{
	mov_to_cr3(context->cr3 | no_flush);
}

void move_context(struct context *context, enum level level, uint32_t tag)
{
	context->tag = tag;
	*(volatile uint64_t *)context->entry[level] = build(context, level);
}

unsigned judge_context(const char *file, int line, const struct context *context, uint32_t old)
{
	unsigned stale = 0;

	for (unsigned i = 0; i < 4 * CONTEXT_PLACES; i++) {
		linear_t linear = context->linear[i / 4];
		struct access access = i & 1 ? fetch_access(linear) : read_access(linear, 8);
		uint64_t wanted = i & 1 ? context->tag : frame_word(context->tag);
		uint64_t other = i & 1 ? old : frame_word(old);
		struct outcome outcome;

		access.user = i & 2;
		if (context->tag == old) {
			judge_read(file, line, access, wanted);
			continue;
		}
		outcome = attempt(access);
		count_check();
		if (outcome.vector != NO_VECTOR ||
		    (outcome.value[0] != wanted && outcome.value[0] != other))
			fail_expectation(file, line, "the old or the new translation is used",
					 "%s, value 0x%llx", vector_name(outcome.vector),
					 (unsigned long long)outcome.value[0]);
		stale += outcome.value[0] == other;
	}
	return stale;
}
