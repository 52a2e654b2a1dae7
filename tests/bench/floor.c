// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * floor - the least that user space can do: driver_override and bind, one write each, nothing asked and nothing verified.
 *
 * usage: floor BDF...        each of these functions
 *        floor --vfs PF      the PF's virtual functions, in order
 *
 * A function that is on another driver is unbound first. What every other way of binding is measured against.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices/"

/* 0, or 1 if the file is not there; any other error ends the program. */
static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return 1;
	if (write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
	return 0;
}

static void bind_one(const char *bdf)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEVICES "%s/driver_override", bdf);
	if (write_file(path, "vfio-pci"))
		err(1, "%s", path);
	snprintf(path, sizeof(path), DEVICES "%s/driver/unbind", bdf);
	write_file(path, bdf);
	write_file("/sys/bus/pci/drivers/vfio-pci/bind", bdf);
}

static void bind_vfs(const char *pf)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n;
	int i;

	for (i = 0;; i++) {
		snprintf(path, sizeof(path), DEVICES "%s/virtfn%d", pf, i);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			return;
		target[n] = '\0';
		bind_one(basename(target));
	}
}

int main(int argc, char **argv)
{
	int i;

	if (argc == 3 && strcmp(argv[1], "--vfs") == 0) {
		bind_vfs(argv[2]);
		return 0;
	}
	for (i = 1; i < argc; i++)
		bind_one(argv[i]);
	return argc > 1 ? 0 : 2;
}
