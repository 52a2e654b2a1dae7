// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who uses a function through its native driver: every process's descriptors and mappings against
 * the device numbers of nodes.c, and USB devices. /proc/<pid>/map_files waits for that process's
 * mmap_lock, and one that is stuck in the driver may hold it: a child with a deadline looks there.
 */
#include "holders.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "child.h"
#include "nodes.h"
#include "root.h"
#include "sysfs.h"

/* musl has it from 1.2.5 on. */
#ifndef STATX_TYPE
#include <linux/stat.h>
static int statx(int dir, const char *name, int flags, unsigned int mask, struct statx *stx)
{
	return syscall(SYS_statx, dir, name, flags, mask, stx);
}
#endif

/* A mapping costs 5 us: enough for some hundred thousand, and an event can wait for it. */
#define LOOK_MS 2000

/* Lives in memory shared with the child that looks. */
struct search {
	struct nodes nodes;
	struct holders h;
	unsigned int told; /* of the users and the doubt, those that found room in the text */
	pid_t self;        /* who wants to know, and does not count */
	bool mappings;     /* look at them, too */
	int at;            /* the pid that is looked at */
	int result;
};

/* One more in words, where there still is room for it and for how many more there are. */
_printf_(2, 3) static void tell(struct search *s, const char *format, ...)
{
	char one[160];
	size_t used = strlen(s->h.text);
	va_list args;

	va_start(args, format);
	vsnprintf(one, sizeof(one), format, args);
	va_end(args);
	if (used + strlen(one) + sizeof(", , 4294967295 more") > sizeof(s->h.text))
		return;
	snprintf(s->h.text + used, sizeof(s->h.text) - used, "%s%s", used ? ", " : "", one);
	s->told++;
}

static void doubt(struct search *s, const char *what)
{
	/* The first says it: without the right to look there is one for every process. */
	if (!s->h.doubt)
		tell(s, "%s could not be looked at", what);
	s->h.doubt = true;
}

/* Product strings take the USB device's lock and may wait for a driver, the ids do not. */
static void look_at_root_hub(struct search *s, int fd, const char *root_hub)
{
	_cleanup_dir_ DIR *dir = sysfs_list(fd, root_hub);
	const struct dirent *de;

	if (!dir) {
		if (errno != ENOENT)
			doubt(s, root_hub);
		return;
	}
	while (errno = 0, (de = readdir(dir))) {
		char path[300], vendor[8], product[8];

		/* "1-2" is a device, "1-0:1.0" the root hub's own interface. */
		if (!isdigit((unsigned char)de->d_name[0]) || !strchr(de->d_name, '-') ||
		    strchr(de->d_name, ':'))
			continue;
		snprintf(path, sizeof(path), "%s/idVendor", de->d_name);
		if (sysfs_read(dirfd(dir), path, vendor, sizeof(vendor)) < 0)
			strcpy(vendor, "?");
		snprintf(path, sizeof(path), "%s/idProduct", de->d_name);
		if (sysfs_read(dirfd(dir), path, product, sizeof(product)) < 0)
			strcpy(product, "?");
		s->h.found++;
		tell(s, "USB device %s (%s:%s)", de->d_name, vendor, product);
	}
	if (errno)
		doubt(s, root_hub);
}

static void look_at_usb(struct search *s, const struct pci_function *f)
{
	_cleanup_dir_ DIR *dir = sysfs_list(f->dirfd, ".");
	const struct dirent *de;

	if (!dir) {
		if (errno != ENOENT)
			doubt(s, f->name);
		return;
	}
	while (errno = 0, (de = readdir(dir))) {
		if (startswith(de->d_name, "usb") && isdigit((unsigned char)de->d_name[3]))
			look_at_root_hub(s, dirfd(dir), de->d_name);
	}
	if (errno)
		doubt(s, f->name);
}

/* The end of a process is no news, at whatever point of looking at it it comes. */
static bool is_doubtful(int error)
{
	return error != 0 && error != ENOENT && error != ESRCH;
}

