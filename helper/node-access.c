// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Access to VFIO nodes. Whoever opens a group's node has every member of it that is on VFIO, so it is given only where
 * nvfio put all of them there; its records tell. Knows the names of VFIO's devices in sysfs (drivers/vfio/group.c,
 * vfio_main.c, device_cdev.c) and the group file; owner and mode are set by udev.
 */
#include "node-access.h"

#include <fcntl.h>
#include <grp.h>
#include "log.h"
#include "root.h"
#include "state.h"
#include "sysfs.h"
#include "uevent.h"

#define DIGITS "0123456789"
#define GROUP_NODES "/sys/devices/virtual/vfio/"
#define ONLY_ROOT "0600"
#define DEFAULT_MODE "0660"

/* As nss-files and nss-altfiles have them. Groups of a directory service are not there when the first GPU is. */
static const char *const group_files[] = { "/etc/group", "/usr/lib/group" };

const char *node_reason_name(enum node_reason reason)
{
	static const char *const name[NODE_REASON_COUNT] = {
		[NODE_NOT_OURS] = "", [NODE_GIVEN] = "given", [NODE_FOREIGN] = "foreign",
		[NODE_NO_SUCH_GROUP] = "no-such-group",
	};

	return name[reason];
}

static bool is_number(const char *text)
{
	return text[0] && strspn(text, DIGITS) == strlen(text);
}

static int parse_group_node(const char *number, struct vfio_node *ret)
{
	struct vfio_node node = { .group = "" };

	/* Not "noiommu-0", which isolates nothing and is root's alone. */
	if (!is_number(number) || copy_name(node.group, sizeof(node.group), number) < 0)
		return -EINVAL;
	snprintf(node.path, sizeof(node.path), "/dev/vfio/%s", number);
	*ret = node;
	return 0;
}

/* A device's node is there if its kernel has CONFIG_VFIO_DEVICE_CDEV (6.6). */
static int look_up_device(const char *syspath, const char *name, const char *function, struct vfio_node *node)
{
	_cleanup_close_ int fd = sysfs_open_dir(syspath), parent = sysfs_open_dir(function);
	int r;

	if (fd >= 0) {
		r = sysfs_has(fd, "dev");
		if (r < 0)
			return r;
		if (r > 0)
			snprintf(node->path, sizeof(node->path), "/dev/vfio/devices/%s", name);
	}
	if (parent >= 0) {
		r = sysfs_read_link(parent, "iommu_group", node->group, sizeof(node->group));
		if (r < 0 && r != -ENOENT && r != -ENODEV)
			return r;
	}
	return 0;
}

int node_parse(const char *syspath, struct vfio_node *ret)
{
	struct vfio_node node = { .group = "" };
	char function[PATH_MAX];
	const char *name;
	size_t len;
	int r;

	if (startswith(syspath, GROUP_NODES))
		return parse_group_node(syspath + strlen(GROUP_NODES), ret);
	if (copy_name(function, sizeof(function), syspath) < 0)
		return -EINVAL;
	name = strrchr(syspath, '/');
	len = name ? (size_t)(name - syspath) : 0;
	if (len < strlen("/vfio-dev") || strlen(++name) > 16 || !startswith(name, "vfio") || !is_number(name + 4))
		return -EINVAL;
	function[len] = '\0';
	len -= strlen("/vfio-dev");
	if (!streq(function + len, "/vfio-dev"))
		return -EINVAL;
	function[len] = '\0';
	r = pci_parse_syspath(function, node.bdf);
	if (r == 0)
		r = look_up_device(syspath, name, function, &node);
	if (r < 0)
		return r;
	*ret = node;
	return 0;
}

bool node_access_configured(const struct settings *settings)
{
	return settings->key[KEY_NODE_GROUP].text[0] || settings->key[KEY_NODE_MODE].text[0];
}

/* 0 with *ret_gid, -ENOENT if no file has it, -errno. */
static int find_group(const char *name, unsigned int *ret_gid)
{
	for (size_t i = 0; i < ARRAY_SIZE(group_files); i++) {
		_cleanup_file_ FILE *f = root_fopen(group_files[i]);
		const struct group *group;

		if (!f && errno != ENOENT)
			return -errno;
		while (f && (errno = 0, group = fgetgrent(f))) {
			if (streq(group->gr_name, name)) {
				*ret_gid = group->gr_gid;
				return 0;
			}
		}
		if (f && errno && errno != ENOENT)
			return -errno;
	}
	return -ENOENT;
}

/* On the driver that nvfio wrote ahead for it; a hand that bound it to the same one later changes nothing about it. */
static bool is_ours(const char *bdf)
{
	_cleanup_pci_ struct pci_function fn = { .dirfd = -1 };
	struct record rec;
	const char *attr;

	if (pci_open(bdf, &fn, &attr) < 0 || state_load(&fn, &rec) < 0)
		return false;
	return rec.state == RECORD_ACTING || rec.state == RECORD_CLAIMED || rec.state == RECORD_BOUND;
}

/* Called for each member that is on VFIO. */
typedef void (*member_visitor)(int dirfd, const char *bdf, void *arg);

/* 0; -ENOENT: there is no such group; -errno. */
static int visit_members(const char *group, member_visitor visit, void *arg)
{
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *de;
	char path[64];

	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%s/devices", group);
	dir = sysfs_list_path(path);
	if (!dir)
		return -errno;
	while ((errno = 0, de = readdir(dir))) {
		_cleanup_close_ int fd = -1;
		int r;

		if (de->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && (errno == ENOENT || errno == ENODEV))
			continue;
		if (fd < 0)
			return -errno;
		r = sysfs_has(fd, "vfio-dev");
		if (r < 0 && r != -ENODEV)
			return r;
		if (r > 0)
			visit(fd, de->d_name, arg);
	}
	return -errno;
}

