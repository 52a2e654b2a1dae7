// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio check: whether a VMM that is not root could open the VFIO nodes, and lock as much memory as a VM needs.
 */
#include "check.h"

#include <limits.h>
#include <sys/stat.h>
#include "account.h"
#include "root.h"
#include "sysfs.h"

#define UNLIMITED UINT64_MAX
#define GIB (1024ULL * 1024 * 1024)

/* The soft limit of a process, in bytes. 0 or -errno. */
static int read_limit(const char *path, uint64_t *ret)
{
	static const char name[] = "Max locked memory";
	int r;
	_cleanup_free_ char *text = host_file(path, &r);
	const char *line = text ? strstr(text, name) : NULL;
	char *end;

	if (!line)
		return text ? -EBADMSG : r;
	line += strlen(name);
	line += strspn(line, " ");
	*ret = startswith(line, "unlimited") ? UNLIMITED : strtoull(line, &end, 10);
	return 0;
}

static uint64_t memory_of_host(void)
{
	int r;
	_cleanup_free_ char *text = host_file("/proc/meminfo", &r);
	const char *line = text ? strstr(text, "MemTotal:") : NULL;

	return line ? strtoull(line + strlen("MemTotal:"), NULL, 10) * 1024 : UNLIMITED;
}

static const char *size_text(uint64_t bytes, char *buf, size_t size)
{
	if (bytes < GIB)
		snprintf(buf, size, "%llu MiB", (unsigned long long)bytes >> 20);
	else
		snprintf(buf, size, "%llu GiB", (unsigned long long)bytes >> 30);
	return buf;
}

static const char memlock_means[] = "VFIO locks all memory of a VM, and each of its devices' memory regions counts as well. A VM that is "
				    "larger than the limit does not start. VMs that libvirt starts have a limit of their own.";

static void mend_memlock(struct finding *f, const char *user)
{
	finding_mend(f, SYSTEM_ALL, "echo '%s - memlock unlimited' >/etc/security/limits.d/nvfio.conf, then log in again", user);
	finding_mend(f, SYSTEM_ALL, "for a service: LimitMEMLOCK=infinity in its [Service] section");
}

void check_memlock(const struct host *host, struct finding *f)
{
	uint64_t limit = 0;
	char text[32];
	int r;

	if (host->root) {
		finding_say(f, GRADE_OK, NULL, "root may lock any amount of memory; --user NAME tells of others");
		return;
	}
	r = read_limit("/proc/self/limits", &limit);
	if (r < 0) {
		finding_say(f, GRADE_NOTE, NULL, "how much memory may be locked cannot be told: %s", strerror(-r));
	} else if (limit >= memory_of_host()) {
		finding_say(f, GRADE_OK, NULL, "all memory may be locked from here");
	} else {
		finding_say(f, GRADE_NOTE, memlock_means, "%s may be locked from here", size_text(limit, text, sizeof(text)));
		mend_memlock(f, "USER");
	}
}

static const char *node_group(const struct host *host)
{
	/* A function that no section can be about: what is left is everybody's. */
	static const struct config_subject nobody = { .bdf = { .domain = UINT32_MAX, .bus = 0xff, .slot = 0xff } };
	struct settings settings;

	config_resolve(host->config, &nobody, &settings);
	return settings.key[KEY_NODE_GROUP].text;
}

void check_node_group(const struct host *host, struct finding *f)
{
	const char *name = node_group(host);
	gid_t gid;

	if (!name[0]) {
		finding_say(f, GRADE_OK, NULL, "node-group is not set: only root opens VFIO nodes, unless another rule says so");
	} else if (account_group(name, &gid) < 0) {
		finding_say(f, GRADE_PROBLEM, "VFIO nodes stay root's alone.", "node-group = %s: there is no such group", name);
		finding_mend(f, SYSTEM_ALL, "groupadd --system %s", name);
	} else {
		finding_say(f, GRADE_OK, NULL, "node-group = %s", name);
	}
}

