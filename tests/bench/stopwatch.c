// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stopwatch - starts one burst of PCI events, waits for its end, and says what it cost.
 *
 * usage: stopwatch vfs PF N [COMMAND...]               writes N to the PF's sriov_numvfs
 *        stopwatch events SYSPATH N                     asks the kernel for N change events of this device
 *        stopwatch card FIFO LINE N BDF... [COMMAND...]    writes LINE to FIFO, which plugs a card of these N functions
 *
 * The end: every function on vfio-pci, and udev has broadcast each event that the kernel sent. COMMAND is the candidate
 * that does not come by itself; it starts when the functions are there (vfs: the write has returned; card: the last
 * function has its native driver).
 *
 * Prints one line of NAME=VALUE. us: from the write (card: the kernel's first event) to the end; last_bind_us: to the last
 * bind event; the rest is read when the machine has come to rest after it: CPU time as a whole and by cgroup, programs
 * started, forks, native probes, kernel events.
 *
 * It must not cost what it measures. It sleeps until udev removes /run/udev/queue, and reads the events then; only a
 * card, whose end is a bind event, is followed event by event, before everybody else.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices/"
#define CGROUP "/sys/fs/cgroup/"
#define TRACE "/sys/kernel/tracing/"
#define MAX_EVENTS 65536
#define MAX_FUNCTIONS 256
#define DEADLINE_MS 900000

/* Groups of NETLINK_KOBJECT_UEVENT. */
enum { KERNEL = 1, UDEV = 2 };

static const struct counter {
	const char *name, *file, *key;
} counters[] = {
	{ "cpu_us",		CGROUP "cpu.stat",	"usage_usec" },
	{ "user_us",		CGROUP "cpu.stat",	"user_usec" },
	{ "system_us",		CGROUP "cpu.stat",	"system_usec" },
	{ "systemd_us",		CGROUP "init.scope/cpu.stat", "usage_usec" },
	{ "udevd_us",		CGROUP "system.slice/systemd-udevd.service/cpu.stat", "usage_usec" },
	{ "journald_us",	CGROUP "system.slice/systemd-journald.service/cpu.stat", "usage_usec" },
	{ "command_us",		CGROUP "system.slice/nvfio-bench.service/cpu.stat", "usage_usec" },
	{ "units_us",		CGROUP "system.slice/system-driverctl.slice/cpu.stat", "usage_usec" },
	{ "execs",		TRACE "per_cpu/cpu0/stats", "entries:" },
	{ "forks",		"/proc/stat",		"processes" },
	{ "native_probes",	"/sys/module/nvidia/parameters/probes", "" },
	{ "kernel_events",	"/sys/kernel/uevent_seqnum", "" },
};
#define N_COUNTERS (sizeof(counters) / sizeof(counters[0]))

static char functions[MAX_FUNCTIONS][16];
static int n_functions;
static int kernel_socket, udev_socket, queue_watch;
static uint64_t first_seqnum, start_us, first_add_us, last_bind_us;
/* By SEQNUM after first_seqnum: sent by the kernel, broadcast by udev. */
static uint8_t seen[MAX_EVENTS];
static int outstanding;
static bool native_bound;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ULL + t.tv_nsec / 1000;
}

/* The number after `key` in a file; a cgroup that is not there has used nothing. */
static uint64_t read_counter(const struct counter *c)
{
	char line[256];
	uint64_t value = 0;
	FILE *f = fopen(c->file, "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		size_t n = strlen(c->key);

		if (strncmp(line, c->key, n) == 0 && (n == 0 || line[n] == ' ')) {
			value = strtoull(line + n, NULL, 10);
			break;
		}
	}
	fclose(f);
	return value;
}

static void read_counters(uint64_t *ret)
{
	size_t i;

	for (i = 0; i < N_COUNTERS; i++)
		ret[i] = read_counter(&counters[i]);
}

static int open_events(int group)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = group };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	int size = 256 << 20;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		err(1, "uevent socket");
	return fd;
}