/*
 * The node of interest behind a descriptor or mapping, NULL if it is none, *ret_doubt if that
 * cannot be said. DONT_SYNC: a file on a dead NFS or FUSE mount is answered from the cache.
 */
static const struct node *look_at_link(const struct search *s, int dir, const char *name,
				       bool *ret_doubt)
{
	struct statx stx;
	char target[16];
	ssize_t n;

	if (statx(dir, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &stx) == 0)
		return S_ISCHR(stx.stx_mode) || S_ISBLK(stx.stx_mode) ?
		       nodes_lookup(&s->nodes, S_ISBLK(stx.stx_mode), stx.stx_rdev_major, stx.stx_rdev_minor) : NULL;
	if (!is_doubtful(errno))
		return NULL;
	/* A mapping without the capability that proc_map_files_get_link() asks for. */
	if (errno == EPERM) {
		*ret_doubt = true;
		return NULL;
	}
	/* FUSE refuses even root (fuse_allow_current_process); no node of ours is outside /dev. */
	n = readlinkat(dir, name, target, sizeof(target) - 1);
	if (n < 0)
		*ret_doubt |= is_doubtful(errno);
	else
		*ret_doubt |= n >= 5 && memcmp(target, "/dev/", 5) == 0;
	return NULL;
}

static void tell_user(struct search *s, int proc, const char *pid, const struct node *node,
		      const char *how)
{
	char path[NAME_MAX + 8], comm[64];

	s->h.found++;
	snprintf(path, sizeof(path), "%s/comm", pid);
	if (sysfs_read(proc, path, comm, sizeof(comm)) < 0)
		strcpy(comm, "?");
	/* A process chooses its own name. */
	for (char *c = comm; *c; c++)
		*c = isprint((unsigned char)*c) ? *c : '?';
	tell(s, "%s %s in pid %s (%s)", node->name, how, pid, comm);
}

/* Whether one of a directory of links to open or mapped files makes the process a user. */
static bool look_at_links(struct search *s, int proc, const char *path, const char *pid,
			  const char *how, bool *ret_doubt)
{
	_cleanup_dir_ DIR *dir = sysfs_list(proc, path);
	const struct dirent *de;

	while (dir && (errno = 0, de = readdir(dir))) {
		const struct node *node;

		if (de->d_name[0] == '.')
			continue;
		node = look_at_link(s, dirfd(dir), de->d_name, ret_doubt);
		if (node) {
			tell_user(s, proc, pid, node, how);
			return true;
		}
	}
	*ret_doubt |= is_doubtful(errno);
	return false;
}

/*
 * A thread can have descriptors of its own (unshare(2)), and outlive the one which the process is
 * named after: the process then shows neither descriptors nor mappings, the thread still does.
 */
static bool look_at_threads(struct search *s, int proc, const char *pid, bool *ret_doubt)
{
	char path[2 * NAME_MAX + 16];
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *de;

	snprintf(path, sizeof(path), "%s/task", pid);
	dir = sysfs_list(proc, path);
	if (!dir) {
		*ret_doubt |= is_doubtful(errno);
		return false;
	}
	while (errno = 0, (de = readdir(dir))) {
		const char *tid = de->d_name;

		if (!isdigit((unsigned char)tid[0]) || streq(tid, pid))
			continue;
		if (root_is_host() && syscall(SYS_kcmp, atoi(pid), atoi(tid), KCMP_FILES, 0, 0) == 0)
			continue;
		snprintf(path, sizeof(path), "%s/task/%s/fd", pid, tid);
		if (look_at_links(s, proc, path, pid, "open", ret_doubt))
			return true;
		/* Not below task/, but for any thread by its number. */
		snprintf(path, sizeof(path), "%s/map_files", tid);
		if (s->mappings && look_at_links(s, proc, path, pid, "mapped", ret_doubt))
			return true;
	}
	*ret_doubt |= is_doubtful(errno);
	return false;
}

