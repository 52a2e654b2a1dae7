// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LD_PRELOAD library that makes a tree of plain files below $FAKE_ROOT behave like sysfs. It stands between the program
 * under test (and the children it forks) and open, read, write and stat; what a write does is fakebus.c's business.
 *
 *   FAKE_ROOT=DIR    the tree; without it nothing is changed
 *   FAKE_COUNT=1     list the operations below sys, run, proc and etc (open, read, write, list (the first readdir of
 *                    a directory), readlink, access; below run also mkdir, rename, unlink, lock and getlk), and those
 *                    on no file (fork, pipe, socket, libkmod's), in DIR/.fake_ops as "N OP PATH"
 *   FAKE_FAIL=WHEN:ERRNO[,...]   that operation fails; SHORT halves a read or write
 *   FAKE_HOOK="WHEN ACTION"      before that operation: "remove BDF...", "replace BDF...", "replace-bound BDF..."
 *                    (the newcomer is on its native driver) or "sh COMMAND"
 *   FAKE_BLOCK=SUFFIX[,...]      reads and writes of such a path sleep until DIR/.fake_release exists, and so does a
 *                    driver's probe() of a device, whose path is that of the device and "/probe";
 *                    DIR/.fake_blocked then names them. At most FAKE_BLOCK_MAX seconds (30), so that no test leaves
 *                    a process behind
 *   FAKE_CLOCK=SECONDS           the wall clock is further on (or back) by so much at each look at it
 * WHEN is the N-th operation, counted over parent and children from the last removal of DIR/.fake_counter on, or
 * OP:SUFFIX for the first one of that kind on such a path.
 *
 * DIR/.fake_forks with N in it: so many more fork(2) succeed.
 *
 * Every write below sys (and to nvidia's unbindLock) is appended to DIR/.fake_writes as "PATH<TAB>VALUE", with
 * " (gone)" behind the path where the device had left under the open attribute and the write went nowhere. A regular
 * file below DIR/dev that says "c MAJOR MINOR" or "b MAJOR MINOR" is that device to stat(2) and statx(2), so that no
 * test needs mknod(2).
 *
 * Not seen: stdio (it does not call the exported write(2)) and static programs. A program built with ASan needs
 * ASAN_OPTIONS=verify_asan_link_order=0, as this library comes before libasan. Nothing here allocates before main().
 */
#include "fakekernel.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

char fake_root[PATH_MAX];

static int raw_open(const char *path, int flags, mode_t mode)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

static void raw_close(int fd)
{
	syscall(SYS_close, fd);
}

char *fake_path(char *buf, const char *format, ...)
{
	int len = snprintf(buf, PATH_MAX, "%s/", fake_root);
	va_list ap;

	va_start(ap, format);
	len += vsnprintf(buf + len, (size_t)(PATH_MAX - len), format, ap);
	va_end(ap);
	if (len >= PATH_MAX)
		abort();
	return buf;
}

ssize_t fake_load(const char *path, char *buf, size_t size)
{
	int fd = raw_open(path, O_RDONLY, 0);
	ssize_t n;

	buf[0] = '\0';
	if (fd < 0)
		return -errno;
	n = syscall(SYS_read, fd, buf, size - 1);
	raw_close(fd);
	if (n < 0)
		return -errno;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

int fake_store(const char *path, const char *text)
{
	int fd = raw_open(path, O_WRONLY | O_CREAT, 0644);
	size_t len = strlen(text);
	int r = 0;

	if (fd < 0)
		return -errno;
	/* In place and cut afterwards: the inode stays, and no reader sees an empty attribute. */
	if (syscall(SYS_write, fd, text, len) != (ssize_t)len || syscall(SYS_ftruncate, fd, len) < 0)
		r = -EIO;
	raw_close(fd);
	return r;
}

void fake_log(const char *name, const char *format, ...)
{
	char path[PATH_MAX], line[PATH_MAX + 8192];
	va_list ap;
	int fd, len;

	va_start(ap, format);
	len = vsnprintf(line, sizeof(line) - 1, format, ap);
	va_end(ap);
	if (len > (int)sizeof(line) - 2)
		len = (int)sizeof(line) - 2;
	line[len++] = '\n';
	fd = raw_open(fake_path(path, "%s", name), O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0)
		return;
	if (syscall(SYS_write, fd, line, len) != len)
		abort();
	raw_close(fd);
}

bool ends_with(const char *s, const char *suffix, size_t suffix_len)
{
	size_t len = strlen(s);

	return suffix_len > 0 && len >= suffix_len && strncmp(s + len - suffix_len, suffix, suffix_len) == 0;
}

/* The part of an absolute path below the root, or NULL. */
static const char *below_root(const char *path)
{
	size_t len = strlen(fake_root);

	if (len == 0 || strncmp(path, fake_root, len) != 0 || path[len] != '/')
		return NULL;
	return path + len + 1;
}

bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Where a descriptor's file is below the root, written into buf[PATH_MAX]; NULL if elsewhere. */
static const char *fd_path(int fd, char *buf)
{
	char link[32];
	ssize_t n;

	if (fake_root[0] == '\0')
		return NULL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, PATH_MAX - 1);
	if (n < 0)
		return NULL;
	buf[n] = '\0';
	if (ends_with(buf, " (deleted)", 10))
		buf[n - 10] = '\0';
	return below_root(buf);
}

/* Where openat() of path would look, without resolving links in path itself. */
static const char *at_path(int dirfd, const char *path, char *buf)
{
	const char *dir;
	char real[PATH_MAX];

	if (fake_root[0] == '\0')
		return NULL;
	if (path[0] == '/')
		return below_root(path);
	if (dirfd == AT_FDCWD)
		dir = getcwd(real, sizeof(real)) ? below_root(real) : NULL;
	else
		dir = fd_path(dirfd, real);
	if (!dir || snprintf(buf, PATH_MAX, "%s/%s", dir, path) >= PATH_MAX)
		return NULL;
	return buf;
}

static int fail(int error)
{
	errno = error;
	return -1;
}

static int do_open(int dirfd, const char *path, int flags, mode_t mode)
{
	char buf[PATH_MAX];
	const char *rel = at_path(dirfd, path, buf);
	int error;

	if (!rel)
		return (int)syscall(SYS_openat, dirfd, path, flags, mode);
	error = fault_before("open", rel);
	if (error && error != FAULT_SHORT)
		return fail(error);
	if (starts_with(rel, "sys/")) {
		/* sysfs has no files but its own, and cuts none of them. */
		if ((flags & O_CREAT) && faccessat(dirfd, path, F_OK, 0) < 0)
			return fail(EACCES);
		flags &= ~(O_CREAT | O_TRUNC);
	}
	return (int)syscall(SYS_openat, dirfd, path, flags, mode);
}

/* An attribute of a device that is gone: the descriptor is open, the I/O fails (fs/kernfs/file.c). */
static bool is_dead(int fd)
{
	struct stat st;

	return syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) == 0 && st.st_nlink == 0;
}

static ssize_t do_read(int fd, void *buf, size_t count, off_t offset, bool positioned)
{
	char path[PATH_MAX];
	const char *rel = fd_path(fd, path);
	int error;

	if (rel) {
		error = fault_before("read", rel);
		if (starts_with(rel, "sys/"))
			fake_block(rel);
		if (error == FAULT_SHORT)
			count = count > 1 ? count / 2 : count;
		else if (error)
			return fail(error);
		if (starts_with(rel, "sys/") && is_dead(fd))
			return fail(ENODEV);
	}
	if (positioned)
		return syscall(SYS_pread64, fd, buf, count, offset);
	return syscall(SYS_read, fd, buf, count);
}

static void log_write(const char *path, const char *remark, const char *value, size_t len)
{
	char text[8192];
	size_t used = 0;

	for (size_t i = 0; i < len && used + 8 < sizeof(text); i++) {
		unsigned char c = (unsigned char)value[i];

		if (c == '\n')
			used += (size_t)sprintf(text + used, "\\n");
		else if (c < ' ')
			used += (size_t)sprintf(text + used, "\\x%02x", c);
		else
			text[used++] = (char)c;
	}
	text[used] = '\0';
	fake_log(".fake_writes", "%s%s\t%s", path, remark, text);
}

static ssize_t write_attribute(int fd, const char *path, const char *value, size_t len, int error)
{
	int mode = (int)syscall(SYS_fcntl, fd, F_GETFL) & O_ACCMODE;
	ssize_t r;

	if (mode != O_WRONLY && mode != O_RDWR)
		return fail(EBADF);
	log_write(path, is_dead(fd) ? " (gone)" : "", value, len);
	if (!bus_blocks_itself(path))
		fake_block(path);
	if (error == FAULT_SHORT)
		return (ssize_t)(len / 2);
	if (error)
		return fail(error);
	if (is_dead(fd))
		return fail(ENODEV);
	if (len == 0)
		return 0;
	r = bus_write(path, value, len);
	return r < 0 ? fail((int)-r) : r;
}

static ssize_t do_write(int fd, const void *buf, size_t count, off_t offset, bool positioned)
{
	char path[PATH_MAX], busy[PATH_MAX];
	const char *rel = fd_path(fd, path);

	if (rel) {
		int error = fault_before("write", rel);

		if (starts_with(rel, "sys/"))
			return write_attribute(fd, rel, buf, count, error);
		if (ends_with(rel, "/unbindLock", 11)) {
			log_write(rel, "", buf, count);
			/* A lock that is refused reads back as it was. */
			if (syscall(SYS_faccessat, AT_FDCWD, fake_path(busy, "%s.fake_busy", rel), F_OK) == 0)
				return (ssize_t)count;
		}
		if (error == FAULT_SHORT)
			count /= 2;
		else if (error)
			return fail(error);
	}
	if (positioned)
		return syscall(SYS_pwrite64, fd, buf, count, offset);
	return syscall(SYS_write, fd, buf, count);
}

/* These are no business of sysfs; fakebus.c uses them on it itself. */
static int do_mkdir(const char *path, mode_t mode)
{
	char buf[PATH_MAX];
	const char *rel = at_path(AT_FDCWD, path, buf);
	int error = rel && starts_with(rel, "run/") ? fault_before("mkdir", rel) : 0;

	return error ? fail(error) : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

static int do_rename(int old_dir, const char *old_path, int new_dir, const char *new_path)
{
	char buf[PATH_MAX];
	const char *rel = at_path(new_dir, new_path, buf);
	int error = rel && starts_with(rel, "run/") ? fault_before("rename", rel) : 0;

	return error ? fail(error) : (int)syscall(SYS_renameat, old_dir, old_path, new_dir, new_path);
}

static int do_unlink(int dirfd, const char *path, int flags)
{
	char buf[PATH_MAX];
	const char *rel = at_path(dirfd, path, buf);
	int error = rel && starts_with(rel, "run/") ? fault_before("unlink", rel) : 0;

	return error ? fail(error) : (int)syscall(SYS_unlinkat, dirfd, path, flags);
}

/* A regular file below dev that says "c 195 0" is that device. Its type (S_IFCHR, S_IFBLK), 0 for none. */
static mode_t device_type(int dirfd, const char *path, int flags, unsigned int *ret_major, unsigned int *ret_minor)
{
	char real[PATH_MAX], text[64], type;
	const char *rel;
	int fd;

	if (fake_root[0] == '\0')
		return 0;
	if (flags & AT_EMPTY_PATH && path[0] == '\0') {
		rel = fd_path(dirfd, real);
	} else {
		fd = (int)syscall(SYS_openat, dirfd, path, O_PATH | O_CLOEXEC, 0);
		if (fd < 0)
			return 0;
		rel = fd_path(fd, real);
		raw_close(fd);
	}
	if (!rel || !starts_with(rel, "dev/") || fake_load(real, text, sizeof(text)) < 0 ||
	    sscanf(text, "%c %u %u", &type, ret_major, ret_minor) != 3)
		return 0;
	return type == 'c' ? S_IFCHR : type == 'b' ? S_IFBLK : 0;
}

static int do_stat(int dirfd, const char *path, struct stat *st, int flags)
{
	long r = syscall(SYS_newfstatat, dirfd, path, st, flags);
	unsigned int major_no, minor_no;
	mode_t type = r == 0 && S_ISREG(st->st_mode) ? device_type(dirfd, path, flags, &major_no, &minor_no) : 0;

	if (type) {
		st->st_mode = type | 0600;
		st->st_rdev = makedev(major_no, minor_no);
	}
	return (int)r;
}

static int do_statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *stx)
{
	long r = syscall(SYS_statx, dirfd, path, flags, mask, stx);
	mode_t type = r == 0 && S_ISREG(stx->stx_mode) ?
		      device_type(dirfd, path, flags, &stx->stx_rdev_major, &stx->stx_rdev_minor) : 0;

	if (type)
		stx->stx_mode = (unsigned short)(type | 0600);
	return (int)r;
}

/* The exported functions. Those with two underscores are what _FORTIFY_SOURCE calls. */

#define PUBLIC __attribute__((visibility("default")))

#define OPEN_MODE(flags, mode)						\
	do {								\
		if ((flags) & (O_CREAT | O_TMPFILE)) {			\
			va_list ap;					\
			va_start(ap, flags);				\
			(mode) = va_arg(ap, mode_t);			\
			va_end(ap);					\
		}							\
	} while (0)

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
ssize_t __read_chk(int fd, void *buf, size_t count, size_t size);
ssize_t __pread_chk(int fd, void *buf, size_t count, off_t offset, size_t size);
ssize_t __pread64_chk(int fd, void *buf, size_t count, off_t offset, size_t size);

PUBLIC int open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	OPEN_MODE(flags, mode);
	return do_open(AT_FDCWD, path, flags, mode);
}

