// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One write each. Where sysfs wants the function by name (bind, unbind, drivers_probe) the name is checked to still be
 * the open directory's immediately before: names are not identities.
 */
#include "steps.h"

#include "sysfs.h"
#include "uevent.h"

/* Between dev->driver and its link really_probe() does nothing that waits. */
#define LINK_WAIT_MS 200

int steps_read_override(const struct pci_function *fn, char *buf, size_t size)
{
	int r = sysfs_read(fn->dirfd, "driver_override", buf, size);

	if (r < 0)
		return r;
	if (streq(buf, "(null)"))
		buf[0] = '\0';
	return 0;
}

static int has_driver_without_link(const struct pci_function *fn)
{
	char text[SYSFS_VALUE_SIZE];
	int r = sysfs_read(fn->dirfd, "uevent", text, sizeof(text));

	if (r < 0)
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	if (!startswith(text, "DRIVER=") && !strstr(text, "\nDRIVER="))
		return 0;
	r = sysfs_has(fn->dirfd, "driver");
	return r < 0 ? r : r == 0;
}

int steps_is_leaving(const struct pci_function *fn)
{
	_cleanup_close_ int events = -1;
	int r = has_driver_without_link(fn);

	if (r <= 0)
		return r;
	events = uevent_listen();
	if (events < 0)
		return events;
	r = uevent_wait(events, fn->name, LINK_WAIT_MS);
	return r < 0 ? r : has_driver_without_link(fn);
}

int steps_write_override(const struct pci_function *fn, const char *driver)
{
	return sysfs_write(fn->dirfd, "driver_override", driver[0] ? driver : "\n");
}

/* Writes the function's name into an attribute of the bus or of a driver. */
static int write_name(const struct pci_function *fn, const char *dir, const char *attr)
{
	_cleanup_close_ int fd = sysfs_open_dir(dir);

	int r;

	if (fd < 0)
		return fd;
	r = pci_check(fn);
	return r < 0 ? r : sysfs_write(fd, attr, fn->name);
}

static int write_driver(const struct pci_function *fn, const char *driver, const char *attr)
{
	char dir[DRIVER_NAME_SIZE + 32];

	snprintf(dir, sizeof(dir), "/sys/bus/pci/drivers/%s", driver);
	return write_name(fn, dir, attr);
}

#define PROBE_MS 5000

bool steps_probes_on(const char *driver)
{
	return streq(driver, "snd_hda_intel");
}

/* 1: there is a sound card with its control device; 0; -errno. */
static int has_sound_card(const struct pci_function *fn)
{
	_cleanup_dir_ DIR *dir = sysfs_list(fn->dirfd, "sound");
	struct dirent *e;
	char control[64];
	int r;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (errno = 0, (e = readdir(dir))) {
		if (!startswith(e->d_name, "card"))
			continue;
		snprintf(control, sizeof(control), "%.24s/controlC%.24s", e->d_name, e->d_name + strlen("card"));
		r = sysfs_has(dirfd(dir), control);
		if (r != 0)
			return r;
	}
	return -errno;
}

/* 1: it is another driver's by now, or it has probed to the end; 0; -errno. */
static int probe_is_over(struct pci_function *fn)
{
	int r = pci_refresh(fn);

	if (r < 0)
		return r;
	return steps_probes_on(fn->driver) ? has_sound_card(fn) : 1;
}

int steps_await_probe(struct pci_function *fn, int64_t deadline)
{
	_cleanup_close_ int events = -1;
	int64_t now = now_ms(), end = now + (deadline - now) / 2;
	int r = probe_is_over(fn);

	if (r != 0)
		return r < 0 ? r : 0;
	if (end > now + PROBE_MS)
		end = now + PROBE_MS;
	events = uevent_listen();
	if (events < 0)
		return events;
	/* Whatever the kernel reports, its own sound card included, is a reason to look. */
	while ((r = probe_is_over(fn)) == 0 && (now = now_ms()) < end) {
		r = uevent_wait_any(events, (int)(end - now));
		if (r < 0)
			return r;
	}
	return r < 0 ? r : 0;
}

/*
 * What the kernel does between taking the device lock and calling snd_hda_intel's remove(), which gives it up, is short for
 * a function that is awake and stays so. Otherwise it wakes and suspends it there (__device_release_driver() in
 * drivers/base/dd.c), tens of milliseconds for an eject to come and wait for the lock. azx_free() leaves "on" behind, too.
 */
