// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The use of disks and serial ports by what is no process: file systems, swap, what is stacked on a disk, what exports it,
 * the kernel's console.
 */
#include "critical-nodes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "nodes.h"
#include "root.h"
#include "sysfs.h"

struct search {
	struct nodes nodes;
	struct critical *c;
};

static const struct node *named_node(const struct search *s, const char *name)
{
	for (unsigned int i = 0; i < s->nodes.count; i++) {
		if (streq(s->nodes.node[i].name, name))
			return &s->nodes.node[i];
	}
	return NULL;
}

/* proc_pid_mountinfo(5). btrfs and overlayfs have a device number of their own, so the source counts as well. */
static void look_at_mount(struct search *s, const char *line)
{
	char where[128] = "?", source[128] = "";
	const char *rest = strstr(line, " - ");
	const struct node *node;
	unsigned int major, minor;

	if (sscanf(line, "%*u %*u %u:%u %*s %127s", &major, &minor, where) != 3) {
		critical_doubt(s->c, "a line of mountinfo");
		return;
	}
	if (rest)
		(void)sscanf(rest, " - %*s %127s", source);
	node = nodes_lookup(&s->nodes, true, major, minor);
	if (!node)
		node = named_node(s, source);
	if (node)
		critical_found(s->c, "file system %s on %s", where, node->name);
}

/* proc_swaps(5): "/dev/nvme0n1p2   partition  8388604  0  -2"; a swap file is on a mounted file system. */
static void look_at_swap(struct search *s, const char *line)
{
	char name[128], full[PATH_MAX];
	const struct node *node;
	struct stat st;

	if (sscanf(line, "%127s", name) != 1 || name[0] != '/')
		return; /* the heading */
	node = named_node(s, name);
	if (!node && root_path(name, full, sizeof(full)) == 0 && stat(full, &st) == 0 && S_ISBLK(st.st_mode))
		node = nodes_lookup(&s->nodes, true, major(st.st_rdev), minor(st.st_rdev));
	if (node)
		critical_found(s->c, "swap on %s", node->name);
}

/* proc_consoles: "ttyS4   -W- (EC  a)    4:68". Of a virtual terminal it is the number of no function. */
static void look_at_console(struct search *s, const char *line)
{
	const char *number = strrchr(line, ' ');
	const struct node *node;
	unsigned int major, minor;

	if (!number || sscanf(number, " %u:%u", &major, &minor) != 2)
		return; /* netconsole has none */
	node = nodes_lookup(&s->nodes, false, major, minor);
	if (node)
		critical_found(s->c, "the kernel's console on %s", node->name);
}

/* What the kernel opened by a path and did not claim. */
static void look_at_path(struct search *s, const char *user, int dir, const char *attr)
{
	const struct node *node = NULL;
	char path[PATH_MAX], full[PATH_MAX];
	struct stat st;
	int r = sysfs_read(dir, attr, path, sizeof(path));

	if (r == -ENOENT || r == 0)
		return;
	if (r < 0 || root_path(path, full, sizeof(full)) < 0) {
		critical_doubt(s->c, user);
		return;
	}
	if (stat(full, &st) == 0 && (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode)))
		node = nodes_lookup(&s->nodes, S_ISBLK(st.st_mode), major(st.st_rdev), minor(st.st_rdev));
	else if (startswith(path, "/dev/"))
		node = named_node(s, path);
	if (node)
		critical_found(s->c, "%.60s on %s", user, node->name);
	else if (startswith(path, "/dev/") && stat(full, &st) < 0)
		critical_doubt(s->c, user); /* "/dev/nvme0n1 (deleted)"; any other file is on a file system, and that is mounted */
}

/* The next entry, as long as nothing was found; an error of looking is a finding. */
static const struct dirent *next_entry(struct search *s, DIR *dir)
{
	const struct dirent *de;

	if (s->c->found)
		return NULL;
	while (errno = 0, (de = readdir(dir)) && de->d_name[0] == '.')
		;
	if (!de && errno)
		critical_doubt(s->c, "a directory");
	return de;
}

static void look_at_loops(struct search *s)
{
	_cleanup_dir_ DIR *dir = sysfs_list_path("/sys/class/block");
	const struct dirent *de;
	char attr[300];

	if (!dir)
		critical_doubt(s->c, "/sys/class/block");
	while (dir && (de = next_entry(s, dir))) {
		snprintf(attr, sizeof(attr), "%s/loop/backing_file", de->d_name);
		if (startswith(de->d_name, "loop"))
			look_at_path(s, de->d_name, dirfd(dir), attr);
	}
}

