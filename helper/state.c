// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records and locks below /run/nvfio. All access is through one directory descriptor that was checked to be root's
 * alone; names are BDFs in sysfs's spelling, so no name can lead out of it.
 */
#include "state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "root.h"

#define STATE_DIR "/run/nvfio"
#define RECORD_MAX 512

/* A FIFO in its place must not hang us, a terminal not become ours. */
#define FILE_FLAGS (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static const char *const state_name[RECORD_STATE_COUNT] = {
	[RECORD_ACTING] = "acting",	[RECORD_CLAIMED] = "claimed",	  [RECORD_BOUND] = "bound",
	[RECORD_RELEASED] = "released", [RECORD_LEFT] = "left",
};

static int open_dir(bool create)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	int r;

	r = root_path(STATE_DIR, path, sizeof(path));
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && create) {
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return -EPERM;
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	return steal_fd(&fd);
}

static int parse_field(struct record *rec, const char *key, const char *value)
{
	unsigned int i;

	if (streq(key, "state")) {
		for (i = RECORD_NONE + 1; i < RECORD_STATE_COUNT; i++) {
			if (streq(value, state_name[i])) {
				rec->state = (enum record_state)i;
				return 0;
			}
		}
		rec->state = RECORD_STATE_COUNT;
		return 0;
	}
	if (streq(key, "inode"))
		rec->ino = strtoull(value, NULL, 10);
	else if (streq(key, "vendor"))
		rec->vendor = (uint16_t)strtoul(value, NULL, 16);
	else if (streq(key, "device"))
		rec->device = (uint16_t)strtoul(value, NULL, 16);
	else if (streq(key, "wanted"))
		return copy_name(rec->wanted, sizeof(rec->wanted), value);
	else if (streq(key, "driver"))
		return copy_name(rec->driver, sizeof(rec->driver), value);
	else if (streq(key, "override"))
		return copy_name(rec->override, sizeof(rec->override), value);
	else if (streq(key, "autoprobe-off"))
		rec->autoprobe_off = streq(value, "1");
	else if (streq(key, "companions-stay"))
		rec->companions_stay = streq(value, "1");
	else if (streq(key, "was-released"))
		rec->was_released = streq(value, "1");
	/* A newer helper may write more: what this one does not know does not make a record invalid. */
	return 0;
}

static int parse_record(char *text, struct record *ret)
{
	struct record rec = { .state = RECORD_NONE };
	char *line, *save = NULL;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');

		if (!value)
			return -EBADMSG;
		*value++ = '\0';
		if (parse_field(&rec, line, value) < 0)
			return -EBADMSG;
	}
	if (rec.state == RECORD_NONE || rec.ino == 0)
		return -EBADMSG;
	*ret = rec;
	return 0;
}

ssize_t state_read_file(const char *name, char *buf, size_t size)
{
	_cleanup_close_ int dir = open_dir(false), fd = -1;
	struct stat st;
	ssize_t n;

	if (dir < 0)
		return dir;
	fd = openat(dir, name, O_RDONLY | FILE_FLAGS);
	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

int state_load(const struct pci_function *f, struct record *ret)
{
	char text[RECORD_MAX + 1];
	struct record rec;
	ssize_t n = state_read_file(f->name, text, sizeof(text));
	int r;

	if (n < 0)
		return (int)n;
	if (n >= RECORD_MAX)
		return -EBADMSG;
	r = parse_record(text, &rec);
	if (r < 0)
		return r;
	if (rec.ino != f->ino || rec.vendor != f->ids.vendor || rec.device != f->ids.device)
		return -ENOENT;
	if (rec.state == RECORD_STATE_COUNT)
		return -EPROTO;
	*ret = rec;
	return 0;
}

bool state_is_act(const struct record *rec)
{
	return rec->state == RECORD_ACTING || rec->state == RECORD_CLAIMED || rec->state == RECORD_BOUND ||
	       (rec->state == RECORD_RELEASED && rec->wanted[0]);
}

/* Where a record is written before it takes its place. */
static void unfinished_name(const char *bdf, char buf[static BDF_SIZE + 8])
{
	snprintf(buf, BDF_SIZE + 8, ".%s.new", bdf);
}

/* Puts a file of a function in its place in one rename; only the holder of the function's lock does. */
static int put_file(const char *bdf, const char *name, const char *text, size_t len)
{
	_cleanup_close_ int dir = open_dir(true), fd = -1;
	char tmp[BDF_SIZE + 8];
	ssize_t n;

	if (dir < 0)
		return dir;
	unfinished_name(bdf, tmp);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	/* Nobody else writes, so a file of this name is a killed writer's. */
	if (fd < 0 && errno == EEXIST && (unlinkat(dir, tmp, 0) == 0 || errno == ENOENT))
		fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n != (ssize_t)len || renameat(dir, tmp, dir, name) < 0) {
		int err = n >= 0 && n != (ssize_t)len ? ENOSPC : errno;

		(void)unlinkat(dir, tmp, 0);
		return -err;
	}
	return 0;
}

int state_save(const struct pci_function *f, const struct record *rec)
{
	char text[RECORD_MAX];
	int len;

	len = snprintf(text, sizeof(text),
		       "state=%s\ninode=%llu\nvendor=%04x\ndevice=%04x\nwanted=%s\ndriver=%s\noverride=%s\n"
		       "autoprobe-off=%d\ncompanions-stay=%d\nwas-released=%d\n",
		       state_name[rec->state], (unsigned long long)f->ino, f->ids.vendor, f->ids.device, rec->wanted,
		       rec->driver, rec->override, rec->autoprobe_off, rec->companions_stay, rec->was_released);
	if (len < 0 || (size_t)len >= sizeof(text))
		return -EOVERFLOW;
	return put_file(f->name, f->name, text, (size_t)len);
}

