// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The only files of the configuration that nvfio writes: its own, by their names, one a function. A reader sees the old
 * one or the new one, also after a power cut: written beside it, synced, renamed, and the directory synced.
 */
#include "persist.h"

#include <fcntl.h>
#include <sys/stat.h>
#include "root.h"

#define DROP_INS "/etc/nvfio.conf.d"

static void drop_in_name(const char *bdf, char *buf, size_t size)
{
	snprintf(buf, size, "50-bind-%s.conf", bdf);
}

void persist_path(const char *bdf, char path[static PERSIST_PATH_SIZE])
{
	snprintf(path, PERSIST_PATH_SIZE, DROP_INS "/50-bind-%s.conf", bdf);
}

static int open_drop_ins(bool create)
{
	char path[PATH_MAX];
	int r = root_path(DROP_INS, path, sizeof(path)), fd;

	if (r < 0)
		return r;
	if (create && mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * boot: events of the boot count. takeover: a native driver that the initramfs brought is no reason to leave it, as long
 * as nobody uses it. The role's key only where something more general says native: it also speaks for the console.
 */
static int format(const struct judgement *j, char *text, size_t size)
{
	const struct subject *s = &j->self;
	enum config_key key = policy_role_key(s->facts.role);
	bool native = s->settings.key[key].choice == CHOICE_NATIVE && s->facts.role != ROLE_FOREIGN;
	int len;

	len = snprintf(text, size,
		       "# Written by `nvfio bind --persist`; `nvfio unbind --persist %s` removes it.\n"
		       "[device %s]\nid = %04x:%04x\nboot = vfio\ntakeover = idle\n%s%s", s->fn.name, s->fn.name,
		       s->fn.ids.vendor, s->fn.ids.device, native ? config_key_name(key) : "", native ? " = vfio\n" : "");
	return len < 0 || (size_t)len >= size ? -EOVERFLOW : len;
}

static int write_synced(int dir, const char *name, const char *text, size_t len)
{
	_cleanup_close_ int fd = -1;
	ssize_t n;

	/* A file of this name is a killed writer's. */
	(void)unlinkat(dir, name, 0);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0 || (size_t)n != len)
		return n < 0 ? -errno : -ENOSPC;
	return fsync(fd) < 0 ? -errno : 0;
}

int persist_write(const struct judgement *j)
{
	_cleanup_close_ int dir = open_drop_ins(true);
	char name[64], tmp[80], text[512];
	int len, r;

	if (dir < 0)
		return dir;
	len = format(j, text, sizeof(text));
	if (len < 0)
		return len;
	drop_in_name(j->self.fn.name, name, sizeof(name));
	/* Not read by config.c, which wants .conf at the end. */
	snprintf(tmp, sizeof(tmp), ".%s.new", name);
	r = write_synced(dir, tmp, text, (size_t)len);
	if (r == 0 && renameat(dir, tmp, dir, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, tmp, 0);
	else if (fsync(dir) < 0)
		r = -errno;
	return r;
}

int persist_remove(const char *bdf)
{
	_cleanup_close_ int dir = open_drop_ins(false);
	char name[64];

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	drop_in_name(bdf, name, sizeof(name));
	if (unlinkat(dir, name, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	return fsync(dir) < 0 ? -errno : 1;
}

int persist_exists(const char *bdf)
{
	char path[PERSIST_PATH_SIZE], full[PATH_MAX];

	persist_path(bdf, path);
	return root_path(path, full, sizeof(full)) == 0 && access(full, F_OK) == 0;
}

bool persist_boot_is_vfio(const struct judgement *j, char *ret_at, size_t size)
{
	const struct pci_function *fn = &j->self.fn;
	struct config_subject who = { .bdf = fn->bdf, .ids = fn->ids, .is_vf = fn->is_vf };
	_cleanup_config_ struct config *config = NULL;
	struct settings settings;
	const struct setting *boot;
	char error[512];

	if (config_load(&config, error, sizeof(error)) < 0) {
		snprintf(ret_at, size, "%s", error);
		return false;
	}
	config_resolve(config, &who, &settings);
	boot = &settings.key[KEY_BOOT];
	if (boot->file)
		snprintf(ret_at, size, "%s:%u", boot->file, boot->line);
	else
		snprintf(ret_at, size, "the default");
	return boot->choice == CHOICE_VFIO;
}