static void look_at_process(struct search *s, int proc, const char *pid)
{
	char path[NAME_MAX + 16];
	bool unsure = false;

	s->at = atoi(pid);
	snprintf(path, sizeof(path), "%s/fd", pid);
	if (look_at_links(s, proc, path, pid, "open", &unsure) ||
	    look_at_threads(s, proc, pid, &unsure))
		return;
	snprintf(path, sizeof(path), "%s/map_files", pid);
	if (s->mappings && look_at_links(s, proc, path, pid, "mapped", &unsure))
		return;
	if (unsure) {
		snprintf(path, sizeof(path), "pid %s", pid);
		doubt(s, path);
	}
}

static int look_at_processes(struct search *s)
{
	_cleanup_close_ int proc = root_open("/proc", O_RDONLY | O_DIRECTORY);
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *de;

	if (proc < 0)
		return proc;
	dir = sysfs_list(proc, ".");
	if (!dir)
		return -errno;
	while (errno = 0, (de = readdir(dir))) {
		if (isdigit((unsigned char)de->d_name[0]) && atoi(de->d_name) != s->self)
			look_at_process(s, proc, de->d_name);
	}
	return -errno;
}

/* Only a fatal signal ends the wait for an mmap_lock: nobody is left waiting without a parent. */
static void look_work(void *arg)
{
	struct search *s = arg;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != s->self)
		_exit(1);
	s->result = look_at_processes(s);
}

static int look_at_mappings(struct search *s)
{
	struct search *shared = child_memory(sizeof(*shared));
	char what[32];
	int r;

	if (!shared)
		return -ENOMEM;
	*shared = *s;
	shared->mappings = true;
	r = child_run(look_work, shared, LOOK_MS);
	if (r == -ETIMEDOUT) {
		snprintf(what, sizeof(what), "memory of pid %d", shared->at);
		doubt(s, what);
		r = 0;
	} else if (r == 0) {
		r = shared->result;
		s->h = shared->h;
		s->told = shared->told;
	}
	munmap(shared, sizeof(*shared));
	return r;
}

int holders_find(const struct pci_function *f, struct holders *ret)
{
	struct search s = { .self = getpid() };
	unsigned int all;
	int r;

	nodes_find(f, &s.nodes);
	if (s.nodes.doubt[0])
		doubt(&s, s.nodes.doubt);
	look_at_usb(&s, f);
	if (s.nodes.count > 0) {
		r = look_at_mappings(&s);
		/* That may have waited. The descriptors alone take no time: nobody came since. */
		if (r == 0 && s.h.found == 0)
			r = look_at_processes(&s);
		if (r < 0)
			return r;
	}
	all = s.h.found + s.h.doubt;
	if (all > s.told)
		snprintf(s.h.text + strlen(s.h.text), sizeof(s.h.text) - strlen(s.h.text),
			 "%s%u more", s.told ? ", " : "", all - s.told);
	*ret = s.h;
	return 0;
}

static int unbind_lock_path(const char *bdf, char *path, size_t size)
{
	int len = snprintf(path, size, "/proc/driver/nvidia/gpus/%s/unbindLock", bdf);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/* The lock is taken or given back when the file is closed (nv_procfs_close_unbind_lock). */
static int write_unbind_lock(const char *path, const char *value)
{
	_cleanup_close_ int fd = root_open(path, O_WRONLY);

	if (fd < 0)
		return fd;
	return write(fd, value, 1) == 1 ? 0 : -errno;
}

int holders_lock_unbind(const char *bdf)
{
	char path[64 + BDF_SIZE], value[16];
	ssize_t n;
	int r;

	r = unbind_lock_path(bdf, path, sizeof(path));
	if (r < 0)
		return r;
	r = write_unbind_lock(path, "1");
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	n = root_read(path, value, sizeof(value));
	if (n < 0)
		return (int)n;
	return value[0] == '1' ? 1 : -EBUSY;
}

void holders_unlock_unbind(const char *bdf)
{
	char path[64 + BDF_SIZE];

	/* Nothing to do about a failure: the driver has gone, and the lock with it. */
	if (unbind_lock_path(bdf, path, sizeof(path)) == 0)
		(void)!write_unbind_lock(path, "0");
}
