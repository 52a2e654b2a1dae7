/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One record a decision. Goes to the journal by its native protocol, else to /dev/kmsg (initramfs, no journald), else
 * to stderr; udevd drops what its programs print.
 */
#ifndef NVFIO_LOG_H
#define NVFIO_LOG_H

#include <syslog.h>
#include "util.h"

/* MESSAGE_ID= of every record: `journalctl MESSAGE_ID=...` finds them over all versions. */
#define NVFIO_MESSAGE_ID "0fec201f6b1b4172af96c90186873364"

struct log_record {
	int priority;         /* LOG_ERR ... LOG_DEBUG */
	const char *bdf;      /* NVFIO_BDF; NULL: not about one function */
	const char *event;    /* NVFIO_EVENT: hotplug, coldplug, reapply, follow-up, release */
	const char *state;    /* NVFIO_STATE */
	const char *reason;   /* NVFIO_REASON: the short token */
	const char *driver;   /* NVFIO_DRIVER */
	const char *step;     /* NVFIO_STEP: where acting stopped */
	int error;            /* ERRNO: a positive errno, 0 for none */
	const char *message;  /* what, why, and what happens next, without the BDF */
};

/* With verbose records also go to stderr. ident is SYSLOG_IDENTIFIER, under 32 bytes, and is kept by reference. */
void log_setup(const char *ident, bool verbose);

/* For a program that tells people itself: not even where there is no log do records go to stderr. */
void log_off_stderr(void);

/*
 * Sends one record; NULL or empty fields are left out. The journal's MESSAGE reads "<bdf>: <message>"; /dev/kmsg and
 * stderr get "<ident>: <bdf>: <message> [state=... reason=... event=... driver=... step=... errno=...]". Newlines and
 * control characters become spaces: a record is a line. Fields are cut at 128 bytes, the message at what fits a line.
 * Never fails, never waits, keeps errno.
 */
void log_send(const struct log_record *record);

/* A record of a message alone; bdf may be NULL. */
void log_message(int priority, const char *bdf, const char *format, ...) _printf_(3, 4);

#endif
