// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which files make up the configuration, whether they can be trusted, and what they say about one
 * function. A file that cannot be read, trusted or understood is an error of the whole: half a
 * configuration would take what the other half leaves.
 */
#include "config-internal.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include "root.h"

#define FILE_BYTES_MAX (1024UL * 1024)

/* The first of them is read, the other is not looked at. */
static const char *const main_files[] = { "/etc/nvfio.conf", "/usr/lib/nvfio/nvfio.conf" };

/* Of equal names the one in the first directory is read, as with systemd.unit(5), modprobe.d(5). */
static const char *const dropin_dirs[] = {
	"/etc/nvfio.conf.d", "/run/nvfio.conf.d", "/usr/lib/nvfio.conf.d",
};

struct kept_string {
	struct kept_string *next;
	char text[];
};

struct dropin {
	char name[NAME_MAX + 1];
	unsigned int dir;          /* index into dropin_dirs */
};

/* The directories stay open: names that were listed in one are not looked for in another that took its place. */
struct dropins {
	struct dropin *list;
	size_t n, room;
	DIR *dir[ARRAY_SIZE(dropin_dirs)];
};

static void cleanup_dropins(struct dropins *dropins)
{
	for (size_t i = 0; i < ARRAY_SIZE(dropins->dir); i++)
		cleanup_dirp(&dropins->dir[i]);
	free(dropins->list);
}

struct config *config_new(void)
{
	return calloc(1, sizeof(struct config));
}

void config_free(struct config *cfg)
{
	if (!cfg)
		return;
	while (cfg->strings) {
		struct kept_string *next = cfg->strings->next;

		free(cfg->strings);
		cfg->strings = next;
	}
	free(cfg->sections);
	free(cfg);
}

const char *config_keep(struct config *cfg, const char *text)
{
	size_t size = strlen(text) + 1;
	struct kept_string *kept = malloc(sizeof(*kept) + size);

	if (!kept)
		return NULL;
	memcpy(kept->text, text, size);
	kept->next = cfg->strings;
	cfg->strings = kept;
	return kept->text;
}

static int fail(char *error, size_t error_size, int r, const char *path, const char *why)
{
	(void)snprintf(error, error_size, "%s: %s", path, why);
	return r;
}

const char *config_distrust(const struct stat *st)
{
	/* Whoever can write the configuration decides which drivers root loads and binds. */
	if (st->st_uid != 0 && (root_is_host() || st->st_uid != geteuid()))
		return "not owned by root";
	/* The group bits also show a writer that an ACL lets in (acl(5), its mask entry). */
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "writable by group or others";
	return NULL;
}

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static bool is_link(int dirfd, const char *path)
{
	char full[PATH_MAX];
	struct stat st;

	if (dirfd >= 0)
		return fstatat(dirfd, base_name(path), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
	return root_path(path, full, sizeof(full)) == 0 && lstat(full, &st) == 0 &&
	       S_ISLNK(st.st_mode);
}

static int open_at(int dirfd, const char *path, int flags)
{
	int fd;

	if (dirfd < 0)
		return root_open(path, flags);
	fd = openat(dirfd, base_name(path), flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * The absolute path, or its last component in dirfd if that is not -1. A descriptor; -ENOENT without a text if there is
 * no such file; -errno with a text.
 */
static int open_trusted(int dirfd, const char *path, int flags, char *error, size_t error_size)
{
	/* A FIFO must not hang us, a terminal not become ours. */
	_cleanup_close_ int fd = open_at(dirfd, path, flags | O_RDONLY | O_NONBLOCK | O_NOCTTY);
	const char *wrong;
	struct stat st;

	if (fd == -ENOENT && is_link(dirfd, path))
		return fail(error, error_size, -EINVAL, path, "link to nowhere");
	if (fd == -ENOENT)
		return -ENOENT;
	if (fd < 0)
		return fail(error, error_size, fd, path, strerror(-fd));
	/* Of the open file: the path may lead to another one by now. */
	if (fstat(fd, &st) < 0)
		return fail(error, error_size, -errno, path, strerror(errno));
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return steal_fd(&fd); /* /dev/null: anybody may write to it, and it says nothing */
	if (!(flags & O_DIRECTORY) && !S_ISREG(st.st_mode))
		return fail(error, error_size, -EINVAL, path, "not a regular file");
	wrong = config_distrust(&st);
	if (wrong)
		return fail(error, error_size, -EPERM, path, wrong);
	return steal_fd(&fd);
}

/* Half of an old and half of a new file may say what neither did. */
static bool is_changed(int fd, const struct stat *before, size_t len)
{
	struct stat now;

	if (!S_ISREG(before->st_mode))
		return false;
	return fstat(fd, &now) < 0 || (size_t)now.st_size != len || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != before->st_mtim.tv_nsec;
}

/* 0 (also where a link to /dev/null masks it); -ENOENT without a text if there is none; -errno. */
static int load_file(struct config *cfg, int dirfd, const char *path, char *error, size_t error_size)
{
	_cleanup_close_ int fd = open_trusted(dirfd, path, 0, error, error_size);
	_cleanup_free_ char *text = NULL;
	struct stat before;
	size_t len = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &before) < 0)
		return fail(error, error_size, -errno, path, strerror(errno));
	/* Not st_size: it may grow meanwhile. The byte too many tells a file that is too large. */
	text = malloc(FILE_BYTES_MAX + 1);
	if (!text)
		return fail(error, error_size, -ENOMEM, path, "out of memory");
	for (;;) {
		ssize_t n = read(fd, text + len, FILE_BYTES_MAX + 1 - len);

		if (n < 0)
			return fail(error, error_size, -errno, path, strerror(errno));
		if (n == 0 && is_changed(fd, &before, len))
			return fail(error, error_size, -EAGAIN, path, "changed while it was read");
		if (n == 0)
			return config_parse(cfg, path, text, len, error, error_size);
		len += (size_t)n;
		if (len > FILE_BYTES_MAX)
			return fail(error, error_size, -EFBIG, path, "larger than 1 MiB");
	}
}

/* Not what editors and packagers leave behind: x.conf~, .x.conf.swp, x.conf.dpkg-new. */
static bool is_dropin_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot && streq(dot, ".conf");
}

