/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From the entry code to the cases: everything is set up in the order in which it is needed, then
 * the image's cases run, then the machine ends.
 */
#include "boot/boot_info.h"
#include "check/report.h"
#include "check/run.h"
#include "cpu/descriptor.h"
#include "cpu/features.h"
#include "cpu/sabotage.h"
#include "drivers/local_apic.h"
#include "drivers/power.h"
#include "drivers/serial.h"
#include "libc/string.h"
#include "libc/text.h"
#include "paging/space.h"
#include "sabotage/processor.h"

#define LONGEST_WORD 256

_Noreturn void boot_main(uint32_t magic, uint32_t address);

static struct boot_info boot_info;
static char selected_cases[LONGEST_WORD], permits[LONGEST_WORD], avoided[LONGEST_WORD],
	sabotages[LONGEST_WORD];

static bool number_option(const char *word, const char *name, unsigned long long *value)
{
	size_t length = strlen(name);

	if (strncmp(word, name, length))
		return false;
	if (!parse_number(word + length, value))
		note("not a number on the command line: '%s'", word);
	return true;
}

/* Some loaders put the image's own file name first. */
static bool is_file_name(const char *word)
{
	return strchr(word, '/') || glob_matches("*.flat", word);
}

static bool text_option(const char *word, const char *name, char *value)
{
	size_t length = strlen(name);

	if (strncmp(word, name, length))
		return false;
	memcpy(value, word + length, strlen(word + length) + 1);
	return true;
}

static void parse_command_line(struct run_options *options)
{
	const char *cursor = boot_info.command_line;
	unsigned long long value;
	char word[LONGEST_WORD];

	while (next_word(&cursor, word, sizeof(word))) {
		value = 0;
		if (text_option(word, "case=", selected_cases) ||
		    text_option(word, "permit=", permits) || text_option(word, "avoid=", avoided) ||
		    text_option(word, "sabotage=", sabotages))
			continue;
		if (number_option(word, "resume=", &value)) {
			options->resume = (unsigned)value;
		} else if (number_option(word, "omit=", &value)) {
			options->omitted = value;
		} else if (number_option(word, "seed=", &value)) {
			options->seed = value;
		} else if (number_option(word, "seconds=", &value)) {
			options->seconds = (unsigned)value;
		} else if (number_option(word, "guest=", &value)) {
			options->guest = (unsigned)value;
		} else if (!strcmp(word, "exhaustive")) {
			options->exhaustive = true;
		} else if (!number_option(word, "ram=", &value) && !is_file_name(word)) {
			note("unknown word on the command line: '%s'", word);
		}
	}
}

static void start_sabotage(void)
{
	const char *unknown = choose_sabotage(sabotages);

	if (unknown)
		note("no such sabotage: '%s'", unknown);
	note("this machine plays a bug: sabotage=%s", sabotages);
	sabotage_start();
}

_Noreturn void boot_main(uint32_t magic, uint32_t address)
{
	struct run_options options = {
		.cases = selected_cases, .permits = permits, .avoided = avoided, .seed = 1};

	serial_init();
	set_console(serial_put);
	printf("TAP version 14\n");
	boot_info_read(&boot_info, magic, address);
	power_collect(boot_info.rsdp);
	processors_collect(boot_info.rsdp);
	features_init();
	descriptors_init();
	frames_init(boot_info.ranges, boot_info.range_count);
	spaces_init();
	options.boot = boot_info.protocol;
	parse_command_line(&options);
	if (*sabotages)
		start_sabotage();
	power_off((enum exit_code)run_cases(&options));
}
