/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/task_scene.h"

#include "check/state.h"
#include "cpu/control.h"
#include "cpu/descriptor.h"
#include "libc/string.h"
#include "mem/frames.h"

#define NEW_TSS_SEL	 0x30
#define GDT_ENTRIES	 7
#define TASK_VECTOR	 32
#define TASK_STACK_BYTES 4096
#define BUSY		 (2ull << 40)
#define TASK_GATE_DPL_3	 0xe5ull

struct tss {
	uint32_t link, esp0, ss0, others[4], cr3, eip, eflags;
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs, ldt;
	uint16_t trap, io_map;
};

_Static_assert(sizeof(struct tss) == 104, "SDM Vol. 3, \"Task-State Segment (TSS)\"");

struct table_pointer {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

struct task_result task_found;
uint32_t task_linear;
extern const char task_body[];

static uint8_t task_stack[TASK_STACK_BYTES] __attribute__((aligned(16)));
static struct table_pointer image_gdt; /* base 0: it is loaded */

/* IRET with NT = 1 switches back and leaves EIP behind itself, where the next switch goes on. */
__asm__(".text\n"
	"task_body:\n\t"
	"mov task_linear, %edi\n\t"
	"mov (%edi), %eax\n\t"
	"mov %eax, task_found + 8\n\t"
	"mov $1f, %ebp\n\t"
	"jmp *%edi\n"
	"1:\tmov %eax, task_found + 12\n\t"
	"mov %cr3, %eax\n\t"
	"mov %eax, task_found + 4\n\t"
	"incl task_found\n\t"
	"iretl\n\t"
	"jmp task_body\n");

static uint64_t tss_descriptor(uint32_t base)
{
	uint64_t limit = sizeof(struct tss) - 1;

	return limit | (uint64_t)(base & 0xffffff) << 16 | 0x89ull << 40 |
	       (uint64_t)(base >> 24) << 56;
}

static uint32_t base_of(uint64_t descriptor)
{
	return (uint32_t)(descriptor >> 16 & 0xffffff) | (uint32_t)(descriptor >> 56) << 24;
}

static void load_gdt(const struct table_pointer *gdt)
{
	__asm__ volatile("lgdt %0" : : "m"(*gdt));
}

/* LTR wants a task that is not busy. */
static void load_task_register(uint64_t *gdt)
{
	gdt[TSS_SEL / 8] &= ~BUSY;
	__asm__ volatile("ltr %w0" : : "r"(TSS_SEL) : "memory");
}

static void load_image_tables(void)
{
	load_gdt(&image_gdt);
	load_task_register((uint64_t *)(uintptr_t)image_gdt.base);
	image_gdt.base = 0;
}

static struct tss *tss_of(const struct legacy_page *page)
{
	return identity(page->frame);
}

static void set_task_gate(void)
{
	struct table_pointer idt;

	__asm__ volatile("sidt %0" : "=m"(idt));
	write_word_until_end((uint64_t *)(uintptr_t)idt.base + TASK_VECTOR,
			     TASK_GATE_DPL_3 << 40 | (uint64_t)NEW_TSS_SEL << 16);
}

static struct legacy_page system_page(void)
{
	gpa_t frame = frame_alloc();

	memset(identity(frame), 0, PAGE_4K);
	return legacy_map(PT, frame, P | RW);
}

void make_task_scene(struct task_scene *scene)
{
	uint64_t *gdt, *old_gdt;
	struct table_pointer pointer;

	*scene = (struct task_scene){system_page(), system_page(), system_page()};
	if (!image_gdt.base)
		__asm__ volatile("sgdt %0" : "=m"(image_gdt));
	old_gdt = (uint64_t *)(uintptr_t)image_gdt.base;
	gdt = identity(scene->gdt.frame);
	memcpy(gdt, old_gdt, image_gdt.limit + 1);
	memcpy(tss_of(&scene->old_tss), (void *)(uintptr_t)base_of(old_gdt[TSS_SEL / 8]),
	       sizeof(struct tss));
	gdt[TSS_SEL / 8] = tss_descriptor((uint32_t)scene->old_tss.linear.value);
	gdt[NEW_TSS_SEL / 8] = tss_descriptor((uint32_t)scene->new_tss.linear.value);
	pointer = (struct table_pointer){GDT_ENTRIES * 8 - 1, (uint32_t)scene->gdt.linear.value};
	at_case_end(load_image_tables);
	load_gdt(&pointer);
	load_task_register(gdt);
	set_task_gate();
	task_found = (struct task_result){0};
}

void set_task(const struct task_scene *scene, gpa_t root, linear_t linear)
{
	struct tss *old = tss_of(&scene->old_tss), *new = tss_of(&scene->new_tss);

	*new = (struct tss){
		.esp0 = old->esp0,
		.ss0 = KERNEL_DS,
		.cr3 = (uint32_t)root.value,
		.eip = (uint32_t)(uintptr_t)task_body,
		.eflags = 2,
		.esp = (uint32_t)(uintptr_t)(task_stack + TASK_STACK_BYTES),
		.es = USER_DS,
		.cs = KERNEL_CS,
		.ss = KERNEL_DS,
		.ds = USER_DS,
		.io_map = sizeof(struct tss),
	};
	old->cr3 = (uint32_t)read_cr3();
	task_linear = (uint32_t)linear.value;
}

struct access switch_access(void)
{
	return instruction_access(INSTRUCTION_int32, LINEAR(0), 0);
}

struct outcome switch_task(struct access access)
{
	struct outcome outcome = attempt(access);

	__asm__ volatile("clts"); /* each switch sets CR0.TS */
	processor_event(EVENT_cr3, read_cr3(), NULL);
	return outcome;
}

const struct task_result *task_result(void)
{
	return &task_found;
}

unsigned selector_of_task(void)
{
	uint16_t selector;

	__asm__ volatile("str %0" : "=r"(selector));
	return selector;
}

bool new_task_is_busy(const struct task_scene *scene)
{
	return ((uint64_t *)identity(scene->gdt.frame))[NEW_TSS_SEL / 8] & BUSY;
}