PUBLIC int openat(int dirfd, const char *path, int flags, ...)
{
	mode_t mode = 0;

	OPEN_MODE(flags, mode);
	return do_open(dirfd, path, flags, mode);
}

PUBLIC int open64(const char *path, int flags, ...) __attribute__((alias("open")));
PUBLIC int openat64(int dirfd, const char *path, int flags, ...) __attribute__((alias("openat")));

PUBLIC int __open_2(const char *path, int flags)
{
	return do_open(AT_FDCWD, path, flags, 0);
}

PUBLIC int __openat_2(int dirfd, const char *path, int flags)
{
	return do_open(dirfd, path, flags, 0);
}

PUBLIC int __open64_2(const char *path, int flags) __attribute__((alias("__open_2")));
PUBLIC int __openat64_2(int dirfd, const char *path, int flags) __attribute__((alias("__openat_2")));

PUBLIC ssize_t read(int fd, void *buf, size_t count)
{
	return do_read(fd, buf, count, 0, false);
}

PUBLIC ssize_t __read_chk(int fd, void *buf, size_t count, size_t size)
{
	if (count > size)
		abort();
	return do_read(fd, buf, count, 0, false);
}

PUBLIC ssize_t pread(int fd, void *buf, size_t count, off_t offset)
{
	return do_read(fd, buf, count, offset, true);
}

