// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The PCI core of the fake kernel: what a write to driver_override, bind, unbind, drivers_probe, uevent and
 * sriov_drivers_autoprobe does (drivers/base/bus.c, dd.c, drivers/pci/pci-driver.c, pci-sysfs.c as of 6.1), and how a
 * function leaves. A device's directory says how it behaves:
 *   .fake_native       name of the native driver that matches it
 *   .fake_match_off    N: the next N attempts to bind find that the kernel does not match it yet
 *   .fake_probe_error  lines "DRIVER ERRNO": that driver's probe() fails
 * and the root: .fake_vfio_drivers, names of the VFIO drivers (default "vfio-pci nvfio-test-variant").
 */
#include "fakekernel.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRIVERS "sys/bus/pci/drivers/"
#define NAME_SIZE 128

/* There if the override is a driver name of "(null)", which reads as if it were unset. */
#define NULL_OVERRIDE ".fake_null_override"

/* A device's or driver's directory, relative to the root as all paths here. */
struct dir {
	char path[PATH_MAX];
};

static bool exists_at(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return lstat(fake_path(path, "%s/%s", dir, name), &st) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* false: no such device. */
static bool find_device(const char *bdf, struct dir *dev)
{
	char path[PATH_MAX], real[PATH_MAX];

	if (!bdf[0] || bdf[0] == '.' || strchr(bdf, '/') ||
	    !realpath(fake_path(path, "sys/bus/pci/devices/%s", bdf), real))
		return false;
	memcpy(dev->path, real + strlen(fake_root) + 1, strlen(real) - strlen(fake_root));
	return true;
}

/* The directory a path's last component is in. */
static struct dir parent_of(const char *path)
{
	struct dir dir = { "" };

	memcpy(dir.path, path, (size_t)(base_name(path) - path) - 1);
	return dir;
}

static ssize_t load_attr(const struct dir *dir, const char *name, char *buf, size_t size)
{
	char path[PATH_MAX];

	return fake_load(fake_path(path, "%s/%s", dir->path, name), buf, size);
}

/* The last component of a link's target; empty if there is no such link. */
static void load_link(const struct dir *dir, const char *name, char *ret, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n = readlink(fake_path(path, "%s/%s", dir->path, name), target, sizeof(target) - 1);

	ret[0] = '\0';
	if (n < 0)
		return;
	target[n] = '\0';
	snprintf(ret, size, "%.*s", (int)size - 1, base_name(target));
}

/* Makes dir/name a link to a path below sys; links in sysfs are relative: up to sys, then down. */
static void make_link(const char *dir, const char *name, const char *target)
{
	char path[PATH_MAX], up[PATH_MAX] = "", text[PATH_MAX * 2];
	size_t used = 0;

	for (const char *p = dir; (p = strchr(p, '/')) && used + 4 < sizeof(up); p++)
		used += (size_t)sprintf(up + used, "../");
	snprintf(text, sizeof(text), "%s%s", up, target + strlen("sys/"));
	if (symlink(text, fake_path(path, "%s/%s", dir, name)) < 0 && errno != EEXIST)
		abort();
}

static void drop_entry(const char *dir, const char *name)
{
	char path[PATH_MAX];

	unlink(fake_path(path, "%s/%s", dir, name));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_tree(const char *path)
{
	char full[PATH_MAX];

	nftw(fake_path(full, "%s", path), remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_dir(const char *path)
{
	char full[PATH_MAX];

	if (mkdir(fake_path(full, "%s", path), 0755) < 0 && errno != EEXIST)
		abort();
}

static bool is_vfio_driver(const char *driver)
{
	char path[PATH_MAX], names[512], *save, *word;

	if (fake_load(fake_path(path, ".fake_vfio_drivers"), names, sizeof(names)) < 0)
		snprintf(names, sizeof(names), "vfio-pci nvfio-test-variant");
	for (word = strtok_r(names, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		if (strcmp(word, driver) == 0)
			return true;
	}
	return false;
}

/* vfio-dev/vfioN, N the lowest that is free, and the group's node in class vfio. */
static void register_vfio(const struct dir *dev)
{
	char name[32], group[NAME_SIZE], path[PATH_MAX], target[PATH_MAX * 2];
	int n = 0;

	do
		snprintf(name, sizeof(name), "vfio%d", n++);
	while (exists_at("sys/class/vfio-dev", name));
	snprintf(target, sizeof(target), "%s/vfio-dev", dev->path);
	make_dir(target);
	snprintf(target, sizeof(target), "%s/vfio-dev/%s", dev->path, name);
	make_dir(target);
	make_dir("sys/class/vfio-dev");
	make_link("sys/class/vfio-dev", name, target);

	load_link(dev, "iommu_group", group, sizeof(group));
	make_dir("sys/devices/virtual");
	make_dir("sys/devices/virtual/vfio");
	snprintf(target, sizeof(target), "sys/devices/virtual/vfio/%s", group);
	make_dir(target);
	fake_store(fake_path(path, "%s/uevent", target), "");
	make_dir("sys/class/vfio");
	make_link("sys/class/vfio", group, target);
}

static void unregister_vfio(const struct dir *dev)
{
	char path[PATH_MAX + 16], name[32];
	int n;

	for (n = 0; n < 256; n++) {
		snprintf(path, sizeof(path), "%s/vfio-dev", dev->path);
		snprintf(name, sizeof(name), "vfio%d", n);
		if (exists_at(path, name))
			drop_entry("sys/class/vfio-dev", name);
	}
	remove_tree(path);
}

/* What probe() returns. */
static int probe_error(const struct dir *dev, const char *driver)
{
	char text[512], name[NAME_SIZE], error[32];
	const char *p = text;
	int used;

	load_attr(dev, ".fake_probe_error", text, sizeof(text));
	for (; sscanf(p, "%127s %31s%n", name, error, &used) == 2; p += used) {
		if (strcmp(name, driver) == 0)
			return fake_errno(error);
	}
	/* vfio_pci_core_register_device(): no group; PF with VFs. */
	if (is_vfio_driver(driver) && !exists_at(dev->path, "iommu_group"))
		return EINVAL;
	if (is_vfio_driver(driver) && exists_at(dev->path, "virtfn0"))
		return EBUSY;
	return 0;
}

/* Binds a device without driver to a driver that matches it. 0 or -errno. */
static int attach(const struct dir *dev, const char *driver, const char *attribute)
{
	const char *bdf = base_name(dev->path);
	char drv[PATH_MAX], probe[PATH_MAX + 8];
	int error;

	snprintf(drv, sizeof(drv), DRIVERS "%s", driver);
	snprintf(probe, sizeof(probe), "%s/probe", dev->path);
	/* The links come before probe(), as in driver_sysfs_add(). */
	make_link(dev->path, "driver", drv);
	make_link(drv, bdf, dev->path);
	fake_block(attribute);
	fake_block(probe);
	error = probe_error(dev, driver);
	if (error) {
		drop_entry(dev->path, "driver");
		drop_entry(drv, bdf);
		return -error;
	}
	if (is_vfio_driver(driver))
		register_vfio(dev);
	return 0;
}

/* pci_bus_match(): whether the driver takes the device; counts .fake_match_off down. */
static bool matches(const struct dir *dev, const char *driver)
{
	char text[NAME_SIZE], path[PATH_MAX];
	long off;

	if (load_attr(dev, ".fake_match_off", text, sizeof(text)) > 0 && (off = strtol(text, NULL, 10)) > 0) {
		snprintf(text, sizeof(text), "%ld\n", off - 1);
		fake_store(fake_path(path, "%s/.fake_match_off", dev->path), text);
		return false;
	}
	load_attr(dev, "driver_override", text, sizeof(text));
	if (strcmp(text, "(null)") != 0 || exists_at(dev->path, NULL_OVERRIDE))
		return strcmp(text, driver) == 0;
	if (is_vfio_driver(driver))
		return false;
	load_attr(dev, ".fake_native", text, sizeof(text));
	return strcmp(text, driver) == 0;
}

static int write_bind(const char *path, const char *bdf)
{
	struct dir drv = parent_of(path), dev;

	if (!find_device(bdf, &dev) || !matches(&dev, base_name(drv.path)))
		return -ENODEV;
	if (exists_at(dev.path, "driver"))
		return -EBUSY;
	return attach(&dev, base_name(drv.path), path);
}

static int write_unbind(const char *path, const char *bdf)
{
	struct dir drv = parent_of(path), dev;
	char driver[NAME_SIZE];

	if (!find_device(bdf, &dev))
		return -ENODEV;
	load_link(&dev, "driver", driver, sizeof(driver));
	if (strcmp(driver, base_name(drv.path)) != 0)
		return -ENODEV;
	/* The link goes before remove(), which may sleep (driver_sysfs_remove()). */
	drop_entry(dev.path, "driver");
	unregister_vfio(&dev);
	fake_block(path);
	drop_entry(drv.path, bdf);
	return 0;
}

/* Success also where nothing binds: device_attach() swallows what probe() says. */
static int write_drivers_probe(const char *path, const char *bdf)
{
	char driver[NAME_SIZE];
	struct dir dev;

	if (!find_device(bdf, &dev))
		return -ENODEV;
	if (exists_at(dev.path, "driver"))
		return 0;
	load_attr(&dev, "driver_override", driver, sizeof(driver));
	if (strcmp(driver, "(null)") == 0 && !exists_at(dev.path, NULL_OVERRIDE))
		load_attr(&dev, ".fake_native", driver, sizeof(driver));
	if (driver[0] && exists_at(DRIVERS, driver) && matches(&dev, driver))
		(void)attach(&dev, driver, path);
	return 0;
}

/* driver_set_override(): cut at the first newline; nothing left clears. */
static int write_override(const char *path, const char *value, size_t len)
{
	struct dir dev = parent_of(path);
	char full[PATH_MAX], text[4098];

	if (len >= 4095)
		return -EINVAL;
	len = strcspn(value, "\n");
	drop_entry(dev.path, NULL_OVERRIDE);
	if (len == strlen("(null)") && strncmp(value, "(null)", len) == 0)
		fake_store(fake_path(full, "%s/" NULL_OVERRIDE, dev.path), "");
	snprintf(text, sizeof(text), "%.*s\n", (int)len, len ? value : "");
	return fake_store(fake_path(full, "%s", path), len ? text : "(null)\n");
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_uuid(const char *s, size_t len)
{
	if (len != 36)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !strchr("0123456789abcdefABCDEF", s[i]))
			return false;
	}
	return true;
}

/* ACTION[ UUID[ KEY=VALUE]...] as kobject_synth_uevent() takes it: single spaces, keys and values alphanumeric. */
static bool is_uevent(const char *s)
{
	static const char *const actions[] = {
		"add", "remove", "change", "move", "online", "offline", "bind", "unbind",
	};
	size_t len = strcspn(s, " ");
	bool known = false;

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		known |= strlen(actions[i]) == len && strncmp(s, actions[i], len) == 0;
	if (!known)
		return false;
	s += len;
	if (*s == '\0')
		return true;
	len = strcspn(++s, " ");
	if (!is_uuid(s, len))
		return false;
	for (s += len; *s == ' ';) {
		size_t key = 0, value = 0;

		for (s++; is_alnum(s[key]);)
			key++;
		if (key == 0 || s[key] != '=')
			return false;
		for (s += key + 1; is_alnum(s[value]);)
			value++;
		if (value == 0)
			return false;
		s += value;
	}
	return *s == '\0';
}

static int write_uevent(const char *path, const char *text)
{
	struct dir dir = parent_of(path);

	if (!is_uevent(text))
		return -EINVAL;
	fake_log(".fake_uevents", "%s %s", base_name(dir.path), text);
	return 0;
}

static int write_bool(const char *path, const char *value)
{
	char full[PATH_MAX];
	bool on = strchr("1yYtT", value[0]) != NULL;

	/* kstrtobool(): decides by the first character. */
	if (!value[0] || !strchr("01yYnNtTfF", value[0]))
		return -EINVAL;
	return fake_store(fake_path(full, "%s", path), on ? "1\n" : "0\n");
}

/* control_store() in drivers/base/power/sysfs.c. */
static int write_power_control(const char *path, const char *value)
{
	char full[PATH_MAX];
	bool on = strcmp(value, "on") == 0;

	if (!on && strcmp(value, "auto") != 0)
		return -EINVAL;
	return fake_store(fake_path(full, "%s", path), on ? "on\n" : "auto\n");
}

bool bus_blocks_itself(const char *path)
{
	const char *name = base_name(path);

	return strncmp(path, DRIVERS, strlen(DRIVERS)) == 0 && (strcmp(name, "bind") == 0 || strcmp(name, "unbind") == 0);
}

ssize_t bus_write(const char *path, const char *value, size_t len)
{
	const char *name = base_name(path);
	char text[4097];
	int r;

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, value, len);
	text[len] = '\0';
	if (strcmp(name, "driver_override") == 0) {
		r = write_override(path, text, len);
	} else {
		/* sysfs_streq() and bus_find_device_by_name() users let one newline pass at the end. */
		if (len > 0 && text[len - 1] == '\n')
			text[len - 1] = '\0';
		if (strcmp(path, "sys/bus/pci/drivers_probe") == 0)
			r = write_drivers_probe(path, text);
		else if (bus_blocks_itself(path))
			r = strcmp(name, "bind") == 0 ? write_bind(path, text) : write_unbind(path, text);
		else if (strcmp(name, "uevent") == 0)
			r = write_uevent(path, text);
		else if (strcmp(name, "sriov_drivers_autoprobe") == 0)
			r = write_bool(path, text);
		else if (strcmp(name, "control") == 0)
			r = write_power_control(path, text);
		else
			r = -EIO; /* an attribute without store() */
	}
	return r < 0 ? r : (ssize_t)len;
}

/* Takes the device's name out of everything that lists it, except its address on the bus. */
static void forget_links(const struct dir *dev)
{
	const char *bdf = base_name(dev->path);
	char driver[NAME_SIZE], drv[PATH_MAX];

	load_link(dev, "driver", driver, sizeof(driver));
	snprintf(drv, sizeof(drv), DRIVERS "%s", driver);
	if (driver[0])
		drop_entry(drv, bdf);
	unregister_vfio(dev);
}

void bus_remove(const char *bdf)
{
	char group[NAME_SIZE], devices[PATH_MAX];
	struct dir dev;

	if (!find_device(bdf, &dev))
		return;
	forget_links(&dev);
	load_link(&dev, "iommu_group", group, sizeof(group));
	snprintf(devices, sizeof(devices), "sys/kernel/iommu_groups/%s/devices", group);
	drop_entry(devices, bdf);
	drop_entry("sys/bus/pci/devices", bdf);
	remove_tree(dev.path);
}

static char copy_from[PATH_MAX], copy_to[PATH_MAX];

static int copy_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char text[4097], to[PATH_MAX * 2];
	ssize_t n;

	(void)ftw;
	snprintf(to, sizeof(to), "%s%s", copy_to, path + strlen(copy_from));
	if (type == FTW_D)
		return mkdir(to, st->st_mode & 07777);
	if (type == FTW_SL) {
		n = readlink(path, text, sizeof(text) - 1);
		if (n < 0)
			return -1;
		text[n] = '\0';
		return symlink(text, to);
	}
	n = fake_load(path, text, sizeof(text) - 1);
	if (n < 0)
		return -1;
	/* fake_load() takes the newline off; an empty file stays empty. */
	if (n > 0)
		memcpy(text + n, "\n", 2);
	return fake_store(to, text);
}

void bus_replace(const char *bdf, bool bound)
{
	char path[PATH_MAX], driver[NAME_SIZE], drv[PATH_MAX];
	struct dir dev;

	if (!find_device(bdf, &dev))
		return;
	forget_links(&dev);
	/* Made before the old one goes, so that it cannot get the same inode. */
	fake_path(copy_from, "%s", dev.path);
	fake_path(copy_to, ".fake_replacement");
	drop_entry(dev.path, "driver");
	if (nftw(copy_from, copy_one, 16, FTW_PHYS) != 0)
		abort();
	drop_entry(".fake_replacement", NULL_OVERRIDE);
	fake_store(fake_path(path, ".fake_replacement/driver_override"), "(null)\n");
	remove_tree(dev.path);
	if (rename(copy_to, fake_path(path, "%s", dev.path)) < 0)
		abort();
	if (bound && load_attr(&dev, ".fake_native", driver, sizeof(driver)) > 0) {
		snprintf(drv, sizeof(drv), DRIVERS "%s", driver);
		make_link(dev.path, "driver", drv);
		make_link(drv, bdf, dev.path);
	}
}