static int function_index(const char *devpath)
{
	const char *name = strrchr(devpath, '/');
	int i;

	for (i = 0; name && i < n_functions; i++)
		if (strcmp(functions[i], name + 1) == 0)
			return i;
	return -1;
}

static void take_kernel_event(const char *action, const char *devpath, const char *driver)
{
	int i = function_index(devpath);

	if (i < 0)
		return;
	if (strcmp(action, "add") == 0 && !first_add_us)
		first_add_us = now_us();
	if (strcmp(action, "bind") != 0)
		return;
	if (strcmp(driver, "vfio-pci") == 0)
		last_bind_us = now_us();
	else if (i == n_functions - 1)
		native_bound = true;
}

/* One event, properties at `p`. Each SEQNUM is counted up by the kernel's message and down by udev's, in either order. */
static void take_event(int group, const char *p, const char *end)
{
	const char *action = "", *devpath = "", *driver = "";
	uint64_t seqnum = 0;

	for (; p < end; p += strlen(p) + 1) {
		if (strncmp(p, "ACTION=", 7) == 0)
			action = p + 7;
		else if (strncmp(p, "DEVPATH=", 8) == 0)
			devpath = p + 8;
		else if (strncmp(p, "DRIVER=", 7) == 0)
			driver = p + 7;
		else if (strncmp(p, "SEQNUM=", 7) == 0)
			seqnum = strtoull(p + 7, NULL, 10);
	}
	if (seqnum <= first_seqnum)
		return;
	if (seqnum - first_seqnum >= MAX_EVENTS)
		errx(1, "too many events");
	if (seen[seqnum - first_seqnum] & group)
		return;
	seen[seqnum - first_seqnum] |= group;
	outstanding += group == KERNEL ? 1 : -1;
	if (group == KERNEL)
		take_kernel_event(action, devpath, driver);
}

/* udev's messages have a header: "libudev", magic, its size, where the properties are, and how long. */
static void drain(int fd, int group)
{
	static char buf[65536];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf) - 1, 0)) >= 0) {
		const char *p = buf;

		buf[n] = '\0';
		if (group == KERNEL) {
			p += strlen(p) + 1;
		} else {
			uint32_t offset;

			if (n < 24 || strcmp(buf, "libudev") != 0)
				continue;
			memcpy(&offset, buf + 16, sizeof(offset));
			p += offset;
		}
		take_event(group, p, buf + n);
	}
	if (errno != EAGAIN)
		err(1, "events were lost");
}

static bool all_on_vfio(void)
{
	char path[PATH_MAX], target[PATH_MAX];
	int i;

	for (i = 0; i < n_functions; i++) {
		ssize_t n;

		snprintf(path, sizeof(path), DEVICES "%.15s/vfio-dev", functions[i]);
		if (access(path, F_OK) < 0)
			return false;
		snprintf(path, sizeof(path), DEVICES "%.15s/driver", functions[i]);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			return false;
		target[n] = '\0';
		if (strcmp(basename(target), "vfio-pci") != 0)
			return false;
	}
	return true;
}

/* Sleeps until something may have changed: udev idle while events are outstanding, else a new event of the kernel. */
static void sleep_until_news(bool every_event)
{
	struct pollfd fds[] = {
		{ .fd = queue_watch, .events = POLLIN },
		{ .fd = kernel_socket, .events = every_event || outstanding <= 0 ? POLLIN : 0 },
	};
	char buf[4096];

	if (poll(fds, 2, DEADLINE_MS) <= 0)
		errx(1, "gave up: %d events outstanding, functions %s vfio-pci", outstanding,
		     all_on_vfio() ? "on" : "not on");
	while (read(queue_watch, buf, sizeof(buf)) > 0)
		;
	drain(kernel_socket, KERNEL);
	drain(udev_socket, UDEV);
}

