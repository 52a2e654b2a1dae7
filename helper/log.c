// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One record a decision, to whoever listens: the journal by its native protocol
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), else the kernel's log, else stderr. Opens what it
 * needs for each record, so a forked child or a closed descriptor changes nothing, and never waits:
 * a full journal must not hold up a device.
 */
#include "log.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "root.h"

#define LOG_MESSAGE_MAX 1024
/* /dev/kmsg answers EINVAL to more than LOG_LINE_MAX bytes a write (kernel/printk), 976 or so. */
#define LINE_MAX_KMSG 960
#define LOG_VALUE_MAX 128

static const char *log_ident = "nvfio";
static bool log_verbose, off_stderr;

void log_setup(const char *ident, bool verbose)
{
	log_ident = ident;
	log_verbose = verbose;
}

void log_off_stderr(void)
{
	off_stderr = true;
}

struct text {
	char *buf;
	size_t size, used;
};

/* Appends what fits; control characters become spaces, for a line is a record to every reader. */
static void add(struct text *t, const char *s, size_t max)
{
	for (; *s && max > 0 && t->used + 1 < t->size; s++, max--) {
		unsigned char c = (unsigned char)*s;

		t->buf[t->used++] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
	}
	t->buf[t->used] = '\0';
}

static void add_field(struct text *t, const char *key, const char *value, char end)
{
	if (!value || !value[0])
		return;
	/* None rather than half of it: the next field would become part of this one. */
	if (t->used + strlen(key) + strnlen(value, LOG_VALUE_MAX) + 1 >= t->size)
		return;
	add(t, key, SIZE_MAX);
	add(t, value, LOG_VALUE_MAX);
	t->buf[t->used++] = end;
	t->buf[t->used] = '\0';
}

/* The details under the journal's names ("NVFIO_STATE=bound\n") or as words ("state=bound "). */
static void add_details(struct text *t, const struct log_record *record, bool journal)
{
	/* The most telling first, if it ever does not all fit. */
	const struct {
		const char *field, *word, *value;
	} details[] = {
		{ "NVFIO_STATE=", "state=", record->state },
		{ "NVFIO_REASON=", "reason=", record->reason },
		{ "NVFIO_EVENT=", "event=", record->event },
		{ "NVFIO_DRIVER=", "driver=", record->driver },
		{ "NVFIO_STEP=", "step=", record->step },
	};
	char error[16] = "";

	for (size_t i = 0; i < ARRAY_SIZE(details); i++)
		add_field(t, journal ? details[i].field : details[i].word, details[i].value,
			  journal ? '\n' : ' ');
	if (record->error)
		snprintf(error, sizeof(error), "%d", record->error);
	add_field(t, journal ? "ERRNO=" : "errno=", error, journal ? '\n' : ' ');
}

static bool send_journal(const struct log_record *record, const char *message)
{
	char buf[LOG_MESSAGE_MAX + 2048];
	struct text t = { .buf = buf, .size = sizeof(buf) };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (root_path("/run/systemd/journal/socket", addr.sun_path, sizeof(addr.sun_path)) < 0)
		return false;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	t.used = (size_t)snprintf(buf, sizeof(buf), "MESSAGE=%s\nMESSAGE_ID=%s\nPRIORITY=%d\n"
				  "SYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%s\n", message,
				  NVFIO_MESSAGE_ID, record->priority, LOG_FAC(LOG_DAEMON),
				  log_ident);
	add_field(&t, "NVFIO_BDF=", record->bdf, '\n');
	add_details(&t, record, true);
	return sendto(fd, buf, t.used, MSG_NOSIGNAL, (struct sockaddr *)&addr,
		      sizeof(addr)) == (ssize_t)t.used;
}

/* "ident: message [state=... reason=...]\n"; of a line that is too long the message is cut. */
static size_t format_line(const struct log_record *record, const char *prefix, const char *message,
			  char line[static LINE_MAX_KMSG])
{
	char tail[LINE_MAX_KMSG / 2] = "";
	struct text details = { .buf = tail, .size = sizeof(tail) };
	struct text t = { .buf = line, .size = LINE_MAX_KMSG };

	add(&details, " [", SIZE_MAX);
	add_details(&details, record, false);
	if (details.used > strlen(" ["))
		tail[details.used - 1] = ']';
	else
		tail[0] = '\0';
	t.size -= strlen(tail) + 1;
	add(&t, prefix, SIZE_MAX);
	add(&t, log_ident, SIZE_MAX);
	add(&t, ": ", SIZE_MAX);
	add(&t, message, SIZE_MAX);
	t.size = LINE_MAX_KMSG;
	add(&t, tail, SIZE_MAX);
	line[t.used] = '\n';
	return t.used + 1;
}

/* With a facility of ours: without one the kernel takes the line for its own. */
static bool send_kmsg(const struct log_record *record, const char *message)
{
	_cleanup_close_ int fd = -1;
	char line[LINE_MAX_KMSG], prefix[16];
	size_t len;

	fd = root_open("/dev/kmsg", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	snprintf(prefix, sizeof(prefix), "<%d>", LOG_DAEMON | record->priority);
	len = format_line(record, prefix, message, line);
	return write(fd, line, len) == (ssize_t)len;
}

static void send_stderr(const struct log_record *record, const char *message)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };
	char line[LINE_MAX_KMSG];
	size_t len = format_line(record, "", message, line);

	/* A pipe that is ready takes PIPE_BUF bytes at once; one nobody reads is not waited for. */
	if (poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT))
		(void)!write(STDERR_FILENO, line, len);
}

void log_send(const struct log_record *record)
{
	char message[LOG_MESSAGE_MAX] = "";
	struct text t = { .buf = message, .size = sizeof(message) };
	int saved = errno;

	if (record->bdf && record->bdf[0]) {
		add(&t, record->bdf, LOG_VALUE_MAX);
		add(&t, ": ", SIZE_MAX);
	}
	if (record->message)
		add(&t, record->message, SIZE_MAX);
	if ((!send_journal(record, message) && !send_kmsg(record, message) && !off_stderr) || log_verbose)
		send_stderr(record, message);
	errno = saved;
}

void log_message(int priority, const char *bdf, const char *format, ...)
{
	char message[LOG_MESSAGE_MAX];
	struct log_record record = { .priority = priority, .bdf = bdf, .message = message };
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	log_send(&record);
}
