/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function as it is now: looked up, judged, and compared with what udev remembers of its last event.
 */
#ifndef NVFIO_STATUS_H
#define NVFIO_STATUS_H

#include "judge.h"
#include "udevdb.h"

struct status {
	struct judgement judgement; /* for a plain `udevadm trigger`, or what the caller asked for */
	struct udevdb db;
	char name[128];             /* from the hardware database; empty if it is not in there */
	const char *state;          /* bound claimed left deferred refused failed, in-flight interrupted unseen */
	const char *reason;         /* why it is in that state; one word */
	char message[768];          /* the same in a sentence */
	char note[256];             /* where udev's database says something that is not true (any more), else empty */
};

/* How to look. */
struct look {
	enum event_kind event;      /* "what if it came now?" */
	bool quick;                 /* start no process */
	bool no_driver;             /* as if its native driver had let go */
	bool no_name, no_message;   /* leave these empty, nobody reads them */
	bool off;                   /* host_is_off() */
};

/*
 * Looks at the function of this name. 0 with *ret to be freed; -ENODEV, -EINVAL with *ret_attr, -errno as judge(). It
 * holds pointers into itself: it must not be copied.
 */
int status_read(struct status *ret, const char *bdf, const struct look *look, const char **ret_attr) _must_check_;
void status_free(struct status *s);

/* Says on standard error why a function could not be looked at; bdf NULL: any of them. The exit code to end with. */
int status_say_error(const char *bdf, const char *attr, int r);

/* The driver it is to be on: a VFIO driver, or "native"; empty where that is not known. */
const char *status_wanted(const struct status *s);

/* "bridge" for what is none of policy's roles but carries the others. */
const char *status_role(const struct status *s);

#define _cleanup_status_ __attribute__((cleanup(status_free)))

#endif
