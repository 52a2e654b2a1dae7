/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way back, as `nvfio unbind` asks for it: off the VFIO driver, to the driver and driver_override of before, and a
 * record that keeps every later event from taking the function again.
 */
#ifndef NVFIO_RELEASE_H
#define NVFIO_RELEASE_H

#include "bind.h"

enum release_state {
	RELEASE_RUNNING, /* not over at the deadline, or interrupted: a child goes on alone, holding the lock */
	RELEASE_DONE,    /* it was on VFIO (or on its way) and is not any more */
	RELEASE_THERE,   /* it was not on VFIO; now no event takes it either */
	RELEASE_REFUSED, /* a user of its VFIO node, or not nvfio's to give back; as it was before */
	RELEASE_FAILED,  /* a step failed; the message tells what stands */
	RELEASE_GONE,
	RELEASE_STATE_COUNT
};

struct release_result {
	enum release_state state;
	const char *step;              /* the last step begun; static text */
	int error;                     /* of that step, a positive errno; 0 for none */
	const char *reason;            /* "released", "already", "busy", "not-ours", "override", ...; static text */
	char driver[DRIVER_NAME_SIZE]; /* what it is on afterwards; empty for none */
	char message[768];
};

/*
 * Releases the judged function, whatever the verdict is: takes its lock and works in a child, for which it waits at most
 * the configured timeout and half a second, or until watch says no. `to` is a native driver that is in the kernel, or NULL:
 * then the function goes to the one that the record names, and one that nvfio did not take is refused.
 * The record goes ahead of the first write: interrupted, the next event or `nvfio unbind` finishes it (undo.h).
 * 0 with *ret filled in; -EBUSY: somebody else acts on the function, nothing was done; -errno: nothing was done.
 */
int release_function(struct judgement *j, const char *to, bind_watch watch, struct release_result *ret) _must_check_;

/*
 * Of a function that is on VFIO and was to be released: it stays there. 1 if there was such a mark, 0 if not, -EBUSY if
 * somebody acts on it, -errno.
 */
int release_forget(struct judgement *j) _must_check_;

/* What release_function() would say without doing anything: 0 it would begin, 1 with *ret filled in, -errno. Starts no act. */
int release_check(struct judgement *j, const char *to, struct release_result *ret) _must_check_;

const char *release_state_name(enum release_state state);

#endif