PUBLIC ssize_t pread64(int fd, void *buf, size_t count, off_t offset) __attribute__((alias("pread")));

PUBLIC ssize_t __pread_chk(int fd, void *buf, size_t count, off_t offset, size_t size)
{
	if (count > size)
		abort();
	return do_read(fd, buf, count, offset, true);
}

PUBLIC ssize_t __pread64_chk(int fd, void *buf, size_t count, off_t offset, size_t size)
	__attribute__((alias("__pread_chk")));

PUBLIC ssize_t write(int fd, const void *buf, size_t count)
{
	return do_write(fd, buf, count, 0, false);
}

PUBLIC ssize_t pwrite(int fd, const void *buf, size_t count, off_t offset)
{
	return do_write(fd, buf, count, offset, true);
}

PUBLIC ssize_t pwrite64(int fd, const void *buf, size_t count, off_t offset) __attribute__((alias("pwrite")));

PUBLIC int mkdir(const char *path, mode_t mode)
{
	return do_mkdir(path, mode);
}

PUBLIC int renameat(int old_dir, const char *old_path, int new_dir, const char *new_path)
{
	return do_rename(old_dir, old_path, new_dir, new_path);
}

PUBLIC int rename(const char *old_path, const char *new_path)
{
	return do_rename(AT_FDCWD, old_path, AT_FDCWD, new_path);
}

