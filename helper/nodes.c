// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device numbers a function's users have open: what the kernel shows below the function, its NVMe disks, and
 * the majors of the nvidia driver, which makes its nodes without telling the driver core.
 */
#include "nodes.h"

#include <ctype.h>
#include <limits.h>
#include "root.h"
#include "sysfs.h"

/* A partition of a disk behind two SAS expanders is thirteen down; nothing that has a node is deeper. */
#define DEPTH_MAX 16
/* Above are modeset and nvidiactl (kernel-open/common/inc/nv-chardev-numbers.h). */
#define NVIDIA_MINOR_MAX 247

static void doubt(struct nodes *nodes, const char *what)
{
	snprintf(nodes->doubt, sizeof(nodes->doubt), "%.40s", what);
}

static struct node *add_node(struct nodes *nodes, unsigned int major, unsigned int first,
			     unsigned int last, const char *prefix, const char *name)
{
	struct node *node = &nodes->node[nodes->count];

	if (nodes->count == NODES_MAX) {
		doubt(nodes, "one of very many device nodes");
		return NULL;
	}
	*node = (struct node){ .major = major, .minor_first = first, .minor_last = last };
	snprintf(node->name, sizeof(node->name), "%s%.32s", prefix, name);
	nodes->count++;
	return node;
}

/* "226:0" */
static int parse_numbers(const char *text, unsigned int *ret_major, unsigned int *ret_minor)
{
	char *end;
	unsigned long major, minor;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	major = strtoul(text, &end, 10);
	if (*end != ':' || !isdigit((unsigned char)end[1]))
		return -EINVAL;
	minor = strtoul(end + 1, &end, 10);
	if (*end || major > UINT_MAX || minor > UINT_MAX)
		return -EINVAL;
	*ret_major = (unsigned int)major;
	*ret_minor = (unsigned int)minor;
	return 0;
}

