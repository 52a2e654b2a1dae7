// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's uevents by netlink: group 1 is what the kernel sends, before any rule has run; what
 * udev makes of it goes to group 2, which is never listened to here. Owns the message format of
 * lib/kobject_uevent.c and that of a synthetic event (Documentation/ABI/testing/sysfs-uevent).
 */
#include "uevent.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include "sysfs.h"

#define KERNEL_GROUP 1
/* A message is a header line and at most UEVENT_BUFFER_SIZE (2048) bytes of variables. */
#define MESSAGE_SIZE 8192

int uevent_listen(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
	_cleanup_close_ int fd = -1;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (fd < 0)
		return -errno;
	/* A larger buffer would ask for CAP_NET_ADMIN. Events of 64 VFs overrun this one, which receive() is told. */
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* The next string of the message, or NULL where it ends or is not terminated. */
static const char *next_string(const char **pos, const char *end)
{
	const char *s = *pos;
	const char *nul = s < end ? memchr(s, '\0', (size_t)(end - s)) : NULL;

	if (!nul)
		return NULL;
	*pos = nul + 1;
	return s;
}

static bool is_device(const char *devpath, const char *bdf)
{
	const char *base = strrchr(devpath, '/');

	return base && streq(base + 1, bdf);
}

enum uevent_seen uevent_parse(const char *msg, size_t len, const char *bdf)
{
	const char *pos = msg, *end = msg + len, *s, *at;
	enum uevent_seen seen;
	bool is_pci = false;

	s = next_string(&pos, end);
	at = s ? strchr(s, '@') : NULL;
	if (!at || !is_device(at + 1, bdf))
		return UEVENT_NONE;
	if (startswith(s, "bind@"))
		seen = UEVENT_BIND;
	else if (startswith(s, "remove@"))
		seen = UEVENT_REMOVE;
	else
		return UEVENT_NONE;
	while ((s = next_string(&pos, end))) {
		/* Somebody wrote "bind" or "remove" into the uevent attribute; nothing happened. */
		if (startswith(s, "SYNTH_UUID="))
			return UEVENT_NONE;
		if (streq(s, "SUBSYSTEM=pci"))
			is_pci = true;
	}
	return is_pci ? seen : UEVENT_NONE;
}

/* One message: an enum uevent_seen, -EAGAIN if there is none, -errno. */
static int receive(int fd, const char *bdf)
{
	struct sockaddr_nl from = { .nl_family = AF_UNSPEC };
	char buf[MESSAGE_SIZE];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov,
			      .msg_iovlen = 1 };
	ssize_t n;

	n = recvmsg(fd, &msg, MSG_DONTWAIT);
	if (n < 0)
		return errno == ENOBUFS ? UEVENT_BIND : -errno;
	/* Anybody may send to a netlink socket; only the kernel's port is 0. */
	if (msg.msg_namelen != sizeof(from) || from.nl_family != AF_NETLINK || from.nl_pid != 0 ||
	    (msg.msg_flags & MSG_TRUNC))
		return UEVENT_NONE;
	return uevent_parse(buf, (size_t)n, bdf);
}

int uevent_wait(int fd, const char *bdf, int timeout_ms)
{
	int64_t deadline = now_ms() + (timeout_ms > 0 ? timeout_ms : 0);

	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int64_t left;
		int r;

		r = receive(fd, bdf);
		if (r > 0)
			return r;
		if (r < 0 && r != -EAGAIN && r != -EINTR)
			return r;
		/* Also after a foreign message: a storm of them must not outlast the deadline. */
		left = deadline - now_ms();
		if (left <= 0)
			return UEVENT_NONE;
		if (r == UEVENT_NONE)
			continue;
		if (poll(&pfd, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
	}
}

int uevent_wait_any(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char byte;

	if (poll(&pfd, 1, timeout_ms > 0 ? timeout_ms : 0) < 0 && errno != EINTR)
		return -errno;
	if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
		return -errno;
	return 0;
}

static int ask_for(int dirfd, const char *action, const char *arguments)
{
	uint8_t u[16];
	char text[96];

	/* GRND_INSECURE: early in the boot the others wait for entropy, and this is no secret. */
	if (getrandom(u, sizeof(u), GRND_INSECURE) < 0)
		return -errno;
	u[6] = (uint8_t)((u[6] & 0x0f) | 0x40);
	u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
	snprintf(text, sizeof(text), "%s %02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x%s", action, u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7],
		 u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15], arguments);
	return sysfs_write(dirfd, "uevent", text);
}

int uevent_follow_up(int dirfd)
{
	return ask_for(dirfd, "change", " NVFIO=1");
}

int uevent_tell(int dirfd, const char *what)
{
	char argument[32];

	snprintf(argument, sizeof(argument), " NVFIO=%s", what);
	return ask_for(dirfd, "add", argument);
}

int uevent_replay_add(int dirfd)
{
	return ask_for(dirfd, "add", "");
}
