// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Three signs of a console or display on a GPU. The firmware framebuffer has no link to its PCI function before 6.9 (its
 * platform device has no parent there), but its memory lies inside a BAR, and /proc/iomem shows what lies inside what.
 */
#include "console.h"

#include <fcntl.h>
#include <sys/stat.h>
#include "root.h"
#include "sysfs.h"

#define IOMEM_MAX (1 << 20)
#define IOMEM_DEPTH_MAX 32

/* See console_keep(). */
static bool keeps;
static char *kept_iomem;

static bool is_firmware_framebuffer(const char *name)
{
	/* efifb.c, vesafb.c, simplefb.c, sysfb (BOOTFB), simpledrm and the platform devices behind them */
	static const char *const fb[] = { "efifb", "vesafb", "simplefb", "simpledrm", "BOOTFB", "simple-framebuffer",
					  "efi-framebuffer", "vesa-framebuffer" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fb); i++) {
		if (startswith(name, fb[i]))
			return true;
	}
	return false;
}

/* Lines read "  d0000000-d1ffffff : 0000:01:00.0"; two blanks more for what lies inside. */
bool console_in_iomem(char *iomem, const char *bdf)
{
	size_t inside = 0; /* indentation of the function's resource + 1, 0 outside of one */
	char *line, *save = NULL;

	for (line = strtok_r(iomem, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		size_t indent = strspn(line, " ");
		const char *name = strstr(line, " : ");

		if (!name)
			continue;
		name += 3;
		if (inside && indent < inside)
			inside = 0;
		if (inside && is_firmware_framebuffer(name))
			return true;
		if (!inside && streq(name, bdf))
			inside = indent + 1;
	}
	return false;
}

/* Deeper than it can be kept track of? The kernel indents four levels at most (MAX_IORES_LEVEL in kernel/resource.c). */
static bool is_too_deep(const char *iomem)
{
	const char *line;

	for (line = iomem; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strspn(line, " ") >= IOMEM_DEPTH_MAX)
			return true;
	}
	return false;
}

void console_reduce_iomem(char *iomem)
{
	/* The line being read and what it lies inside of; those written already have length 0. */
	struct { const char *text; size_t len, indent; } stack[IOMEM_DEPTH_MAX];
	size_t depth = 0, len, i;
	const char *line, *name;
	char *to = iomem;

	if (is_too_deep(iomem))
		return;
	for (line = iomem; *line; line += len) {
		len = strcspn(line, "\n");
		name = memmem(line, len, " : ", 3);
		len += line[len] == '\n';
		if (!name)
			continue;
		while (depth > 0 && stack[depth - 1].indent >= strspn(line, " "))
			depth--;
		stack[depth].text = line;
		stack[depth].len = len;
		stack[depth++].indent = strspn(line, " ");
		if (!is_firmware_framebuffer(name + 3))
			continue;
		for (i = 0; i < depth; i++) {
			memmove(to, stack[i].text, stack[i].len);
			to += stack[i].len;
			stack[i].len = 0;
		}
	}
	*to = '\0';
}

/* Into buf, of IOMEM_MAX bytes; empty if there is none. 0 or -errno. */
static int read_iomem(char *buf)
{
	ssize_t n;

	if (kept_iomem) {
		memcpy(buf, kept_iomem, strlen(kept_iomem) + 1);
		return 0;
	}
	n = root_read("/proc/iomem", buf, IOMEM_MAX);
	if (n < 0 && n != -ENOENT)
		return (int)n;
	if (n < 0)
		buf[0] = '\0';
	if (keeps) {
		console_reduce_iomem(buf);
		kept_iomem = strdup(buf);
	}
	return 0;
}

void console_keep(bool keep)
{
	free(kept_iomem);
	kept_iomem = NULL;
	keeps = keep;
}

/*
 * There is a frame buffer console, or that cannot be told. Whether it is bound is not asked: that attribute takes
 * console_lock (show_bind() in drivers/tty/vt/vt.c), which a display driver stuck in a mode set holds for ever.
 */
static bool has_fbcon(void)
{
	_cleanup_dir_ DIR *dir = sysfs_list_path("/sys/class/vtconsole");
	struct dirent *de;

	if (!dir)
		return errno != ENOENT;
	while (errno = 0, (de = readdir(dir))) {
		char path[NAME_MAX + 16], value[64];

		if (de->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/name", de->d_name);
		if (sysfs_read(dirfd(dir), path, value, sizeof(value)) < 0 || strstr(value, "frame buffer"))
			return true;
	}
	return errno != 0;
}

static int find_fb(const struct pci_function *f, char *text, size_t size)
{
	_cleanup_dir_ DIR *dir = sysfs_list(f->dirfd, "graphics");
	struct dirent *de;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (errno = 0, (de = readdir(dir))) {
		if (startswith(de->d_name, "fb") && has_fbcon()) {
			snprintf(text, size, "console on %s", de->d_name);
			return 1;
		}
	}
	return -errno;
}

static int find_connector_of(int drm, const char *card, char *text, size_t size)
{
	_cleanup_dir_ DIR *dir = sysfs_list(drm, card);
	struct dirent *de;
	int r;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (errno = 0, (de = readdir(dir))) {
		char path[2 * NAME_MAX + 16], value[16];

		/* Only connectors (card0-DP-1) have it; the attribute is a READ_ONCE in drivers/gpu/drm/drm_sysfs.c. */
		if (!startswith(de->d_name, card))
			continue;
		snprintf(path, sizeof(path), "%s/%s/enabled", card, de->d_name);
		r = sysfs_read(drm, path, value, sizeof(value));
		if (r < 0 && r != -ENOENT)
			return r;
		if (r > 0 && streq(value, "enabled")) {
			snprintf(text, size, "display %s", de->d_name);
			return 1;
		}
	}
	return -errno;
}

static int find_connector(const struct pci_function *f, char *text, size_t size)
{
	_cleanup_dir_ DIR *dir = sysfs_list(f->dirfd, "drm");
	struct dirent *de;
	int r;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (errno = 0, (de = readdir(dir))) {
		r = startswith(de->d_name, "card") ? find_connector_of(dirfd(dir), de->d_name, text, size) : 0;
		if (r != 0)
			return r;
	}
	return -errno;
}

/* 1, 0 or -errno. */
static int has_framebuffer(const struct pci_function *f)
{
	char *iomem = malloc(IOMEM_MAX);
	int r = iomem ? read_iomem(iomem) : -ENOMEM;

	if (r == 0)
		r = console_in_iomem(iomem, f->name);
	free(iomem);
	return r;
}

int console_find(const struct pci_function *f, char *text, size_t size)
{
	int r;

	r = has_framebuffer(f);
	if (r > 0)
		snprintf(text, size, "firmware framebuffer");
	if (r == 0)
		r = find_fb(f, text, size);
	return r ? r : find_connector(f, text, size);
}
