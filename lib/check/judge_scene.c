/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The steps of a script, compared with the model one after another.
 */
#include "check/expect.h"
#include "check/mode_scene.h"
#include "check/state.h"
#include "cpu/exception.h"
#include "cpu/features.h"
#include "paging/describe.h"

static uint64_t read_4_bytes(const void *memory, uint64_t address)
{
	(void)memory;
	return *(const volatile uint32_t *)(uintptr_t)address;
}

static const char *const mode_names[] = {
	[UNPAGED] = "no paging",	  [MODE_32BIT] = "32-bit paging",
	[MODE_PAE] = "PAE paging",	  [MODE_4LEVEL] = "4-level paging",
	[MODE_5LEVEL] = "5-level paging",
};

static const char *const op_names[] = {
	[MODE_SCRIPT_CR0] = "MOV to CR0",  [MODE_SCRIPT_CR3] = "MOV to CR3",
	[MODE_SCRIPT_CR4] = "MOV to CR4",  [MODE_SCRIPT_EFER] = "WRMSR of EFER",
	[MODE_SCRIPT_READ] = "read",	   [MODE_SCRIPT_WRITE] = "store",
	[MODE_SCRIPT_CALL] = "fetch",	   [MODE_SCRIPT_INVLPG] = "INVLPG",
	[MODE_SCRIPT_INVPCID] = "INVPCID", [MODE_SCRIPT_RDPKRU] = "RDPKRU",
	[MODE_SCRIPT_WRPKRU] = "WRPKRU",
};

/* What a step must come to. */
struct wanted {
	unsigned vector;
	uint32_t error_code, result, cr2;
	bool has_result;
	struct model_registers registers;
};

static struct model_processor processor_of(const struct mode_scene *scene,
					   const struct model_registers *registers)
{
	bool long_mode = registers->efer & EFER_LMA;

	return (struct model_processor){
		.format = model_format(registers),
		.rules = {.maxphyaddr = maxphyaddr(),
			  .pages_1g = has(FEATURE_pages_1g),
			  .pse36 = has(FEATURE_pse36),
			  .execute_disable =
				  (registers->cr4 & CR4_PAE) && (registers->efer & EFER_NXE)},
		.root = registers->cr3 & ENTRY_ADDRESS,
		.pdpte = !long_mode && (registers->cr4 & CR4_PAE)
				 ? identity(GPA(registers->cr3 & PAE_CR3_ADDRESS))
				 : NULL,
		.wp = registers->cr0 & CR0_WP,
		.smep = registers->cr4 & CR4_SMEP,
		.smap = registers->cr4 & CR4_SMAP,
		.pke = long_mode && (registers->cr4 & CR4_PKE),
		.pkru = scene->pkru,
	};
}

/* An access to the target: by the tables as they are in memory now. */
static void want_access(struct wanted *wanted, const struct mode_scene *scene,
			const struct mode_step *step)
{
	struct model_processor processor = processor_of(scene, &wanted->registers);
	struct model_access access = {
		.linear = step->operand, .bytes = 4, .fetch = step->op == MODE_SCRIPT_CALL};
	uint64_t physical = step->operand;
	struct model_answer answer;

	if (processor.format) {
		model_translate(&answer, &processor, &access,
				processor.format->entry_bytes == 4 ? read_4_bytes : read_identity,
				NULL);
		wanted->vector = answer.outcome[0].vector;
		wanted->error_code = (uint32_t)answer.outcome[0].error_code;
		physical = answer.walk.physical;
	}
	if (wanted->vector == VECTOR_PF)
		wanted->cr2 = step->operand;
	if (wanted->vector != NO_VECTOR)
		return;
	wanted->has_result = true;
	wanted->result = (uint32_t)read_4_bytes(NULL, physical + access.fetch);
}

static void want_write(struct wanted *wanted, enum model_register which, uint32_t value)
{
	if (!model_write_register(&wanted->registers, which, value))
		wanted->vector = VECTOR_GP;
}

static struct wanted wanted_of(const struct mode_scene *scene, unsigned number, uint32_t cr2)
{
	const struct mode_step *step = &scene->step[number];
	struct wanted wanted = {
		.vector = NO_VECTOR, .cr2 = cr2, .registers = scene->before[number]};