/* nvmet of 6.1 opens disks without a claim (nvmet_bdev_ns_enable), controllers without a file (nvmet_passthru_ctrl_enable). */
static void look_at_nvme_targets(struct search *s)
{
	_cleanup_dir_ DIR *dir = sysfs_list_path("/sys/kernel/config/nvmet/subsystems");
	const struct dirent *de, *ns;
	char attr[600];

	if (!dir && (errno != ENOENT || root_exists("/sys/module/nvmet")))
		critical_doubt(s->c, "what nvmet exports");
	while (dir && (de = next_entry(s, dir))) {
		_cleanup_dir_ DIR *namespaces = NULL;

		snprintf(attr, sizeof(attr), "%s/passthru/device_path", de->d_name);
		look_at_path(s, "an NVMe target", dirfd(dir), attr);
		snprintf(attr, sizeof(attr), "%s/namespaces", de->d_name);
		namespaces = sysfs_list(dirfd(dir), attr);
		while (namespaces && (ns = next_entry(s, namespaces))) {
			snprintf(attr, sizeof(attr), "%s/device_path", ns->d_name);
			look_at_path(s, "an NVMe target", dirfd(namespaces), attr);
		}
	}
}

/* Line by line, as a host with many containers has more mounts than a buffer holds. */
static void look_at_lines(struct search *s, const char *path, void (*look)(struct search *s, const char *line))
{
	_cleanup_file_ FILE *file = root_fopen(path);
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!file && (errno != ENOENT || !streq(path, "/proc/swaps"))) /* CONFIG_SWAP is off */
		critical_doubt(s->c, path);
	while (file && !s->c->found && getline(&line, &size, file) > 0)
		look(s, line);
	if (file && ferror(file) && !s->c->found)
		critical_doubt(s->c, path);
}

/* bd_link_disk_holder(): dm (LVM, LUKS, multipath), MD and bcache say so below the device that they hold. */
static void look_at_holders(struct search *s, const struct node *node)
{
	_cleanup_close_ int fd = -1;
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *de;
	char path[64], dm[80], attr[300];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", node->major, node->minor_first);
	fd = sysfs_open_dir(path);
	dir = fd < 0 ? NULL : sysfs_list(fd, "holders");
	if (!dir) {
		critical_doubt(s->c, node->name);
		return;
	}
	de = next_entry(s, dir);
	if (!de)
		return;
	/* The link leads to the holder's own directory, which sysfs_read() follows but for its last component. */
	snprintf(attr, sizeof(attr), "%s/dm/name", de->d_name);
	if (sysfs_read(dirfd(dir), attr, dm, sizeof(dm)) <= 0)
		dm[0] = '\0';
	critical_found(s->c, "%.60s%s%s%s on %s", de->d_name, dm[0] ? " (" : "", dm, dm[0] ? ")" : "", node->name);
}

/* The kernel's own word, for users that leave no trace: EBUSY where anything has claimed the disk or part of it. */
static void look_at_claim(struct search *s, const struct node *node)
{
	_cleanup_close_ int fd = root_open(node->name, O_RDONLY | O_EXCL | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	bool other = fd >= 0 && root_is_host() &&
		     (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode) || major(st.st_rdev) != node->major ||
		      minor(st.st_rdev) != node->minor_first);

	if (fd == -EBUSY)
		critical_found(s->c, "%s, which the kernel says is in use (a mount elsewhere, ZFS, ...)", node->name);
	else if (other || (fd < 0 && fd != -ENOMEDIUM && fd != -ENXIO))
		critical_doubt(s->c, node->name); /* somebody else has the name, or it cannot be asked */
}

void critical_nodes_use(const struct pci_function *f, struct critical *ret)
{
	struct search search = { .c = ret }, *s = &search;
	unsigned int i;

	nodes_find(f, &s->nodes);
	if (s->nodes.doubt[0])
		critical_doubt(s->c, s->nodes.doubt);
	/* The mounts of pid 1 too: udevd may have a mount namespace of its own. */
	if (!s->c->found)
		look_at_lines(s, "/proc/1/mountinfo", look_at_mount);
	if (!s->c->found)
		look_at_lines(s, "/proc/self/mountinfo", look_at_mount);
	if (!s->c->found)
		look_at_lines(s, "/proc/swaps", look_at_swap);
	if (!s->c->found)
		look_at_lines(s, "/proc/consoles", look_at_console);
	if (!s->c->found)
		look_at_loops(s);
	if (!s->c->found)
		look_at_nvme_targets(s);
	for (i = 0; !s->c->found && i < s->nodes.count; i++) {
		if (s->nodes.node[i].block)
			look_at_holders(s, &s->nodes.node[i]);
	}
	for (i = 0; !s->c->found && i < s->nodes.count; i++) {
		if (s->nodes.node[i].block)
			look_at_claim(s, &s->nodes.node[i]);
	}
}
