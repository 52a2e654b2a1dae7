// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a module to the name of its PCI driver and back, read from what the kernel shows. Guessing
 * by '-' for '_' would be wrong: vfio_pci registers "vfio-pci", nvgrace_gpu_vfio_pci registers
 * "nvgrace_gpu_vfio_pci".
 */
#include "driver.h"

#include "sysfs.h"

int driver_normalise(const char *src, char *dst, size_t size)
{
	bool bracket = false;
	int r;

	r = copy_name(dst, size, src);
	for (; r == 0 && *dst; dst++) {
		if (*dst == '[' || *dst == ']')
			bracket = *dst == '[';
		else if (*dst == '-' && !bracket)
			*dst = '_';
	}
	return r;
}

bool driver_same_name(const char *a, const char *b)
{
	char x[DRIVER_NAME_SIZE], y[DRIVER_NAME_SIZE];

	return driver_normalise(a, x, sizeof(x)) == 0 && driver_normalise(b, y, sizeof(y)) == 0 &&
	       streq(x, y);
}

/* Of the PCI drivers in a directory the one called like the module, else the first by name. */
static int find_in_dir(const char *path, const char *prefix, bool only_same, const char *module,
		       char driver[static DRIVER_NAME_SIZE])
{
	_cleanup_dir_ DIR *dir = sysfs_list_path(path);
	const struct dirent *de;

	while (dir && (de = readdir(dir))) {
		const char *name = de->d_name + strlen(prefix);
		bool same;

		if (de->d_name[0] == '.' || !startswith(de->d_name, prefix) ||
		    strlen(name) >= DRIVER_NAME_SIZE)
			continue;
		same = driver_same_name(name, module);
		if (same || (!only_same && (!driver[0] || strcmp(name, driver) < 0)))
			strcpy(driver, name);
		if (same)
			return 0;
	}
	return driver[0] ? 0 : -ENOENT;
}

int driver_find(const char *module, char driver[static DRIVER_NAME_SIZE])
{
	char path[sizeof("/sys/module//drivers") + DRIVER_NAME_SIZE], state[16];
	_cleanup_close_ int fd = -1;

	driver[0] = '\0';
	snprintf(path, sizeof(path), "/sys/module/%s", module);
	fd = sysfs_open_dir(path);
	/* Built-in modules have no initstate. */
	if (fd >= 0 && sysfs_read(fd, "initstate", state, sizeof(state)) > 0 &&
	    !streq(state, "live"))
		return -EBUSY;
	snprintf(path, sizeof(path), "/sys/module/%s/drivers", module);
	/* Kernels without loadable modules show the driver, but no /sys/module/<module>. */
	if (find_in_dir(path, "pci:", false, module, driver) == 0 ||
	    find_in_dir("/sys/bus/pci/drivers", "", true, module, driver) == 0)
		return 0;
	return fd >= 0 ? -ENXIO : -ENOENT;
}

int driver_module(const char *driver, char module[static DRIVER_NAME_SIZE])
{
	char path[sizeof("/sys/bus/pci/drivers/") + DRIVER_NAME_SIZE], name[DRIVER_NAME_SIZE];
	_cleanup_close_ int fd = -1;
	int r;

	r = driver_normalise(driver, name, sizeof(name));
	if (r < 0 || strchr(driver, '/') || driver[0] == '.')
		return -ENOENT;
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s", driver);
	fd = sysfs_open_dir(path);
	if (fd < 0)
		return -ENOENT;
	/* No link: built into a kernel without loadable modules. */
	if (sysfs_read_link(fd, "module", module, DRIVER_NAME_SIZE) < 0)
		strcpy(module, name);
	return 0;
}