static void keep_awake(const struct pci_function *fn)
{
	/* Where that fails the unbind is as right as ever. */
	if (sysfs_write(fn->dirfd, "power/control", "on") < 0)
		return;
}

int steps_unbind(struct pci_function *fn, const char *driver)
{
	char from[DRIVER_NAME_SIZE];
	int r, gone;

	/* `driver` may be fn->driver itself. */
	snprintf(from, sizeof(from), "%s", driver);
	if (steps_probes_on(from))
		keep_awake(fn);
	/* The link goes before remove() is called: without it an eject, or somebody else, is at it. */
	r = pci_refresh(fn);
	if (r < 0 || !streq(fn->driver, from))
		return r;
	r = write_driver(fn, from, "unbind");
	gone = pci_refresh(fn);

	if (gone < 0)
		return gone;
	/* Not bound to it (ENODEV), or the driver itself is gone (ENOENT): what was wanted has happened already. */
	return r == -ENODEV || r == -ENOENT ? 0 : r;
}

/* The next moment to try again, whether or not the kernel said anything. */
static int64_t next_try(int64_t start, int64_t now, int64_t deadline)
{
	static const int64_t after[] = { 250, 1000, 3000 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(after); i++) {
		if (start + after[i] > now)
			return start + after[i] < deadline ? start + after[i] : deadline;
	}
	return deadline;
}

static bool is_bound_to(const struct pci_function *fn, const char *driver)
{
	return fn->on_vfio && streq(fn->driver, driver);
}

int steps_attach(struct pci_function *fn, const char *driver, int64_t deadline)
{
	_cleanup_close_ int events = -1;
	int64_t start = now_ms(), now;
	int r, gone;

	for (;;) {
		r = write_driver(fn, driver, "bind");
		gone = pci_refresh(fn);
		if (gone < 0)
			return gone;
		if (is_bound_to(fn, driver))
			return 0;
		if (r == 0) /* bound, but not to a VFIO driver */
			return -EPROTO;
		if (r != -ENODEV && r != -EBUSY && r != -EAGAIN)
			return r;
		if (fn->driver[0] && !streq(fn->driver, driver))
			return -EEXIST;
		if (events < 0) {
			/* Listening costs every sender, so only now; what happened before is seen by trying again. */
			events = uevent_listen();
			if (events < 0)
				return events;
			continue;
		}
		now = now_ms();
		if (now >= deadline)
			return r == -EBUSY && fn->driver[0] == '\0' ? -EBUSY : -EINPROGRESS;
		r = uevent_wait(events, fn->name, (int)(next_try(start, now, deadline) - now));
		if (r < 0)
			return r;
	}
}

int steps_give_to(struct pci_function *fn, const char *override, const char *driver)
{
	int r = steps_write_override(fn, override), gone;

	if (r < 0)
		return r;
	r = write_driver(fn, driver, "bind");
	gone = pci_refresh(fn);
	return gone < 0 ? gone : r;
}

/* Keeps the first error: what came first is what to tell. */
static void keep_first(int *ret, int r)
{
	if (*ret == 0 && r < 0)
		*ret = r;
}

int steps_restore(struct pci_function *fn, const char *override, const char *wanted, const char *driver)
{
	int ret = steps_write_override(fn, override), r;
	/* With the wanted driver's name still in place any probe would lead to that driver again. */
	bool may_probe = ret == 0;

	r = pci_refresh(fn);
	if (r == -ENODEV)
		return r;
	keep_first(&ret, r);
	if (streq(fn->driver, wanted) && !fn->on_vfio)
		keep_first(&ret, steps_unbind(fn, wanted));
	if (!fn->driver[0] && may_probe)
		keep_first(&ret, write_name(fn, "/sys/bus/pci", "drivers_probe"));
	r = pci_refresh(fn);
	if (r == -ENODEV)
		return r;
	keep_first(&ret, r);
	/* drivers_probe says 0 also where nothing matched; by name there is an errno, ENODEV while matching is off. */
	if (!fn->driver[0] && driver[0] && may_probe) {
		r = write_driver(fn, driver, "bind");
		if (r != -ENODEV && r != -ENOENT)
			keep_first(&ret, r);
		keep_first(&ret, pci_refresh(fn));
	}
	return ret;
}