static void wait_for_end(bool every_event)
{
	drain(kernel_socket, KERNEL);
	drain(udev_socket, UDEV);
	while (outstanding > 0 || !all_on_vfio())
		sleep_until_news(every_event);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

static void run_command(char **argv)
{
	extern char **environ;
	int status;
	pid_t pid;

	if (!argv[0])
		return;
	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
		err(1, "%s", argv[0]);
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		warnx("%s ended with status %d", argv[0], status);
}

/* systemd, the journal and dying workers go on for a while: until a tenth of a second was nearly idle. */
static void come_to_rest(void)
{
	uint64_t before, after = read_counter(&counters[0]);
	int i;

	for (i = 0; i < 100; i++) {
		before = after;
		usleep(100000);
		after = read_counter(&counters[0]);
		if (after - before <= 4000)
			return;
	}
}

static void name_vfs(const char *pf, int n)
{
	char path[PATH_MAX], target[PATH_MAX];

	for (n_functions = 0; n_functions < n; n_functions++) {
		ssize_t len;

		snprintf(path, sizeof(path), DEVICES "%s/virtfn%d", pf, n_functions);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			err(1, "%s", path);
		target[len] = '\0';
		snprintf(functions[n_functions], sizeof(functions[0]), "%s", basename(target));
	}
}

static void run_vfs(char **argv)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEVICES "%s/sriov_numvfs", argv[0]);
	start_us = now_us();
	write_text(path, argv[1]);
	name_vfs(argv[0], atoi(argv[1]));
	run_command(argv + 2);
	wait_for_end(false);
	/* Events were read too late to say. */
	last_bind_us = 0;
}

static void run_events(char **argv)
{
	char path[PATH_MAX];
	int i;

	snprintf(path, sizeof(path), "%s/uevent", argv[0]);
	start_us = now_us();
	for (i = atoi(argv[1]); i > 0; i--)
		write_text(path, "change");
	wait_for_end(false);
}

static void run_card(char **argv)
{
	struct sched_param before_all = { .sched_priority = 1 }, others = { 0 };
	int n = atoi(argv[2]), i;

	for (i = 0; i < n; i++)
		snprintf(functions[i], sizeof(functions[0]), "%s", argv[3 + i]);
	n_functions = n;
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &before_all);
	write_text(argv[0], argv[1]);
	if (argv[3 + n]) {
		while (!native_bound)
			sleep_until_news(true);
		run_command(argv + 3 + n);
	}
	wait_for_end(true);
	start_us = first_add_us;
	sched_setscheduler(0, SCHED_OTHER, &others);
}

int main(int argc, char **argv)
{
	uint64_t before[N_COUNTERS], after[N_COUNTERS], end_us;
	size_t i;

	if (argc < 4)
		errx(2, "usage: stopwatch vfs PF N [COMMAND...] | events SYSPATH N | card FIFO LINE N BDF... [COMMAND...]");
	kernel_socket = open_events(KERNEL);
	udev_socket = open_events(UDEV);
	queue_watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (queue_watch < 0 || inotify_add_watch(queue_watch, "/run/udev", IN_DELETE) < 0)
		err(1, "/run/udev");
	/* udevd's idle workers end after three seconds: everybody begins without. */
	sleep(4);
	come_to_rest();
	read_counters(before);
	first_seqnum = before[N_COUNTERS - 1];
	if (strcmp(argv[1], "vfs") == 0)
		run_vfs(argv + 2);
	else if (strcmp(argv[1], "events") == 0)
		run_events(argv + 2);
	else
		run_card(argv + 2);
	end_us = now_us();
	come_to_rest();
	read_counters(after);
	printf("us=%llu last_bind_us=%llu", (unsigned long long)(end_us - start_us),
	       last_bind_us ? (unsigned long long)(last_bind_us - start_us) : 0ULL);
	for (i = 0; i < N_COUNTERS; i++)
		printf(" %s=%llu", counters[i].name, (unsigned long long)(after[i] - before[i]));
	printf("\n");
	return 0;
}
