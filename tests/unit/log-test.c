// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where a record goes and what it looks like there: a fake journal's socket, a file for /dev/kmsg,
 * and a pipe or a file for stderr.
 */
#include "tree.h"

#include <sys/socket.h>
#include <sys/un.h>
#include "log.h"

#define JOURNAL "/run/systemd/journal/socket"
#define KMSG "/dev/kmsg"

static const struct log_record record = {
	.priority = LOG_WARNING,
	.bdf = "0000:01:00.0",
	.event = "hotplug",
	.state = "deferred",
	.reason = "held",
	.driver = "vfio-pci",
	.step = "unbind",
	.error = EBUSY,
	.message = "in use by /dev/nvidia0; left to nvidia",
};

static const char line[] =
	"nvfio-test: 0000:01:00.0: in use by /dev/nvidia0; left to nvidia "
	"[state=deferred reason=held event=hotplug driver=vfio-pci step=unbind errno=16]\n";

__attribute__((constructor)) static void name_us(void)
{
	log_setup("nvfio-test", false);
}

static int journal_open(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	tree_dir_of(JOURNAL);
	if (fd < 0 || root_path(JOURNAL, addr.sun_path, sizeof(addr.sun_path)) < 0 ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		tree_fail(JOURNAL);
	return fd;
}

/* The next record, "" if there is none. */
static const char *journal_read(int fd)
{
	static char buf[65536];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

static bool has_line(const char *text, const char *wanted)
{
	size_t len = strlen(wanted);

	while (text[0]) {
		if (strncmp(text, wanted, len) == 0 && text[len] == '\n')
			return true;
		text = strchrnul(text, '\n');
		text += *text == '\n';
	}
	return false;
}

/* Sends with stderr going into a file of the tree; what was printed there. */
static const char *stderr_of(const struct log_record *r)
{
	int saved = dup(STDERR_FILENO), fd;

	tree_file("/stderr", "");
	fd = root_open("/stderr", O_WRONLY | O_APPEND);
	if (saved < 0 || fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		tree_fail("stderr");
	close(fd);
	log_send(r);
	if (dup2(saved, STDERR_FILENO) < 0)
		tree_fail("stderr");
	close(saved);
	return tree_read("/stderr");
}

static void journal_first(void)
{
	TREE;
	_cleanup_close_ int fd = journal_open();
	const char *text;

	tree_file(KMSG, "");
	CHECK_STR(stderr_of(&record), "");
	text = journal_read(fd);
	CHECK(has_line(text, "MESSAGE=0000:01:00.0: in use by /dev/nvidia0; left to nvidia"));
	CHECK(has_line(text, "MESSAGE_ID=0fec201f6b1b4172af96c90186873364"));
	CHECK(has_line(text, "PRIORITY=4"));
	CHECK(has_line(text, "SYSLOG_FACILITY=3"));
	CHECK(has_line(text, "SYSLOG_IDENTIFIER=nvfio-test"));
	CHECK(has_line(text, "NVFIO_BDF=0000:01:00.0"));
	CHECK(has_line(text, "NVFIO_EVENT=hotplug"));
	CHECK(has_line(text, "NVFIO_STATE=deferred"));
	CHECK(has_line(text, "NVFIO_REASON=held"));
	CHECK(has_line(text, "NVFIO_DRIVER=vfio-pci"));
	CHECK(has_line(text, "NVFIO_STEP=unbind"));
	CHECK(has_line(text, "ERRNO=16"));
	CHECK_STR(journal_read(fd), "");
	CHECK_STR(tree_read(KMSG), "");
}

static void leaves_out_what_is_empty(void)
{
	TREE;
	_cleanup_close_ int fd = journal_open();
	const struct log_record bare = { .priority = LOG_INFO, .state = "", .message = "m" };
	const char *text;

	log_send(&bare);
	text = journal_read(fd);
	CHECK(has_line(text, "MESSAGE=m"));
	CHECK(!strstr(text, "NVFIO_") && !strstr(text, "ERRNO"));
}

static void one_line_a_field(void)
{
	TREE;
	_cleanup_close_ int fd = journal_open();
	const struct log_record nasty = { .priority = LOG_INFO, .reason = "a\nNVFIO_STATE=bound",
					  .message = "one\ntwo\rthree\x1b[31m\x7f\nPRIORITY=0" };
	const char *text;

	log_send(&nasty);
	text = journal_read(fd);
	CHECK(has_line(text, "MESSAGE=one two three [31m  PRIORITY=0"));
	CHECK(has_line(text, "NVFIO_REASON=a NVFIO_STATE=bound"));
	CHECK(!has_line(text, "NVFIO_STATE=bound") && !has_line(text, "PRIORITY=0"));
	CHECK(has_line(text, "PRIORITY=6"));
}

static void kmsg_without_a_journal(void)
{
	TREE;
	char expected[sizeof(line) + 8];

	tree_file(KMSG, "");
	CHECK_STR(stderr_of(&record), "");
	/* 28: the daemon facility, 3 << 3, and a warning. */
	snprintf(expected, sizeof(expected), "<28>%s", line);
	CHECK_STR(tree_read(KMSG), expected);
}

static void kmsg_where_nobody_listens(void)
{
	TREE;

	close(journal_open());
	tree_file(KMSG, "");
	log_send(&record);
	CHECK(strstr(tree_read(KMSG), line));
}

static void kmsg_where_the_journal_is_full(void)
{
	TREE;
	_cleanup_close_ int fd = journal_open();
	unsigned int sent;

	tree_file(KMSG, "");
	/* Had it waited, the test would not end: nobody reads. */
	for (sent = 0; sent < 100000 && tree_read(KMSG)[0] == '\0'; sent++)
		log_send(&record);
	CHECK(sent > 1 && sent < 100000);
	CHECK(journal_read(fd)[0] != '\0');
	CHECK(strstr(tree_read(KMSG), line));
}

static void kmsg_takes_no_more_than_a_line(void)
{
	TREE;
	char big[5000];
	struct log_record r = { .priority = LOG_ERR, .bdf = "0000:01:00.0", .message = big };
	const char *text;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	r.state = "failed";
	r.reason = big;
	r.event = r.driver = r.step = big;
	tree_file(KMSG, "");
	log_send(&r);
	text = tree_read(KMSG);
	CHECK(strlen(text) <= 976 && text[strlen(text) - 1] == '\n');
	CHECK(strchr(text, '\n') == text + strlen(text) - 1);
	/* What was decided and why is there, however long the rest. */
	CHECK(startswith(text, "<27>nvfio-test: 0000:01:00.0: xxx"));
	CHECK(strstr(text, " [state=failed reason=xxx") && text[strlen(text) - 2] == ']');
}

static void journal_takes_long_ones(void)
{
	TREE;
	_cleanup_close_ int fd = journal_open();
	char big[5000];
	struct log_record r = { .priority = LOG_ERR, .message = big };
	const char *text;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	r.bdf = r.event = r.state = r.reason = r.driver = r.step = big;
	r.error = 5;
	log_send(&r);
	text = journal_read(fd);
	CHECK(strstr(text, "\nNVFIO_BDF=x") && strstr(text, "\nNVFIO_STATE=x"));
	CHECK(strstr(text, "\nNVFIO_STEP=x") && has_line(text, "ERRNO=5"));
	CHECK(strlen(text) < 4096);
}

static void stderr_without_anything(void)
{
	TREE;
	const struct log_record bare = { .priority = LOG_INFO, .message = "m" };

	CHECK_STR(stderr_of(&record), line);
	CHECK_STR(stderr_of(&bare), "nvfio-test: m\n");
}

static void stderr_besides_if_verbose(void)
{
	TREE;
	_cleanup_close_ int fd = journal_open();

	log_setup("nvfio-test", true);
	CHECK_STR(stderr_of(&record), line);
	log_setup("nvfio-test", false);
	CHECK(journal_read(fd)[0] != '\0');
}

/* A full pipe as stderr, which nobody will ever read. */
static void waits_for_no_reader(void)
{
	TREE;
	int saved = dup(STDERR_FILENO), fds[2];
	char page[4096] = "";

	CHECK(saved >= 0 && pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
	while (write(fds[1], page, sizeof(page)) > 0)
		;
	CHECK(fcntl(fds[1], F_SETFL, 0) == 0 && dup2(fds[1], STDERR_FILENO) >= 0);
	alarm(10);
	log_send(&record);
	alarm(0);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[0]);
	close(fds[1]);
}

static void keeps_errno(void)
{
	TREE;

	close(journal_open());
	tree_file(KMSG, "");
	errno = ENOTDIR;
	log_send(&record);
	CHECK(errno == ENOTDIR);
}

static void formats_a_message(void)
{
	TREE;
	_cleanup_close_ int fd = journal_open();
	char big[3000];

	log_message(LOG_NOTICE, NULL, "%s:%d: bad", "/etc/nvfio.conf", 7);
	CHECK(has_line(journal_read(fd), "MESSAGE=/etc/nvfio.conf:7: bad"));
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_message(LOG_NOTICE, NULL, "%s", big);
	CHECK(strstr(journal_read(fd), "xxx\nMESSAGE_ID="));
}

TEST_MAIN(TEST(journal_first), TEST(leaves_out_what_is_empty), TEST(one_line_a_field),
	  TEST(kmsg_without_a_journal), TEST(kmsg_where_nobody_listens),
	  TEST(kmsg_where_the_journal_is_full), TEST(kmsg_takes_no_more_than_a_line),
	  TEST(journal_takes_long_ones), TEST(stderr_without_anything),
	  TEST(stderr_besides_if_verbose), TEST(waits_for_no_reader), TEST(keeps_errno),
	  TEST(formats_a_message))
