// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The faults of the fake kernel: counts the operations of a process and its children on the tree, and before each of
 * them does what FAKE_FAIL, FAKE_HOOK and FAKE_BLOCK ask for (fakekernel.c explains them).
 */
#include "fakekernel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_RULES 8
/* A command with the paths of some files of the tree, wherever that is. */
#define ACTION_SIZE 2048

/* One WHEN and what it does. */
struct rule {
	unsigned int n;   /* the N-th operation, or 0: */
	char op[8];       /* the first of this kind ... */
	char suffix[256]; /* ... on a path that ends so */
	int error;
	char action[ACTION_SIZE];
};

/* Shared by parent and children. */
struct counter {
	unsigned int ops;
	unsigned int fired; /* bit per rule: OP:SUFFIX rules fire once */
};

static struct rule rules[MAX_RULES];
static unsigned int rule_count;
static struct counter *counter;
static bool list_ops;
static char block_suffixes[256];
static int block_max = 30;

int fake_errno(const char *name)
{
	for (int i = 1; i < 134; i++) {
		const char *known = strerrorname_np(i);

		if (known && strcmp(known, name) == 0)
			return i;
	}
	return 0;
}

static bool exists(const char *name)
{
	char path[PATH_MAX];

	return syscall(SYS_faccessat, AT_FDCWD, fake_path(path, "%s", name), F_OK) == 0;
}

void fake_block(const char *path)
{
	struct timespec now, start;
	const char *s = block_suffixes;
	bool blocks = false;

	for (size_t len; *s; s += len + (s[len] == ',')) {
		len = strcspn(s, ",");
		blocks |= ends_with(path, s, len);
	}
	if (!blocks)
		return;
	fake_log(".fake_blocked", "%d %s", (int)getpid(), path);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		/* A tree that was removed has nobody left to wait for. */
		if (exists(".fake_release") || !exists("sys"))
			return;
		poll(NULL, 0, 5);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < block_max);
}

static bool rule_matches(unsigned int i, unsigned int n, const char *op, const char *path)
{
	const struct rule *rule = &rules[i];

	if (rule->n > 0)
		return rule->n == n;
	if (strcmp(rule->op, op) != 0 || !ends_with(path, rule->suffix, strlen(rule->suffix)))
		return false;
	return !(__atomic_fetch_or(&counter->fired, 1U << i, __ATOMIC_SEQ_CST) & (1U << i));
}

static void run_command(const char *command)
{
	char root_env[PATH_MAX + 16], path_env[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char sh[] = "sh", dash_c[] = "-c", text[ACTION_SIZE];
	char *argv[] = { sh, dash_c, text, NULL };
	char *envp[] = { path_env, root_env, NULL };
	pid_t pid;

	snprintf(text, sizeof(text), "%s", command);
	snprintf(root_env, sizeof(root_env), "TREE=%s", fake_root);
	/* The child must not run the program's own atfork handlers or come through this library. */
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		execve("/bin/sh", argv, envp);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Carries out "remove BDF...", "replace[-bound] BDF..." or "sh COMMAND", and marks the place in the list of writes. */
static void run_hook(const char *action)
{
	char words[ACTION_SIZE], *save, *word;
	size_t verb;

	fake_log(".fake_writes", "# %s", action);
	if (starts_with(action, "sh ")) {
		run_command(action + 3);
		return;
	}
	verb = strcspn(action, " ");
	snprintf(words, sizeof(words), "%s", action + verb);
	for (word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (strncmp(action, "remove", verb) == 0)
			bus_remove(word);
		else if (strncmp(action, "replace", verb) == 0)
			bus_replace(word, false);
		else if (strncmp(action, "replace-bound", verb) == 0)
			bus_replace(word, true);
		else
			abort();
	}
}

/* "-" stands for no file. The directory itself counts as well as what is in it. */
static bool is_counted(const char *path)
{
	static const char *const top[] = { "sys", "run", "proc", "etc" };

	for (size_t i = 0; i < sizeof(top) / sizeof(top[0]); i++) {
		size_t len = strlen(top[i]);

		if (strncmp(path, top[i], len) == 0 && (path[len] == '/' || path[len] == '\0'))
			return true;
	}
	return strcmp(path, "-") == 0;
}

int fault_before(const char *op, const char *path)
{
	int error = 0;
	unsigned int n;

	if (!is_counted(path))
		return 0;
	n = __atomic_add_fetch(&counter->ops, 1, __ATOMIC_SEQ_CST);
	if (list_ops)
		fake_log(".fake_ops", "%u %s %s", n, op, path);
	for (unsigned int i = 0; i < rule_count; i++) {
		if (!rule_matches(i, n, op, path))
			continue;
		if (rules[i].action[0])
			run_hook(rules[i].action);
		else
			error = rules[i].error;
	}
	return error;
}

/* Reads WHEN into the rule; an unreadable one ends the process, a test must not pass for a typing error. */
static void parse_when(struct rule *rule, const char *when)
{
	const char *colon = strchr(when, ':');
	char *end;

	rule->n = (unsigned int)strtoul(when, &end, 10);
	if (*end == '\0' && rule->n > 0)
		return;
	rule->n = 0;
	if (!colon || (size_t)(colon - when) >= sizeof(rule->op) || strlen(colon) > sizeof(rule->suffix))
		abort();
	snprintf(rule->op, sizeof(rule->op), "%.*s", (int)(colon - when), when);
	snprintf(rule->suffix, sizeof(rule->suffix), "%s", colon + 1);
}

static void parse_rules(void)
{
	const char *fails = getenv("FAKE_FAIL"), *hook = getenv("FAKE_HOOK");
	char text[ACTION_SIZE], *save = NULL, *item, *split;

	/* Half of it would be another one. */
	if ((fails && strlen(fails) >= sizeof(text)) || (hook && strlen(hook) >= sizeof(text)))
		abort();
	snprintf(text, sizeof(text), "%s", fails ? fails : "");
	for (item = strtok_r(text, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		struct rule *rule = &rules[rule_count++];

		split = strrchr(item, ':');
		if (!split || rule_count == MAX_RULES)
			abort();
		*split++ = '\0';
		rule->error = strcmp(split, "SHORT") == 0 ? FAULT_SHORT : fake_errno(split);
		if (rule->error == 0)
			abort();
		parse_when(rule, item);
	}
	if (hook && *hook) {
		struct rule *rule = &rules[rule_count++];

		snprintf(text, sizeof(text), "%s", hook);
		split = strchr(text, ' ');
		if (!split)
			abort();
		*split++ = '\0';
		snprintf(rule->action, sizeof(rule->action), "%s", split);
		parse_when(rule, text);
	}
}

void fault_setup(void)
{
	const char *block = getenv("FAKE_BLOCK"), *max = getenv("FAKE_BLOCK_MAX");
	char path[PATH_MAX];
	int fd;

	fd = (int)syscall(SYS_openat, AT_FDCWD, fake_path(path, ".fake_counter"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || syscall(SYS_ftruncate, fd, sizeof(*counter)) < 0)
		abort();
	counter = mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counter == MAP_FAILED)
		abort();
	syscall(SYS_close, fd);
	list_ops = getenv("FAKE_COUNT") != NULL;
	snprintf(block_suffixes, sizeof(block_suffixes), "%s", block ? block : "");
	if (max)
		block_max = atoi(max);
	parse_rules();
}