	switch (step->op) {
	case MODE_SCRIPT_CR0:
		want_write(&wanted, MODEL_CR0, step->value);
		break;
	case MODE_SCRIPT_CR3:
		want_write(&wanted, MODEL_CR3, step->value);
		break;
	case MODE_SCRIPT_CR4:
		want_write(&wanted, MODEL_CR4, step->value);
		break;
	case MODE_SCRIPT_EFER:
		want_write(&wanted, MODEL_EFER, step->value);
		break;
	case MODE_SCRIPT_READ:
	case MODE_SCRIPT_CALL:
		want_access(&wanted, scene, step);
		break;
	case MODE_SCRIPT_WRITE:
		*(volatile uint32_t *)(uintptr_t)step->operand = step->value;
		break;
	case MODE_SCRIPT_RDPKRU:
		wanted.has_result = true;
		wanted.result = scene->pkru;
		break;
	}
	return wanted;
}

static bool registers_are(const struct mode_step *step, const struct model_registers *wanted)
{
	return step->cr0 == (uint32_t)wanted->cr0 && step->cr3 == (uint32_t)wanted->cr3 &&
	       step->cr4 == (uint32_t)wanted->cr4 && step->efer == (uint32_t)wanted->efer;
}

static const char *mismatch(const struct mode_step *step, const struct wanted *wanted)
{
	if (step->vector != wanted->vector)
		return wanted->vector == NO_VECTOR ? "unexpected exception"
		       : step->vector == NO_VECTOR ? "the step completed, but must fault"
						   : "another exception";
	if (step->error_code != wanted->error_code)
		return "wrong error code";
	if (wanted->has_result && step->result != wanted->result)
		return "wrong data";
	if (step->cr2 != wanted->cr2)
		return "wrong CR2";
	return registers_are(step, &wanted->registers) ? NULL : "wrong register";
}

static void text_registers(struct text *text, uint64_t cr0, uint64_t cr3, uint64_t cr4,
			   uint64_t efer)
{
	text_add(text, "CR0 0x%08x CR3 0x%08x CR4 0x%08x EFER 0x%08x", (unsigned)cr0, (unsigned)cr3,
		 (unsigned)cr4, (unsigned)efer);
}

static void text_result(struct text *text, unsigned vector, uint32_t error_code, uint32_t result,
			uint32_t cr2)
{
	if (vector == NO_VECTOR)
		text_add(text, "completed, value 0x%x", result);
	else
		text_exception(text, vector, error_code);
	text_add(text, ", CR2 0x%08x\n", cr2);
}

static void report(const char *file, int line, const char *what, const struct mode_scene *scene,
		   unsigned number, const struct wanted *wanted)
{
	const struct mode_step *step = &scene->step[number];
	const struct model_registers *before = &scene->before[number], *after = &wanted->registers;
	struct failure *failure = new_failure(file, line);
	struct text text = TEXT(failure->message);

	text_add(&text, "%s", what);
	text = TEXT(failure->access);
	text_add(&text, "step %u, %s of 0x%x at 0x%x under %s", number, op_names[step->op],
		 step->value, step->operand, mode_names[mode_of_registers(before)]);
	text = TEXT(failure->expected);
	text_result(&text, wanted->vector, wanted->error_code, wanted->result, wanted->cr2);
	text_registers(&text, after->cr0, after->cr3, after->cr4, after->efer);
	text = TEXT(failure->observed);
	text_result(&text, step->vector, step->error_code, step->result, step->cr2);
	text_registers(&text, step->cr0, step->cr3, step->cr4, step->efer);
	report_failure(failure);
}

/* The PDEs as they were before the script: stores are made again as the judging comes to them. */
static void set_entries(const struct mode_scene *scene, const uint32_t value[PAGING_MODES])
{
	for (unsigned mode = MODE_32BIT; mode < PAGING_MODES; mode++)
		*(volatile uint32_t *)(uintptr_t)scene->mode[mode].entry = value[mode];
}

void judge_scene(const char *file, int line, struct mode_scene *scene)
{
	uint32_t entries[PAGING_MODES], cr2;

	for (unsigned mode = MODE_32BIT; mode < PAGING_MODES; mode++)
		entries[mode] = (uint32_t)read_4_bytes(NULL, scene->mode[mode].entry);
	scene->step[scene->count] = (struct mode_step){.op = MODE_SCRIPT_END};
	write_cr2(scene->target ^ PAGE_4K);
	cr2 = (uint32_t)read_cr2();
	run_mode_script(scene->step);
	processor_changed();
	set_entries(scene, entries);
	for (unsigned i = 0; i < scene->count; i++) {
		struct wanted wanted = wanted_of(scene, i, cr2);
		const char *what = mismatch(&scene->step[i], &wanted);

		count_check();
		if (what)
			report(file, line, what, scene, i, &wanted);
		cr2 = wanted.cr2;
	}
	scene->now =
		(struct model_registers){read_cr0(), read_cr3(), read_cr4(), read_msr(MSR_EFER)};
	scene->count = 0;
	scene_write(scene, MODEL_CR3, scene->mode[MODE_4LEVEL].root);
}