static void properties_name(const char *bdf, char buf[static BDF_SIZE + 12])
{
	snprintf(buf, BDF_SIZE + 12, "%s.properties", bdf);
}

int state_save_properties(const char *bdf, const char *text, size_t len)
{
	char name[BDF_SIZE + 12];
	int r;

	properties_name(bdf, name);
	r = put_file(bdf, name, text, len);
	if (r < 0)
		(void)state_remove(name);
	return r;
}

int state_save_flags(const struct pci_function *f, struct record *rec)
{
	bool any = rec->autoprobe_off || rec->companions_stay;

	if (rec->state == RECORD_NONE || rec->state == RECORD_LEFT) {
		rec->state = any ? RECORD_LEFT : RECORD_NONE;
		if (!any)
			return state_remove(f->name);
	}
	return state_save(f, rec);
}

int state_settle(const struct pci_function *f, struct record *rec)
{
	bool released = rec->was_released || rec->state == RECORD_RELEASED;

	*rec = (struct record){ .state = released ? RECORD_RELEASED : RECORD_NONE, .autoprobe_off = rec->autoprobe_off,
				.companions_stay = rec->companions_stay };
	return state_save_flags(f, rec);
}

static int remove_file(int dir, const char *name)
{
	return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int state_remove(const char *bdf)
{
	_cleanup_close_ int dir = open_dir(false);

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	return remove_file(dir, bdf);
}

static struct flock whole_file(void)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

static void lock_name(const char *bdf, char buf[static BDF_SIZE + 8])
{
	snprintf(buf, BDF_SIZE + 8, "%s.lock", bdf);
}

static bool is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int take_lock(const char *bdf, int command)
{
	_cleanup_close_ int dir = open_dir(true);
	char name[BDF_SIZE + 8];

	if (dir < 0)
		return dir;
	lock_name(bdf, name);
	for (;;) {
		_cleanup_close_ int fd = openat(dir, name, O_RDWR | O_CREAT | FILE_FLAGS, 0644);
		struct flock fl = whole_file();
		struct stat mine, there;

		if (fd < 0)
			return -errno;
		if (!is_regular(fd))
			return -EBADMSG;
		if (fcntl(fd, command, &fl) < 0)
			return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
		/* state_forget() may have removed the file between our open and our lock: then lock the new one. */
		if (fstat(fd, &mine) < 0)
			return -errno;
		if (fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && mine.st_ino == there.st_ino)
			return steal_fd(&fd);
	}
}

int state_lock(const char *bdf)
{
	return take_lock(bdf, F_OFD_SETLK);
}

int state_lock_wait(const char *bdf)
{
	return take_lock(bdf, F_OFD_SETLKW);
}

void state_unlock(int lock)
{
	struct flock fl = whole_file();

	fl.l_type = F_UNLCK;
	(void)fcntl(lock, F_OFD_SETLK, &fl);
}

int state_is_locked(const char *bdf)
{
	_cleanup_close_ int dir = open_dir(false), fd = -1;
	char name[BDF_SIZE + 8];
	struct flock fl = whole_file();

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	lock_name(bdf, name);
	fd = openat(dir, name, O_RDONLY | FILE_FLAGS);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!is_regular(fd))
		return -EBADMSG;
	if (fcntl(fd, F_OFD_GETLK, &fl) < 0)
		return -errno;
	return fl.l_type != F_UNLCK;
}

int state_forget(const char *bdf)
{
	_cleanup_close_ int dir = open_dir(false), lock = -1;
	char name[BDF_SIZE + 12];
	int r;

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	lock = state_lock(bdf);
	if (lock == -EBUSY)
		return 0;
	if (lock < 0)
		return lock;
	r = remove_file(dir, bdf);
	properties_name(bdf, name);
	if (r == 0)
		r = remove_file(dir, name);
	/* A writer that was killed left this, and nobody will write here again. */
	unfinished_name(bdf, name);
	if (r == 0)
		r = remove_file(dir, name);
	lock_name(bdf, name);
	return r == 0 ? remove_file(dir, name) : r;
}

int state_mark(const char *name)
{
	_cleanup_close_ int dir = open_dir(true), fd = -1;

	if (dir < 0)
		return dir;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : 0;
}

int state_append_line(const char *name, const char *line, size_t len, size_t max)
{
	_cleanup_close_ int dir = open_dir(true), fd = -1;
	struct stat st;

	if (dir < 0)
		return dir;
	fd = openat(dir, name, O_WRONLY | O_APPEND | O_CREAT | FILE_FLAGS, 0644);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if ((size_t)st.st_size + len > max)
		return unlinkat(dir, name, 0) < 0 ? -errno : -ENOSPC;
	return write(fd, line, len) < 0 ? -errno : 0;
}

bool state_first_time(const char *token)
{
	_cleanup_close_ int dir = open_dir(true), fd = -1;
	char name[NAME_MAX];
	struct stat st;

	if (dir < 0)
		return true;
	if (snprintf(name, sizeof(name), "said-%s", token) >= (int)sizeof(name))
		return true;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0 || errno != EEXIST)
		return true;
	/* Only a file of ours says that it was said. */
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode);
}