struct members {
	const char *only;        /* links are for this one; empty: for all */
	bool no_links;
	struct node_access *access;
	char foreign[BDF_SIZE];  /* one that is not ours */
	unsigned int more;       /* and how many others are not */
};

static void look_at_member(_unused_ int dirfd, const char *bdf, void *arg)
{
	struct members *m = arg;
	struct node_access *a = m->access;
	size_t used = strlen(a->links);

	if (!is_ours(bdf)) {
		if (m->foreign[0])
			m->more++;
		else if (copy_name(m->foreign, sizeof(m->foreign), bdf) < 0)
			snprintf(m->foreign, sizeof(m->foreign), "another device");
		return;
	}
	if (m->only[0] && !streq(m->only, bdf))
		return;
	if (!a->first[0] && copy_name(a->first, sizeof(a->first), bdf) < 0)
		return;
	/* Those that no longer fit have none. */
	if (!m->no_links && used + strlen(bdf) + sizeof(" vfio/by-bdf/") <= sizeof(a->links))
		snprintf(a->links + used, sizeof(a->links) - used, "%svfio/by-bdf/%s", used ? " " : "", bdf);
}

static void keep_from(struct node_access *a, enum node_reason reason)
{
	a->reason = reason;
	a->gid = 0;
	a->mode = ONLY_ROOT;
}

static int decide(const struct vfio_node *node, const struct settings *settings, const struct members *m,
		  struct node_access *a)
{
	const struct setting *group = &settings->key[KEY_NODE_GROUP], *mode = &settings->key[KEY_NODE_MODE];
	int r = group->text[0] ? find_group(group->text, &a->gid) : 0;

	if (r < 0 && r != -ENOENT)
		return r;
	a->reason = NODE_GIVEN;
	a->mode = mode->text[0] ? mode->text : DEFAULT_MODE;
	if (r == -ENOENT) {
		keep_from(a, NODE_NO_SUCH_GROUP);
		snprintf(a->message, sizeof(a->message), "%s is root's alone: %s:%u: node-group = %s, and there is no such group "
			 "in /etc/group", node->path, group->file, group->line, group->text);
	} else if (m->foreign[0]) {
		char more[32] = "";

		if (m->more)
			snprintf(more, sizeof(more), " and %u more", m->more);
		keep_from(a, NODE_FOREIGN);
		snprintf(a->message, sizeof(a->message), "%s is root's alone: %s%s of IOMMU group %s is on VFIO, and it was not "
			 "nvfio that put it there", node->path, m->foreign, more, node->group);
	} else {
		snprintf(a->message, sizeof(a->message), "%s has group %s and mode %s", node->path,
			 group->text[0] ? group->text : "root", a->mode);
	}
	return 0;
}

int node_access_judge(const struct vfio_node *node, const struct settings *settings, struct node_access *ret)
{
	struct node_access a = { .reason = NODE_NOT_OURS, .mode = "" };
	struct members m = { .only = node->bdf, .access = &a };
	char path[64];
	int r = 0;

	if (node_access_configured(settings) && node->path[0]) {
		/* The links are the group node's where there is one: every VMM can open that. */
		snprintf(path, sizeof(path), GROUP_NODES "%s", node->group);
		m.no_links = node->bdf[0] && root_exists(path);
		r = visit_members(node->group, look_at_member, &m);
		if (r == 0 && a.first[0])
			r = decide(node, settings, &m, &a);
		/* The group has gone, its node with it. */
		if (r == -ENOENT)
			r = 0;
	}
	if (r == 0)
		*ret = a;
	return r;
}

/* 0, also if it has gone, or -errno. */
static int ask_for_event(const char *path)
{
	_cleanup_close_ int fd = sysfs_open_dir(path);
	int r = fd < 0 ? fd : uevent_follow_up(fd);

	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

static void report_event(const char *node, int r)
{
	if (r < 0)
		log_message(LOG_WARNING, NULL, "could not ask for an event of %s: %s; its owner and mode may be old, `udevadm "
			    "trigger --subsystem-match=vfio` sets them", node, strerror(-r));
}

/* Each member's own node, where its kernel has one. */
static void tell_member(int dirfd, const char *bdf, void *arg)
{
	_cleanup_dir_ DIR *dir = sysfs_list(dirfd, "vfio-dev");
	const char *const *but = arg;
	const struct dirent *de;

	while (dir && !streq(*but, bdf) && (de = readdir(dir))) {
		_cleanup_close_ int fd = -1;
		char name[NAME_MAX + 10];
		int r;

		if (de->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "vfio-dev/%s", de->d_name);
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || sysfs_has(fd, "dev") <= 0)
			continue;
		r = uevent_follow_up(fd);
		report_event(de->d_name, r == -ENOENT || r == -ENODEV ? 0 : r);
	}
}

void node_access_follow_up(const char *group, const char *bdf, bool foreign)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), GROUP_NODES "%s", group);
	r = ask_for_event(path);
	report_event(path, r);
	if (!foreign)
		return;
	r = visit_members(group, tell_member, &bdf);
	report_event(path, r == -ENOENT ? 0 : r);
}

int node_access_begin(void)
{
	return state_mark("nodes");
}
