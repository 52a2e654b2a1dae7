// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The use of a network interface, as the network namespace of this process has it: sysfs for the state, /proc/net and
 * netlink for addresses and routes.
 */
#include "critical-net.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>
#include "root.h"
#include "sysfs.h"

/*
 * Whether a line of this table is about the interface: `column` counted from 0, or -1 for the last. 1, 0 or -errno. A
 * kernel without IPv6 has no such file.
 */
static int is_in_table(const char *path, int column, const char *name)
{
	_cleanup_file_ FILE *file = root_fopen(path);
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (getline(&line, &size, file) > 0) {
		char *word, *last = NULL, *save = NULL;
		int i = 0;

		for (word = strtok_r(line, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save)) {
			last = word;
			if (i++ == column)
				break;
		}
		if (last && streq(last, name))
			return 1;
	}
	return ferror(file) ? -EIO : 0;
}

/* /proc/net has no IPv4 addresses by interface, so the kernel is asked (RTM_GETADDR); of the host, not of a fake tree. */
static int has_address(const char *name)
{
	struct ifaddrs *list, *one;
	int r = is_in_table("/proc/net/if_inet6", -1, name);

	if (r != 0 || !root_is_host())
		return r;
	if (getifaddrs(&list) < 0)
		return -errno;
	for (one = list; one && r == 0; one = one->ifa_next) {
		int family = one->ifa_addr ? one->ifa_addr->sa_family : AF_UNSPEC;
		/* Of an IPv4 address it is the label, "eth0:1" for an alias of old. */
		size_t len = strcspn(one->ifa_name, ":");

		r = (family == AF_INET || family == AF_INET6) && len == strlen(name) &&
		    strncmp(one->ifa_name, name, len) == 0;
	}
	freeifaddrs(list);
	return r;
}

/* A port of a bridge, a slave of a bond, the base of a VLAN: upper_<name> in the interface's directory. 1, 0 or -errno. */
static int find_upper(int dirfd, const char *name, char *upper, size_t size)
{
	_cleanup_dir_ DIR *dir = sysfs_list(dirfd, name);
	const struct dirent *de;

	while (dir && (errno = 0, de = readdir(dir))) {
		if (startswith(de->d_name, "upper_")) {
			snprintf(upper, size, "%s", de->d_name + strlen("upper_"));
			return 1;
		}
	}
	return -errno;
}

int critical_net_use(int dirfd, const char *name, char *why, size_t size)
{
	char path[300], upper[64];
	uint32_t flags;
	int r;

	snprintf(path, sizeof(path), "%s/flags", name);
	r = sysfs_read_hex(dirfd, path, UINT32_MAX, &flags);
	if (r < 0)
		return r;
	r = has_address(name);
	if (r > 0)
		snprintf(why, size, "%swith an address", flags & IFF_UP ? "up " : "");
	if (r != 0)
		return r;
	r = find_upper(dirfd, name, upper, sizeof(upper));
	if (r > 0)
		snprintf(why, size, "%spart of %s", flags & IFF_UP ? "up and " : "", upper);
	if (r != 0)
		return r;
	r = is_in_table("/proc/net/route", 0, name);
	if (r == 0)
		r = is_in_table("/proc/net/ipv6_route", -1, name);
	if (r > 0)
		snprintf(why, size, "with a route");
	if (r != 0)
		return r;
	/* Packet sockets, PPPoE or a guest's macvtap need nothing of the above. */
	if (flags & IFF_UP)
		snprintf(why, size, "up");
	return flags & IFF_UP ? 1 : 0;
}
