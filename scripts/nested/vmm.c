/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A virtual machine monitor for one guest: RAM, processors with KVM's own interrupt controllers and
 * timer, COM1, the debug port 0xE9 and the exit port 0xF4. Everything else reads as all ones and
 * takes writes, as an empty bus does.
 *
 *     0x00008000	hvm_start_info, memory map, command line
 *     0x000a0000	nothing up to 1 MByte, but ACPI tables at 0xe0000
 *     0x00100000	the image's segment
 *     0xc0000000	nothing up to 4 GBytes; RAM beyond 3 GBytes goes on there
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "nested.h"

#define INFO_ADDRESS	 0x8000
#define LOW_RAM_END	 0xa0000ull
#define ACPI_ADDRESS	 0xe0000
#define ACPI_BYTES	 0x2000
#define LARGEST_LOW	 (3072 * MBYTE)
#define HIGH_RAM	 (4096 * MBYTE)
#define LARGE_PAGE	 (2 * MBYTE)
#define MOST_CPUS	 64
#define MOST_LEAVES	 256
#define PVH_MAGIC	 0x336ec578
#define PVH_RAM		 1
#define COM1		 0x3f8
#define LINE_STATUS	 5
#define LINE_CONTROL	 3
#define INTERRUPT_ID	 2
#define SCRATCH		 7
#define DEBUG_PORT	 0xe9
#define DEBUG_EXIT_PORT	 0xf4
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET	 0xfe
#define RESET_CONTROL	 0xcf9
#define RESET_NOW	 0x04

struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, command_line, rsdp, map;
	uint32_t map_entries, reserved;
};

struct range {
	uint64_t start, bytes;
	uint32_t type, reserved;
};

struct cpu {
	int fd;
	struct kvm_run *run;
};

static int kvm, vm;
static uint8_t *memory;
static struct cpu cpus[MOST_CPUS];
static uint8_t line_control, scratch;

/* An ioctl that must not fail. */
static int must(int fd, unsigned long request, const void *argument, const char *what)
{
	int result = ioctl(fd, request, argument);

	if (result < 0)
		guest_ended("the monitor failed: %s: %s", what, strerror(errno));
	return result;
}

static void add_memory(uint32_t slot, uint64_t start, uint64_t offset, uint64_t bytes)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = start,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)memory + offset,
	};

	if (bytes)
		must(vm, KVM_SET_USER_MEMORY_REGION, &region, "adding memory");
}

static uint64_t low_end(uint64_t bytes)
{
	return bytes < LARGEST_LOW ? bytes : LARGEST_LOW;
}

/*
 * KVM maps a large page where the guest's address and ours agree modulo its size, and where Linux
 * gave one for it. A shadow pager whose pages are all small would leave half of itself out.
 */
static uint8_t *large_pages(uint64_t bytes)
{
	uint8_t *at = mmap(NULL, bytes + LARGE_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		guest_ended("the monitor failed: no memory");
	at += -(uintptr_t)at % LARGE_PAGE;
	madvise(at, bytes, MADV_HUGEPAGE); /* a kernel without them refuses, and does no worse */
	return at;
}

static void make_memory(uint64_t bytes)
{
	memory = large_pages(bytes);
	add_memory(0, 0, 0, LOW_RAM_END);
	add_memory(1, ACPI_ADDRESS, ACPI_ADDRESS, ACPI_BYTES);
	add_memory(2, MBYTE, MBYTE, low_end(bytes) - MBYTE);
	add_memory(3, HIGH_RAM, LARGEST_LOW, bytes - low_end(bytes));
}

static void write_start_info(const struct guest *guest)
{
	struct start_info *info = (void *)(memory + INFO_ADDRESS);
	struct range *map = (void *)(info + 1);
	uint64_t low = low_end(guest->memory);

	*map++ = (struct range){0, LOW_RAM_END, PVH_RAM, 0};
	*map++ = (struct range){MBYTE, low - MBYTE, PVH_RAM, 0};
	if (guest->memory > low)
		*map++ = (struct range){HIGH_RAM, guest->memory - low, PVH_RAM, 0};
	info->magic = PVH_MAGIC;
	info->version = 1;
	info->map = INFO_ADDRESS + sizeof(*info);
	info->map_entries = (uint32_t)(map - (struct range *)(info + 1));
	info->command_line = (uint64_t)((uint8_t *)map - memory);
	info->rsdp = ACPI_ADDRESS;
	strcpy((char *)map, guest->args);
	acpi_tables(memory, ACPI_ADDRESS, guest->cpus);
}

/* What KVM offers, for one processor. */
static void set_cpuid(const struct cpu *cpu, unsigned id, unsigned count)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[MOST_LEAVES];
	} leaves;

	leaves.head.nent = MOST_LEAVES;
	must(kvm, KVM_GET_SUPPORTED_CPUID, &leaves, "asking for CPUID");
	for (unsigned i = 0; i < leaves.head.nent; i++) {
		struct kvm_cpuid_entry2 *leaf = &leaves.entries[i];

		if (leaf->function == 1) {
			leaf->ebx = (leaf->ebx & 0xffff) | id << 24 | count << 16;
			leaf->ecx |= 1u << 31; /* a hypervisor is present: KVM leaves it to us */
		} else if (leaf->function == 0xb || leaf->function == 0x1f) {
			leaf->edx = id;
		} else if (leaf->function == 0x8000001e) {
			leaf->eax = id;
		}
	}
	must(cpu->fd, KVM_SET_CPUID2, &leaves, "setting CPUID");
}