PUBLIC int unlinkat(int dirfd, const char *path, int flags)
{
	return do_unlink(dirfd, path, flags);
}

PUBLIC int unlink(const char *path)
{
	return do_unlink(AT_FDCWD, path, 0);
}

PUBLIC int fstatat(int dirfd, const char *restrict path, struct stat *restrict st, int flags)
{
	return do_stat(dirfd, path, st, flags);
}

PUBLIC int stat(const char *restrict path, struct stat *restrict st)
{
	return do_stat(AT_FDCWD, path, st, 0);
}

PUBLIC int fstat(int fd, struct stat *st)
{
	return do_stat(fd, "", st, AT_EMPTY_PATH);
}

PUBLIC int statx(int dirfd, const char *restrict path, int flags, unsigned int mask, struct statx *restrict stx)
{
	return do_statx(dirfd, path, flags, mask, stx);
}

/* The same functions for programs built with _FILE_OFFSET_BITS=64; the structs are one on 64 bit. */
PUBLIC int fstatat64(int dirfd, const char *restrict path, struct stat64 *restrict st, int flags)
	__attribute__((alias("fstatat")));
PUBLIC int stat64(const char *restrict path, struct stat64 *restrict st) __attribute__((alias("stat")));
PUBLIC int fstat64(int fd, struct stat64 *st) __attribute__((alias("fstat")));

