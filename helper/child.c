// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fork, leave, work, and a pipe whose end of file is the news. The child must not be a thread: it may never come back.
 */
#include "child.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "root.h"
#include "sysfs.h"

/* What a child of this process must not inherit: the end of the pipe it reports on, and its lock. */
static int own_report = -1, own_lock = -1;

/* The last descriptor that a child has on /dev/null. */
static int last_null = STDOUT_FILENO;

void child_off_stderr(void)
{
	last_null = STDERR_FILENO;
}

void child_keep(int fd)
{
	own_lock = fd;
}

void *child_memory(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

/*
 * cgroup v2, then the hierarchies systemd tracks services in on hybrid and v1 hosts. Without any (initramfs, container)
 * nobody kills by cgroup either.
 */
static const char *const root_cgroup[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd" };

/* Waits for an RCU grace period, 10 ms, and meanwhile nobody can fork (cgroup_threadgroup_rwsem of the kernel). */
static void leave_cgroup(void)
{
	unsigned int i;

	if (!root_is_host())
		return;
	for (i = 0; i < ARRAY_SIZE(root_cgroup); i++) {
		_cleanup_close_ int fd = sysfs_open_dir(root_cgroup[i]);

		if (fd >= 0 && sysfs_write(fd, "cgroup.procs", "0") == 0)
			return;
	}
}

/*
 * fork(2), for a process of one thread, with the child in the root cgroup from its first moment on: since Linux 5.7, on
 * cgroup v2 (cgroup_css_set_fork() in kernel/cgroup/cgroup.c). It waits for what every fork waits for, and for cgroup_mutex.
 * What glibc's fork() does besides is for other threads and for pthread_atfork(). -1: not to be had.
 */
static pid_t fork_into_root_cgroup(void)
{
	pid_t pid = -1;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(root_cgroup) && pid < 0 && root_is_host(); i++) {
		_cleanup_close_ int fd = sysfs_open_dir(root_cgroup[i]);
		struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };

		if (fd < 0)
			continue;
		args.cgroup = (uint64_t)fd;
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	}
	return pid;
}

/* As fork(2), but that the child is nothing of udevd's. */
static pid_t fork_away(void)
{
	pid_t pid = fork_into_root_cgroup();

	if (pid >= 0)
		return pid;
	pid = fork();
	if (pid == 0)
		leave_cgroup();
	return pid;
}

static void detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fd;

	(void)setsid();
	/* Standard error stays: where there is neither journal nor kmsg it is the last place to be heard in. */
	for (fd = 0; null >= 0 && fd <= last_null; fd++)
		(void)dup2(null, fd);
	(void)signal(SIGPIPE, SIG_IGN);
	if (null > last_null)
		close(null);
}

/* How often a watch is asked. */
#define WATCH_MS 1000

/* 1: end of file, the child is gone; 0: time is over; -EINTR: the watch said no. */
static int wait_end(int fd, unsigned int timeout_ms, child_watch watch, void *arg)
{
	int64_t start = now_ms(), end = start + timeout_ms;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - now_ms();
		int r = poll(&p, 1, left <= 0 ? 0 : watch && left > WATCH_MS ? WATCH_MS : (int)left);

		if (r > 0)
			return 1;
		if (r == 0 && left <= 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (watch && !watch(arg, (unsigned int)(now_ms() - start)))
			return -EINTR;
	}
}

int child_start(void (*work)(void *arg), void *arg, struct child *ret)
{
	_cleanup_close_ int rd = -1, wr = -1;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	rd = fds[0];
	wr = fds[1];
	pid = fork_away();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close(steal_fd(&rd));
		close_fd(own_report);
		close_fd(own_lock);
		own_report = wr;
		own_lock = -1;
		detach();
		work(arg);
		_exit(0);
	}
	*ret = (struct child){ .pid = pid, .end = steal_fd(&rd) };
	return 0;
}

int child_reap(struct child *child)
{
	int status;

	close_fd(child->end);
	child->end = -1;
	while (waitpid(child->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

int child_run(void (*work)(void *arg), void *arg, unsigned int timeout_ms)
{
	return child_run_watched(work, arg, timeout_ms, NULL);
}

int child_run_watched(void (*work)(void *arg), void *arg, unsigned int timeout_ms, child_watch watch)
{
	struct child child = { .end = -1 };
	int r = child_start(work, arg, &child);

	if (r < 0)
		return r;
	r = wait_end(child.end, timeout_ms, watch, arg);
	if (r > 0)
		return child_reap(&child);
	close_fd(child.end);
	return r < 0 ? r : -ETIMEDOUT;
}