/* Where udev and devtmpfs have a class's nodes. */
static const char *prefix_of(const char *class)
{
	static const struct {
		const char *class, *prefix;
	} known[] = {
		{ "drm", "/dev/dri/" },
		{ "sound", "/dev/snd/" },
		{ "vfio", "/dev/vfio/" },
		{ "vfio-dev", "/dev/vfio/devices/" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (streq(class, known[i].class))
			return known[i].prefix;
	}
	return "/dev/";
}

/* The node of the directory fd, if it has one. */
static void add_own_node(struct nodes *nodes, int fd, const char *name)
{
	char value[32], subsystem[32];
	unsigned int major, minor;
	struct node *node;
	char *slash;
	int r;

	r = sysfs_read(fd, "dev", value, sizeof(value));
	if (r == -ENOENT || r == -ENODEV)
		return;
	if (r < 0 || parse_numbers(value, &major, &minor) < 0) {
		doubt(nodes, name);
		return;
	}
	if (sysfs_read_link(fd, "subsystem", subsystem, sizeof(subsystem)) < 0)
		subsystem[0] = '\0';
	node = add_node(nodes, major, minor, minor, prefix_of(subsystem), name);
	if (!node)
		return;
	node->block = streq(subsystem, "block");
	/* "cciss!c0d0" is /dev/cciss/c0d0: a directory's name has no slash (device_get_devnode). */
	while ((slash = strchr(node->name, '!')))
		*slash = '/';
}

static void walk(struct nodes *nodes, int parent, const char *name, unsigned int depth);

/*
 * An NVMe drive that can have several controllers has its disks below the subsystem, a virtual device, and not below the
 * function (CONFIG_NVME_MULTIPATH, drivers/nvme/host/multipath.c).
 * NOLINTNEXTLINE(misc-no-recursion): walk() bounds it */
static void walk_nvme_subsystem(struct nodes *nodes, int controller, const char *name, unsigned int depth)
{
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *de;
	char subsystem[32], path[600];

	if (sysfs_read_link(controller, "subsystem", subsystem, sizeof(subsystem)) < 0 || !streq(subsystem, "nvme"))
		return;
	dir = sysfs_list_path("/sys/class/nvme-subsystem");
	if (!dir) {
		doubt(nodes, "an NVMe subsystem");
		return;
	}
	while (errno = 0, de = readdir(dir)) {
		snprintf(path, sizeof(path), "%s/%s", de->d_name, name);
		if (de->d_name[0] != '.' && sysfs_has(dirfd(dir), path))
			walk(nodes, dirfd(dir), de->d_name, depth);
	}
	if (errno)
		doubt(nodes, "an NVMe subsystem");
}

/* Links are not followed: they lead to other devices. NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX bounds it */
static void walk(struct nodes *nodes, int parent, const char *name, unsigned int depth)
{
	_cleanup_dir_ DIR *dir = sysfs_list(parent, name);
	const struct dirent *de;

	if (!dir) {
		if (errno != ENOENT && errno != ENODEV)
			doubt(nodes, name);
		return;
	}
	if (depth > 0)
		add_own_node(nodes, dirfd(dir), name);
	if (depth > 0 && startswith(name, "nvme"))
		walk_nvme_subsystem(nodes, dirfd(dir), name, depth);
	while (errno = 0, de = readdir(dir)) {
		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		if (depth == DEPTH_MAX) {
			doubt(nodes, "a device very far below it");
			return;
		}
		/* A USB device counts by being there, and a jack's reader is not waited for. */
		if ((depth == 0 && startswith(de->d_name, "usb")) ||
		    startswith(de->d_name, "input"))
			continue;
		walk(nodes, dirfd(dir), de->d_name, depth + 1);
	}
	if (errno)
		doubt(nodes, name);
}

/* The function's own minor, -1 if nvidia does not say. */
static int nvidia_minor(const char *bdf)
{
	static const char key[] = "Device Minor:";
	char path[64 + BDF_SIZE], text[4096], *s, *end;
	unsigned long minor;

	snprintf(path, sizeof(path), "/proc/driver/nvidia/gpus/%s/information", bdf);
	if (root_read(path, text, sizeof(text)) < 0)
		return -1;
	s = strstr(text, key);
	if (!s)
		return -1;
	s += strlen(key);
	minor = strtoul(s, &end, 10);
	return end == s || minor > NVIDIA_MINOR_MAX ? -1 : (int)minor;
}

/* Majors of which every node may hold any GPU. */
static bool holds_any_gpu(const char *name)
{
	static const char *const names[] = {
		"nvidia-uvm", "nvidia-caps", "nvidia-caps-imex-channels", "nvidia-fs", "gdrdrv",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (streq(name, names[i]))
			return true;
	}
	return false;
}

/*
 * nvidia's nodes are no devices of the kernel's, only majors in /proc/devices. nvidiactl and
 * modeset may hold any GPU, too (NV_ESC_ATTACH_GPUS_TO_FD, kernel-open/nvidia/nv.c).
 */
static void add_nvidia_node(struct nodes *nodes, const char *bdf, unsigned int major,
			    const char *name)
{
	unsigned int own;
	char number[16];
	int minor;

	if (holds_any_gpu(name)) {
		add_node(nodes, major, 0, UINT_MAX, "/dev/", name);
		return;
	}
	/* Older drivers say "nvidia-frontend"; newer ones list nvidiactl apart, same major. */
	if (!streq(name, "nvidia") && !streq(name, "nvidia-frontend"))
		return;
	add_node(nodes, major, 255, 255, "/dev/", "nvidiactl");
	add_node(nodes, major, NVIDIA_MINOR_MAX + 1, 254, "/dev/", "nvidia-modeset");
	minor = nvidia_minor(bdf);
	if (minor < 0) {
		add_node(nodes, major, 0, NVIDIA_MINOR_MAX, "/dev/nvidia", "*");
		return;
	}
	own = (unsigned int)minor;
	snprintf(number, sizeof(number), "%u", own);
	add_node(nodes, major, own, own, "/dev/nvidia", number);
}

static void add_nvidia_nodes(struct nodes *nodes, const struct pci_function *f)
{
	bool gpu = streq(f->driver, "nvidia"), nvswitch = streq(f->driver, "nvidia-nvswitch");
	char text[8192], *line, *next, *name;

	if (!gpu && !nvswitch)
		return;
	if (root_read("/proc/devices", text, sizeof(text)) < 0) {
		doubt(nodes, "/proc/devices");
		return;
	}
	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		unsigned int major = (unsigned int)strtoul(line, &name, 10);

		if (streq(line, "Block devices:"))
			return;
		if (name == line || *name++ != ' ')
			continue;
		if (gpu)
			add_nvidia_node(nodes, f->name, major, name);
		else if (streq(name, "nvidia-nvswitch"))
			add_node(nodes, major, 0, UINT_MAX, "/dev/", name);
	}
}

/* The group's node is not below the function. It opens all of the group that are on VFIO. */
static void add_vfio_group(struct nodes *nodes, const struct pci_function *f)
{
	/* vfio_group_create() calls it so where there is no IOMMU behind it. */
	static const char *const prefix[] = { "", "noiommu-" };
	char path[64];

	if (!f->on_vfio || !f->group[0])
		return;
	for (size_t i = 0; i < ARRAY_SIZE(prefix); i++) {
		_cleanup_close_ int fd = -1;

		snprintf(path, sizeof(path), "/sys/class/vfio/%s%s", prefix[i], f->group);
		fd = sysfs_open_dir(path);
		if (fd >= 0)
			add_own_node(nodes, fd, strrchr(path, '/') + 1);
		else if (fd != -ENOENT)
			doubt(nodes, path);
	}
}

void nodes_find(const struct pci_function *f, struct nodes *ret)
{
	ret->count = 0;
	ret->doubt[0] = '\0';
	walk(ret, f->dirfd, ".", 0);
	add_vfio_group(ret, f);
	add_nvidia_nodes(ret, f);
}

const struct node *nodes_lookup(const struct nodes *nodes, bool block, unsigned int major, unsigned int minor)
{
	for (unsigned int i = 0; i < nodes->count; i++) {
		const struct node *node = &nodes->node[i];

		if (node->block == block && node->major == major && minor >= node->minor_first && minor <= node->minor_last)
			return node;
	}
	return NULL;
}
