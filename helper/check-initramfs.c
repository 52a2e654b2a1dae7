// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio check: the initramfs of the running kernel. What is in there comes to the GPUs first: a native driver without nvfio
 * beside it, or an nvfio with yesterday's configuration.
 */
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include "initramfs.h"
#include "root.h"

struct contents {
	bool helper, rules;
	struct crowd native;
	char first[64];       /* the first native driver */
};

static void take_native(struct contents *c, const char *base)
{
	static const char *const modules[] = { "nvidia", "nouveau", "nova_core", "nova-core", "nvidiafb" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		size_t len = strlen(modules[i]);

		if (!startswith(base, modules[i]) || !startswith(base + len, ".ko"))
			continue;
		if (!c->first[0])
			snprintf(c->first, sizeof(c->first), "%s", modules[i]);
		crowd_add(&c->native, "%s", modules[i]);
	}
}

static void take_path(const char *path, void *data)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	struct contents *c = data;

	c->helper |= streq(base, "nvfio-udev");
	c->rules |= streq(base, "70-nvfio.rules");
	take_native(c, base);
}

/* Debian's, Fedora's and Arch's name for it, then the boot loader specification's. A descriptor or -errno. */
static int open_image(const struct host *host, char *path, size_t size)
{
	char word[256], file[320];
	int fd;

	snprintf(path, size, "/boot/initrd.img-%s", host->release);
	fd = root_open(path, O_RDONLY | O_NONBLOCK);
	if (fd != -ENOENT)
		return fd;
	snprintf(path, size, "/boot/initramfs-%s.img", host->release);
	fd = root_open(path, O_RDONLY | O_NONBLOCK);
	if (fd != -ENOENT)
		return fd;
	snprintf(file, sizeof(file), "/lib/modules/%s/pkgbase", host->release);
	if (host_line(file, word, sizeof(word)) == 0) {
		snprintf(path, size, "/boot/initramfs-%s.img", word);
		fd = root_open(path, O_RDONLY | O_NONBLOCK);
	}
	if (fd == -ENOENT && host_line("/etc/machine-id", word, sizeof(word)) == 0) {
		snprintf(path, size, "/boot/%s/%s/initrd", word, host->release);
		fd = root_open(path, O_RDONLY | O_NONBLOCK);
	}
	return fd;
}

/* A file of nvfio's that was changed since the image was made, or NULL. */
static const char *newer_file(int image)
{
	static const char *const files[] = { "/etc/nvfio.conf", "/etc/nvfio.conf.d", "/usr/lib/nvfio/nvfio.conf",
					     "/usr/lib/udev/rules.d/70-nvfio.rules", "/etc/udev/rules.d/70-nvfio.rules" };
	struct stat made, st;
	char full[PATH_MAX];
	unsigned int i;

	if (fstat(image, &made) < 0)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		if (root_path(files[i], full, sizeof(full)) == 0 && stat(full, &st) == 0 && st.st_mtime > made.st_mtime)
			return files[i];
	}
	return NULL;
}

static void say_untold(const struct host *host, struct finding *f, const char *path, int r)
{
	if (r == -EACCES && !host->root) {
		finding_needs_root(f, "what is in the initramfs");
	} else if (r == -ENOENT || !host->release[0]) {
		finding_say(f, GRADE_NOTE, "In a unified kernel image nvfio cannot look.", "no initramfs of kernel %s found in /boot",
			    host->release);
	} else if (r == -ENOPKG) {
		finding_say(f, GRADE_NOTE, NULL, "what is in %s cannot be told without libarchive", path);
		finding_mend(f, SYSTEM_DEBIAN, "apt install libarchive13");
		finding_mend(f, SYSTEM_FEDORA, "dnf install libarchive");
		finding_mend(f, SYSTEM_ARCH, "pacman -S libarchive");
	} else {
		finding_say(f, GRADE_NOTE, NULL, "what is in %s cannot be told: %s", path,
			    r == -EBADMSG ? "it is no initramfs, or damaged" : strerror(-r));
	}
}

static void say_ours(struct finding *f, const struct contents *c, const char *path, const char *newer)
{
	if (!c->helper || !c->rules) {
		finding_say(f, GRADE_PROBLEM, "One does nothing without the other there. An initramfs generator copies rules of /etc/udev by itself, "
			    "but no programs.", "%s has nvfio's %s without its %s", path, c->rules ? "rules" : "helper",
			    c->rules ? "helper" : "rules");
		finding_new_initramfs(f);
	} else if (newer) {
		finding_say(f, GRADE_NOTE, "Functions found at boot are judged with the files that are in there.",
			    "nvfio is in %s, which is older than %s", path, newer);
		finding_new_initramfs(f);
	} else {
		finding_say(f, GRADE_OK, NULL, "nvfio is in %s", path);
	}
}

static void say_native(struct finding *f, struct contents *c, const char *path, bool takes)
{
	finding_say(f, takes ? GRADE_NOTE : GRADE_PROBLEM, "It has the GPUs before nvfio begins. With boot = vfio they are then deferred, unless "
		    "takeover = idle.", "%s has %s, and not nvfio", path, crowd_text(&c->native));
	finding_mend(f, SYSTEM_ALL, "in the [policy] section of /etc/nvfio.conf: takeover = idle; or keep the driver out:");
	finding_mend(f, SYSTEM_DEBIAN, "remove %s from /etc/initramfs-tools/modules, or: echo blacklist %s >/etc/modprobe.d/%s.conf",
		     c->first, c->first, c->first);
	finding_mend(f, SYSTEM_FEDORA, "echo 'omit_drivers+=\" %s \"' >/etc/dracut.conf.d/nvfio.conf", c->first);
	finding_mend(f, SYSTEM_ARCH, "remove kms from HOOKS, and %s from MODULES, in /etc/mkinitcpio.conf", c->first);
	finding_new_initramfs(f);
}

void check_initramfs(const struct host *host, struct finding *f)
{
	struct contents c = { .helper = false };
	bool at_boot = false, takes = false;
	char path[400] = "";
	int fd = open_image(host, path, sizeof(path)), r;
	size_t i;

	r = fd < 0 ? fd : initramfs_list(fd, take_path, &c);
	for (i = 0; i < host->n; i++) {
		at_boot |= host->functions[i].wanted && !host->functions[i].left_at_boot;
		takes |= host->functions[i].wanted && host->functions[i].takeover == CHOICE_IDLE;
	}
	if (r < 0)
		say_untold(host, f, path, r);
	else if (c.helper || c.rules)
		say_ours(f, &c, path, newer_file(fd));
	else if (!at_boot)
		finding_say(f, GRADE_OK, NULL, "nvfio is not in %s, and with boot = native need not be", path);
	else if (c.native.n == 0)
		finding_say(f, GRADE_OK, NULL, "neither nvfio nor a native GPU driver is in %s: udev of the root file system comes first", path);
	else
		say_native(f, &c, path, takes);
	close_fd(fd);
}
