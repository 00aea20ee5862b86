/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/power.h"

#include "cpu/features.h"
#include "cpu/io.h"
#include "drivers/acpi.h"
#include "drivers/serial.h"
#include "libc/string.h"

#define DEBUG_EXIT_PORT	   0xf4
#define BOCHS_EXIT_PORT	   0x8900
#define VBOX_EXIT_PORT	   0x40f
#define KEYBOARD_COMMAND   0x64
#define KEYBOARD_RESET	   0xfe
#define RESET_CONTROL	   0xcf9
#define RESET_HARD	   0x06
#define ACPI_SLP_EN	   (1u << 13)
#define ACPI_SLP_TYP_SHIFT 10
#define SLEEP_ENABLE	   (1u << 5)
#define SLEEP_TYPE_SHIFT   2

static struct acpi_power acpi;

void power_collect(uint64_t rsdp)
{
	acpi_find_power(rsdp, &acpi);
}

static void write_pm1(uint16_t port)
{
	if (port)
		out16(port, (uint16_t)(ACPI_SLP_EN | acpi.sleep_type << ACPI_SLP_TYP_SHIFT));
}

static void acpi_off(void)
{
	uint8_t control = (uint8_t)(SLEEP_ENABLE | acpi.sleep_type << SLEEP_TYPE_SHIFT);

	if (!acpi.has_sleep_type)
		return;
	if (!acpi.hardware_reduced) {
		write_pm1(acpi.pm1a_control);
		write_pm1(acpi.pm1b_control);
	} else if (acpi.sleep_control && acpi.sleep_control_in_memory) {
		*(volatile uint8_t *)(uintptr_t)acpi.sleep_control = control;
	} else if (acpi.sleep_control) {
		out8((uint16_t)acpi.sleep_control, control);
	}
}

static void spell_shutdown(uint16_t port)
{
	for (const char *s = "Shutdown"; *s; s++)
		out8(port, (uint8_t)*s);
}

/* Ports that mean power-off to one vendor may mean anything to another: only where that vendor may
 * be below. */
static void vendor_off(void)
{
	const char *vendor = hypervisor_vendor();

	if (!strcmp(vendor, "VBoxVBoxVBox"))
		spell_shutdown(VBOX_EXIT_PORT);
	else if (!*vendor)
		spell_shutdown(BOCHS_EXIT_PORT);
}

static void triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing = {0, 0};

	__asm__ volatile("lidt %0\n\tud2" : : "m"(nothing));
}

_Noreturn void power_off(enum exit_code code)
{
	serial_drain();
	out32(DEBUG_EXIT_PORT, code);
	acpi_off();
	vendor_off();
	out8(KEYBOARD_COMMAND, KEYBOARD_RESET);
	out8(RESET_CONTROL, RESET_HARD);
	triple_fault();
	for (;;)
		__asm__ volatile("cli; hlt");
}
