// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What counts as "it was bound" and "it has gone", and the form of the event nvfio asks for. That
 * the kernel sends and takes these is seen in tests/vm.
 */
#include "tree.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <time.h>
#include "uevent.h"

#define BDF "0000:01:00.0"
#define PATH "/devices/pci0000:00/0000:00:01.0/" BDF

struct row {
	const char *name;
	const char *msg;
	size_t len;
	enum uevent_seen seen;
};

#define ROW(name, msg, seen) { name, msg, sizeof(msg), seen }

static const struct row rows[] = {
	ROW("bind", "bind@" PATH "\0ACTION=bind\0DEVPATH=" PATH "\0SUBSYSTEM=pci\0DRIVER=vfio-pci\0"
	    "SEQNUM=7", UEVENT_BIND),
	ROW("remove", "remove@" PATH "\0ACTION=remove\0SUBSYSTEM=pci\0SEQNUM=8", UEVENT_REMOVE),
	ROW("unbind", "unbind@" PATH "\0ACTION=unbind\0SUBSYSTEM=pci\0SEQNUM=8", UEVENT_NONE),
	ROW("add", "add@" PATH "\0ACTION=add\0SUBSYSTEM=pci\0SEQNUM=9", UEVENT_NONE),
	ROW("synthetic bind", "bind@" PATH "\0ACTION=bind\0SUBSYSTEM=pci\0SYNTH_UUID=0\0SEQNUM=7",
	    UEVENT_NONE),
	ROW("synthetic remove", "remove@" PATH "\0SYNTH_UUID=0\0SUBSYSTEM=pci\0SEQNUM=7",
	    UEVENT_NONE),
	ROW("another function", "bind@/devices/pci0000:00/0000:00:01.0/0000:01:00.1\0SUBSYSTEM=pci",
	    UEVENT_NONE),
	ROW("longer domain", "bind@/devices/pci0000:00/1" BDF "\0SUBSYSTEM=pci", UEVENT_NONE),
	ROW("below it", "bind@" PATH "/drm/card0\0SUBSYSTEM=pci", UEVENT_NONE),
	ROW("another subsystem", "remove@" PATH "\0SUBSYSTEM=vfio", UEVENT_NONE),
	ROW("subsystem begins so", "remove@" PATH "\0SUBSYSTEM=pci_express", UEVENT_NONE),
	ROW("no subsystem", "remove@" PATH "\0SEQNUM=8", UEVENT_NONE),
	ROW("no path", "remove@" BDF "\0SUBSYSTEM=pci", UEVENT_NONE),
	ROW("udev's own", "libudev\0\xfe\xed\xca\xfe", UEVENT_NONE),
	ROW("no action", PATH "\0SUBSYSTEM=pci", UEVENT_NONE),
	ROW("action begins so", "bindx@" PATH "\0SUBSYSTEM=pci", UEVENT_NONE),
	ROW("action begins so too", "removed@" PATH "\0SUBSYSTEM=pci", UEVENT_NONE),
	ROW("empty string", "", UEVENT_NONE),
	{ "no byte", "", 0, UEVENT_NONE },
	{ "header unterminated", "bind@" PATH, sizeof("bind@" PATH) - 1, UEVENT_NONE },
	{ "subsystem unterminated", "bind@" PATH "\0SUBSYSTEM=pci",
	  sizeof("bind@" PATH "\0SUBSYSTEM=pci") - 1, UEVENT_NONE },
};

static void parses(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Of just this size, so that the sanitizer and valgrind see a step too far. */
		char *exact = malloc(rows[i].len ? rows[i].len : 1);
		enum uevent_seen seen;

		memcpy(exact, rows[i].msg, rows[i].len);
		seen = uevent_parse(exact, rows[i].len, BDF);
		free(exact);
		if (seen != rows[i].seen)
			printf("# %s: %d\n", rows[i].name, seen);
		CHECK(seen == rows[i].seen);
	}
}

/* Writes into a fake uevent attribute, which keeps what it is given. */
static bool follow_up(char *uuid)
{
	_cleanup_close_ int fd = -1;
	const char *text;

	tree_file("/sys/dev/uevent", "");
	fd = root_open("/sys/dev", O_RDONLY | O_DIRECTORY);
	if (uevent_follow_up(fd) < 0)
		return false;
	text = tree_read("/sys/dev/uevent");
	if (strlen(text) != strlen("change  NVFIO=1") + 36 || !startswith(text, "change ") ||
	    !streq(text + strlen("change ") + 36, " NVFIO=1"))
		return false;
	memcpy(uuid, text + strlen("change "), 36);
	uuid[36] = '\0';
	return true;
}

static void asks_with_a_random_uuid(void)
{
	TREE;
	char one[37], two[37];

	CHECK(follow_up(one) && follow_up(two));
	CHECK(!streq(one, two));
	/* Version 4, variant 1, and the dashes where the kernel wants them. */
	CHECK(one[8] == '-' && one[13] == '-' && one[18] == '-' && one[23] == '-');
	CHECK(one[14] == '4' && strchr("89ab", one[19]));
	CHECK(strspn(one, "0123456789abcdef-") == 36);
}

static void asks_nobody_where_the_device_has_gone(void)
{
	TREE;
	_cleanup_close_ int fd = -1;

	tree_dir("/sys/dev");
	fd = root_open("/sys/dev", O_RDONLY | O_DIRECTORY);
	CHECK(uevent_follow_up(fd) == -ENOENT);
}

static void waits_no_longer_than_told(void)
{
	_cleanup_close_ int fd = uevent_listen();
	int64_t start = now_ms();

	CHECK(fd >= 0);
	CHECK(uevent_wait(fd, BDF, 50) == UEVENT_NONE);
	CHECK(now_ms() - start >= 49);
	CHECK(uevent_wait(fd, BDF, 0) == UEVENT_NONE);
	CHECK(uevent_wait(fd, BDF, -1) == UEVENT_NONE);
}

static void believes_the_kernel_only(void)
{
	static const char lie[] = "bind@" PATH "\0ACTION=bind\0SUBSYSTEM=pci\0SEQNUM=7";
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	_cleanup_close_ int fd = uevent_listen();
	_cleanup_close_ int liar = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
					  NETLINK_KOBJECT_UEVENT);
	socklen_t len = sizeof(to);
	int peek;

	CHECK(fd >= 0 && liar >= 0);
	CHECK(getsockname(fd, (struct sockaddr *)&to, &len) == 0);
	to.nl_groups = 0;
	CHECK(sendto(liar, lie, sizeof(lie), 0, (struct sockaddr *)&to, sizeof(to)) > 0);
	/* It has arrived, and it says what would be believed of the kernel. */
	CHECK(recv(fd, &peek, sizeof(peek), MSG_PEEK) > 0);
	CHECK(uevent_parse(lie, sizeof(lie), BDF) == UEVENT_BIND);
	CHECK(uevent_wait(fd, BDF, 10) == UEVENT_NONE);
}

TEST_MAIN(TEST(parses), TEST(asks_with_a_random_uuid), TEST(asks_nobody_where_the_device_has_gone),
	  TEST(waits_no_longer_than_told), TEST(believes_the_kernel_only))