static int do_access(int dirfd, const char *path, int mode, int flags)
{
	char buf[PATH_MAX];
	const char *rel = at_path(dirfd, path, buf);
	int error = rel ? fault_before("access", rel) : 0;

	if (error && error != FAULT_SHORT)
		return fail(error);
	/* faccessat2(2) is newer than some kernels; a link that leads nowhere is all the flag is used for. */
	if (flags & AT_SYMLINK_NOFOLLOW) {
		struct stat st;

		return (int)syscall(SYS_newfstatat, dirfd, path, &st, AT_SYMLINK_NOFOLLOW);
	}
	return (int)syscall(SYS_faccessat, dirfd, path, mode);
}

PUBLIC int faccessat(int dirfd, const char *path, int mode, int flags)
{
	return do_access(dirfd, path, mode, flags);
}

PUBLIC int access(const char *path, int mode)
{
	return do_access(AT_FDCWD, path, mode, 0);
}

ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t size, size_t room);

PUBLIC ssize_t readlinkat(int dirfd, const char *restrict path, char *restrict buf, size_t size)
{
	char place[PATH_MAX];
	const char *rel = at_path(dirfd, path, place);
	int error = rel ? fault_before("readlink", rel) : 0;

	if (error && error != FAULT_SHORT)
		return fail(error);
	return syscall(SYS_readlinkat, dirfd, path, buf, size);
}

PUBLIC ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t size, size_t room)
{
	if (size > room)
		abort();
	return readlinkat(dirfd, path, buf, size);
}

/* The next one in line: libc's, or that of a sanitizer before it. */
#define NEXT(function) ((__typeof__(&(function)))dlsym(RTLD_NEXT, #function))

/* Only where a directory's listing begins: it can fail later as well, but not in another way. */
PUBLIC struct dirent *readdir(DIR *dir)
{
	static __typeof__(&readdir) next;
	char path[PATH_MAX];
	const char *rel = telldir(dir) == 0 ? fd_path(dirfd(dir), path) : NULL;
	int error = rel ? fault_before("list", rel) : 0;

	if (error && error != FAULT_SHORT) {
		errno = error;
		return NULL;
	}
	if (!next)
		next = NEXT(readdir);
	return next(dir);
}

PUBLIC struct dirent64 *readdir64(DIR *dir) __attribute__((alias("readdir")));

/* Open-file-description locks; every other command passes. */
PUBLIC int fcntl(int fd, int command, ...)
{
	char path[PATH_MAX];
	const char *rel;
	va_list ap;
	void *arg;
	int error;

	va_start(ap, command);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_OFD_GETLK) {
		rel = fd_path(fd, path);
		error = rel ? fault_before(command == F_OFD_GETLK ? "getlk" : "lock", rel) : 0;
		if (error && error != FAULT_SHORT)
			return fail(error);
	}
	return (int)syscall(SYS_fcntl, fd, command, arg);
}

