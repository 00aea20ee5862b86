/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The outer machine's first serial port. What is sent on it is the guest's console; a DLE byte
 * starts a line of the outer machine's own words instead, and a DLE of the guest's comes as two.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "nested.h"

#define DLE	  0x10
#define MOST_HELD 4096

static int port;
static char held[MOST_HELD];
static size_t held_bytes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int console_open(void)
{
	struct termios settings;

	port = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC);
	tcgetattr(port, &settings);
	cfmakeraw(&settings);
	cfsetspeed(&settings, B115200);
	tcsetattr(port, TCSANOW, &settings);
	return port;
}

static void send_all(const char *bytes, size_t length)
{
	while (length) {
		ssize_t sent = write(port, bytes, length);

		if (sent < 0 && errno != EINTR)
			return;
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
	}
}

/* In a single write. */
void console_say(const char *format, ...)
{
	char text[512] = {DLE};
	va_list list;

	va_start(list, format);
	vsnprintf(text + 1, sizeof(text) - 2, format, list);
	va_end(list);
	strcat(text, "\n");
	send_all(text, strlen(text));
}

static void flush_held(void)
{
	send_all(held, held_bytes);
	held_bytes = 0;
}

/* Sent line by line: a system call for each byte would cost more than the guest's own exit. */
void console_put(const char *bytes, size_t length)
{
	pthread_mutex_lock(&lock);
	for (; length; length--, bytes++) {
		held[held_bytes++] = *bytes;
		if (*bytes == DLE)
			held[held_bytes++] = DLE;
		if (*bytes == '\n' || held_bytes >= MOST_HELD - 2)
			flush_held();
	}
	pthread_mutex_unlock(&lock);
}

_Noreturn void guest_ended(const char *format, ...)
{
	char text[400];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	pthread_mutex_lock(&lock); /* for good: the other processors have nothing more to say */
	flush_held();
	console_say("ended %s", text);
	_exit(0);
}