struct access {
	bool there, allowed;
	char text[160];   /* "/dev/vfio/12 is root:root 0600" */
};

/* By owner, group and mode. ACLs and security modules are not looked at. */
static void look_at_node(const struct account *a, const char *path, struct access *ret)
{
	char full[PATH_MAX], group[64];
	struct stat st;
	mode_t bits;

	*ret = (struct access){ .there = false };
	if (root_path(path, full, sizeof(full)) < 0 || stat(full, &st) < 0)
		return;
	bits = st.st_uid == a->uid ? st.st_mode >> 6 : account_is_member(a, st.st_gid) ? st.st_mode >> 3 : st.st_mode;
	ret->there = true;
	ret->allowed = a->uid == 0 || (bits & 06) == 06;
	snprintf(ret->text, sizeof(ret->text), "%s is %s:%s %04o", path, st.st_uid == 0 ? "root" : "another's",
		 account_group_name(st.st_gid, group, sizeof(group)), st.st_mode & 0777);
}

/* /dev/vfio/devices/vfioN (6.6 and newer). */
static bool find_cdev(const struct function *fn, char *path, size_t size)
{
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *de;
	char name[64];

	snprintf(name, sizeof(name), "/sys/bus/pci/devices/%s/vfio-dev", fn->bdf);
	dir = sysfs_list_path(name);
	while (dir && (de = readdir(dir))) {
		if (startswith(de->d_name, "vfio") && strlen(de->d_name) < 32) {
			snprintf(path, size, "/dev/vfio/devices/%.31s", de->d_name);
			return true;
		}
	}
	return false;
}

/* Group and container, or device and iommufd: one of the two ways is enough. What is in the way of the first in *why. */
static bool can_open(const struct account *a, const struct function *fn, struct access *why)
{
	struct access node, with;
	char path[64];

	if (find_cdev(fn, path, sizeof(path))) {
		look_at_node(a, path, &node);
		look_at_node(a, "/dev/iommu", &with);
		if (node.allowed && with.allowed)
			return true;
	}
	snprintf(path, sizeof(path), "/dev/vfio/%s", fn->group);
	look_at_node(a, path, why);
	if (!why->there)
		snprintf(why->text, sizeof(why->text), "%s is not there", path);
	look_at_node(a, "/dev/vfio/vfio", &with);
	/* It comes with the first use of VFIO. */
	if (why->allowed && with.there && !with.allowed)
		*why = with;
	return why->allowed;
}

static void mend_nodes(const struct host *host, struct finding *f, const struct account *a)
{
	const char *group = node_group(host)[0] ? node_group(host) : "kvm";
	gid_t gid;

	if (!node_group(host)[0])
		finding_mend(f, SYSTEM_ALL, "in the [policy] section of /etc/nvfio.conf: node-group = %s", group);
	if (account_group(group, &gid) < 0 || !account_is_member(a, gid))
		finding_mend(f, SYSTEM_ALL, "usermod --append --groups %s %s, then log in again", group, a->name);
	finding_mend(f, SYSTEM_ALL, "udevadm trigger --subsystem-match=vfio --subsystem-match=vfio-dev");
}

void check_user_nodes(const struct host *host, struct finding *f)
{
	struct crowd closed = { .n = 0 };
	unsigned int open = 0;
	struct account a;
	struct access why;
	gid_t gid;
	size_t i;

	if (account_find(host->user, &a) < 0) {
		finding_say(f, GRADE_PROBLEM, NULL, "there is no user %s", host->user);
		return;
	}
	for (i = 0; i < host->n; i++) {
		if (!host->functions[i].on_vfio)
			continue;
		if (can_open(&a, &host->functions[i], &why))
			open++;
		else
			crowd_add(&closed, "%s (%s)", host->functions[i].bdf, why.text);
	}
	if (closed.n > 0) {
		finding_say(f, GRADE_PROBLEM, "By owner, group and mode of the nodes; ACLs and security modules are not looked at.",
			    "%s cannot open %s", a.name, crowd_text(&closed));
		mend_nodes(host, f, &a);
	} else if (open > 0) {
		finding_say(f, GRADE_OK, NULL, "%s can open the nodes of %u function%s on VFIO", a.name, open, open == 1 ? "" : "s");
	} else if (a.uid == 0 || (account_group(node_group(host), &gid) == 0 && account_is_member(&a, gid))) {
		finding_say(f, GRADE_OK, NULL, "no function is on VFIO yet; %s will be able to open its nodes", a.name);
	} else {
		finding_say(f, GRADE_NOTE, NULL, "no function is on VFIO yet; %s will not be able to open its nodes", a.name);
		mend_nodes(host, f, &a);
	}
}