static int add_dropin(struct dropins *dropins, const char *name, unsigned int dir)
{
	if (dropins->n == dropins->room) {
		size_t room = dropins->room ? dropins->room * 2 : 16;
		struct dropin *list = reallocarray(dropins->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		dropins->list = list;
		dropins->room = room;
	}
	dropins->list[dropins->n].dir = dir;
	return copy_name(dropins->list[dropins->n++].name, sizeof(dropins->list[0].name), name);
}

static int list_dropins(struct dropins *dropins, unsigned int dir, char *error, size_t error_size)
{
	const char *path = dropin_dirs[dir];
	_cleanup_close_ int fd = open_trusted(-1, path, O_DIRECTORY, error, error_size);
	DIR *entries;
	struct dirent *entry;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	entries = fdopendir(fd);
	if (!entries)
		return fail(error, error_size, -errno, path, strerror(errno));
	(void)steal_fd(&fd);
	dropins->dir[dir] = entries;
	while (errno = 0, (entry = readdir(entries))) {
		if (!is_dropin_name(entry->d_name))
			continue;
		r = add_dropin(dropins, entry->d_name, dir);
		if (r < 0)
			return fail(error, error_size, r, path, strerror(-r));
	}
	if (errno)
		return fail(error, error_size, -errno, path, strerror(errno));
	return 0;
}

static int compare_dropins(const void *a, const void *b)
{
	const struct dropin *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (int)x->dir - (int)y->dir;
}

static int load_dropins(struct config *cfg, char *error, size_t error_size)
{
	__attribute__((cleanup(cleanup_dropins))) struct dropins dropins = { 0 };
	unsigned int dir;
	size_t i;
	int r;

	for (dir = 0; dir < ARRAY_SIZE(dropin_dirs); dir++) {
		r = list_dropins(&dropins, dir, error, error_size);
		if (r < 0)
			return r;
	}
	if (dropins.n > 0)
		qsort(dropins.list, dropins.n, sizeof(dropins.list[0]), compare_dropins);
	for (i = 0; i < dropins.n; i++) {
		const struct dropin *d = &dropins.list[i];
		char path[PATH_MAX];

		if (i > 0 && streq(d->name, d[-1].name))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dropin_dirs[d->dir], d->name);
		r = load_file(cfg, dirfd(dropins.dir[d->dir]), path, error, error_size);
		/* Removed since it was listed is as good as never there. */
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

int config_load(struct config **ret, char *error, size_t error_size)
{
	_cleanup_config_ struct config *cfg = config_new();
	unsigned int i;
	int r = -ENOENT;

	if (!cfg)
		return fail(error, error_size, -ENOMEM, main_files[0], "out of memory");
	for (i = 0; i < ARRAY_SIZE(main_files) && r == -ENOENT; i++)
		r = load_file(cfg, -1, main_files[i], error, error_size);
	if (r == 0 || r == -ENOENT)
		r = load_dropins(cfg, error, error_size);
	if (r < 0)
		return r; /* NOLINT(clang-analyzer-unix.Malloc): the cleanup attribute frees it */
	*ret = cfg;
	cfg = NULL;
	return 0;
}

/* The level the section speaks at for the subject, or LEVEL_DEFAULT if it does not. */
static enum config_level level_for(const struct section *s, const struct config_subject *subject)
{
	bool of_pf = subject->is_vf && subject->has_pf && config_same_bdf(&s->bdf, &subject->pf);

	if (s->level == LEVEL_ADDRESS && !config_same_bdf(&s->bdf, &subject->bdf))
		return of_pf ? LEVEL_PF_ADDRESS : LEVEL_DEFAULT;
	if (s->level == LEVEL_SUBSYSTEM && !config_same_ids(&s->ids, &subject->ids))
		return LEVEL_DEFAULT;
	if (s->level == LEVEL_MODEL && !config_same_model(&s->ids, &subject->ids))
		return LEVEL_DEFAULT;
	return s->level;
}

void config_resolve(const struct config *cfg, const struct config_subject *subject,
		    struct settings *ret)
{
	unsigned int key;
	size_t i;

	*ret = (struct settings){ 0 };
	for (key = 0; key < KEY_COUNT; key++)
		ret->key[key] = config_key_default((enum config_key)key);

	for (i = 0; cfg && i < cfg->n_sections; i++) {
		const struct section *s = &cfg->sections[i];
		enum config_level level = level_for(s, subject);
		bool of_pf = level == LEVEL_PF_ADDRESS;

		if (level == LEVEL_DEFAULT)
			continue;
		if (s->guard_line &&
		    !config_same_model(&s->guard, of_pf ? &subject->pf_ids : &subject->ids)) {
			ret->id_guard_file = s->file;
			ret->id_guard_line = s->guard_line;
			continue;
		}
		for (key = 0; key < KEY_COUNT; key++) {
			if (!s->key[key].file || level < ret->key[key].level)
				continue;
			if (of_pf && key != KEY_VF)
				continue;
			ret->key[key] = s->key[key];
			ret->key[key].level = level;
		}
	}
}