PUBLIC int fcntl64(int fd, int command, ...) __attribute__((alias("fcntl")));

/* What is done to no file. */
static int fault_of_call(const char *op)
{
	int error = fake_root[0] ? fault_before(op, "-") : 0;

	return error == FAULT_SHORT ? 0 : error;
}

PUBLIC pid_t fork(void)
{
	int error = fault_of_call("fork");
	char path[PATH_MAX], text[32];

	if (!error && fake_root[0] && fake_load(fake_path(path, ".fake_forks"), text, sizeof(text)) > 0) {
		long left = strtol(text, NULL, 10);

		if (left <= 0)
			return fail(EAGAIN);
		snprintf(text, sizeof(text), "%ld\n", left - 1);
		fake_store(path, text);
	}
	return error ? fail(error) : NEXT(fork)();
}

PUBLIC int pipe2(int fds[2], int flags)
{
	int error = fault_of_call("pipe");

	return error ? fail(error) : (int)syscall(SYS_pipe2, fds, flags);
}

PUBLIC int socket(int domain, int type, int protocol)
{
	int error = fault_of_call("socket");

	return error ? fail(error) : (int)syscall(SYS_socket, domain, type, protocol);
}

/* libkmod's: what they read themselves passes by unseen, so they fail as a whole. */
struct kmod_ctx;
struct kmod_module;
struct kmod_list;
struct kmod_ctx *kmod_new(const char *dir, const char *const *config);
int kmod_module_new_from_lookup(struct kmod_ctx *ctx, const char *alias, struct kmod_list **list);
int kmod_module_new_from_name_lookup(struct kmod_ctx *ctx, const char *name, struct kmod_module **mod);
int kmod_module_get_info(const struct kmod_module *mod, struct kmod_list **list);

PUBLIC struct kmod_ctx *kmod_new(const char *dir, const char *const *config)
{
	int error = fault_of_call("module");

	if (error) {
		errno = error;
		return NULL;
	}
	return NEXT(kmod_new)(dir, config);
}

PUBLIC int kmod_module_new_from_lookup(struct kmod_ctx *ctx, const char *alias, struct kmod_list **list)
{
	int error = fault_of_call("module");

	return error ? -error : NEXT(kmod_module_new_from_lookup)(ctx, alias, list);
}

PUBLIC int kmod_module_new_from_name_lookup(struct kmod_ctx *ctx, const char *name, struct kmod_module **mod)
{
	int error = fault_of_call("module");

	return error ? -error : NEXT(kmod_module_new_from_name_lookup)(ctx, name, mod);
}

PUBLIC int kmod_module_get_info(const struct kmod_module *mod, struct kmod_list **list)
{
	int error = fault_of_call("module");

	return error ? -error : NEXT(kmod_module_get_info)(mod, list);
}

static long clock_step;

/* Where the wall clock has jumped to: further with each call. */
static time_t jumped(time_t now)
{
	static long looks;

	return now + clock_step * ++looks;
}

PUBLIC int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, clock, ts);

	if (r == 0 && clock_step && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		ts->tv_sec = jumped(ts->tv_sec);
	return r;
}

PUBLIC time_t time(time_t *ret)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (ret)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}

/* DIR/.fake_machine: a tree of another architecture. */
PUBLIC int uname(struct utsname *u)
{
	int r = (int)syscall(SYS_uname, u);
	char name[sizeof(u->machine)], path[PATH_MAX];

	if (r == 0 && fake_root[0] && fake_load(fake_path(path, ".fake_machine"), name, sizeof(name)) > 0)
		snprintf(u->machine, sizeof(u->machine), "%.*s", (int)strcspn(name, "\n"), name);
	return r;
}

/* In a constructor, as the program may clear its environment before its first system call. */
static void __attribute__((constructor)) setup(void)
{
	const char *root = getenv("FAKE_ROOT");

	if (!root || !*root)
		return;
	clock_step = getenv("FAKE_CLOCK") ? atol(getenv("FAKE_CLOCK")) : 0;
	if (!realpath(root, fake_root))
		abort();
	fault_setup();
}
