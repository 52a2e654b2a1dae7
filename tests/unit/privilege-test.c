// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a process still may after privilege_reduce(), as the kernel tells it in /proc/self/status. Each test reduces in a
 * child of its own: there is no way back. Run as root, or there is nothing to give up.
 */
#include "test.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "privilege.h"

#define BIT(cap) (1ULL << (cap))
#define LOOK (BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_CHECKPOINT_RESTORE))
#define ACT (LOOK | BIT(CAP_SYS_MODULE))

struct status {
	unsigned long long permitted, effective, inheritable, bounding, ambient, no_new_privs;
	int reduced; /* what privilege_reduce() said */
};

static unsigned long long field(const char *text, const char *name, int base)
{
	const char *line = strstr(text, name);

	return line ? strtoull(line + strlen(name), NULL, base) : ~0ULL;
}

static struct status read_status(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char text[8192];
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[n] = '\0';
	if (file)
		fclose(file);
	return (struct status){
		.permitted = field(text, "\nCapPrm:", 16), .effective = field(text, "\nCapEff:", 16),
		.inheritable = field(text, "\nCapInh:", 16), .bounding = field(text, "\nCapBnd:", 16),
		.ambient = field(text, "\nCapAmb:", 16), .no_new_privs = field(text, "\nNoNewPrivs:", 10),
	};
}

/* What is left in a child that gave up; before: run in it first, may be NULL. All bits set where there is no answer. */
static struct status after(enum privilege keep, void (*before)(void))
{
	struct status st;
	int fds[2];
	ssize_t n;
	pid_t pid;

	memset(&st, 0xff, sizeof(st));
	fflush(stdout);
	if (pipe(fds) < 0)
		return st;
	pid = fork();
	if (pid == 0) {
		int r;

		if (before)
			before();
		r = privilege_reduce(keep);
		st = read_status();
		st.reduced = r;
		n = write(fds[1], &st, sizeof(st));
		_exit(n == sizeof(st) ? 0 : 1);
	}
	close(fds[1]);
	n = read(fds[0], &st, sizeof(st));
	close(fds[0]);
	if (pid < 0 || n != sizeof(st) || waitpid(pid, NULL, 0) != pid)
		memset(&st, 0xff, sizeof(st));
	return st;
}

static void keeps_what_acting_needs(void)
{
	struct status was = read_status(), st = after(PRIVILEGE_ACT, NULL);

	CHECK(st.reduced == 0);
	CHECK(st.no_new_privs == 1);
	CHECK(st.permitted == (was.permitted & ACT));
	CHECK(st.effective == (was.permitted & ACT));
	CHECK(st.bounding == (was.bounding & ACT));
	CHECK(st.inheritable == 0 && st.ambient == 0);
}

static void keeps_less_for_looking(void)
{
	struct status was = read_status(), st = after(PRIVILEGE_LOOK, NULL);

	CHECK(st.reduced == 0 && st.no_new_privs == 1);
	CHECK(st.permitted == (was.permitted & LOOK) && st.effective == st.permitted);
	CHECK(st.bounding == (was.bounding & LOOK));
}

static void keeps_nothing_for_the_rest(void)
{
	struct status st = after(PRIVILEGE_NONE, NULL);

	CHECK(st.reduced == 0 && st.no_new_privs == 1);
	CHECK(st.permitted == 0 && st.effective == 0 && st.bounding == 0);
}

static void become_inheriting(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		_exit(1);
	data[0].inheritable = data[0].permitted;
	data[1].inheritable = data[1].permitted;
	if (syscall(SYS_capset, &header, data) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, (unsigned long)CAP_CHOWN, 0UL, 0UL) < 0)
		_exit(1);
}

static void empties_inheritable_and_ambient(void)
{
	struct status st = after(PRIVILEGE_ACT, become_inheriting);

	CHECK(st.reduced == 0);
	CHECK(st.inheritable == 0 && st.ambient == 0);
}

/* As in a container: only what is there can be kept, and the bounding set cannot be touched. */
static void become_contained(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_CHOWN),
		  .permitted = BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_CHOWN) },
	};

	if (syscall(SYS_capset, &header, data) < 0)
		_exit(1);
}

static void goes_as_far_as_it_may(void)
{
	struct status was = read_status(), st = after(PRIVILEGE_ACT, become_contained);

	CHECK(st.reduced == 0 && st.no_new_privs == 1);
	CHECK(st.permitted == BIT(CAP_DAC_READ_SEARCH) && st.effective == st.permitted);
	CHECK(st.bounding == was.bounding);
}

TEST_MAIN(TEST(keeps_what_acting_needs), TEST(keeps_less_for_looking), TEST(keeps_nothing_for_the_rest),
	  TEST(empties_inheritable_and_ambient), TEST(goes_as_far_as_it_may))
