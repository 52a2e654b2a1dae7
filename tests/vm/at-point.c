// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * at-point - runs a program and kills or stops it at one chosen point.
 *
 * usage: at-point N before|after kill|stop FILE PROGRAM [ARG...]
 *
 * A point is a system call that changes something another process can see: a file created, renamed or removed, a write, a
 * lock, a fork, a module loaded, an exit. They are counted from 1 over the program and its children together, in the order
 * they come; strace's "when=" counts each process, and every open, for itself. Who stops does not count the notes of libkmod's
 * answers. At the Nth, the process that makes the
 * call gets SIGKILL, or waits until somebody opens the FIFO FILE.go for writing. FILE then says which call it was; it is
 * not made where the program has fewer points.
 *
 * A seccomp filter stops the program at points only, which keeps it fast. This process ends when the program does, in the
 * same way; the tracer between them stays as long as any child of the program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The calls that are points; where only some of a call's uses are, `arg` & `mask` has to be `value`. */
static const struct point {
	int nr;
	const char *name;
	unsigned int arg;
	uint32_t mask, value;
} points[] = {
	{ SYS_openat, "openat", 2, O_CREAT, O_CREAT },
	{ SYS_fcntl, "fcntl", 1, UINT32_MAX, F_OFD_SETLK },
	{ SYS_write, "write", 0, 0, 0 },
	{ SYS_renameat, "renameat", 0, 0, 0 },
	{ SYS_renameat2, "renameat", 0, 0, 0 },
	{ SYS_unlinkat, "unlinkat", 0, 0, 0 },
	{ SYS_clone, "fork", 0, 0, 0 },
	{ SYS_clone3, "fork", 0, 0, 0 },
	{ SYS_finit_module, "finit_module", 0, 0, 0 },
	{ SYS_exit_group, "exit", 0, 0, 0 },
};

static unsigned long wanted, count;
static bool after, stop;
static const char *file;
static char text[PATH_MAX + 64];

static void die(const char *what)
{
	fprintf(stderr, "at-point: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static void filter_points(void)
{
	struct sock_filter code[ARRAY_SIZE(points) * 6 + 1];
	struct sock_fprog prog = { .filter = code };
	unsigned short n = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(points); i++) {
		const struct point *p = &points[i];
		unsigned int arg = offsetof(struct seccomp_data, args) + p->arg * 8;

		/* Six instructions; whatever does not fit jumps behind the sixth, to the next one. */
		code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)p->nr, 0, 4);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arg); /* the low half: little endian */
		code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, p->mask);
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, p->value, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		die("seccomp");
}

/* The call that it stopped at, and where its first argument leads if that is a descriptor; else target is empty. */
static bool look_at(pid_t pid, struct __ptrace_syscall_info *info, char target[static PATH_MAX])
{
	char link[64];
	ssize_t n;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(*info), info) < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, (int)info->seccomp.args[0]);
	n = readlink(link, target, PATH_MAX - 1);
	target[n < 0 ? 0 : n] = '\0';
	return true;
}

/*
 * Whether a call is about the notes of what libkmod said (/run/nvfio/modules), which are made by one event and not by the next:
 * who wants to stop at a step of the act must not count them.
 */
static bool is_about_notes(pid_t pid)
{
	struct __ptrace_syscall_info info = { 0 };
	char target[PATH_MAX];
	long word;

	if (!look_at(pid, &info, target))
		return false;
	if (info.seccomp.nr == SYS_openat) {
		word = ptrace(PTRACE_PEEKDATA, pid, info.seccomp.args[1], 0);
		return memcmp(&word, "modules", sizeof(word)) == 0;
	}
	return info.seccomp.nr == SYS_write && strstr(target, "/nvfio/modules");
}

/* Writes down which call it is. */
static void describe(pid_t pid, pid_t program)
{
	struct __ptrace_syscall_info info = { 0 };
	char target[PATH_MAX];
	const char *name = "?";
	size_t i;

	if (!look_at(pid, &info, target))
		return;
	for (i = 0; i < ARRAY_SIZE(points); i++) {
		if ((uint64_t)points[i].nr == info.seccomp.nr)
			name = points[i].name;
	}
	snprintf(text, sizeof(text), "%s %s %s %s", pid == program ? "parent" : "child", after ? "after" : "before", name,
		 target);
}

static void reached(pid_t pid)
{
	char name[PATH_MAX];
	FILE *f;

	snprintf(name, sizeof(name), "%s.new", file);
	f = fopen(name, "we");
	if (!f || fprintf(f, "%s\n", text) < 0 || fclose(f) != 0 || rename(name, file) < 0)
		_exit(125);
	if (!stop) {
		kill(pid, SIGKILL);
		return;
	}
	snprintf(name, sizeof(name), "%s.go", file);
	close(open(name, O_RDONLY | O_CLOEXEC));
}

/* Follows program and children until all have ended; the program's end goes into `fd`. */
static void trace(pid_t program, int fd)
{
	int status, event, sig;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			if (pid == program && write(fd, &status, sizeof(status)) < 0)
				return;
			continue;
		}
		event = status >> 16;
		sig = WSTOPSIG(status);
		if (event == PTRACE_EVENT_SECCOMP && !(stop && is_about_notes(pid)) && ++count == wanted) {
			describe(pid, program);
			if (after) { /* the next stop is the call's end */
				ptrace(PTRACE_SYSCALL, pid, 0, 0);
				continue;
			}
			reached(pid);
		} else if (sig == (SIGTRAP | 0x80)) {
			reached(pid);
		}
		/* A traced process begins with a SIGSTOP that is not meant for it. */
		ptrace(PTRACE_CONT, pid, 0, event || sig == SIGSTOP || sig == (SIGTRAP | 0x80) ? 0 : sig);
	}
}

static void run(char **argv)
{
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	filter_points();
	execv(argv[0], argv);
	die(argv[0]);
}

static void tracer(char **argv, int fd)
{
	const unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
				      PTRACE_O_TRACESECCOMP;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), status;
	pid_t program = fork();

	if (program < 0)
		die("fork");
	if (program == 0)
		run(argv);
	if (waitpid(program, &status, 0) < 0 || ptrace(PTRACE_SETOPTIONS, program, 0, options) < 0)
		die("ptrace");
	/* Who waits for the program may wait for the end of its pipes, too. */
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		die("/dev/null");
	ptrace(PTRACE_CONT, program, 0, 0);
	trace(program, fd);
	_exit(0);
}

int main(int argc, char **argv)
{
	int status, end[2];
	pid_t pid;

	if (argc < 6) {
		fputs("usage: at-point N before|after kill|stop FILE PROGRAM [ARG...]\n", stderr);
		return 125;
	}
	wanted = strtoul(argv[1], NULL, 10);
	after = strcmp(argv[2], "after") == 0;
	stop = strcmp(argv[3], "stop") == 0;
	file = argv[4];
	if (pipe2(end, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		die("start");
	if (pid == 0)
		tracer(argv + 5, end[1]);
	close(end[1]);
	if (read(end[0], &status, sizeof(status)) != sizeof(status))
		die("tracer");
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	kill(getpid(), WTERMSIG(status));
	return 125;
}
