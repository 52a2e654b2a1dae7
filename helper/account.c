// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two sources of users and groups. On a host glibc is asked, which knows of LDAP and others; a fake tree has files.
 */
#include "account.h"

#include <grp.h>
#include <pwd.h>
#include "check.h"
#include "root.h"

/* "name:x:1000:1000:..." in four parts. False for what is none. */
static bool split(char *line, char *part[static 4])
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		part[i] = strsep(&line, ":");
		if (!part[i])
			return false;
	}
	return part[0][0] && part[2][0];
}

static bool lists(const char *members, const char *name)
{
	size_t len = strlen(name);

	for (; *members; members += strcspn(members, ","), members += *members == ',') {
		if (strcspn(members, ",") == len && strncmp(members, name, len) == 0)
			return true;
	}
	return false;
}

static void add_group(struct account *a, gid_t gid)
{
	if (a->n_groups < ACCOUNT_GROUPS_MAX && !account_is_member(a, gid))
		a->groups[a->n_groups++] = gid;
}

static int find_in_tree(const char *name, struct account *a)
{
	int r, found = -ENOENT;
	_cleanup_free_ char *passwd = host_file("/etc/passwd", &r), *group = host_file("/etc/group", &r);
	char *rest, *line, *part[4];

	for (rest = passwd; rest && (line = strsep(&rest, "\n")); ) {
		if (!split(line, part) || !streq(part[0], name))
			continue;
		a->uid = (uid_t)strtoul(part[2], NULL, 10);
		add_group(a, (gid_t)strtoul(part[3], NULL, 10));
		found = 0;
	}
	for (rest = group; rest && (line = strsep(&rest, "\n")); ) {
		if (split(line, part) && lists(part[3], name))
			add_group(a, (gid_t)strtoul(part[2], NULL, 10));
	}
	return found;
}

static int find_on_host(const char *name, struct account *a)
{
	int n = ACCOUNT_GROUPS_MAX;
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (!pw)
		return errno && errno != ENOENT && errno != ESRCH ? -errno : -ENOENT;
	a->uid = pw->pw_uid;
	/* Of more than fit the first are there. */
	(void)getgrouplist(name, pw->pw_gid, a->groups, &n);
	a->n_groups = n < ACCOUNT_GROUPS_MAX ? (unsigned int)n : ACCOUNT_GROUPS_MAX;
	return 0;
}

int account_find(const char *name, struct account *ret)
{
	struct account a = { .n_groups = 0 };
	int r;

	if (!name[0] || copy_name(a.name, sizeof(a.name), name) < 0)
		return -ENOENT;
	r = root_is_host() ? find_on_host(name, &a) : find_in_tree(name, &a);
	if (r == 0)
		*ret = a;
	return r;
}

/* By name, or with NULL by number: the other is filled in. */
static int group_in_tree(const char *name, gid_t *gid, char *buf, size_t size)
{
	int r;
	_cleanup_free_ char *group = host_file("/etc/group", &r);
	char *rest, *line, *part[4];

	for (rest = group; rest && (line = strsep(&rest, "\n")); ) {
		if (!split(line, part))
			continue;
		if (name ? streq(part[0], name) : (gid_t)strtoul(part[2], NULL, 10) == *gid) {
			*gid = (gid_t)strtoul(part[2], NULL, 10);
			snprintf(buf, size, "%s", part[0]);
			return 0;
		}
	}
	return -ENOENT;
}

int account_group(const char *name, gid_t *ret)
{
	const struct group *gr;
	char buf[64];

	if (!root_is_host())
		return group_in_tree(name, ret, buf, sizeof(buf));
	errno = 0;
	gr = getgrnam(name);
	if (!gr)
		return errno && errno != ENOENT && errno != ESRCH ? -errno : -ENOENT;
	*ret = gr->gr_gid;
	return 0;
}

const char *account_group_name(gid_t gid, char *buf, size_t size)
{
	const struct group *gr = root_is_host() ? getgrgid(gid) : NULL;

	snprintf(buf, size, "%u", gid);
	if (gr)
		snprintf(buf, size, "%s", gr->gr_name);
	else if (!root_is_host() && group_in_tree(NULL, &gid, buf, size) < 0)
		snprintf(buf, size, "%u", gid);
	return buf;
}

bool account_is_member(const struct account *account, gid_t gid)
{
	unsigned int i;

	for (i = 0; i < account->n_groups; i++) {
		if (account->groups[i] == gid)
			return true;
	}
	return false;
}