static void make_cpu(unsigned id, unsigned count)
{
	struct cpu *cpu = &cpus[id];
	int bytes = must(kvm, KVM_GET_VCPU_MMAP_SIZE, 0, "asking for the size of a processor");

	cpu->fd = must(vm, KVM_CREATE_VCPU, (void *)(uintptr_t)id, "making a processor");
	cpu->run = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
	if (cpu->run == MAP_FAILED)
		guest_ended("the monitor failed: no memory for a processor");
	set_cpuid(cpu, id, count);
}

/* As PVH wants it: 32-bit protected mode without paging, flat segments, EBX at the start info. */
static void start_at(const struct cpu *cpu, uint32_t entry)
{
	struct kvm_segment code = {.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1};
	struct kvm_regs regs = {.rip = entry, .rbx = INFO_ADDRESS, .rflags = 2};
	struct kvm_sregs sregs;
	struct kvm_segment data;

	code.db = code.s = code.g = 1;
	data = code;
	data.selector = 16;
	data.type = 3;
	must(cpu->fd, KVM_GET_SREGS, &sregs, "reading registers");
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.tr.type = 11;
	sregs.cr0 = 0x11; /* PE, ET */
	must(cpu->fd, KVM_SET_SREGS, &sregs, "setting registers");
	must(cpu->fd, KVM_SET_REGS, &regs, "setting registers");
}

static void serial_out(unsigned offset, uint8_t value)
{
	if (offset == LINE_CONTROL)
		line_control = value;
	else if (offset == SCRATCH)
		scratch = value;
	else if (offset == 0 && !(line_control & 0x80))
		console_put((const char *)&value, 1);
}

static void port_out(uint16_t port, uint32_t value)
{
	if (port >= COM1 && port < COM1 + 8)
		serial_out(port - COM1, (uint8_t)value);
	else if (port == DEBUG_EXIT_PORT)
		guest_ended("exit %u", value);
	else if ((port == KEYBOARD_COMMAND && (uint8_t)value == KEYBOARD_RESET) ||
		 (port == RESET_CONTROL && (value & RESET_NOW)))
		guest_ended("the guest reset its machine");
}

static uint8_t port_in(uint16_t port)
{
	switch (port) {
	case COM1 + LINE_STATUS:
		return 0x60; /* ready and idle */
	case COM1 + INTERRUPT_ID:
		return 0xc1; /* FIFOs, nothing pending */
	case COM1 + LINE_CONTROL:
		return line_control;
	case COM1 + SCRATCH:
		return scratch;
	case DEBUG_PORT:
		return DEBUG_PORT;
	default:
		return port >= COM1 && port < COM1 + 8 ? 0 : 0xff;
	}
}

static void do_port(struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		uint32_t value = 0;

		if (run->io.direction == KVM_EXIT_IO_OUT) {
			memcpy(&value, data, run->io.size);
			port_out(run->io.port, value);
			continue;
		}
		for (unsigned byte = 0; byte < run->io.size; byte++)
			data[byte] = port_in((uint16_t)(run->io.port + byte));
	}
}

/* Why a processor cannot go on, with its most telling registers. */
static _Noreturn void died(const struct cpu *cpu, const char *why)
{
	struct kvm_regs regs = {0};
	struct kvm_sregs sregs = {0};

	ioctl(cpu->fd, KVM_GET_REGS, &regs);
	ioctl(cpu->fd, KVM_GET_SREGS, &sregs);
	guest_ended("%s; rip=%llx rsp=%llx cs=%x cr0=%llx cr2=%llx cr3=%llx cr4=%llx efer=%llx",
		    why, regs.rip, regs.rsp, sregs.cs.selector, sregs.cr0, sregs.cr2, sregs.cr3,
		    sregs.cr4, sregs.efer);
}

static void handle_exit(const struct cpu *cpu)
{
	struct kvm_run *run = cpu->run;
	char why[80];

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		do_port(run);
		return;
	case KVM_EXIT_MMIO:
		if (!run->mmio.is_write)
			memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
		return;
	case KVM_EXIT_INTR:
		return;
	case KVM_EXIT_SHUTDOWN:
		died(cpu, "triple fault");
	case KVM_EXIT_INTERNAL_ERROR:
		snprintf(why, sizeof(why), "KVM internal error, suberror %u",
			 run->internal.suberror);
		died(cpu, why);
	default:
		snprintf(why, sizeof(why), "KVM exit %u", run->exit_reason);
		died(cpu, why);
	}
}

static void *run_cpu(void *argument)
{
	const struct cpu *cpu = argument;

	for (;;) {
		if (ioctl(cpu->fd, KVM_RUN, 0) == 0)
			handle_exit(cpu);
		else if (errno != EINTR && errno != EAGAIN) /* EAGAIN: woken up by a start-up IPI */
			died(cpu, strerror(errno));
	}
}

_Noreturn void vmm_run(const struct guest *guest)
{
	struct kvm_pit_config pit = {0};
	unsigned count = guest->cpus && guest->cpus <= MOST_CPUS ? guest->cpus : 1;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		guest_ended("the monitor failed: /dev/kvm: %s", strerror(errno));
	vm = must(kvm, KVM_CREATE_VM, 0, "making a machine");
	make_memory(guest->memory);
	must(vm, KVM_CREATE_IRQCHIP, 0, "making interrupt controllers");
	must(vm, KVM_CREATE_PIT2, &pit, "making a timer");
	for (unsigned id = 0; id < count; id++)
		make_cpu(id, count);
	start_at(&cpus[0], image_load(guest, memory, low_end(guest->memory)));
	write_start_info(guest);
	for (unsigned id = 1; id < count; id++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, run_cpu, &cpus[id]))
			guest_ended("the monitor failed: no thread for a processor");
	}
	run_cpu(&cpus[0]);
	__builtin_unreachable();
}