/* Whom a line of limits.conf(5) is about; of several, the lower number holds. 0: not this user. */
static unsigned int rank_domain(const char *domain, const struct account *a)
{
	gid_t gid;

	if (streq(domain, a->name))
		return 1;
	if (domain[0] == '@')
		return account_group(domain + 1, &gid) == 0 && account_is_member(a, gid) ? 2 : 0;
	return streq(domain, "*") ? 3 : 0;
}

static void read_limits_file(const char *path, const struct account *a, uint64_t *limit, unsigned int *best)
{
	int r;
	_cleanup_free_ char *text = host_file(path, &r);
	char *rest = text, *line;

	while (rest && (line = strsep(&rest, "\n"))) {
		char domain[64], type[16], item[32], value[32];
		unsigned int rank;

		line[strcspn(line, "#")] = '\0';
		if (sscanf(line, "%63s %15s %31s %31s", domain, type, item, value) != 4 || !streq(item, "memlock") ||
		    streq(type, "hard"))
			continue;
		rank = rank_domain(domain, a);
		if (!rank || rank > *best)
			continue;
		*best = rank;
		*limit = streq(value, "unlimited") || streq(value, "infinity") || streq(value, "-1") ? UNLIMITED :
			 strtoull(value, NULL, 10) * 1024;
	}
}

static int filter_conf(const struct dirent *de)
{
	size_t len = strlen(de->d_name);

	return len > 5 && streq(de->d_name + len - 5, ".conf");
}

/* What pam_limits(8) gives a login, which else has what the first process has. 0 or -errno. */
static int limit_of_login(const struct account *a, uint64_t *limit)
{
	char path[PATH_MAX];
	struct dirent **list;
	unsigned int best = UINT32_MAX;
	int r = read_limit("/proc/1/limits", limit), n, i;

	read_limits_file("/etc/security/limits.conf", a, limit, &best);
	if (root_path("/etc/security/limits.d", path, sizeof(path)) < 0)
		return -ENAMETOOLONG;
	n = scandir(path, &list, filter_conf, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/etc/security/limits.d/%s", list[i]->d_name);
		read_limits_file(path, a, limit, &best);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return best == UINT32_MAX ? r : 0;
}

void check_user_memlock(const struct host *host, struct finding *f)
{
	struct account a;
	uint64_t limit = 0;
	char text[32];
	int r;

	if (account_find(host->user, &a) < 0 || a.uid == 0) {
		finding_say(f, GRADE_OK, NULL, "root may lock any amount of memory");
		return;
	}
	r = limit_of_login(&a, &limit);
	if (r < 0) {
		finding_say(f, GRADE_NOTE, NULL, "how much memory %s may lock cannot be told: %s", a.name, strerror(-r));
	} else if (limit >= memory_of_host()) {
		finding_say(f, GRADE_OK, NULL, "%s may lock all memory, by limits.conf(5)", a.name);
	} else {
		finding_say(f, limit < GIB ? GRADE_PROBLEM : GRADE_NOTE, memlock_means, "%s may lock %s, by limits.conf(5)", a.name,
			    size_text(limit, text, sizeof(text)));
		mend_memlock(f, a.name);
	}
}
