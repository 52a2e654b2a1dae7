// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the host would lose with a function: file systems, swap, network, keyboard. The first thing found ends the search,
 * one is reason enough. What cannot be looked at counts as found: the mistake on this side is a function not taken, on
 * the other a host without its disk.
 */
#include "critical.h"

#include <ctype.h>
#include <stdarg.h>
#include "child.h"
#include "critical-net.h"
#include "critical-nodes.h"
#include "root.h"
#include "sysfs.h"

/* An answer takes milliseconds; what takes longer is a device in trouble, or a lock held by one. */
#define SEARCH_MS 3000
/* A disk on a USB hub on a hub; each level of USB, SCSI or NVMe is one. */
#define DEPTH_MAX 24

struct search {
	const struct pci_function *f;
	bool interface_seen;
	struct critical c;
};

void critical_found(struct critical *c, const char *format, ...)
{
	va_list args;

	c->found = true;
	va_start(args, format);
	vsnprintf(c->text, sizeof(c->text), format, args);
	va_end(args);
}

void critical_doubt(struct critical *c, const char *what)
{
	critical_found(c, "%.200s could not be looked at", what);
}

static void look_at_interfaces(struct search *s, int parent)
{
	_cleanup_dir_ DIR *dir = sysfs_list(parent, "net");
	const struct dirent *de;
	bool seen = false;

	while (dir && !s->c.found && (errno = 0, de = readdir(dir))) {
		char why[128];
		int r;

		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		seen = s->interface_seen = true;
		r = critical_net_use(dirfd(dir), de->d_name, why, sizeof(why));
		if (r < 0)
			critical_doubt(&s->c, de->d_name);
		else if (r > 0)
			critical_found(&s->c, "network interface %.32s, %s", de->d_name, why);
	}
	if (dir && !s->c.found && errno)
		critical_doubt(&s->c, "net");
	/* The directory is there as long as an interface is; to be seen it is in its own network namespace only. */
	if (!seen && !s->c.found && (dir || errno != ENOENT))
		critical_found(&s->c, "a network interface that is not to be seen, perhaps in another network namespace");
}

/* What a USB device is for, by its interfaces' class (03 HID, 08 mass storage) and by what its drivers made of it. */
static void look_at_usb(struct search *s, int dir, const char *name)
{
	char class[8];

	if (sysfs_read(dir, "bInterfaceClass", class, sizeof(class)) < 0)
		class[0] = '\0'; /* no interface */
	if (streq(class, "03") || (startswith(name, "input") && isdigit((unsigned char)name[5])))
		critical_found(&s->c, "a USB input device (%.64s)", name);
	else if (streq(class, "08") || streq(name, "block"))
		critical_found(&s->c, "a USB storage device (%.64s)", name);
}

/* Links are not followed: they lead to other devices. NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX bounds it */
static void walk(struct search *s, int parent, const char *name, unsigned int depth, bool usb)
{
	_cleanup_dir_ DIR *dir = sysfs_list(parent, name);
	const struct dirent *de;

	if (!dir || depth > DEPTH_MAX) {
		if (dir || (errno != ENOENT && errno != ENODEV))
			critical_doubt(&s->c, name);
		return;
	}
	if (usb)
		look_at_usb(s, dirfd(dir), name);
	while (!s->c.found && (errno = 0, de = readdir(dir))) {
		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		if (streq(de->d_name, "net"))
			look_at_interfaces(s, dirfd(dir));
		else
			walk(s, dirfd(dir), de->d_name, depth + 1,
			     usb || (startswith(de->d_name, "usb") && isdigit((unsigned char)de->d_name[3])));
	}
	if (!s->c.found && errno)
		critical_doubt(&s->c, name);
}

static void search_work(void *arg)
{
	struct search *s = arg;

	critical_nodes_use(s->f, &s->c);
	if (!s->c.found)
		walk(s, s->f->dirfd, ".", 0, false);
	/* A driver with something else for an interface than this program knows of. */
	if (!s->c.found && !s->interface_seen && pci_is_network(s->f->class) && s->f->driver[0] && !s->f->on_vfio)
		critical_found(&s->c, "a network function on %.32s whose interface is not to be seen", s->f->driver);
}

/* The first is nvfio's own, put there by its hooks; initramfs-tools makes no other. The second is systemd's. */
static bool in_initramfs(void)
{
	return root_exists("/usr/lib/nvfio/in-initramfs") || root_exists("/etc/initrd-release");
}

int critical_find(const struct pci_function *f, struct critical *ret)
{
	struct search *s;
	int r;

	/* The root file system may be on it, or come over it; and nothing here says so. */
	if (in_initramfs()) {
		*ret = (struct critical){ .found = false };
		critical_found(ret, "the root file system is not mounted yet; it is looked at again when it is");
		return 0;
	}
	s = child_memory(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->f = f;
	r = child_run(search_work, s, SEARCH_MS);
	if (r < 0) {
		*ret = (struct critical){ .found = true };
		snprintf(ret->text, sizeof(ret->text), "what is on it could not be found out: %s", strerror(-r));
		return 0;
	}
	*ret = s->c;
	return 0;
}
