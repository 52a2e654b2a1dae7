// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file /run/nvfio/modules: lines of stamp, key, value and an end mark. The stamp stands for everything that libkmod
 * reads, and for who asked it; a line of another stamp, or one that is not whole, does not count. A line is one write at the
 * end of the file, so several events may note at once. What is loaded is no part of it: that is looked up below /sys each time.
 */
#include "kmod-notes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include "root.h"
#include "state.h"

#define FILE_NAME "modules"
/* Old stamps' lines are dropped with the rest when it is full. */
#define FILE_MAX 16384
#define END_MARK "."
/* Coarser than any file system's clock that /etc or /lib/modules may be on. */
#define SETTLED_SECONDS 3

const char *const kmod_config_dirs[] = { "/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d",
					 "/usr/lib/modprobe.d", "/lib/modprobe.d", NULL };

static bool reading, adding;

/* A hash of what stat(2) says of everything that an answer comes from. */
struct stamp {
	uint64_t hash;
	int64_t youngest; /* change, in seconds */
	bool known;
	bool settled; /* the youngest was old when it was looked at */
};

/* FNV's numbers; a multiplication carries upwards only, so the upper half is brought down. */
static void mix(struct stamp *stamp, uint64_t word)
{
	stamp->hash = (stamp->hash ^ word) * 1099511628211U;
	stamp->hash ^= stamp->hash >> 32;
}

static void mix_text(struct stamp *stamp, const char *text)
{
	for (; *text; text++)
		mix(stamp, (unsigned char)*text);
}

/* That it is not there is something to remember as well. */
static bool mix_file(struct stamp *stamp, int dirfd, const char *path)
{
	struct stat st = { 0 };
	bool found = fstatat(dirfd, path, &st, 0) == 0;

	mix(stamp, (uint64_t)st.st_dev);
	mix(stamp, (uint64_t)st.st_ino);
	mix(stamp, (uint64_t)st.st_size);
	mix(stamp, (uint64_t)st.st_mtim.tv_sec);
	mix(stamp, (uint64_t)st.st_mtim.tv_nsec);
	mix(stamp, (uint64_t)st.st_ctim.tv_sec);
	mix(stamp, (uint64_t)st.st_ctim.tv_nsec);
	/* Of its inode: who unpacks or copies a file may set its contents' time to any. */
	if (st.st_ctim.tv_sec > stamp->youngest)
		stamp->youngest = st.st_ctim.tv_sec;
	return found;
}

/* The indexes that libkmod looks into for a name or an alias. Without the first it is not known where they are. */
static bool mix_indexes(struct stamp *stamp)
{
	static const char *const names[] = { "modules.dep.bin", "modules.alias.bin", "modules.symbols.bin",
					     "modules.builtin.bin", "modules.builtin.alias.bin" };
	char dir[128], path[PATH_MAX];
	_cleanup_close_ int fd = -1;
	struct utsname u;

	if (uname(&u) < 0)
		return false;
	snprintf(dir, sizeof(dir), "/lib/modules/%s", u.release);
	if (root_path(dir, path, sizeof(path)) < 0)
		return false;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (unsigned int i = 0; fd >= 0 && i < ARRAY_SIZE(names); i++) {
		if (!mix_file(stamp, fd, names[i]) && i == 0)
			return false;
	}
	return fd >= 0;
}

static bool mix_config(struct stamp *stamp)
{
	char path[PATH_MAX];

	for (unsigned int i = 0; kmod_config_dirs[i]; i++) {
		_cleanup_dir_ DIR *dir = NULL;
		const struct dirent *de;

		if (root_path(kmod_config_dirs[i], path, sizeof(path)) < 0)
			return false;
		dir = opendir(path);
		if (!dir && errno != ENOENT)
			return false;
		mix(stamp, i);
		/* "." is the directory: what is new in it, or gone from it. */
		while (dir && (de = readdir(dir))) {
			if (!streq(de->d_name, ".."))
				mix_file(stamp, dirfd(dir), de->d_name);
		}
	}
	return true;
}

/* Once a process, before libkmod is asked: what changes meanwhile makes the note one that no event believes. */
static const struct stamp *stamp_now(void)
{
	static struct stamp stamp;
	struct timespec now;
	char line[8192];

	if (stamp.hash)
		return &stamp;
	stamp = (struct stamp){ .hash = 14695981039346656037U };
	if (clock_gettime(CLOCK_REALTIME, &now) < 0 || root_read("/proc/cmdline", line, sizeof(line)) < 0)
		return &stamp;
	/* Another version may choose otherwise. */
	mix_text(&stamp, NVFIO_VERSION);
	mix_text(&stamp, line);
	stamp.known = mix_indexes(&stamp) && mix_config(&stamp);
	/* Nor where the clock was set back. */
	stamp.settled = now.tv_sec - SETTLED_SECONDS > stamp.youngest;
	return &stamp;
}

void kmod_notes_use(bool add)
{
	reading = true;
	adding = add;
}

/* One blank is between two of a line's four parts, and none in them. */
static bool is_word(const char *s)
{
	return s[0] && !s[strcspn(s, " \t\n")];
}

static size_t format(char *line, size_t size, const char *key, const char *value)
{
	int len = snprintf(line, size, "%016llx %s %s " END_MARK "\n", (unsigned long long)stamp_now()->hash, key, value);

	return len < 0 || (size_t)len >= size ? 0 : (size_t)len;
}

bool kmod_notes_find(const char *key, char *value, size_t size)
{
	char text[FILE_MAX + 1], prefix[512], *line, *save = NULL;
	size_t len, end = strlen(" " END_MARK);
	ssize_t n;

	if (!reading || !is_word(key) || !stamp_now()->known)
		return false;
	n = state_read_file(FILE_NAME, text, sizeof(text));
	/* Up to the value. */
	len = format(prefix, sizeof(prefix), key, "");
	if (n < 0 || len == 0)
		return false;
	len -= strlen(" " END_MARK "\n");
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		size_t length = strlen(line);

		if (length <= len + end || strncmp(line, prefix, len) != 0 || !streq(line + length - end, " " END_MARK))
			continue;
		line[length - end] = '\0';
		if (is_word(line + len) && copy_name(value, size, line + len) == 0)
			return true;
	}
	return false;
}

void kmod_notes_add(const char *key, const char *value)
{
	char line[512];
	size_t len;

	if (!adding || !is_word(key) || !is_word(value) || !stamp_now()->known || !stamp_now()->settled)
		return;
	len = format(line, sizeof(line), key, value);
	if (len > 0)
		(void)state_append_line(FILE_NAME, line, len, FILE_MAX);
}
