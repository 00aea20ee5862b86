/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Process 1 of the outer machine. It loads KVM's modules and takes orders on the first serial port,
 * one line each:
 *
 *     run BYTES MEMORY CPUS ARGS...	run the image in the shared memory, with so many MBytes
 *     sync TOKEN			end what runs, then answer "synced TOKEN"
 *
 * Its answers are console_say()'s: "ready ...", "synced TOKEN", "ended HOW". Linux's console is the
 * second serial port.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nested.h"

#define MOST_ORDER    4096
#define SHARED_DEVICE "0x1af4 0x1110"
#define NOBODY	      (-1)

static int port;
static const uint8_t *shared;
static pid_t running = NOBODY;

static void load_module(const char *name, const char *parameters)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/%s.ko", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* not every kernel has all of them */
	if (syscall(SYS_finit_module, fd, parameters, 0))
		console_say("failed module %s: %s", name, strerror(errno));
	close(fd);
}

static void load_modules(void)
{
	char parameters[64];
	const char *npt = getenv("npt");

	snprintf(parameters, sizeof(parameters), "nested=1 npt=%s", npt ? npt : "1");
	load_module("irqbypass", "");
	load_module("kvm", "");
	load_module("ccp", "");
	load_module("kvm-amd", parameters);
}

static void read_small(const char *folder, const char *name, char *text, size_t size)
{
	char path[512];
	ssize_t got = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, text, size - 1);
		close(fd);
	}
	text[got > 0 ? got : 0] = 0;
	text[strcspn(text, "\n")] = 0;
}

/* The memory that the outer machine shares with its host: the largest region of a PCI device. */
static const uint8_t *map_shared(void)
{
	DIR *devices = opendir("/sys/bus/pci/devices");
	const struct dirent *device;

	while (devices && (device = readdir(devices))) {
		char folder[300], path[320], vendor[16], id[16], both[40];
		struct stat status;
		void *at;
		int fd;

		snprintf(folder, sizeof(folder), "/sys/bus/pci/devices/%s", device->d_name);
		read_small(folder, "vendor", vendor, sizeof(vendor));
		read_small(folder, "device", id, sizeof(id));
		snprintf(both, sizeof(both), "%s %s", vendor, id);
		if (strcmp(both, SHARED_DEVICE))
			continue;
		snprintf(path, sizeof(path), "%s/resource2", folder);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &status))
			return NULL;
		at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
		return at == MAP_FAILED ? NULL : at;
	}
	return NULL;
}

static void stop_running(void)
{
	if (running == NOBODY)
		return;
	kill(running, SIGKILL);
	waitpid(running, NULL, 0);
	running = NOBODY;
}

static void start(char *words)
{
	struct guest guest = {.file = shared, .args = ""};
	unsigned memory = 0;
	int at = 0;

	stop_running();
	if (sscanf(words, "%zu %u %u %n", &guest.file_bytes, &memory, &guest.cpus, &at) < 3) {
		console_say("ended no such order: %s", words);
		return;
	}
	guest.args = words + at;
	guest.memory = memory * MBYTE;
	running = fork();
	if (running == 0)
		vmm_run(&guest);
}

static void obey(char *order)
{
	if (!strncmp(order, "run ", 4)) {
		start(order + 4);
	} else if (!strncmp(order, "sync ", 5)) {
		stop_running();
		console_say("synced %s", order + 5);
	}
}

/* A monitor that dies without a word must not look like a guest that thinks. */
static void child_ended(int signals)
{
	struct signalfd_siginfo information;
	int status;

	if (read(signals, &information, sizeof(information)) < 0 || running == NOBODY)
		return;
	if (waitpid(running, &status, WNOHANG) != running)
		return;
	running = NOBODY;
	if (WIFSIGNALED(status))
		console_say("ended the monitor died of signal %d", WTERMSIG(status));
}

static void take_bytes(void)
{
	static char order[MOST_ORDER];
	static size_t bytes;
	ssize_t got = read(port, order + bytes, sizeof(order) - 1 - bytes);
	char *end;

	if (got <= 0)
		return;
	bytes += (size_t)got;
	order[bytes] = 0;
	while ((end = strchr(order, '\n'))) {
		*end = 0;
		obey(order);
		bytes -= (size_t)(end + 1 - order);
		memmove(order, end + 1, bytes + 1);
	}
	if (bytes == sizeof(order) - 1)
		bytes = 0; /* no order is that long */
}

static void take_orders(void)
{
	struct pollfd sources[2] = {{.fd = port, .events = POLLIN}, {.events = POLLIN}};
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	sources[1].fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		if (poll(sources, 2, -1) <= 0)
			continue;
		if (sources[1].revents)
			child_ended(sources[1].fd);
		if (sources[0].revents)
			take_bytes();
	}
}

int main(void)
{
	char release[64], npt[16];

	mkdir("/dev", 0755);
	mkdir("/sys", 0755);
	mkdir("/proc", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	port = console_open();
	load_modules();
	shared = map_shared();
	read_small("/proc/sys/kernel", "osrelease", release, sizeof(release));
	read_small("/sys/module/kvm_amd/parameters", "npt", npt, sizeof(npt));
	if (!shared)
		console_say("failed no shared memory");
	console_say("ready linux=%s npt=%s", release, npt);
	take_orders();
}
